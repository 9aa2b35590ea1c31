"""Attacks on order entry (threats.md T1 to T4b, T23, G7)."""

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from tests.attacks.trading.conftest import Param, Refused, Status
from tests.attacks.trading.test_seats import read_only, unsigned
from tests.trading.ground import Ground
from tests.trading.making import Plan, build
from tests.trading.rows import BASE, BUY, COLLECTING, FLOOR, IDLE, LOT, QUOTE, SELL, STEP, Trader, price, value

from meterchain import pdas
from meterchain.embedded import START, EmbeddedChain
from meterchain.programs import Programs
from meterchain.units import SLOT_S, UnixTime

MAX_ORDERS, FEE_BPS, FREEZE, MIN_LOTS, MARGIN_RULE = 2, 3, 9, 11, 12


def at(ground: Ground, second: int) -> None:
    """So many seconds after the first epoch's start."""
    ground.chain.set_unix_time(UnixTime(START + second))


def test_an_order_locks_what_stands_behind_it(ground: Ground, anna: Trader, ben: Trader) -> None:
    before = ground.tokens(ground.account(anna.wallet, BASE))
    assert ground.place(anna, SELL, 100, 10) == 1
    assert ground.place(ben, BUY, 100, 20, client_id=77) == 2
    seller, buyer = ground.seat(anna), ground.seat(ben)
    assert (seller.base_free, seller.base_locked, seller.open_orders, seller.placed) == (0, 100 * LOT, 1, 1)
    assert (buyer.quote_free, buyer.quote_locked, buyer.side) == (0, 100 * value(20), BUY)
    assert ground.tokens(ground.account(anna.wallet, BASE)) == before - 100 * LOT
    assert [(row.id, row.client_id, row.tick, row.seat) for row in ground.orders(ground.books[0])] == [
        (1, 0, 10, anna.seat),
        (2, 77, 20, ben.seat),
    ]
    book = ground.book(ground.books[0])
    assert (book["total_bid_lots"], book["total_ask_lots"], book["live"]) == (100, 100, 2)


def test_what_is_free_in_the_seat_is_used_first(ground: Ground, anna: Trader) -> None:
    ground.send(ground.moving("deposit", anna, BASE, 60 * LOT), by=anna.key)
    before = ground.tokens(ground.account(anna.wallet, BASE))
    ground.place(anna, SELL, 100, 10)
    assert ground.tokens(ground.account(anna.wallet, BASE)) == before - 40 * LOT
    assert ground.fetch_market()["liab_base"] == 100 * LOT == ground.tokens(ground.vault(BASE))


def test_one_sells_and_buys_with_what_one_has(ground: Ground, refused: Refused) -> None:
    poor = ground.join("poor", base=100 * LOT - 1, quote=100 * value(5) - 1)
    assert refused(ground.order(poor, SELL, 100, 5), by=poor.key) == "InsufficientFunds"
    assert refused(ground.order(poor, BUY, 100, 5), by=poor.key) == "InsufficientFunds"
    ground.give(poor.wallet, BASE, 100 * LOT)
    ground.place(poor, SELL, 100, 5)


def test_anothers_account_pays_for_nothing(ground: Ground, anna: Trader, ben: Trader, refused: Refused) -> None:
    his = ground.account(ben.wallet, BASE)
    assert refused(ground.order(anna, SELL, 100, 5, token_account=his), by=anna.key) == "NotOwner"
    assert refused(ground.order(anna, SELL, 100, 5, seat=ben.seat), by=anna.key) == "NotOwner"
    assert refused(ground.order(anna, SELL, 100, 5, seat=99), by=anna.key) == "NotOwner"
    user = pdas.user(ground.built, ben.wallet)
    assert refused(ground.order(anna, SELL, 100, 5, user=user), by=anna.key) == "NotOwner"
    assert refused(unsigned(ground.order(anna, SELL, 100, 5), 0), by=ben.key) == "MissingRequiredSignature"
    assert refused(read_only(ground.order(anna, SELL, 100, 5), 4), by=anna.key) == "ConstraintMut"
    ground.place(anna, SELL, 100, 5)


