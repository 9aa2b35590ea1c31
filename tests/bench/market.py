"""Compute units of the market: orders, clearing, matching, settling, payout; and transactions for 4,096 orders.

As in `compute`: what our top-level instruction consumes, CPIs included, exact and the same on every machine.  Large
books are written into the accounts as the program would have left them (`tests.trading.stock`).
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from solders.instruction import Instruction
from tests.bench.compute import units_of
from tests.trading.ground import Ground
from tests.trading.making import Plan, build
from tests.trading.rows import BUY, IDLE, MATCHING, SELL, SETTLING, SOL, key
from tests.trading.stock import TICKS, Wish, stock

from meterchain import programs, site
from meterchain.chain import Receipt
from meterchain.embedded import EmbeddedChain
from meterchain.units import Lamports

TRANSACTION_CU = 1_400_000
SLOTS, SEATS, SWEEP = 4_096, 64, 1_024
"""SWEEP is MAX_SWEEP's default: what one match_orders or settle_trade does at most."""
LIMITS: Mapping[str, float] = {
    "cu.order": 6_000,
    "cu.cancel": 1_500,
    "cu.trigger_discovery": 35_000,
    "cu.trigger_discovery_full": 60_000,
    "cu.match_settle_per_order": 200,
    "cu.payout_seat": 5_000,
    "market.tx_for_4096_orders": 2,
}
WORDS = {
    "cu.order": "an order with its escrow, compute units",
    "cu.cancel": "an order cancelled, compute units",
    "cu.trigger_discovery": "the price of a campus epoch of 30 orders, compute units",
    "cu.trigger_discovery_full": "the price when all 1,024 ticks are in use, compute units",
    "cu.match_settle_per_order": "matching and settling, compute units an order",
    "cu.payout_seat": "one seat paid out, both tokens, compute units",
    "market.tx_for_4096_orders": "transactions for an epoch of 4,096 orders",
}


def measure_cu(make: Callable[[], EmbeddedChain] = EmbeddedChain) -> dict[str, float]:
    """The market's part of section `cu`."""
    with _market(Plan(n_slots=2_048, n_seats=64), make) as campus:
        units: dict[str, float] = {"order": _order(campus), "cancel": _cancel(campus), "payout_seat": _payout(campus)}
    with _market(Plan(n_slots=2_048, n_seats=64), make) as campus:
        stock(campus, _campus())
        units["trigger_discovery"] = _trigger(campus)
    with _market(Plan(n_slots=SLOTS, n_seats=SEATS), make) as full:
        stock(full, _every_tick())
        units["trigger_discovery_full"] = _trigger(full)
    with _market(Plan(n_slots=SLOTS, n_seats=SEATS), make) as large:
        stock(large, _large())
        _trigger(large)
        units["match_settle_per_order"] = round(sum(_sweep(large)) / SLOTS, 1)
    return units


def measure_counts() -> dict[str, float]:
    """Section `market`: transactions of 1.4 M CU that take 4,096 orders from collected to settled, really sent."""
    with _market(Plan(n_slots=SLOTS, n_seats=SEATS)) as large:
        stock(large, _large())
        large.end_epoch()
        book, steps = large.books[0], range(SLOTS // SWEEP)
        whole = [large.triggering(), *(large.matching(SWEEP, book=book) for _ in steps)]
        whole += [large.settling(SWEEP, book=book) for _ in steps]
        receipt = large.send(*whole, units=TRANSACTION_CU)
        if large.state(book) != IDLE:
            raise AssertionError("4,096 orders are not settled in one transaction: send the steps in two")
    return {"tx_for_4096_orders": 1, "cu_for_4096_orders": receipt.compute_units}


def _order(ground: Ground) -> int:
    """A later order of the epoch, its whole escrow pulled: the dearer of the two sides."""
    anna, ben = ground.join("anna"), ground.join("ben")
    for trader, side in ((anna, SELL), (ben, BUY)):
        ground.place(trader, side, 100, 500)
    sent = [ground.send(ground.order(t, side, 100, 500), by=t.key) for t, side in ((anna, SELL), (ben, BUY))]
    return max(_units(ground, receipt) for receipt in sent)


def _cancel(ground: Ground) -> int:
    anna = ground.traders["anna"]
    order_id = ground.place(anna, SELL, 100, 500)
    slot = len(ground.orders(ground.books[0])) - 1
    return _units(ground, ground.send(ground.cancelling(anna, ground.books[0], slot, order_id), by=anna.key))


def _payout(ground: Ground) -> int:
    """One seat, both tokens."""
    anna = ground.traders["anna"]
    for asset in (0, 1):
        ground.send(ground.moving("deposit", anna, asset, 10_000), by=anna.key)
    return _units(ground, ground.send(ground.paying(anna)))


def _trigger(ground: Ground) -> int:
    ground.end_epoch()
    return units_of(ground.send(ground.triggering()), ground.built.id("oracle"))


def _sweep(ground: Ground) -> list[int]:
    book = ground.settling_book()
    matched = _while(ground, MATCHING, lambda: ground.matching(SWEEP, book=book))
    return matched + _while(ground, SETTLING, lambda: ground.settling(SWEEP, book=book))


def _while(ground: Ground, state: int, step: Callable[[], Instruction]) -> list[int]:
    units = []
    while ground.state(ground.books[0]) == state:
        units.append(_units(ground, ground.send(step())))
    return units


def _units(ground: Ground, receipt: Receipt) -> int:
    return units_of(receipt, ground.built.id("trading"))


def _campus() -> Sequence[Wish]:
    """15 meters, 30 orders: who has sun sells from 2.5 up, who has not buys up to 5."""
    dice = random.Random(1)
    return [Wish(n % 15, n % 2, dice.randrange(10, 3_000), dice.randrange(100, 600)) for n in range(30)]


def _every_tick() -> Sequence[Wish]:
    """Each of the 1,024 ticks bid at and asked at."""
    return [Wish(n % 32 + 32 * side, side, 100, n) for n in range(TICKS) for side in (BUY, SELL)]


def _large() -> Sequence[Wish]:
    """4,096 orders over 300 ticks that overlap."""
    dice = random.Random(2)
    return [
        Wish(n % 32 + 32 * (n % 2), n % 2, dice.randrange(10, 5_000), dice.randrange(300, 600) + 50 * (n % 2 == BUY))
        for n in range(SLOTS)
    ]


@contextmanager
def _market(plan: Plan, make: Callable[[], EmbeddedChain] = EmbeddedChain) -> Iterator[Ground]:
    chain, built, authority = make(), programs.load(), key("department")
    chain.airdrop(authority.pubkey(), Lamports(1_000 * SOL))
    site.deploy_programs(chain, built, payer=authority, authority=authority)
    site.initialise(chain, built, site.SiteSettings("bench"), authority)
    yield build(chain, built, authority, plan)
    chain.close()
