"""The keeper settles every epoch, whatever happens to it: crashes, rivals, pauses, halts."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from solders.keypair import Keypair
from tests.copies import copy_site
from tests.meterchain.market.failing_chain import Crash, FailingChain
from tests.meterchain.market.place import Place, key, open_place

from meterchain import instructions
from meterchain.chain import Chain, ChainError, ChainUnreachable
from meterchain.embedded import EmbeddedChain
from meterchain.keeper import CLEARING, Keeper, Pace, Refused, Turn, instructions_of, look, run
from meterchain.keeper_plan import (
    HALT_MOST_S,
    Action,
    State,
    Step,
    StepKind,
    late_by,
    next_actions,
    seconds_until_due,
    transactions_for,
)
from meterchain.market import builders
from meterchain.market.accounts import MISMATCH, NO_BOOK, VOID, BookState, HistoryEntry, Seat, Side
from meterchain.market.curve import curve_of
from meterchain.market.reading import fetch_books, fetch_history, fetch_seats
from meterchain.parameters import BY_NAME
from meterchain.programs import Programs
from meterchain.site import Site
from meterchain.transactions import compute_limit
from meterchain.units import SLOT_S, Lamports, UnixTime

MAX_SWEEP = BY_NAME["MAX_SWEEP"].id
Books = tuple[HistoryEntry, list[Seat]]


@pytest.fixture
def place(chain: EmbeddedChain, built: Programs, site: Site, authority: Keypair) -> Place:
    return open_place(chain, built, site, authority)


@pytest.fixture
def payer(place: Place) -> Keypair:
    """Nobody in particular."""
    return wallet(place, "keeper")


def wallet(place: Place, name: str) -> Keypair:
    place.chain.airdrop(key(name).pubkey(), Lamports(10**9))
    return key(name)


def keeper_of(place: Place, payer: Keypair, chain: Chain | None = None, **more: int) -> Keeper:
    return Keeper(chain or place.chain, place.programs, place.address, payer, **more)


def trade(place: Place, traders: int = 7) -> None:
    """An epoch of crossing orders that is over now; one order was cancelled."""
    people = [place.join(f"trader {n}") for n in range(traders)]
    place.open_epoch(people)
    gone = place.order(people[0], Side.BUY, 500, 900)
    (book, _) = fetch_books(place.chain, place.programs, place.market)
    order = next(order for order in book.orders if order.id == gone)
    place.send(builders.cancel_order(place.programs, place.market, people[0].pubkey(), book, order), by=people[0])
    place.end_epoch()


def set_max_sweep(place: Place, rows: int) -> None:
    place.send(instructions.update_parameters(place.programs, place.authority.pubkey(), {MAX_SWEEP: rows}))


def books_of(place: Place) -> Books:
    """What is left when all is settled, without the slots in which it happened."""
    (entry,) = fetch_history(place.chain, place.programs, place.market)
    return replace(entry, cleared_slot=0, settled_slot=0), fetch_seats(place.chain, place.programs, place.market)


def is_settled(place: Place) -> bool:
    return set(place.market.book_state) == {BookState.IDLE}


@pytest.fixture(scope="module")
def undisturbed(built: Programs) -> Books:
    """The books of `trade` when one keeper settles it in one transaction."""
    chain, authority = EmbeddedChain(), key("authority")
    chain.airdrop(authority.pubkey(), Lamports(100 * 10**9))
    site = copy_site(chain, built, authority)
    place = open_place(chain, built, site, authority)
    trade(place)
    assert len(keeper_of(place, wallet(place, "keeper")).turn().done) == 1
    return books_of(place)


def test_a_campus_epoch_is_one_transaction(place: Place, payer: Keypair) -> None:
    trade(place)
    (book, _) = fetch_books(place.chain, place.programs, place.market)
    expected = curve_of(book).crossing
    assert expected is not None
    turn = keeper_of(place, payer).turn()
    assert [done.action.name for done in turn.done] == ["trigger_market_clearing"]
    assert turn.refused == []
    entry, seats = books_of(place)
    assert (entry.tick, entry.volume_lots, entry.orders) == (expected.tick, expected.volume, 7)
    assert entry.price == place.market.price(expected.tick) == place.market.last_price
    assert sum(seat.open_orders for seat in seats) == 0
    assert next_actions(turn.state, turn.now) == []


def test_nothing_is_done_before_the_epoch_is_over(place: Place, payer: Keypair) -> None:
    trader = place.join("anna")
    place.order(trader, Side.BUY, 100, 500)
    keeper = keeper_of(place, payer)
    turn = keeper.turn()
    assert turn.outcomes == ()
    assert seconds_until_due(turn.state, turn.now) == SLOT_S
    place.chain.set_unix_time(UnixTime(turn.now + SLOT_S - 1))
    assert keeper.turn().outcomes == ()
    place.chain.set_unix_time(UnixTime(turn.now + SLOT_S))
    assert len(keeper.turn().done) == 1


def test_the_settle_delay_is_waited_for(place: Place, payer: Keypair) -> None:
    delay = {BY_NAME["SETTLE_DELAY_SECS"].id: 60}
    place.send(instructions.update_parameters(place.programs, place.authority.pubkey(), delay))
    trade(place)
    over, keeper = place.chain.clock().unix_s, keeper_of(place, payer)
    place.chain.set_unix_time(UnixTime(over + 59))
    assert keeper.turn().outcomes == ()
    place.chain.set_unix_time(UnixTime(over + 60))
    assert len(keeper.turn().done) == 1


def test_a_large_book_takes_trigger_matching_and_settling(place: Place, payer: Keypair, undisturbed: Books) -> None:
    set_max_sweep(place, 3)
    trade(place)
    turn = keeper_of(place, payer).turn()
    names = [done.action.name for done in turn.done]
    assert names == ["trigger_market_clearing", "match_orders", "settle_trade"]
    assert [len(done.action.steps) for done in turn.done] == [1, 3, 3], "eight rows, three a step"
    assert books_of(place) == undisturbed


def test_a_large_book_in_which_nothing_crosses_goes_straight_to_settling(place: Place, payer: Keypair) -> None:
    set_max_sweep(place, 1)
    anna, ben = place.join("anna"), place.join("ben")
    place.order(anna, Side.BUY, 100, 5)
    place.order(ben, Side.SELL, 100, 6)
    place.end_epoch()
    turn = keeper_of(place, payer).turn()
    assert [done.action.name for done in turn.done] == ["trigger_market_clearing", "settle_trade"]
    assert is_settled(place)


def test_two_epochs_that_wait_are_settled_in_their_order(place: Place, payer: Keypair) -> None:
    anna = place.join("anna")
    for _ in range(2):
        place.order(anna, Side.BUY, 100, 500)
        place.end_epoch()
    place.chain.advance(SLOT_S)
    turn = keeper_of(place, payer).turn()
    epochs = [done.action.epoch for done in turn.done]
    assert epochs == [epochs[0], epochs[0] + SLOT_S]
    assert [entry.epoch for entry in fetch_history(place.chain, place.programs, place.market)] == epochs


CRASHES = [(sends, landed) for sends in range(3) for landed in (False, True)]


@pytest.mark.parametrize(("sends", "landed"), CRASHES)
def test_a_crash_at_any_step_changes_nothing(
    place: Place, payer: Keypair, undisturbed: Books, sends: int, *, landed: bool
) -> None:
    set_max_sweep(place, 3)
    trade(place)
    failing = FailingChain(place.chain, sends, landed=landed)
    with pytest.raises(Crash):
        keeper_of(place, payer, failing).turn()  # type: ignore[arg-type]
    after = keeper_of(place, payer).turn()
    assert len(after.done) == 3 - sends - landed
    assert books_of(place) == undisturbed


def one_by_one(place: Place, payer: Keypair) -> Iterator[None]:
    """A keeper that is held up after each thing that it does, so that its plans are stale when it goes on."""
    while True:
        state = look(place.chain, place.programs, place.address, payer.pubkey())
        now = place.chain.clock().unix_s
        yield
        actions = next_actions(state, now)
        if not actions:
            return
        for action in actions:
            ours = instructions_of(place.programs, state.market, payer.pubkey(), action)
            try:
                place.chain.send([compute_limit(1_400_000), *ours], [payer])
            except ChainError:  # a plan made from a stale look is refused, and must do no harm
                break
            yield


@pytest.mark.parametrize("seed", range(8))
def test_keepers_beside_each_other_do_no_harm(place: Place, payer: Keypair, undisturbed: Books, seed: int) -> None:
    set_max_sweep(place, 2)
    trade(place)
    dice = random.Random(seed)
    keepers = [one_by_one(place, wallet(place, name)) for name in ("first", "second", "third")]
    while keepers:
        chosen = dice.choice(keepers)
        if next(chosen, "done") == "done":
            keepers.remove(chosen)
    assert books_of(place) == undisturbed


def test_a_stale_plan_is_refused_and_seen_at_the_next_look(place: Place, payer: Keypair) -> None:
    trade(place)
    stale = look(place.chain, place.programs, place.address, payer.pubkey())
    now = place.chain.clock().unix_s
    keeper_of(place, wallet(place, "rival")).turn()
    keeper = keeper_of(place, payer)
    (outcome,) = keeper._carry_out(stale, next_actions(stale, now))
    assert isinstance(outcome, Refused)
    assert keeper.turn().outcomes == ()


def test_a_stand_by_leaves_the_first_keeper_its_time(place: Place, payer: Keypair) -> None:
    trade(place)
    stand_by = keeper_of(place, payer, stand_by_s=30)
    assert stand_by.turn().outcomes == ()
    place.chain.advance(30)
    assert len(stand_by.turn().done) == 1


def test_a_pause_of_clearing_is_waited_out(place: Place, payer: Keypair) -> None:
    trade(place)
    place.send(instructions.emergency_pause(place.programs, place.authority.pubkey(), CLEARING, 0))
    turn = keeper_of(place, payer).turn()
    assert turn.outcomes == ()
    assert turn.state.clearing_paused
    place.send(instructions.emergency_unpause(place.programs, place.authority.pubkey(), CLEARING))
    assert len(keeper_of(place, payer).turn().done) == 1


def test_matching_goes_on_while_clearing_is_paused(place: Place, payer: Keypair) -> None:
    set_max_sweep(place, 3)
    trade(place)
    failing = FailingChain(place.chain, 1, landed=False)
    with pytest.raises(Crash):
        keeper_of(place, payer, failing).turn()  # type: ignore[arg-type]
    place.send(instructions.emergency_pause(place.programs, place.authority.pubkey(), CLEARING, 0))
    assert [done.action.name for done in keeper_of(place, payer).turn().done] == ["match_orders", "settle_trade"]


def test_without_auto_clearing_only_the_department_triggers(place: Place, payer: Keypair) -> None:
    trade(place)
    place.send(instructions.set_auto_clearing(place.programs, place.authority.pubkey(), enabled=False))
    assert keeper_of(place, payer).turn().outcomes == ()
    assert len(keeper_of(place, place.authority).turn().done) == 1


def forge_volume(place: Place, lots: int) -> None:
    """Makes what is to be matched disagree with the orders, as no transaction could."""
    idl = place.programs["trading"]
    (info,) = place.chain.accounts([place.address])
    assert info is not None
    fields = idl.decode_account("Market", info.data)
    fields["clear"] = {**fields["clear"], "volume": fields["clear"]["volume"] + lots}
    place.chain.set_account(place.address, owner=info.owner, data=idl.encode_account("Market", fields))


def test_a_halt_stands_for_a_day_and_then_everybody_is_released(place: Place, payer: Keypair) -> None:
    set_max_sweep(place, 3)
    trade(place)
    with pytest.raises(Crash):
        keeper_of(place, payer, FailingChain(place.chain, 1, landed=False)).turn()  # type: ignore[arg-type]
    forge_volume(place, 1)
    turn = keeper_of(place, payer).turn()
    assert [done.action.name for done in turn.done] == ["match_orders"], "settling behind it would undo the halt"
    assert turn.state.market.halted
    place.chain.advance(HALT_MOST_S - 1)
    assert keeper_of(place, payer).turn().outcomes == ()
    place.chain.advance(1)
    assert [done.action.name for done in keeper_of(place, payer).turn().done] == ["void_epoch", "settle_trade"]
    entry, seats = books_of(place)
    assert entry.flags & VOID
    assert not entry.flags & MISMATCH
    assert [seat.base_locked + seat.quote_locked for seat in seats] == [0] * len(seats)


def test_the_book_can_be_kept_before_it_is_cleared(place: Place, payer: Keypair) -> None:
    trade(place)
    kept: list[tuple[int, ...]] = []

    def keep(state: State, action: Action) -> None:
        book = fetch_books(place.chain, place.programs, state.market)[action.book]
        kept.append(tuple(order.lots for order in book.orders))

    keeper = Keeper(place.chain, place.programs, place.address, payer, before_clearing=keep)
    keeper.turn()
    keeper.turn()
    assert kept == [(1000, 1037, 1074, 1111, 1148, 1185, 1222, 500)]


class Hours:
    """Plays `wait`: lets the chain's time pass, and stops after so many waits."""

    def __init__(self, chain: EmbeddedChain, waits: int) -> None:
        self.chain, self.left, self.waited = chain, waits, [0.0][:0]

    def __call__(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.chain.advance(max(int(seconds), 1))
        self.left -= 1
        return self.left <= 0


def test_it_waits_for_the_end_of_the_epoch_and_is_there_on_time(place: Place, payer: Keypair) -> None:
    anna = place.join("anna")
    place.chain.set_unix_time(UnixTime(place.chain.clock().unix_s + 800))
    place.order(anna, Side.BUY, 100, 500)
    hours, seen = Hours(place.chain, 9), list[Turn | ChainUnreachable]()
    run(keeper_of(place, payer), hours, seen.append, Pace(longest_s=15, shortest_s=2))
    assert hours.waited[:7] == [15, 15, 15, 15, 15, 15, 10]
    settled = [turn for turn in seen if isinstance(turn, Turn) and turn.done]
    assert len(settled) == 1
    assert settled[0].now % SLOT_S == 0
    assert late_by(settled[0].state, settled[0].now) == 0


def test_a_chain_that_is_away_is_asked_again_soon(place: Place, payer: Keypair) -> None:
    keeper, hours, seen = keeper_of(place, payer), Hours(EmbeddedChain(), 2), list[Turn | ChainUnreachable]()
    place.chain.close()
    run(keeper, hours, seen.append, Pace(longest_s=15, shortest_s=2))
    assert hours.waited == [2, 2]
    assert all(isinstance(each, ChainUnreachable) for each in seen)


def test_how_late_an_epoch_is_counts_from_when_it_could_be_cleared(place: Place, payer: Keypair) -> None:
    trade(place)
    place.chain.advance(77)
    state = look(place.chain, place.programs, place.address, payer.pubkey())
    assert late_by(state, place.chain.clock().unix_s) == 77


def test_plans_are_packed_into_as_few_transactions_as_their_compute_holds(place: Place, payer: Keypair) -> None:
    state = look(place.chain, place.programs, place.address, payer.pubkey())
    market = replace(state.market, settling_book=0, book_state=(BookState.MATCHING, BookState.IDLE))
    large = replace(state, market=market, rows=(4_096, 0), max_sweep=1_024)
    matching, settling = next_actions(large, UnixTime(0))
    assert matching.steps == (Step(StepKind.MATCH, 1_024),) * 4
    assert settling.steps == (Step(StepKind.SETTLE, 1_024),) * 4
    assert transactions_for(4_096, 1_024) == 3
    assert transactions_for(2_048, 1_024) == 3
    assert transactions_for(1_024, 1_024) == 1
    huge = replace(large, rows=(20_000, 0))
    assert sum(step.rows for action in next_actions(huge, UnixTime(0)) for step in action.steps) == 40_000
    assert len(next_actions(huge, UnixTime(0))) > 2


def test_a_book_half_matched_is_gone_on_with_where_it_stands(place: Place, payer: Keypair) -> None:
    state = look(place.chain, place.programs, place.address, payer.pubkey())
    assert state.market.settling_book == NO_BOOK
    clear = replace(state.market.clear, cursor=40)
    market = replace(state.market, settling_book=1, book_state=(BookState.IDLE, BookState.SETTLING), clear=clear)
    (action,) = next_actions(replace(state, market=market, rows=(0, 100)), UnixTime(0))
    assert (action.book, action.steps) == (1, (Step(StepKind.SETTLE, 60),))
