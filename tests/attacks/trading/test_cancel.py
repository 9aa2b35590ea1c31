"""Attacks on cancelling (threats.md T5): and that funds are never trapped."""

import pytest
from solders.instruction import Instruction
from tests.attacks.trading.conftest import Param, Pause, Refused, Status
from tests.attacks.trading.test_orders import at
from tests.attacks.trading.test_seats import read_only, unsigned
from tests.attacks.trading.test_setup import updating
from tests.trading.ground import Ground
from tests.trading.rows import BUY, CANCELLED, LOT, MATCHING, SELL, SETTLING, Trader, value

from meterchain import pdas
from meterchain.embedded import START
from meterchain.units import SLOT_S, UnixTime

CLEARING = 1 << 5


def test_cancelling_undoes_an_order(ground: Ground, anna: Trader, ben: Trader) -> None:
    for trader, side in ((anna, SELL), (ben, BUY)):
        order_id = ground.place(trader, side, 100, 10)
        slot = len(ground.orders(ground.books[0])) - 1
        receipt = ground.send(ground.cancelling(trader, ground.books[0], slot, order_id), by=trader.key)
        (event,) = ground.events(receipt)
        assert (event.name, event.fields["id"], event.fields["slot"]) == ("OrderCancelled", order_id, slot)
        assert ground.orders(ground.books[0])[slot].state == CANCELLED
        assert (ground.seat(trader).open_orders, ground.seat(trader).placed) == (0, 1)
    assert (ground.seat(anna).base_free, ground.seat(anna).base_locked) == (100 * LOT, 0)
    assert (ground.seat(ben).quote_free, ground.seat(ben).quote_locked) == (100 * value(10), 0)
    book = ground.book(ground.books[0])
    assert (book["live"], book["total_bid_lots"], book["total_ask_lots"]) == (0, 0, 0)
    assert set(book["bid_lots"]) == set(book["ask_lots"]) == {0}


def test_an_order_is_cancelled_by_its_trader_and_once(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused
) -> None:
    order_id, book = ground.place(anna, SELL, 100, 10), ground.books[0]
    ground.place(ben, BUY, 100, 5)
    honest = ground.cancelling(anna, book, 0, order_id)
    assert refused(ground.cancelling(ben, book, 0, order_id), by=ben.key) == "NotOwner"
    impostor = ground.cancelling(ben, book, 0, order_id, user=pdas.user(ground.built, anna.wallet))
    assert refused(impostor, by=ben.key) == "NotOwner"
    assert refused(unsigned(honest, 0), by=ben.key) == "MissingRequiredSignature"
    assert refused(read_only(honest, 4), by=anna.key) == "ConstraintMut"
    for slot, wanted in ((0, order_id + 1), (1, order_id), (2, order_id), (2**32 - 1, order_id), (0, 0)):
        assert refused(ground.cancelling(anna, book, slot, wanted), by=anna.key) == "OrderNotFound"
    assert refused(ground.cancelling(anna, ground.seats, 0, order_id), by=anna.key) in (
        "InvalidAccountData",
        "AccountDataTooSmall",
        "ConstraintDuplicateMutableAccount",
    )
    ground.send(honest, by=anna.key)
    assert refused(honest, by=anna.key) == "OrderNotFound"


def test_a_stale_id_does_not_reach_the_slots_next_order(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused
) -> None:
    old = ground.place(anna, SELL, 100, 10)
    ground.settle_epoch()
    ground.end_epoch()
    assert ground.entry_book() == ground.books[0]
    new = ground.place(anna, SELL, 100, 10)
    assert refused(ground.cancelling(anna, ground.books[0], 0, old), by=anna.key) == "OrderNotFound"
    ground.send(ground.cancelling(anna, ground.books[0], 0, new), by=anna.key)


