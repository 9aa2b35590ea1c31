"""Books too large to be placed order by order: written as no transaction could, with everything they imply.

What is written is what the program would have written: levels, totals, locks, liabilities and vaults agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey
from tests.trading.ground import Ground
from tests.trading.money import write_tokens
from tests.trading.rows import BASE, BUY, COLLECTING, LOT, OPEN, QUOTE, SELL, Order, Seat, value

from meterchain.units import SLOT_S

TICKS = 1024


@dataclass(frozen=True)
class Wish:
    """An order to be."""

    seat: int
    side: int
    lots: int
    tick: int


def stock(ground: Ground, wishes: Sequence[Wish], *, fee_bps: int = 25, margin_rule: int = 0) -> None:
    """Makes `wishes` the orders of the present epoch, in book 0, which must be Idle; seats are owned by nobody real."""
    now = ground.chain.clock().unix_s
    epoch, market = now - now % SLOT_S, ground.fetch_market()
    first_id = market["next_order_id"]
    levels = {side: [0] * TICKS for side in (BUY, SELL)}
    locks = {side: [0] * market["n_seats"] for side in (BUY, SELL)}
    placed = [0] * market["n_seats"]
    rows = b""
    for n, wish in enumerate(wishes):
        levels[wish.side][wish.tick] += wish.lots
        locks[wish.side][wish.seat] += wish.lots * (LOT if wish.side == SELL else value(wish.tick))
        placed[wish.seat] += 1
        rows += Order.LAYOUT.pack(first_id + n, n, wish.lots, 0, wish.tick, wish.side, OPEN, wish.seat)
    ground.patch(
        ground.books[0], "Book", state=COLLECTING, epoch=epoch, fee_bps=fee_bps, margin_rule=margin_rule,
        max_orders=100,
        total_bid_lots=sum(levels[BUY]), total_ask_lots=sum(levels[SELL]), live=len(wishes),
        bid_lots=levels[BUY], ask_lots=levels[SELL],
    )  # fmt: skip
    _write_rows(ground, ground.books[0], "BOOK", rows, len(wishes))
    seats = ground.all_seats() + [None] * (market["n_seats"] - len(ground.all_seats()))
    packed = b""
    for n, seat in enumerate(seats):
        owner = bytes(seat.owner) if seat else bytes([7]) * 28 + n.to_bytes(4, "little")
        free = (seat.base_free, seat.quote_free) if seat else (0, 0)
        packed += Seat.LAYOUT.pack(
            owner, free[BASE], locks[SELL][n], free[QUOTE], locks[BUY][n], epoch, 0, placed[n], placed[n], 0, 0
        )
    _write_rows(ground, ground.seats, "SEATS", packed, len(seats))
    owed = {BASE: market["liab_base"] + sum(locks[SELL]), QUOTE: market["liab_quote"] + sum(locks[BUY])}
    for asset, amount in owed.items():
        write_tokens(ground.chain, ground.vault(asset), ground.mint(asset), ground.market, amount)
    ground.patch(
        ground.market, "Market", book_state=[COLLECTING, 0], book_epoch=[epoch, 0], liab_base=owed[BASE],
        liab_quote=owed[QUOTE], open_seats=len(seats), next_order_id=first_id + len(wishes), current_epoch_start=epoch,
    )  # fmt: skip


def _write_rows(ground: Ground, address: Pubkey, what: str, rows: bytes, count: int) -> None:
    constants = ground.built["trading"].constants
    start = int(constants[f"{what}_ROWS_AT"])
    (info,) = ground.chain.accounts([address])
    assert info is not None
    name = {"BOOK": "Book", "SEATS": "Seats"}[what]
    idl = ground.built["trading"]
    head = len(idl.encode_account(name, idl.decode_account(name, info.data)))
    data = bytearray(info.data)
    data[head : head + 4] = count.to_bytes(4, "little")
    data[start : start + len(rows)] = rows
    assert len(data) == len(info.data), "the rows fit"
    ground.chain.set_account(address, owner=info.owner, data=bytes(data))