def test_base_is_never_taken_for_quote(ground: Ground, anna: Trader, refused: Refused) -> None:
    quote = ground.account(anna.wallet, QUOTE)
    both = {"token_account": quote, "vault": ground.vault(QUOTE)}
    assert refused(ground.order(anna, SELL, 100, 5, token_account=quote), by=anna.key) == "BadMint"
    assert refused(ground.order(anna, SELL, 100, 5, vault=ground.vault(QUOTE)), by=anna.key) == "WrongAccount"
    assert refused(ground.order(anna, SELL, 100, 5, **both), by=anna.key) == "WrongAccount"
    own = ground.give(anna.wallet, BASE, 10**15, at=Keypair().pubkey())
    assert refused(ground.order(anna, SELL, 100, 5, vault=own), by=anna.key) == "WrongAccount"
    ground.place(anna, SELL, 100, 5)


def test_only_active_users_trade_and_only_prosumers_sell(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused, status: Status
) -> None:
    assert refused(ground.order(ben, SELL, 100, 5), by=ben.key) == "NotProsumer"
    ground.place(ben, BUY, 100, 5)
    for state in (1, 2):
        status(anna.key, state)
        assert refused(ground.order(anna, SELL, 100, 5), by=anna.key) == "UserInactive"
        assert refused(ground.order(anna, BUY, 100, 5), by=anna.key) == "UserInactive"
    status(anna.key, 0)
    ground.place(anna, SELL, 100, 5)


def test_prices_lie_on_the_grid(ground: Ground, anna: Trader, refused: Refused) -> None:
    for limit in (
        0,
        FLOOR - 1,
        FLOOR + 1,
        FLOOR + STEP - 1,
        FLOOR + 1024 * STEP,
        2**64 - 1,
        2**64 - STEP + FLOOR % STEP,
    ):
        for side in (BUY, SELL):
            assert refused(ground.order(anna, side, 100, 0, price=limit), by=anna.key) == "BadTick", limit
    ground.place(anna, SELL, 100, 0)
    ground.place(anna, SELL, 100, 1023)


def test_energy_is_whole_lots_and_enough_of_them(ground: Ground, anna: Trader, refused: Refused, param: Param) -> None:
    for energy in (1, LOT - 1, 100 * LOT + 1, 2**32 * LOT, 2**64 - 1):
        assert refused(ground.order(anna, SELL, 0, 5, energy=energy), by=anna.key) == "BadLot", energy
    for lots in (0, 1, 9):
        assert refused(ground.order(anna, SELL, lots, 5), by=anna.key) == "BelowMin", lots
    ground.place(anna, SELL, 10, 5)
    param(MIN_LOTS, 5)
    assert refused(ground.order(anna, SELL, 9, 5), by=anna.key) == "BelowMin", "it binds from the next epoch"
    ground.end_epoch()
    ground.place(anna, SELL, 9, 5)


def test_a_tick_holds_less_than_2_to_the_32_lots(ground: Ground, anna: Trader, ben: Trader, refused: Refused) -> None:
    ground.place(anna, SELL, 2**32 - 11, 5)
    assert refused(ground.order(anna, SELL, 11, 5), by=anna.key) == "LevelOverflow"
    ground.place(anna, SELL, 10, 5)
    assert refused(ground.order(anna, SELL, 10, 5), by=anna.key) == "LevelOverflow"
    ground.place(ben, BUY, 2**32 - 1, 5)


def test_the_hundred_and_first_order_is_one_too_many(
    chain: EmbeddedChain, built: Programs, authority: Keypair, refused: Refused, ground: Ground
) -> None:
    large = build(chain, built, authority, Plan(n_slots=256, n_seats=2, name="large"))
    anna = large.join("anna")
    ids = [large.place(anna, SELL, 10, 5) for _ in range(100)]
    assert refused(large.order(anna, SELL, 10, 5), by=anna.key) == "TooManyOrders"
    large.send(large.cancelling(anna, large.books[0], 0, ids[0]), by=anna.key)
    assert refused(large.order(anna, SELL, 10, 5), by=anna.key) == "TooManyOrders", "cancelling buys no new order"
    large.end_epoch()
    large.place(anna, SELL, 10, 5)


def test_the_limit_of_orders_is_a_parameter(ground: Ground, anna: Trader, refused: Refused, param: Param) -> None:
    param(MAX_ORDERS, 2)
    ground.place(anna, SELL, 10, 5)
    ground.place(anna, SELL, 10, 5)
    assert refused(ground.order(anna, SELL, 10, 5), by=anna.key) == "TooManyOrders"


