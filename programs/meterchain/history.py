"""What the programs announced, from their first transaction to their last: walked page by page, kept, gone on with.

An Archive holds the events of each transaction that it has seen, and the readings that it brought with the key that
signed them (checked as it is fetched), in memory or also in a file, so that a walk that was cut off goes on where it
stopped, and the next audit fetches only what is new.  The list of transactions is asked for anew each time: what the
RPC listed once and does not list any more is noticed.

File, JSON lines: {"schema": 2, "genesis": hex, "programs": [address…]}, then for each transaction {"signature", "slot",
"cut", "events": [[program's index, base64]…], "readings": [[key or null, record in base64]…]}.  A last line that was
torn off is fetched again.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from solders.pubkey import Pubkey

from meterchain.chain import ChainError, ChainUnreachable, Landed, Receipt, RememberingChain
from meterchain.durable import write_whole
from meterchain.idl import Event
from meterchain.programs import Programs
from meterchain.readings import Reading, readings

PROGRAMS = ("oracle", "energy_token", "trading", "registry")
"""Whose history is walked: those that move energy and money, and the one that says whose key is whose."""
PAGE = 1_000
"""Most signatures that an RPC lists at once."""
AT_ONCE = 8
"""Transactions that an RPC is asked for at the same time, unless another number is chosen."""
_WINDOWS = 8
_CUT = "Log truncated"

ANSWERS = ("MeterReadingAccepted", "ReadingDuplicate")
"""What the oracle announces of each reading that it took: one or the other."""

Progress = Callable[[int, int], None]
"""Called with (transactions fetched, transactions that were missing)."""


class WrongHistory(ChainError):
    """The file is of another chain or of other programs, or no history at all."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A transaction that brought readings, or said so: what it brought, and what the oracle announced."""

    slot: int
    readings: Sequence[Reading]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Past:
    """The events of each program, oldest first, and what is known to be missing."""

    events: Mapping[str, Sequence[Event]]
    deliveries: Sequence[Delivery]
    """Oldest first."""
    registry: Sequence[tuple[int, Event]]
    """The registry's events with their slots, oldest first."""
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

    def __init__(
        self, chain: RememberingChain, programs: Programs, path: Path | None = None, *, at_once: int = 1
    ) -> None:
        """Reads what is at `path` already.  Raises WrongHistory, and OSError for a file that cannot be read.

        With `at_once` above 1 so many threads ask the chain.
        """
        self._chain, self._programs, self._at_once = chain, programs, at_once
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
        for done, (line, receipt) in enumerate(self._receipts(missing), start=1):
            if receipt is None:
                gone.append(line.signature)
            else:
                self._keep(line, receipt)
            progress(done, len(missing))
        if self._file:
            self._file.flush()
        return Past(
            {name: [event for _, event in self._events(name, listed[name])] for name in self._names},
            list(self._deliveries(listed["oracle"])),
            self._events("registry", listed["registry"]),
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

    def _receipts(self, lines: Sequence[Landed]) -> Iterator[tuple[Landed, Receipt | None]]:
        """In their order; what a failed question was asked beside is asked for again by the next walk."""
        if self._at_once == 1:
            yield from ((line, self._chain.transaction(line.signature)) for line in lines)
            return
        window = self._at_once * _WINDOWS
        askers = ThreadPoolExecutor(self._at_once)
        try:
            for start in range(0, len(lines), window):
                some = lines[start : start + window]
                yield from zip(
                    some, askers.map(self._chain.transaction, [line.signature for line in some]), strict=True
                )
        finally:  # whoever closes the chain ends what is still waiting for it
            askers.shutdown(wait=False, cancel_futures=True)

    def _keep(self, line: Landed, receipt: Receipt) -> None:
        row = {
            "signature": line.signature,
            "slot": line.slot,
            "cut": any(_CUT in text for text in receipt.logs),
            "events": [
                [number, base64.b64encode(data).decode()]
                for number, name in enumerate(self._names)
                for data in self._programs[name].announced(receipt)
            ],
            "readings": [
                [str(reading.key) if reading.key else None, base64.b64encode(reading.record).decode()]
                for reading in readings(receipt, self._programs["oracle"])
            ],
        }
        self._seen[line.signature] = row
        if self._file:
            self._file.write(json.dumps(row) + "\n")

    def _events(self, name: str, lines: Sequence[Landed]) -> list[tuple[int, Event]]:
        rows = (self._seen[line.signature] for line in reversed(lines) if line.signature in self._seen)
        return [(row["slot"], event) for row in rows for event in self._announced(name, row)]

    def _announced(self, name: str, row: dict[str, Any]) -> Iterator[Event]:
        number, idl = self._names.index(name), self._programs[name]
        told = (base64.b64decode(data) for whose, data in row["events"] if whose == number)
        yield from (event for data in told if (event := idl.decode_event(data)))

    def _deliveries(self, lines: Sequence[Landed]) -> Iterator[Delivery]:
        for line in reversed(lines):
            row = self._seen.get(line.signature)
            if row is None:
                continue
            events = [event for event in self._announced("oracle", row) if event.name in ANSWERS]
            brought = [
                Reading(base64.b64decode(record), Pubkey.from_string(key) if key else None)
                for key, record in row["readings"]
            ]
            if events or brought:
                yield Delivery(row["slot"], brought, events)

    def _open(self, path: Path) -> None:
        head = {
            "schema": 2,
            "genesis": self._chain.genesis_hash().hex(),
            "programs": [str(self._programs.id(name)) for name in self._names],
        }
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        rows = list(_whole(path, lines))
        if rows and rows[0] != head:
            raise WrongHistory(
                f"{path}: the history of another chain, other programs or an older version; name another file"
            )
        self._seen = {row["signature"]: row for row in rows[1:]}
        write_whole(path, "".join(json.dumps(row) + "\n" for row in [head, *rows[1:]]).encode())
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
    """Newest first, until there is nothing older.  Raises ChainUnreachable for an RPC that goes round in circles."""
    before: str | None = None
    ends: set[str] = set()
    while page := chain.signatures(programs.id(name), before=before, most=PAGE):
        yield from page
        before = page[-1].signature
        if before in ends:
            raise ChainUnreachable(f"{chain.name} lists the same transactions again and again: use another RPC")
        ends.add(before)


def _by_slot(line: Landed) -> int:
    return line.slot
