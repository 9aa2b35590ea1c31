"""A market in the hands of chance: whatever is done in whatever order, nothing is lost and everybody can leave.

After each step: the vaults hold what is owed, the seats' sums are what is owed, levels and totals are those of the open
orders, every seat's counters are those of its orders.  At the end everything is cranked, paid out and closed.
"""

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from solders.instruction import Instruction
from tests.copies import copy_site
from tests.trading import model
from tests.trading.ground import Ground
from tests.trading.making import Plan, build
from tests.trading.rows import (
    BASE,
    BUY,
    COLLECTING,
    IDLE,
    LOT,
    MATCHING,
    OPEN,
    QUOTE,
    SELL,
    SETTLING,
    SOL,
    Trader,
    key,
    value,
)

from meterchain import programs
from meterchain.chain import TransactionFailed
from meterchain.embedded import START, EmbeddedChain
from meterchain.units import SLOT_S, Lamports, UnixTime

PEOPLE = 5
RULES = {
    "BelowMin",
    "BookFull",
    "CancelFrozen",
    "EpochNotOver",
    "InsufficientFunds",
    "MarketBusy",
    "MarketClosed",
    "OppositeSide",
    "OrderNotFound",
    "SeatInUse",
    "TooManyOrders",
    "WrongPhase",
}
"""What the machine may be refused for; anything else is a bug."""
anyone = st.integers(0, PEOPLE - 1)


