"""The auction in Python, written to be read: what the program must come to, order by order and atom by atom.

An epoch's orders stand in a list in the order of their arrival.  `clear` finds the price, `allocate` says how many lots
each order gets, `settle` what that moves in the seats, `digest` what history remembers of it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.trading import rows
from tests.trading.rows import ALLOCATED, BUY, CANCELLED, LOT, SELL, price, value

TICKS = 1024
BLOCK = 64
PRO_RATA, TIME = 0, 1


@dataclass(frozen=True)
class Order:
    """One order; `tick` is its limit."""

    side: int
    tick: int
    lots: int
    seat: int
    cancelled: bool = False


@dataclass(frozen=True)
class Margin:
    """The tick of a side that is served in part: `fill` of its `lots`."""

    tick: int
    fill: int
    lots: int


@dataclass(frozen=True)
class Crossing:
    """What clearing comes to."""

    volume: int
    imbalance: int
    tick: int
    bid: Margin
    ask: Margin


@dataclass
class Balance:
    """Free atoms in a seat."""

    base: int = 0
    quote: int = 0


@dataclass
class Settlement:
    """What settling comes to."""

    seats: dict[int, Balance] = field(default_factory=dict)
    quote_volume: int = 0
    fee: int = 0


def levels(orders: Sequence[Order], side: int) -> list[int]:
    """Lots at each tick."""
    lots = [0] * TICKS
    for order in orders:
        if order.side == side and not order.cancelled:
            lots[order.tick] += order.lots
    return lots


def clear(orders: Sequence[Order]) -> Crossing | None:
    """Most volume, then least imbalance, then the middle of the ticks that have both."""
    bids, asks = levels(orders, BUY), levels(orders, SELL)
    demand, supply = sum(bids), 0
    best, chosen = (0, 0), []
    for tick in range(TICKS):
        supply += asks[tick]
        here = (min(demand, supply), -abs(demand - supply))
        if here[0] and here > best:
            best, chosen = here, [tick]
        elif here[0] and here == best:
            chosen.append(tick)
        demand -= bids[tick]
    if not chosen:
        return None
    volume = best[0]
    middle = (chosen[0] + chosen[-1]) // 2
    return Crossing(
        volume, -best[1], middle, _margin(bids, range(TICKS - 1, -1, -1), volume), _margin(asks, range(TICKS), volume)
    )


def _margin(lots: Sequence[int], best_first: range, volume: int) -> Margin:
    left = volume
    for tick in best_first:
        if lots[tick] >= left:
            return Margin(tick, left, lots[tick])
        left -= lots[tick]
    raise AssertionError("the volume is at most what stands on each side")


def allocate(orders: Sequence[Order], crossing: Crossing | None, rule: int) -> list[int]:
    """Lots that each order gets: all at a better price than the margin's, a share at it, none at a worse."""
    seen = {BUY: 0, SELL: 0}
    return [_allocate(order, crossing, rule, seen) if crossing and not order.cancelled else 0 for order in orders]


def _allocate(order: Order, crossing: Crossing, rule: int, seen: dict[int, int]) -> int:
    margin = crossing.bid if order.side == BUY else crossing.ask
    better = order.tick - margin.tick if order.side == BUY else margin.tick - order.tick
    if better:
        return order.lots if better > 0 else 0
    before = seen[order.side]
    after = seen[order.side] = before + order.lots
    if rule == TIME:
        return min(after, margin.fill) - min(before, margin.fill)
    return after * margin.fill // margin.lots - before * margin.fill // margin.lots


def left_free(orders: Sequence[Order]) -> dict[int, Balance]:
    """What seats that began empty have free before settling: a cancelled order's lock, until one needs it."""
    seats: dict[int, Balance] = {}
    for order in orders:
        seat = seats.setdefault(order.seat, Balance())
        name = "quote" if order.side == BUY else "base"
        needed = order.lots * (value(order.tick) if order.side == BUY else LOT)
        free = max(0, getattr(seat, name) - needed)
        setattr(seat, name, free + needed if order.cancelled else free)
    return seats


def settle(orders: Sequence[Order], filled: Sequence[int], crossing: Crossing | None, fee_bps: int) -> Settlement:
    """Buyers pay the price, sellers receive it less the fee (rounded up), locks that were not used come back."""
    done = Settlement()
    worth = value(crossing.tick) if crossing else 0
    for order, lots in zip(orders, filled, strict=True):
        if order.cancelled:
            continue
        seat = done.seats.setdefault(order.seat, Balance())
        paid = lots * worth
        if order.side == BUY:
            seat.base += lots * LOT
            seat.quote += order.lots * value(order.tick) - paid
            done.quote_volume += paid
        else:
            fee = -(-paid * fee_bps // 10_000)
            seat.base += (order.lots - lots) * LOT
            seat.quote += paid - fee
            done.fee += fee
    return done


def digest(book: Sequence[rows.Order], filled: Sequence[int]) -> bytes:
    """The chain over blocks of 64 rows, each as it stood after allocation."""
    packed = [
        rows.Order.LAYOUT.pack(
            row.id, row.client_id, row.lots, lots, row.tick, row.side,
            row.state if row.state == CANCELLED else ALLOCATED, row.seat,
        )
        for row, lots in zip(book, filled, strict=True)
    ]  # fmt: skip
    link = bytes(32)
    for block, start in enumerate(range(0, len(packed), BLOCK)):
        content = b"".join(packed[start : start + BLOCK])
        link = hashlib.sha256(link + block.to_bytes(4, "little") + content).digest()
    return link


def quoted(crossing: Crossing | None) -> int:
    """Quote atoms per kWh; 0 if nothing trades."""
    return price(crossing.tick) if crossing else 0
