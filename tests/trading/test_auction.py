"""The program against the model: random and edge books, placed order by order, cleared and settled on the chain.

Volume, price, imbalance, fills, digest and every balance are compared to the atom; in steps of any size, by whoever
cranks, the state is the same, and between any two steps nothing is lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.copies import copy_site
from tests.trading import brute, model
from tests.trading.ground import Ground
from tests.trading.making import build
from tests.trading.model import PRO_RATA, TIME, Balance, Order
from tests.trading.rows import BASE, BUY, LOT, MATCHING, QUOTE, SELL, SETTLING, SOL, Trader, key

from meterchain import programs
from meterchain.chain import AccountInfo, TransactionFailed
from meterchain.embedded import START, EmbeddedChain
from meterchain.units import Lamports

SELLERS, BUYERS = 6, 6
MOST = 24
LEVEL = 2**32 - 1
LOTS_BY_HAND = 20_000
FEE_BPS, MIN_LOTS, MARGIN_RULE = 3, 11, 12


@dataclass(frozen=True, repr=False)
class Arena:
    """A market whose state is put back before each book."""

    ground: Ground
    sellers: Sequence[Trader]
    buyers: Sequence[Trader]
    empty: Sequence[AccountInfo]

    def state(self) -> list[AccountInfo]:
        """Everything that trading changes."""
        here = self.ground
        wallets = [trader.wallet for trader in (*self.sellers, *self.buyers)]
        tokens = [here.account(wallet, asset) for wallet in wallets for asset in (BASE, QUOTE)]
        addresses = [here.market, *here.books, here.seats, here.history, here.vault(BASE), here.vault(QUOTE), *tokens]
        return [info for info in here.chain.accounts(addresses) if info]

    def restore(self, state: Sequence[AccountInfo]) -> None:
        for info in state:
            self.ground.chain.set_account(info.address, owner=info.owner, data=info.data)

    def trader(self, order: Order) -> Trader:
        side = self.sellers if order.side == SELL else self.buyers
        return side[order.seat % len(side)]

    def param(self, number: int, new: int) -> None:
        here = self.ground
        change = here.built["governance"].instruction(
            "update_parameters", {"authority": here.authority.pubkey()}, {"ids": bytes([number]), "values": [new]}
        )
        here.send(change)


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    """One market for all books of this file; MIN_LOTS is 1, so that there may be dust."""
    chain, built, authority = EmbeddedChain(), programs.load(), key("department")
    chain.airdrop(authority.pubkey(), Lamports(1_000 * SOL))
    copy_site(chain, built, authority)
    ground = build(chain, built, authority)
    sellers = [ground.join(f"seller {n}") for n in range(SELLERS)]
    buyers = [ground.join(f"buyer {n}") for n in range(BUYERS)]
    arena = Arena(ground, sellers, buyers, ())
    arena.param(MIN_LOTS, 1)
    yield Arena(ground, sellers, buyers, arena.state())
    chain.close()


def order(side: int, tick: int, lots: int, seat: int = 0, *, cancelled: bool = False) -> Order:
    return Order(side, tick, lots, seat, cancelled)


def orders(ticks: st.SearchStrategy[int], lots: st.SearchStrategy[int], **fixed: int) -> st.SearchStrategy[list[Order]]:
    one = st.builds(
        Order,
        side=st.just(fixed["side"]) if "side" in fixed else st.sampled_from([BUY, SELL]),
        tick=ticks,
        lots=lots,
        seat=st.integers(0, 5),
        cancelled=st.sampled_from([False] * 5 + [True]),
    )
    return st.lists(one, max_size=MOST)


anywhere, small = st.integers(0, 1023), st.integers(1, 3_000)
giant = st.one_of(st.integers(1, 3), st.integers(LEVEL - 50, LEVEL), st.just(LEVEL // 2))
books = st.one_of(
    orders(anywhere, small),
    orders(st.integers(400, 420), small),
    orders(st.just(512), small),  # all on one tick
    orders(st.sampled_from([0, 1023]), small),  # the ends of the grid
    orders(anywhere, small, side=SELL),  # one-sided
    orders(st.integers(510, 513), giant),  # giants against dust, levels near 2^32
    orders(anywhere, giant),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(books, st.sampled_from([PRO_RATA, TIME]), st.sampled_from([0, 25, 500]), st.integers(1, 7))
@example([order(SELL, 7, 10), order(BUY, 7, 4)], PRO_RATA, 25, 1)
@example([order(BUY, 512, LEVEL), *[order(SELL, 512, 1, n) for n in range(6)]], PRO_RATA, 25, 2)
@example([order(SELL, 512, LEVEL), *[order(BUY, 512, 1, n) for n in range(6)]], TIME, 500, 1)
@example([order(SELL, 0, LEVEL), order(BUY, 1023, LEVEL)], PRO_RATA, 500, 1)
@example([], PRO_RATA, 25, 1)
def test_the_program_does_what_the_model_says(
    arena: Arena, wishes: list[Order], rule: int, fee_bps: int, chunk: int
) -> None:
    ground = arena.ground
    arena.restore(arena.empty)
    ground.chain.set_unix_time(START)
    arena.param(MARGIN_RULE, rule)
    arena.param(FEE_BPS, fee_bps)
    placed = place(arena, wishes)
    if not placed:
        return
    collected = arena.state()
    rows = ground.orders(ground.books[0])

    crossing = model.clear(placed)
    filled = model.allocate(placed, crossing, rule)
    done = model.settle(placed, filled, crossing, fee_bps)

    if sum(order.lots for order in placed) < LOTS_BY_HAND:
        by_hand(placed, crossing, filled, rule)
    one_by_one = run(arena, chunk, by=[ground.authority, arena.buyers[0].key])
    after = arena.state()
    arena.restore(collected)
    ground.chain.set_unix_time(START)
    at_once = run(arena, 4096, by=[arena.sellers[0].key])
    assert without_clocks(arena.state(), ground) == without_clocks(after, ground), "steps of any size, the same state"
    assert one_by_one.fills == at_once.fills

    volume = crossing.volume if crossing else 0
    (entry,) = ground.entries()
    assert (entry.volume_lots, entry.price) == (volume, model.quoted(crossing))
    assert (entry.quote_volume, entry.fee) == (done.quote_volume, done.fee)
    assert (entry.bid_lots, entry.ask_lots) == tuple(sum(model.levels(placed, side)) for side in (BUY, SELL))
    assert entry.fills_digest == (model.digest(rows, filled) if crossing else bytes(32))
    assert entry.flags == 0
    if crossing:
        assert at_once.imbalance == crossing.imbalance
    assert at_once.fills == [(slot, rows[slot].seat, lots) for slot, lots in enumerate(filled) if lots]
    seats = ground.all_seats()
    left = model.left_free(placed)
    for n, seat in enumerate(seats):
        settled, before = done.seats.get(n, Balance()), left.get(n, Balance())
        assert (seat.base_free, seat.quote_free) == (settled.base + before.base, settled.quote + before.quote)
    assert all((seat.base_locked, seat.quote_locked, seat.open_orders) == (0, 0, 0) for seat in seats)


def by_hand(placed: Sequence[Order], crossing: model.Crossing | None, filled: Sequence[int], rule: int) -> None:
    """The model again, against brute force: so the program is compared with both."""
    assert (crossing and (crossing.volume, crossing.imbalance, crossing.tick)) == brute.clear(placed)
    volume = crossing.volume if crossing else 0
    got = brute.allocate(placed, volume, BUY, rule) | brute.allocate(placed, volume, SELL, rule)
    assert list(filled) == [got.get(slot, 0) for slot in range(len(placed))]


def place(arena: Arena, wishes: Sequence[Order]) -> list[Order]:
    """Places what may be placed; returns the orders as they stand, with their real seats."""
    ground, book = arena.ground, arena.ground.books[0]
    levels: dict[tuple[int, int], int] = {}
    placed: list[Order] = []
    for wish in wishes:
        trader = arena.trader(wish)
        there = levels.get((wish.side, wish.tick), 0)
        if there + wish.lots > LEVEL:
            with pytest.raises(TransactionFailed) as refused:
                ground.place(trader, wish.side, wish.lots, wish.tick)
            assert refused.value.name in ("LevelOverflow", "TooManyOrders")
            continue
        order_id = ground.place(trader, wish.side, wish.lots, wish.tick)
        if wish.cancelled:
            ground.send(ground.cancelling(trader, book, len(placed), order_id), by=trader.key)
        else:
            levels[wish.side, wish.tick] = there + wish.lots
        placed.append(Order(wish.side, wish.tick, wish.lots, trader.seat, wish.cancelled))
    return placed


@dataclass(frozen=True)
class Run:
    """What an epoch announced."""

    imbalance: int
    fills: list[tuple[int, int, int]]


def run(arena: Arena, chunk: int, by: Sequence[Keypair]) -> Run:
    """Takes the book through clearing, matching and settling, in steps, by different people."""
    ground = arena.ground
    ground.end_epoch()
    events = ground.events(ground.clear())
    book, step = ground.books[0], 0
    while (state := ground.state(book)) in (MATCHING, SETTLING):
        advance = ground.matching(chunk) if state == MATCHING else ground.settling(chunk)
        events += ground.events(ground.send(advance, by=by[step % len(by)]))
        conserved(ground)
        step += 1
    fills = [
        (fill["slot"], fill["seat"], fill["lots"])
        for event in events
        if event.name == "FillBatch"
        for fill in event.fields["fills"]
    ]
    (cleared,) = [event for event in events if event.name == "EpochCleared"]
    return Run(cleared.fields["imbalance"], fills)


def conserved(ground: Ground) -> None:
    """Nothing is lost, in the middle of settling too: the vaults hold what is owed, the seats what the sums say."""
    market, seats = ground.fetch_market(), ground.all_seats()
    clear, settling = market["clear"], SETTLING in market["book_state"]
    moved = (clear["sum_buy"] - clear["sum_sell"]) * LOT if settling else 0
    assert ground.tokens(ground.vault(BASE)) == market["liab_base"]
    assert ground.tokens(ground.vault(QUOTE)) == market["liab_quote"]
    assert sum(seat.base_free + seat.base_locked for seat in seats) == market["liab_base"] + moved
    held = sum(seat.quote_free + seat.quote_locked for seat in seats) + market["fee_accrued"]
    assert held == market["liab_quote"] + clear["sum_net"] + clear["sum_fee"] - clear["sum_cost"]


def without_clocks(state: Sequence[AccountInfo], ground: Ground) -> dict[Pubkey, bytes]:
    """The state less the two slot numbers in history."""
    contents = {info.address: info.data for info in state}
    start = int(ground.built["trading"].constants["HISTORY_ROWS_AT"])
    history = bytearray(contents[ground.history])
    history[start + 56 : start + 72] = bytes(16)
    return contents | {ground.history: bytes(history)}
