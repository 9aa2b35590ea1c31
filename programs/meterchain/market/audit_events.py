"""What a market announced, against its accounts: every epoch is cleared again from its orders' events.

each epoch   orders, cancellations and fills rebuild the book; its price and volume are those of the curve, nobody
             traded beyond his limit, as much was bought as sold, and the fills' digest is the one that was announced
books        what is not settled yet holds the orders that were announced
history      each entry is the epoch that was announced; the totals are the epochs' sums
money        deposits and pulls, less withdrawals, payouts and swept fees, are what the market owes
"""

import hashlib
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meterchain.chain import Chain
from meterchain.check import Check
from meterchain.history import Past
from meterchain.idl import Event
from meterchain.market.accounts import VOID, Asset, Book, BookState, HistoryEntry, Market, OrderState, Side
from meterchain.market.curve import curve_of_orders
from meterchain.market.reading import fetch_books, fetch_history, find_markets
from meterchain.programs import Programs
from meterchain.units import Slot

BLOCK = 64
"""Rows under one link of the digest."""
_ROW = struct.Struct("<QQIIHBBI")
_SHOWN = 3
_SAME = ("price", "volume_lots", "quote_volume", "fee", "orders", "fills", "flags", "fills_digest")
"""What EpochSettled and HistoryEntry both say."""


@dataclass
class Epoch:
    """What was announced of one epoch of one market."""

    placed: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    """By slot of the book."""
    cancelled: set[int] = field(default_factory=set)
    fills: dict[int, int] = field(default_factory=dict)
    """Lots by slot."""
    cleared: Mapping[str, Any] | None = None
    settled: Mapping[str, Any] | None = None
    twice: bool = False
    """Something was announced again that happens once."""

    def note(self, name: str, fields: Mapping[str, Any]) -> None:
        """Take an event in."""
        if name == "OrderPlaced":
            self.twice |= fields["slot"] in self.placed
            self.placed[fields["slot"]] = fields
        elif name == "OrderCancelled":
            self.cancelled.add(fields["slot"])
        elif name == "FillBatch":
            for fill in fields["fills"]:
                self.twice |= fill["slot"] in self.fills
                self.fills[fill["slot"]] = fill["lots"]
        elif name == "EpochCleared":
            self.twice |= self.cleared is not None
            self.cleared = fields
        elif name == "EpochSettled":
            self.twice |= self.settled is not None
            self.settled = fields


def checks(chain: Chain, programs: Programs, past: Past) -> Iterator[Check]:
    """What can be said about each market's events.  Raises AccountError and what the chain raises."""
    if "trading" not in programs:
        return
    events = past.events.get("trading", ())
    for market in find_markets(chain, programs):
        own = [event for event in events if event.fields.get("market") == market.address]
        name = f"market {str(market.address)[:8]}"
        if all(event.name != "MarketInitialized" for event in own):
            yield Check(f"{name}: the history is whole", ok=False, detail="MarketInitialized is not among the events")
            continue
        epochs: dict[Slot, Epoch] = defaultdict(Epoch)
        for event in own:
            if "epoch" in event.fields:
                epochs[event.fields["epoch"]].note(event.name, event.fields)
        found = [
            *_of_market(market, own, epochs, fetch_history(chain, programs, market)),
            _of_books(epochs, fetch_books(chain, programs, market)),
        ]
        yield from (Check(f"{name}: {check.name}", check.ok, check.detail) for check in found)


def digest(epoch: Epoch) -> bytes:
    """The chain over blocks of 64 rows as they stood after allocation; zeros if nothing traded."""
    link = bytes(32)
    if epoch.cleared is None or not epoch.cleared["volume_lots"]:
        return link
    rows = [
        _ROW.pack(
            each["id"], each["client_id"], each["lots"], epoch.fills.get(slot, 0), each["tick"], each["side"],
            OrderState.CANCELLED if slot in epoch.cancelled else OrderState.ALLOCATED, each["seat"],
        )
        for slot, each in sorted(epoch.placed.items())
    ]  # fmt: skip
    for block, start in enumerate(range(0, len(rows), BLOCK)):
        link = hashlib.sha256(link + block.to_bytes(4, "little") + b"".join(rows[start : start + BLOCK])).digest()
    return link


def _of_market(
    market: Market, events: Sequence[Event], epochs: Mapping[Slot, Epoch], history: Sequence[HistoryEntry]
) -> Iterator[Check]:
    done = {at: epoch for at, epoch in sorted(epochs.items()) if epoch.settled is not None}
    wrong = [f"{at}: {fault}" for at, epoch in done.items() for fault in _faults(at, epoch)]
    fine = f"{len(done)} epochs, {sum(len(epoch.fills) for epoch in done.values())} fills"
    yield Check("every epoch clears again from its orders, to the digest", not wrong, _some(wrong) or fine)
    yield _of_history(done, history)
    settled = [epoch.settled for epoch in done.values() if epoch.settled]
    sums = tuple(sum(each[name] for each in settled) for name in ("volume_lots", "quote_volume", "fills"))
    totals = (market.total_volume_lots, market.total_quote, market.total_trades)
    yield Check("the epochs add up to the market's totals", sums == totals, f"{sums} = {totals}")
    for asset, owed in ((Asset.BASE, market.liab_base), (Asset.QUOTE, market.liab_quote)):
        moved = sum(_moved(event, asset) for event in events)
        what = "money" if asset is Asset.QUOTE else "GRID"
        yield Check(f"the {what} that came less what left is what is owed", moved == owed, f"{moved} = {owed} atoms")