class Market(RuleBasedStateMachine):
    """One market, five prosumers, a clock."""

    ground: Ground
    people: list[Trader]

    @initialize()
    def open_market(self) -> None:
        chain, built, authority = EmbeddedChain(), programs.load(), key("department")
        chain.airdrop(authority.pubkey(), Lamports(1_000 * SOL))
        copy_site(chain, built, authority)
        self.ground = build(chain, built, authority, Plan(n_slots=24, n_seats=6, entries=4))
        self.people = [self.ground.join(f"person {n}", base=500 * LOT, quote=500 * value(600)) for n in range(PEOPLE)]

    def attempt(self, *instructions: Instruction, by: Trader | None = None) -> None:
        """Sends; a refusal for one of the market's rules is as good as success."""
        try:
            self.ground.send(*instructions, by=by.key if by else None)
        except TransactionFailed as refusal:
            assert refusal.name in RULES, refusal  # noqa: PT017

    @rule(who=anyone, side=st.sampled_from([BUY, SELL]), lots=st.integers(9, 120), tick=st.integers(480, 520))
    def order(self, who: int, side: int, lots: int, tick: int) -> None:
        trader = self.people[who]
        self.attempt(self.ground.order(trader, side, lots, tick), by=trader)

    @rule(seed=st.integers(0, 2**32), crossing=st.booleans())
    def crowd(self, seed: int, crossing: bool) -> None:
        """Everybody orders: the even ones sell, the odd ones buy."""
        dice = random.Random(seed)
        for n in range(2 * PEOPLE):
            side, trader = (SELL, BUY)[n % PEOPLE % 2], self.people[n % PEOPLE]
            tick = dice.randrange(480, 520) + (20 if crossing and side == BUY else 0)
            self.attempt(self.ground.order(trader, side, dice.randrange(10, 60), tick), by=trader)

    @rule(book=st.integers(0, 1), slot=st.integers(0, 23))
    def cancel(self, book: int, slot: int) -> None:
        address = self.ground.books[book]
        rows = self.ground.orders(address)
        if slot < len(rows):
            trader = self.people[rows[slot].seat]
            self.attempt(self.ground.cancelling(trader, address, slot, rows[slot].id), by=trader)

    @rule(
        who=anyone, name=st.sampled_from(["deposit", "withdraw"]), asset=st.sampled_from([BASE, QUOTE]),
        amount=st.integers(0, 200 * LOT),
    )  # fmt: skip
    def move(self, who: int, name: str, asset: int, amount: int) -> None:
        self.attempt(self.ground.moving(name, self.people[who], asset, amount), by=self.people[who])

    @rule(seconds=st.sampled_from([1, 100, 840, 899, 900, 2_000]))
    def wait(self, seconds: int) -> None:
        self.ground.chain.advance(seconds)

    @precondition(lambda self: self.has(COLLECTING))
    @rule()
    def end_epoch_and_trigger(self) -> None:
        self.ground.end_epoch()
        self.attempt(self.ground.triggering())

    @precondition(lambda self: self.has(COLLECTING))
    @rule()
    def trigger(self) -> None:
        self.attempt(self.ground.triggering())

    @precondition(lambda self: self.has(COLLECTING))
    @rule(inline=st.integers(1, 9))
    def trigger_inline(self, inline: int) -> None:
        self.attempt(self.ground.triggering(inline))

    @precondition(lambda self: self.has(MATCHING))
    @rule(most=st.integers(0, 9), who=anyone)
    def match(self, most: int, who: int) -> None:
        self.attempt(self.ground.matching(most), by=self.people[who])

    @precondition(lambda self: self.has(SETTLING))
    @rule(most=st.integers(0, 9), who=anyone)
    def settle(self, most: int, who: int) -> None:
        self.attempt(self.ground.settling(most), by=self.people[who])

    @rule(who=anyone)
    def pay(self, who: int) -> None:
        self.attempt(self.ground.paying(self.people[who]))

    @rule(who=anyone)
    def leave_and_return(self, who: int) -> None:
        trader = self.people[who]
        self.attempt(self.ground.leaving(trader), self.ground.seating(trader.wallet), by=trader)
        self.people[who] = Trader(trader.key, self._seat_of(trader))

    @precondition(lambda self: self.has(MATCHING))
    @rule(really=st.sampled_from([False, False, True]))
    def void(self, really: bool) -> None:
        if not really:
            return
        book = self.ground.settling_book()
        self.attempt(self.ground.ix("void_epoch", {"caller": self.ground.authority.pubkey(), "book": book}))

    @precondition(lambda self: self.ground.fetch_market()["fee_accrued"])
    @rule()
    def sweep(self) -> None:
        self.attempt(self.ground.ix("sweep_fees"))

    def has(self, state: int) -> bool:
        """Is a book in this state?"""
        return state in self.ground.fetch_market()["book_state"]

    def _seat_of(self, trader: Trader) -> int:
        return next(n for n, seat in enumerate(self.ground.all_seats()) if seat.owner == trader.wallet)

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "ground"):
            return
        ground, market = self.ground, self.ground.fetch_market()
        seats, clear = ground.all_seats(), market["clear"]
        settling = SETTLING in market["book_state"]
        moved = (clear["sum_buy"] - clear["sum_sell"]) * LOT if settling else 0
        assert ground.tokens(ground.vault(BASE)) == market["liab_base"]
        assert ground.tokens(ground.vault(QUOTE)) == market["liab_quote"]
        assert sum(seat.base_free + seat.base_locked for seat in seats) == market["liab_base"] + moved
        held = sum(seat.quote_free + seat.quote_locked for seat in seats) + market["fee_accrued"]
        assert held == market["liab_quote"] + clear["sum_net"] + clear["sum_fee"] - clear["sum_cost"]
        assert market["halted"] == 0

    @invariant()
    def books_and_seats_agree(self) -> None:
        if not hasattr(self, "ground"):
            return
        ground, market, open_orders = self.ground, self.ground.fetch_market(), Counter[int]()
        for index, address in enumerate(ground.books):
            book, rows = ground.book(address), ground.orders(address)
            assert (book["state"], book["epoch"]) == (market["book_state"][index], market["book_epoch"][index])
            live = [row for row in rows if row.state in (OPEN, 2)]
            open_orders.update(row.seat for row in live)
            if book["state"] == IDLE:
                assert not rows
            if book["state"] == COLLECTING:
                orders = [model.Order(row.side, row.tick, row.lots, row.seat) for row in live]
                assert book["bid_lots"] == model.levels(orders, BUY)
                assert book["ask_lots"] == model.levels(orders, SELL)
                assert (book["total_bid_lots"], book["total_ask_lots"]) == (
                    sum(book["bid_lots"]),
                    sum(book["ask_lots"]),
                )
                assert book["live"] == len(live)
        assert {n: seat.open_orders for n, seat in enumerate(ground.all_seats()) if seat.open_orders} == dict(
            open_orders
        )
        states = market["book_state"]
        assert sum(state in (MATCHING, SETTLING) for state in states) == (market["settling_book"] < 2)

    def teardown(self) -> None:
        """Everybody leaves: nothing may hold them."""
        if not hasattr(self, "ground"):
            return
        ground = self.ground
        ground.chain.set_unix_time(UnixTime(max(ground.chain.clock().unix_s, START) + 3 * SLOT_S))
        for _ in ground.books:
            self.attempt(ground.matching())
            self.attempt(ground.settling())
            self.attempt(ground.triggering(24))
        self.attempt(ground.settling())
        for trader in self.people:
            ground.send(ground.paying(trader))
            ground.send(ground.leaving(trader), by=trader.key)
        ground.send(ground.ix("sweep_fees"))
        market = ground.fetch_market()
        assert (market["open_seats"], market["liab_base"], market["liab_quote"]) == (0, 0, 0)
        assert all(entry.flags in (0, 1) for entry in ground.entries())
        ground.chain.close()


TestMarket = Market.TestCase
TestMarket.settings = settings(
    max_examples=12, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLongMarket = type("TestLongMarket", (Market.TestCase,), {})
TestLongMarket.settings = settings(
    max_examples=60, stateful_step_count=150, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLongMarket = pytest.mark.soak(TestLongMarket)
