"""The auction by brute force: straight from the words of the rules, with nothing clever, one lot at a time.

Every tick is tried with all orders; every lot at the margin stands in a row and is asked whether it trades.
"""

from collections.abc import Sequence

from tests.trading.model import TICKS, TIME, Order
from tests.trading.rows import BUY


def clear(orders: Sequence[Order]) -> tuple[int, int, int] | None:
    """(volume, imbalance, tick), or None."""
    live = [order for order in orders if not order.cancelled]
    tried = []
    for tick in range(TICKS):
        demand = sum(order.lots for order in live if order.side == BUY and order.tick >= tick)
        supply = sum(order.lots for order in live if order.side != BUY and order.tick <= tick)
        tried.append((min(demand, supply), abs(demand - supply), tick))
    volume = max(tried)[0]
    if volume == 0:
        return None
    imbalance = min(off for lots, off, _ in tried if lots == volume)
    ticks = [tick for lots, off, tick in tried if (lots, off) == (volume, imbalance)]
    return volume, imbalance, (ticks[0] + ticks[-1]) // 2


def allocate(orders: Sequence[Order], volume: int, side: int, rule: int) -> dict[int, int]:
    """Lots of each order of one side, by slot: price first, then the margin's lots one by one."""
    mine = [(slot, order) for slot, order in enumerate(orders) if order.side == side and not order.cancelled]
    got = {slot: 0 for slot, _ in mine}
    left = volume
    for tick in sorted({order.tick for _, order in mine}, reverse=side == BUY):
        queue = [slot for slot, order in mine if order.tick == tick for _ in range(order.lots)]
        for place, slot in enumerate(queue):
            if len(queue) <= left or _trades(place, left, len(queue), rule):
                got[slot] += 1
        left -= min(left, len(queue))
    return got


def _trades(place: int, fill: int, lots: int, rule: int) -> bool:
    """Does the lot at `place` of a row of `lots` trade when `fill` of them do?  Pro rata: evenly over the row."""
    if rule == TIME:
        return place < fill
    return (place + 1) * fill // lots > place * fill // lots