def test_nobody_can_fill_the_book_for_one_who_has_not_ordered_yet(
    chain: EmbeddedChain, built: Programs, authority: Keypair, refused: Refused, ground: Ground
) -> None:
    tight = build(chain, built, authority, Plan(n_slots=12, n_seats=4, name="tight"))
    crowd = [tight.join(f"spammer {n}") for n in range(3)]
    quiet = tight.join("quiet")
    for spammer in crowd:
        for _ in range(3):
            order_id = tight.place(spammer, SELL, 10, 5)
            book = tight.books[0]
            tight.send(tight.cancelling(spammer, book, len(tight.orders(book)) - 1, order_id), by=spammer.key)
        assert refused(tight.order(spammer, SELL, 10, 5), by=spammer.key) == "TooManyOrders"
    for _ in range(3):
        tight.place(quiet, BUY, 10, 5)
    assert len(tight.orders(tight.books[0])) == 12


def test_a_full_book_takes_no_more(
    chain: EmbeddedChain, built: Programs, authority: Keypair, refused: Refused, ground: Ground
) -> None:
    tiny = build(chain, built, authority, Plan(n_slots=4, n_seats=2, name="tiny"))
    first = tiny.join("first")
    for _ in range(3):
        tiny.place(first, SELL, 10, 5)
    assert refused(tiny.order(first, SELL, 10, 5), by=first.key) == "BookFull", "the last place is the other seat's"
    late = tiny.join("late")
    tiny.place(late, SELL, 10, 5)
    assert refused(tiny.order(late, SELL, 10, 5), by=late.key) == "BookFull"
    tiny.end_epoch()
    tiny.place(late, SELL, 10, 5)


def test_who_takes_a_seat_after_the_book_was_opened_still_has_a_place_in_it(
    chain: EmbeddedChain, built: Programs, authority: Keypair, refused: Refused, ground: Ground
) -> None:
    tight = build(chain, built, authority, Plan(n_slots=12, n_seats=4, name="tight"))
    early = tight.join("early")
    tight.place(early, SELL, 10, 5)  # the book opens with one seat: all twelve places are its share
    for _ in range(8):
        tight.place(early, SELL, 10, 5)
    assert refused(tight.order(early, SELL, 10, 5), by=early.key) == "BookFull"
    for name in ("second", "third", "fourth"):
        late = tight.join(name)
        tight.place(late, BUY, 10, 5)
        assert refused(tight.order(late, BUY, 10, 5), by=late.key) == "BookFull"
    assert len(tight.orders(tight.books[0])) == 12
    tight.settle_epoch()
    for _ in range(3):
        tight.place(early, SELL, 10, 5)


def test_one_side_in_an_epoch(ground: Ground, anna: Trader, refused: Refused) -> None:
    ground.place(anna, SELL, 10, 5)
    assert refused(ground.order(anna, BUY, 10, 5), by=anna.key) == "OppositeSide"
    ground.end_epoch()
    ground.place(anna, BUY, 10, 5)
    assert refused(ground.order(anna, SELL, 10, 5), by=anna.key) == "OppositeSide"


def test_an_epoch_has_one_book(ground: Ground, anna: Trader, refused: Refused) -> None:
    ground.place(anna, SELL, 10, 5)
    assert refused(ground.order(anna, SELL, 10, 5, book=ground.books[1]), by=anna.key) == "WrongBook"
    ground.end_epoch()
    assert refused(ground.order(anna, SELL, 10, 5, book=ground.books[0]), by=anna.key) == "WrongBook"
    ground.place(anna, SELL, 10, 5)
    assert [ground.state(book) for book in ground.books] == [COLLECTING, COLLECTING]
    epochs = [ground.book(book)["epoch"] for book in ground.books]
    assert epochs == [START, START + SLOT_S] == ground.fetch_market()["book_epoch"]


def test_two_unfinished_epochs_must_be_cranked_first(ground: Ground, anna: Trader, refused: Refused) -> None:
    for _ in range(2):
        ground.place(anna, SELL, 10, 5)
        ground.end_epoch()
    for book in ground.books:
        assert refused(ground.order(anna, SELL, 10, 5, book=book), by=anna.key) == "MarketBusy"
    ground.send_unsigned(ground.clearing(), ground.settling(book=ground.books[0]))
    assert ground.state(ground.books[0]) == IDLE
    ground.place(anna, SELL, 10, 5)


