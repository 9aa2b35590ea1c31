"""Accounts read fast: the soak looks at forty of them after every step.

A layout of the IDL is flattened once into one `struct`; nested fields are named `clear.volume`, short arrays are
tuples, keys and long arrays bytes.  What did not change since the last look is not read again.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from solders.pubkey import Pubkey
from tests.trading.rows import Entry, Order, Seat

from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs

_CODES = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i64": "q", "pubkey": "32s"}
_DISCRIMINATOR = 8
_LONG = 64
"""Arrays of more items stay bytes."""
_TOKENS = struct.Struct("<32s32sQI32sBIQQI32s")


@dataclass(frozen=True)
class Tokens:
    """A token account."""

    owner: bytes
    amount: int
    delegate: bytes | None
    delegated: int


@dataclass(frozen=True)
class Layout:
    """Where each field of an account stands."""

    parts: tuple[tuple[str, int], ...]
    """Name and number of values; 1 is a value, more are a tuple."""
    layout: struct.Struct

    def read(self, data: bytes) -> dict[str, Any]:
        values = iter(self.layout.unpack_from(data, _DISCRIMINATOR))
        return {name: next(values) if n == 1 else tuple(next(values) for _ in range(n)) for name, n in self.parts}

    @property
    def end(self) -> int:
        return _DISCRIMINATOR + self.layout.size


def flatten(built: Programs, program: str, kind: str) -> Layout:
    """The layout of one account type."""
    parts: list[tuple[str, int]] = []
    codes: list[str] = []
    for name, count, code in _walk(built, program, kind, ""):
        parts.append((name, count))
        codes.append(code)
    return Layout(tuple(parts), struct.Struct("<" + "".join(codes)))


def _walk(built: Programs, program: str, kind: str, prefix: str) -> Iterator[tuple[str, int, str]]:
    for name, what in built[program].types.fields(kind).items():
        yield from _flat(built, program, what, prefix + name)


def _flat(built: Programs, program: str, what: Any, name: str) -> Iterator[tuple[str, int, str]]:  # noqa: ANN401
    if isinstance(what, str):
        yield name, 1, _CODES[what]
    elif "defined" in what:
        yield from _walk(built, program, what["defined"]["name"], f"{name}.")
    else:
        item, count = what["array"]
        if item == "u8":
            yield name, 1, f"{count}s"
        elif not isinstance(item, str):
            for n in range(count):
                yield from _flat(built, program, item, f"{name}.{n}")
        elif count > _LONG:
            yield name, 1, f"{count * struct.calcsize('<' + _CODES[item])}s"
        else:
            yield name, count, _CODES[item] * count


@dataclass
class Eyes:
    """Looks at accounts of one chain."""

    chain: EmbeddedChain
    built: Programs
    _layouts: dict[tuple[str, str], Layout] = field(default_factory=dict)
    _seen: dict[tuple[str, Pubkey], tuple[bytes, Any]] = field(default_factory=dict)

    def data(self, address: Pubkey) -> bytes:
        """The bytes there; none if there is nothing."""
        account = self.chain._svm.get_account(address)
        return b"" if account is None else bytes(account.data)

    def account(self, program: str, kind: str, address: Pubkey) -> Mapping[str, Any]:
        """An account's fields; empty if it is not there."""
        data = self.data(address)
        return self._once(kind, address, data, lambda: self._layout(program, kind).read(data) if data else {})

    def tokens(self, address: Pubkey) -> Tokens | None:
        """A token account; None if it is not there."""
        data = self.data(address)
        if not data:
            return None
        _, owner, amount, has_delegate, delegate, _, _, _, delegated, _, _ = _TOKENS.unpack(data)
        return Tokens(owner, amount, delegate if has_delegate else None, delegated)

    def amount(self, address: Pubkey) -> int:
        """Atoms in a token account; 0 if it is not there."""
        return int.from_bytes(self.data(address)[64:72], "little")

    def supply(self, mint: Pubkey) -> int:
        return int.from_bytes(self.data(mint)[36:44], "little")

    def orders(self, book: Pubkey) -> list[Order]:
        data = self.data(book)
        return self._once("orders", book, data, lambda: [Order(*row) for row in self._rows(data, "Book", Order.LAYOUT)])

    def seats(self, address: Pubkey) -> list[Seat]:
        data = self.data(address)
        return self._once(
            "seats", address, data, lambda: [Seat(*row) for row in self._rows(data, "Seats", Seat.LAYOUT)]
        )

    def entries(self, history: Pubkey) -> list[Entry]:
        data = self.data(history)
        rows = lambda: [Entry(*row) for row in self._rows(data, "History", Entry.LAYOUT)]  # noqa: E731
        return self._once("entries", history, data, rows)

    def _rows(self, data: bytes, kind: str, layout: struct.Struct) -> Iterator[tuple[Any, ...]]:
        constants = self.built["trading"].constants
        start = int(constants[f"{kind.upper()}_ROWS_AT"])
        count = int.from_bytes(data[self._layout("trading", kind).end :][:4], "little")
        return layout.iter_unpack(data[start : start + count * layout.size])

    def _layout(self, program: str, kind: str) -> Layout:
        found = self._layouts.get((program, kind))
        if found is None:
            found = self._layouts[program, kind] = flatten(self.built, program, kind)
        return found

    def _once(self, what: str, address: Pubkey, data: bytes, read: Any) -> Any:  # noqa: ANN401
        seen = self._seen.get((what, address))
        if seen is None or seen[0] != data:
            seen = self._seen[what, address] = (data, read())
        return seen[1]