def _faults(at: Slot, epoch: Epoch) -> Iterator[str]:
    """What does not agree within one epoch."""
    cleared, settled, placed = epoch.cleared, epoch.settled, epoch.placed
    if cleared is None or settled is None or epoch.twice:
        yield "an event is missing, or came twice"
        return
    if sorted(placed) != list(range(len(placed))) or not set(epoch.fills) | epoch.cancelled <= set(placed):
        yield "orders are missing"
        return
    if set(epoch.fills) & epoch.cancelled:
        yield "an order traded that was cancelled"
    standing = [each for slot, each in sorted(placed.items()) if slot not in epoch.cancelled]
    if (len(standing), len(epoch.fills)) != (settled["orders"], settled["fills"]):
        said = f"{settled['orders']} and {settled['fills']} were announced"
        yield f"{len(standing)} orders and {len(epoch.fills)} fills, {said}"
    if settled["flags"] & VOID:
        if epoch.fills or settled["volume_lots"]:
            yield "it was given up, and yet somebody traded"
        return
    curve = curve_of_orders(at, ((Side(each["side"]), each["tick"], each["lots"]) for each in standing))
    crossing = curve.crossing
    expected = (crossing.tick, crossing.volume) if crossing else (0, 0)
    found = (cleared["tick"] if cleared["volume_lots"] else 0, cleared["volume_lots"])
    if found != expected or settled["volume_lots"] != cleared["volume_lots"]:
        yield f"tick and volume {found}, the orders make {expected}"
    for side in Side:
        lots = sum(lots for slot, lots in epoch.fills.items() if placed[slot]["side"] == side)
        if lots != settled["volume_lots"]:
            yield f"{side.name.lower()}s of {lots} lots, {settled['volume_lots']} traded"
    if any(_beyond(placed[slot], lots, cleared["tick"]) for slot, lots in epoch.fills.items()):
        yield "somebody traded beyond his order"
    if digest(epoch) != settled["fills_digest"]:
        yield "the fills are not those of the digest"


def _beyond(order: Mapping[str, Any], lots: int, tick: int) -> bool:
    """A fill at a price worse than the order's limit, of nothing, or of more than was ordered."""
    worse = order["tick"] < tick if order["side"] == Side.BUY else order["tick"] > tick
    return worse or not 0 < lots <= order["lots"]


def _of_history(done: Mapping[Slot, Epoch], history: Sequence[HistoryEntry]) -> Check:
    """The ring keeps the newest: each entry was announced, and the newest that were announced are there."""
    wrong = []
    for entry in history:
        said = done[entry.epoch].settled if entry.epoch in done else None
        if said is None:
            wrong.append(f"{entry.epoch}: never announced")
        else:
            names = [name for name in _SAME if said[name] != getattr(entry, name)]
            wrong += [f"{entry.epoch}: another {name}" for name in names]
    kept = {entry.epoch for entry in history}
    newest = list(done)[-len(history) :] if history else list(done)
    wrong += [f"{at}: announced, and not in history" for at in newest if at not in kept]
    return Check("history is what was announced", not wrong, _some(wrong) or f"{len(history)} epochs")


def _of_books(epochs: Mapping[Slot, Epoch], books: Sequence[Book]) -> Check:
    """What is not settled yet: each book holds what was announced, and nothing else is waiting."""
    waiting = {book.epoch: book for book in books if book.state is not BookState.IDLE}
    wrong = []
    for at in sorted({*waiting, *(at for at, epoch in epochs.items() if epoch.settled is None)}):
        epoch, book = epochs.get(at, Epoch()), waiting.get(at)
        said = {
            (slot, each["id"], each["lots"], each["tick"], each["side"], each["seat"], slot not in epoch.cancelled)
            for slot, each in epoch.placed.items()
        }
        has = {(o.slot, o.id, o.lots, o.tick, o.side, o.seat, o.stands) for o in (book.orders if book else ())}
        if said != has:
            wrong.append(f"{at}: {len(said)} orders announced, {len(has)} in the book, not the same")
    return Check("the books hold the orders that were announced", not wrong, _some(wrong) or f"{len(waiting)} books")


def _moved(event: Event, asset: Asset) -> int:
    """Atoms of `asset` that came in, less those that left."""
    fields = event.fields
    match event.name:
        case "Deposited":
            return int(fields["amount"]) if fields["side"] == asset else 0
        case "Withdrawn":
            return -int(fields["amount"]) if fields["side"] == asset else 0
        case "OrderPlaced":
            return int(fields["pulled"]) if Side(fields["side"]).asset is asset else 0
        case "PaidOut":
            return -int(fields["quote" if asset is Asset.QUOTE else "base"])
        case "FeesSwept":
            return -int(fields["amount"]) if asset is Asset.QUOTE else 0
        case _:
            return 0


def _some(faults: Sequence[str]) -> str:
    more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return "; ".join(faults[:_SHOWN]) + more
