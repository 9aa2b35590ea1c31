"""Reads a market from the chain, by the layouts of the IDL.

The rows of Book, Seats and History follow their header (programs.md 4.1): their number, u32, stands right behind it,
the first row at the IDL's BOOK_ROWS_AT, SEATS_ROWS_AT, HISTORY_ROWS_AT.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from solders.pubkey import Pubkey

from meterchain.accounts import LAYOUT_VERSION, AccountError
from meterchain.chain import AccountInfo, Chain, ChainError
from meterchain.idl_types import IdlError
from meterchain.market import addresses
from meterchain.market.accounts import Book, BookState, Clear, HistoryEntry, Market, Order, OrderState, Seat, Side
from meterchain.programs import Programs

_CONSTANTS = {"Book": "BOOK", "Seats": "SEATS", "History": "HISTORY"}


class NoMarket(ChainError):
    """There is no such market, or more than one where one was meant."""


class NoSeat(ChainError):
    """The wallet has no seat in this market."""


def find_market(chain: Chain, programs: Programs, address: Pubkey | None = None) -> Market:
    """The market at `address`, or the only one there is.  Raises NoMarket, AccountError."""
    if address is not None:
        (info,) = chain.accounts([address])
        if info is None:
            raise NoMarket(f"there is no market at {address} on {chain.name}")
        return read_market(programs, info)
    found = find_markets(chain, programs)
    if not found:
        raise NoMarket(f"there is no market on {chain.name}: the department makes one with `meterbridge market create`")
    if len(found) > 1:
        names = ", ".join(str(market.address) for market in found)
        raise NoMarket(f"there is more than one market on {chain.name}: choose with --market one of {names}")
    return found[0]


def find_markets(chain: Chain, programs: Programs) -> list[Market]:
    """Every market, by address."""
    idl = programs["trading"]
    found = chain.program_accounts(idl.program_id, idl.discriminator("Market"))
    return sorted((read_market(programs, info) for info in found.values()), key=lambda market: str(market.address))


def read_market(programs: Programs, info: AccountInfo) -> Market:
    """Raises AccountError unless `info` is a Market."""
    head = _head(programs, "Market", info)
    taken = _taken(Market, head, address=info.address)
    return Market(
        **taken
        | {
            "books": tuple(head["books"]),
            "book_epoch": tuple(head["book_epoch"]),
            "book_state": tuple(map(BookState, head["book_state"])),
            "clear": Clear(**_taken(Clear, head["clear"])),
        }
    )


def read_book(programs: Programs, info: AccountInfo) -> Book:
    """A book with its orders.  Raises AccountError."""
    head = _head(programs, "Book", info)
    orders = tuple(_order(slot, row) for slot, row in enumerate(_rows(programs, "Book", "Order", info.data)))
    return Book(**_taken(Book, head, address=info.address, orders=orders) | {"state": BookState(head["state"])})


def read_seats(programs: Programs, info: AccountInfo) -> list[Seat]:
    """All seats by index, those that nobody has too.  Raises AccountError."""
    _head(programs, "Seats", info)
    rows = enumerate(_rows(programs, "Seats", "Seat", info.data))
    return [Seat(**_taken(Seat, row, index=index) | {"side": Side(row["side"])}) for index, row in rows]


def read_history(programs: Programs, info: AccountInfo) -> list[HistoryEntry]:
    """The epochs in the ring, oldest first.  Raises AccountError."""
    _head(programs, "History", info)
    entries = [
        HistoryEntry(**_taken(HistoryEntry, row)) for row in _rows(programs, "History", "HistoryEntry", info.data)
    ]
    return sorted(entries, key=lambda entry: entry.epoch)


def row_count(programs: Programs, kind: str, data: bytes) -> int:
    """How many rows a Book, Seats or History has, without reading them."""
    idl = programs["trading"]
    _, end = idl.types.decode({"defined": {"name": kind}}, data, len(idl.discriminator(kind)))
    return int.from_bytes(data[end : end + 4], "little")


def space_for(programs: Programs, kind: str, rows: int) -> int:
    """Bytes of a Book, Seats or History of so many rows."""
    constants, name = programs["trading"].constants, _CONSTANTS[kind]
    return int(constants[f"{name}_ROWS_AT"]) + rows * int(constants[f"{name}_ROW"])


def fetch_books(chain: Chain, programs: Programs, market: Market) -> list[Book]:
    """Both books, as of one moment."""
    return [read_book(programs, info) for info in _present(chain, market.books)]


def fetch_seats(chain: Chain, programs: Programs, market: Market) -> list[Seat]:
    """All seats."""
    return read_seats(programs, *_present(chain, [market.seats]))


def fetch_history(chain: Chain, programs: Programs, market: Market) -> list[HistoryEntry]:
    """The epochs in the ring, oldest first."""
    return read_history(programs, *_present(chain, [market.history]))


def seat_number(chain: Chain, programs: Programs, market: Market, wallet: Pubkey) -> int | None:
    """Index of the wallet's seat, None if it has none."""
    (info,) = chain.accounts([addresses.seat_index(programs, market.address, wallet)])
    return None if info is None or not info.data else int(_head(programs, "SeatIndex", info)["seat"])


def _order(slot: int, row: Mapping[str, Any]) -> Order:
    return Order(**_taken(Order, row, slot=slot) | {"side": Side(row["side"]), "state": OrderState(row["state"])})


def _rows(programs: Programs, kind: str, row: str, data: bytes) -> list[Mapping[str, Any]]:
    types, at = programs["trading"].types, space_for(programs, kind, 0)
    rows: list[Mapping[str, Any]] = []
    size = space_for(programs, kind, 1) - at
    for number in range(row_count(programs, kind, data)):
        try:
            rows.append(types.decode({"defined": {"name": row}}, data, at + number * size)[0])
        except IdlError as error:
            raise AccountError(f"row {number} of a {kind} cannot be read: {error}") from error
    return rows


def _head(programs: Programs, kind: str, info: AccountInfo) -> dict[str, Any]:
    idl = programs["trading"]
    if info.owner != idl.program_id:
        raise AccountError(f"{info.address} belongs to {info.owner}, not to {idl.name}: it is no {kind}")
    try:
        head = idl.decode_account(kind, info.data)
    except IdlError as error:
        raise AccountError(f"{info.address}: {error}") from error
    if head["version"] != LAYOUT_VERSION:
        raise AccountError(
            f"{info.address} has layout version {head['version']}, this software reads {LAYOUT_VERSION}: update it"
        )
    return head


def _present(chain: Chain, wanted: Sequence[Pubkey]) -> list[AccountInfo]:
    found = chain.accounts(wanted)
    if missing := [str(address) for address, info in zip(wanted, found, strict=True) if info is None]:
        raise AccountError(f"{', '.join(missing)} vanished from {chain.name}: try another RPC")
    return [info for info in found if info is not None]


def _taken(kind: type, source: Mapping[str, Any], **known: Any) -> dict[str, Any]:  # noqa: ANN401
    """The fields of dataclass `kind` from `source`, sequences as tuples."""
    names = [part.name for part in fields(kind) if part.name not in known]
    return known | {name: tuple(v) if isinstance(v := source[name], list) else v for name in names}
