"""Supply and demand of an epoch, and where they cross: the rule of programs.md 4.6, tick by tick, no short cuts.

Demand at a tick is all that is bid at it or above, supply all that is asked at it or below.  Most volume wins, then the
least imbalance, then the middle of the neighbours that are left.  Lots and ticks; `amounts.Scale` makes kWh and money.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from meterchain.market.accounts import Book, Side
from meterchain.market.amounts import Scale
from meterchain.units import Slot


@dataclass(frozen=True, slots=True)
class Crossing:
    """The price, as a tick, and what trades at it, in lots."""

    tick: int
    volume: int
    imbalance: int


@dataclass(frozen=True, slots=True)
class Curve:
    """One epoch's lots at each tick that somebody named."""

    epoch: Slot
    bids: Mapping[int, int]
    asks: Mapping[int, int]

    @property
    def demand(self) -> list[tuple[int, int]]:
        """(tick, lots bid at it or above), best price first."""
        return _running(sorted(self.bids.items(), reverse=True))

    @property
    def supply(self) -> list[tuple[int, int]]:
        """(tick, lots asked at it or below), best price first."""
        return _running(sorted(self.asks.items()))

    @property
    def crossing(self) -> Crossing | None:
        """Where it clears; None if nobody would trade."""
        ticks = range(max([*self.bids, *self.asks], default=-1) + 1)
        bids, asks = ([side.get(tick, 0) for tick in ticks] for side in (self.bids, self.asks))
        demand = list(accumulate(reversed(bids)))[::-1]
        supply = list(accumulate(asks))
        at = [(min(d, s), abs(d - s)) for d, s in zip(demand, supply, strict=True)]
        volume = max((v for v, _ in at), default=0)
        if volume == 0:
            return None
        imbalance = min(i for v, i in at if v == volume)
        best = [tick for tick, here in enumerate(at) if here == (volume, imbalance)]
        return Crossing((best[0] + best[-1]) // 2, volume, imbalance)


def curve_of(book: Book) -> Curve:
    """The curve of a book's orders: those that stand."""
    return curve_of_orders(book.epoch, ((order.side, order.tick, order.lots) for order in book.orders if order.stands))


def curve_of_orders(epoch: Slot, orders: Iterable[tuple[Side, int, int]]) -> Curve:
    """The curve of (side, tick, lots)."""
    levels: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
    for side, tick, lots in orders:
        levels[side][tick] = levels[side].get(tick, 0) + lots
    return Curve(epoch, levels[Side.BUY], levels[Side.SELL])


def price_of(scale: Scale, tick: int) -> int:
    """Quote atoms per kWh."""
    return scale.price_floor + tick * scale.tick_size


def _running(levels: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    sums = accumulate(lots for _, lots in levels)
    return [(tick, total) for (tick, _), total in zip(levels, sums, strict=True)]
