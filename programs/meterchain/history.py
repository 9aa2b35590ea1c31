"""What the programs announced, from their first transaction to their last: walked page by page, kept, gone on with.

An Archive holds the events of each transaction that it has seen, in memory or also in a file, so that a walk that was
cut off goes on where it stopped, and the next audit fetches only what is new.  The list of transactions is asked for
anew each time: what the RPC listed once and does not list any more is noticed.

File, JSON lines: {"schema": 1, "genesis": hex, "programs": [address…]}, then for each transaction {"signature", "slot",
"cut", "events": [[program's index, base64]…]}.  A last line that was torn off is fetched again.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from meterchain.chain import ChainError, Landed, RememberingChain
from meterchain.idl import Event
from meterchain.programs import Programs

PROGRAMS = ("oracle", "energy_token", "trading")
"""Whose history is walked: those that move energy and money."""
PAGE = 1_000
"""Most signatures that an RPC lists at once."""
_CUT = "Log truncated"

Progress = Callable[[int, int], None]
"""Called with (transactions fetched, transactions that were missing)."""


class WrongHistory(ChainError):
    """The file is of another chain or of other programs, or no history at all."""


@dataclass(frozen=True, slots=True)
class Past:
    """The events of each program, oldest first, and what is known to be missing."""

    events: Mapping[str, Sequence[Event]]
    heads: Mapping[str, str | None]
    """The newest signature of each program."""
    first_slot: int | None
    transactions: int
    not_served: tuple[str, ...]
    """Listed, but the RPC does not have them."""
    not_listed: tuple[str, ...]
    """Listed before, and not any more."""
    cut: tuple[str, ...]
    """Their logs were cut: events are missing."""

    @property
    def gaps(self) -> list[str]:
        """What is missing, in words; nothing if all that the RPC has was read."""
        words = {
            "are listed but not served": self.not_served,
            "were listed before and are not any more": self.not_listed,
            "have their logs cut off": self.cut,
        }
        return [f"{len(some)} transactions {what} ({some[0][:12]}…)" for what, some in words.items() if some]


class Archive:
    """The events of every transaction that was fetched so far."""

    def __init__(self, chain: RememberingChain, programs: Programs, path: Path | None = None) -> None:
        """Reads what is at `path` already.  Raises WrongHistory, and OSError for a file that cannot be read."""
        self._chain, self._programs = chain, programs
        self._names = [name for name in PROGRAMS if name in programs]
        self._seen: dict[str, dict[str, Any]] = {}
        self._file: TextIO | None = None
        if path is not None:
            self._open(path)

    def walk(self, progress: Progress = lambda _done, _missing: None) -> Past:
        """Fetch what is missing, and tell all.  Raises what the chain raises; what was fetched until then is kept."""
        listed = {name: list(_listed(self._chain, self._programs, name)) for name in self._names}
        succeeded = {line.signature: line for lines in listed.values() for line in lines if not line.failed}
        missing = sorted((line for line in succeeded.values() if line.signature not in self._seen), key=_by_slot)
        gone: list[str] = []
        for done, line in enumerate(missing, start=1):
            if not self._fetch(line):
                gone.append(line.signature)
            progress(done, len(missing))
        if self._file:
            self._file.flush()
        return Past(
            {name: self._events(name, listed[name]) for name in self._names},
            {name: lines[0].signature if lines else None for name, lines in listed.items()},
            min((line.slot for line in succeeded.values()), default=None),
            len(succeeded),
            tuple(gone),
            tuple(signature for signature in self._seen if signature not in succeeded),
            tuple(signature for signature in succeeded if self._seen.get(signature, {}).get("cut")),
        )

    def has_moved(self, past: Past) -> bool:
        """True if a transaction came since."""
        return any(
            past.heads[name] != next((line.signature for line in self._page(name)), None) for name in self._names
        )

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def _page(self, name: str) -> list[Landed]:
        return self._chain.signatures(self._programs.id(name), most=1)

    def _fetch(self, line: Landed) -> bool:
        receipt = self._chain.transaction(line.signature)
        if receipt is None:
            return False
        row = {
            "signature": line.signature,
            "slot": line.slot,
            "cut": any(_CUT in text for text in receipt.logs),
            "events": [
                [number, base64.b64encode(data).decode()]
                for number, name in enumerate(self._names)
                for data in self._programs[name].announced(receipt)
            ],
        }
        self._seen[line.signature] = row
        if self._file:
            self._file.write(json.dumps(row) + "\n")
        return True

    def _events(self, name: str, lines: Sequence[Landed]) -> list[Event]:
        number, idl = self._names.index(name), self._programs[name]
        rows = [self._seen[line.signature] for line in reversed(lines) if line.signature in self._seen]
        told = (base64.b64decode(data) for row in rows for whose, data in row["events"] if whose == number)
        return [event for data in told if (event := idl.decode_event(data))]

    def _open(self, path: Path) -> None:
        head = {
            "schema": 1,
            "genesis": self._chain.genesis_hash().hex(),
            "programs": [str(self._programs.id(name)) for name in self._names],
        }
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        rows = list(_whole(path, lines))
        if rows and rows[0] != head:
            raise WrongHistory(f"{path}: the history of another chain or of other programs; name another file")
        self._seen = {row["signature"]: row for row in rows[1:]}
        part = path.with_name(f"{path.name}.part")
        part.write_text("".join(json.dumps(row) + "\n" for row in [head, *rows[1:]]), "utf-8")
        part.replace(path)
        self._file = path.open("a", encoding="utf-8")


def _whole(path: Path, lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        try:
            yield json.loads(line)
        except ValueError:
            if number == len(lines) and number > 1:
                return  # torn off in the middle of writing
            raise WrongHistory(f"{path}, line {number}: this is no history; name another file") from None


def _listed(chain: RememberingChain, programs: Programs, name: str) -> Iterator[Landed]:
    """Newest first, until there is nothing older."""
    before: str | None = None
    while page := chain.signatures(programs.id(name), before=before, most=PAGE):
        yield from page
        before = page[-1].signature


def _by_slot(line: Landed) -> int:
    return line.slot