@pytest.mark.parametrize("freeze", [0, 60, 300])
def test_entry_closes_at_the_freeze(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused, param: Param, freeze: int
) -> None:
    param(FREEZE, freeze)
    at(ground, SLOT_S - freeze - 1)
    ground.place(anna, SELL, 10, 5)
    if freeze:
        at(ground, SLOT_S - freeze)
        second_wallet = ground.order(ben, BUY, 10, 900)
        assert refused(second_wallet, by=ben.key) == "MarketClosed"
        at(ground, SLOT_S - 1)
        assert refused(second_wallet, by=ben.key) == "MarketClosed"
    at(ground, SLOT_S)
    ground.place(ben, BUY, 10, 900)


def test_a_book_is_not_opened_in_the_freeze_either(ground: Ground, anna: Trader, refused: Refused) -> None:
    at(ground, SLOT_S - 60)
    assert refused(ground.order(anna, SELL, 10, 5), by=anna.key) == "MarketClosed"
    assert ground.state(ground.books[0]) == IDLE


def test_an_epochs_fee_is_that_of_its_opening(ground: Ground, anna: Trader, ben: Trader, param: Param) -> None:
    ground.place(anna, SELL, 100, 10)
    param(FEE_BPS, 500)
    ground.place(ben, BUY, 100, 10)
    ground.settle_epoch()
    ground.place(anna, SELL, 100, 10)
    ground.place(ben, BUY, 100, 10)
    ground.settle_epoch()
    paid = 100 * value(10)
    assert [entry.fee for entry in ground.entries()] == [-(-paid * 25 // 10_000), -(-paid * 500 // 10_000)]
    assert [entry.price for entry in ground.entries()] == [price(10)] * 2


def test_an_epochs_margin_rule_is_that_of_its_opening(ground: Ground, anna: Trader, ben: Trader, param: Param) -> None:
    """Though the next epoch has opened under another one before this is matched."""
    ground.place(anna, SELL, 30, 10)
    for _ in range(2):
        ground.place(ben, BUY, 30, 10)
    param(MARGIN_RULE, 1)
    ground.end_epoch()
    ground.place(anna, SELL, 10, 10)
    assert ground.fetch_market()["margin_rule"] == 1
    ground.clear()
    ground.send(ground.matching())
    assert [order.filled for order in ground.orders(ground.books[0])] == [30, 15, 15]


def test_a_settled_book_is_as_empty_as_a_new_one(ground: Ground, anna: Trader, ben: Trader) -> None:
    """Or the next epochs would keep no rows for others, and announce orders that nobody placed."""
    unused = ground.book(ground.books[0])
    for side, trader in ((SELL, anna), (BUY, ben)):
        ground.place(trader, side, 100, 10)
    assert (ground.book(ground.books[0])["live"], ground.book(ground.books[0])["seats_used"]) == (2, 2)
    ground.settle_epoch()
    settled, kept = ground.book(ground.books[0]), ("epoch", "max_orders", "fee_bps", "margin_rule")
    assert {name: settled[name] for name in settled if name not in kept} == {
        name: unused[name] for name in unused if name not in kept
    }
    assert ground.orders(ground.books[0]) == []


def test_data_that_is_too_short_is_refused_and_bytes_behind_it_change_nothing(
    ground: Ground, anna: Trader, refused: Refused
) -> None:
    honest = ground.order(anna, SELL, 100, 5)
    for length in range(8, len(honest.data)):
        cut = Instruction(honest.program_id, honest.data[:length], honest.accounts)
        assert refused(cut, by=anna.key) == "InvalidInstructionData", length
    for length in (0, 1, 7):
        cut = Instruction(honest.program_id, honest.data[:length], honest.accounts)
        assert refused(cut, by=anna.key) == "InvalidInstructionData", length
    fewer = Instruction(honest.program_id, honest.data, honest.accounts[:-1])
    assert refused(fewer, by=anna.key) == "NotEnoughAccountKeys"
    ground.send(honest, by=anna.key)
