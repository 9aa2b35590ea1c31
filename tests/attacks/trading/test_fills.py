"""What an epoch announces is enough to check it, and large books are no harder (threats.md X17, T20)."""

import hashlib

from solders.keypair import Keypair
from tests.trading import model
from tests.trading.ground import Ground
from tests.trading.making import Plan, build
from tests.trading.rows import (
    ALLOCATED,
    BUY,
    CANCELLED,
    SELL,
    Order,
    Trader,
    price,
)
from tests.trading.stock import Wish, stock

from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs


def test_the_digest_follows_from_events_alone(ground: Ground, anna: Trader, ben: Trader) -> None:
    events = []
    for n in range(70):
        trader, side = (anna, SELL) if n % 3 else (ben, BUY)
        if n >= 60 and side == BUY:
            continue
        events += ground.events(ground.send(ground.order(trader, side, 10 + n, 500 + n % 5), by=trader.key))
        if n % 17 == 0:
            placed = events[-1].fields
            cancel = ground.cancelling(trader, ground.books[0], placed["slot"], placed["id"])
            events += ground.events(ground.send(cancel, by=trader.key))
    events += ground.settle_epoch(chunk=37)
    rows = {event.fields["slot"]: event.fields for event in events if event.name == "OrderPlaced"}
    gone = {event.fields["slot"] for event in events if event.name == "OrderCancelled"}
    fills = {
        fill["slot"]: fill["lots"] for event in events if event.name == "FillBatch" for fill in event.fields["fills"]
    }
    packed = [
        Order.LAYOUT.pack(
            row["id"], row["client_id"], row["lots"], fills.get(slot, 0), row["tick"], row["side"],
            CANCELLED if slot in gone else ALLOCATED, row["seat"],
        )
        for slot, row in sorted(rows.items())
    ]  # fmt: skip
    assert len(packed) > model.BLOCK, "more than one block"
    link = bytes(32)
    for block, first in enumerate(range(0, len(packed), model.BLOCK)):
        content = b"".join(packed[first : first + model.BLOCK])
        link = hashlib.sha256(link + block.to_bytes(4, "little") + content).digest()
    (settled,) = [event for event in events if event.name == "EpochSettled"]
    assert settled.fields["fills_digest"] == link == ground.entries()[0].fills_digest


def test_ten_thousand_orders_clear_in_steps(
    chain: EmbeddedChain, built: Programs, authority: Keypair, ground: Ground
) -> None:
    huge = build(chain, built, authority, Plan(n_slots=10_000, n_seats=100, name="huge"))
    wishes = [Wish(n % 50 + 50 * (n % 2), n % 2, 10 + n % 90, 400 + n % 211) for n in range(10_000)]
    stock(huge, wishes)
    orders = [model.Order(wish.side, wish.tick, wish.lots, wish.seat) for wish in wishes]
    crossing = model.clear(orders)
    assert crossing is not None
    filled = model.allocate(orders, crossing, model.PRO_RATA)
    events = huge.settle_epoch(chunk=1024)
    fills = [fill for event in events if event.name == "FillBatch" for fill in event.fields["fills"]]
    assert [(fill["slot"], fill["lots"]) for fill in fills] == [(n, lots) for n, lots in enumerate(filled) if lots]
    done = model.settle(orders, filled, crossing, 25)
    (entry,) = huge.entries()
    assert (entry.price, entry.volume_lots, entry.fee) == (price(crossing.tick), crossing.volume, done.fee)
    seats = huge.all_seats()
    assert all((seats[n].base_free, seats[n].quote_free) == (b.base, b.quote) for n, b in done.seats.items())