def test_a_book_that_is_being_settled_is_left_alone(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused
) -> None:
    order_id = ground.place(anna, SELL, 100, 10)
    ground.place(ben, BUY, 100, 10)
    ground.end_epoch()
    ground.clear()
    cancel = ground.cancelling(anna, ground.books[0], 0, order_id)
    assert ground.state(ground.books[0]) == MATCHING
    assert refused(cancel, by=anna.key) == "WrongPhase"
    ground.send(ground.matching())
    assert ground.state(ground.books[0]) == SETTLING
    assert refused(cancel, by=anna.key) == "WrongPhase"
    ground.send(ground.settling())
    assert refused(cancel, by=anna.key) == "WrongPhase"


def test_the_freeze_and_its_end(ground: Ground, anna: Trader, refused: Refused) -> None:
    ids = [ground.place(anna, SELL, 100, 10) for _ in range(3)]

    def cancel(slot: int) -> Instruction:
        return ground.cancelling(anna, ground.books[0], slot, ids[slot])

    at(ground, SLOT_S - 61)
    ground.send(cancel(0), by=anna.key)
    for second in (SLOT_S - 60, SLOT_S, 2 * SLOT_S - 1):
        at(ground, second)
        assert refused(cancel(1), by=anna.key) == "CancelFrozen", second
    at(ground, 2 * SLOT_S)
    ground.send(cancel(1), by=anna.key)


@pytest.mark.parametrize("why", ["paused", "switched off", "halted"])
def test_money_is_never_trapped_while_nothing_can_clear(
    ground: Ground, anna: Trader, refused: Refused, pause: Pause, why: str
) -> None:
    order_id = ground.place(anna, SELL, 100, 10)
    cancel = ground.cancelling(anna, ground.books[0], 0, order_id)
    at(ground, SLOT_S - 1)
    assert refused(cancel, by=anna.key) == "CancelFrozen"
    if why == "paused":
        pause(CLEARING)
    elif why == "switched off":
        ground.send(updating(ground, clearing_enabled=0))
    else:
        ground.patch(ground.market, "Market", halted=1, halted_at=START)
    ground.send(cancel, by=anna.key)
    withdraw = ground.moving("withdraw", anna, 0, 100 * LOT)
    ground.send(withdraw, by=anna.key)


def test_an_expired_pause_opens_no_cancelling(ground: Ground, anna: Trader, refused: Refused, pause: Pause) -> None:
    pause(CLEARING)
    ground.chain.set_unix_time(UnixTime(START + 604_800))
    order_id = ground.place(anna, SELL, 100, 10)
    ground.chain.set_unix_time(UnixTime(START + 604_800 + SLOT_S - 1))
    assert refused(ground.cancelling(anna, ground.books[0], 0, order_id), by=anna.key) == "CancelFrozen"


def test_the_authority_cancels_for_a_suspended_user_only(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused, status: Status
) -> None:
    order_id = ground.place(anna, SELL, 100, 10)
    by_authority = ground.cancelling(anna, ground.books[0], 0, order_id, authority=ground.authority.pubkey())
    assert refused(by_authority) == "NotOwner"
    status(anna.key, 1)
    foreign = ground.cancelling(
        anna,
        ground.books[0],
        0,
        order_id,
        authority=ground.authority.pubkey(),
        user=pdas.user(ground.built, ben.wallet),
    )
    assert refused(foreign) == "NotOwner"
    ground.send(by_authority)
    assert ground.seat(anna).base_free == 100 * LOT


def test_a_suspended_user_keeps_cancel_and_withdraw(ground: Ground, anna: Trader, status: Status, param: Param) -> None:
    order_id = ground.place(anna, SELL, 100, 10)
    status(anna.key, 2)
    ground.send(ground.cancelling(anna, ground.books[0], 0, order_id), by=anna.key)
    ground.send(ground.moving("withdraw", anna, 0, 100 * LOT), by=anna.key)
    ground.end_epoch()
    ground.send(ground.leaving(anna), by=anna.key)
