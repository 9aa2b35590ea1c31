"""Void, halt and mismatch (threats.md T15): whatever goes wrong in matching, everybody gets out."""

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from tests.attacks.trading.conftest import Refused
from tests.attacks.trading.test_epoch import clear_as, trade
from tests.trading.ground import Ground
from tests.trading.rows import (
    BASE,
    IDLE,
    LOT,
    MATCHING,
    SELL,
    Trader,
    value,
)

from meterchain.embedded import START
from meterchain.idl import Event
from meterchain.units import SLOT_S, UnixTime

DAY = 86_400
VOID, MISMATCH = 1, 2


def voiding(ground: Ground, by: Pubkey, book: Pubkey | None = None) -> Instruction:
    return ground.ix("void_epoch", {"caller": by, "book": book or ground.settling_book()})


def test_void_is_the_authoritys_and_for_matching_only(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused
) -> None:
    own = ground.authority.pubkey()
    assert refused(voiding(ground, own)) == "WrongPhase"
    trade(ground, anna, ben)
    assert refused(voiding(ground, own)) == "WrongPhase"
    ground.clear()
    assert refused(voiding(ground, anna.wallet), by=anna.key) == "Unauthorized"
    assert refused(voiding(ground, own, ground.books[1])) == "WrongPhase"
    ground.send(ground.matching())
    assert refused(voiding(ground, own)) == "WrongPhase", "what is being settled cannot be taken back"


@pytest.mark.parametrize("matched", [0, 1, 4])
def test_after_void_every_order_is_released_exactly(ground: Ground, anna: Trader, ben: Trader, matched: int) -> None:
    trade(ground, anna, ben)
    ground.clear()
    ground.send(ground.matching(matched))
    ground.send(voiding(ground, ground.authority.pubkey()))
    receipt = ground.send(ground.settling())
    assert [event.name for event in ground.events(receipt)] == ["EpochSettled"], "no fill is announced"
    (entry,) = ground.entries()
    assert (entry.flags, entry.price, entry.volume_lots, entry.fills, entry.fee) == (VOID, 0, 0, 0, 0)
    assert entry.fills_digest == bytes(32)
    assert (ground.seat(anna).base_free, ground.seat(anna).base_locked) == (300 * LOT, 0)
    assert (ground.seat(ben).quote_free, ground.seat(ben).quote_locked) == (100 * (value(10) + value(15)), 0)
    assert ground.fetch_market()["last_price"] == 0


def halt(ground: Ground, anna: Trader, ben: Trader, levels: str = "ask_lots") -> Event:
    """A level that disagrees with its orders, which no transaction can bring about."""
    trade(ground, anna, ben)
    lots = ground.book(ground.books[0])[levels]
    lots[10] += 1
    ground.patch(ground.books[0], "Book", **{levels: lots})
    ground.clear()
    (event,) = ground.events(ground.send(ground.matching()))
    assert event.name == "MarketHalted"
    return event


@pytest.mark.parametrize(("levels", "bought", "sold"), [("ask_lots", 200, 199), ("bid_lots", 199, 200)])
def test_either_side_that_does_not_sum_up_halts_the_market(
    ground: Ground, anna: Trader, ben: Trader, levels: str, bought: int, sold: int
) -> None:
    told = halt(ground, anna, ben, levels).fields
    assert (told["volume_lots"], told["sum_buy"], told["sum_sell"]) == (200, bought, sold)
    assert ground.fetch_market()["halted"] == 1


def test_a_halted_market_lets_everybody_out(ground: Ground, anna: Trader, ben: Trader, refused: Refused) -> None:
    halt(ground, anna, ben)
    market = ground.fetch_market()
    assert (market["halted"], market["halted_at"], ground.state(ground.books[0])) == (1, START + SLOT_S, MATCHING)
    assert refused(ground.order(anna, SELL, 100, 10), by=anna.key) == "Halted"
    assert refused(ground.matching()) == "Halted"
    assert refused(ground.settling()) == "Halted"
    assert clear_as(ground) == "Halted"
    ground.send(ground.moving("deposit", anna, BASE, 5), by=anna.key)
    ground.send(ground.moving("withdraw", anna, BASE, 5), by=anna.key)
    ground.send(ground.paying(anna, ben))
    stranger = voiding(ground, ben.wallet)
    ground.chain.set_unix_time(UnixTime(START + SLOT_S + DAY - 1))
    assert refused(stranger, by=ben.key) == "Unauthorized"
    ground.chain.set_unix_time(UnixTime(START + SLOT_S + DAY))
    ground.send(stranger, by=ben.key)
    ground.send(ground.settling())
    assert (ground.fetch_market()["halted"], ground.state(ground.books[0])) == (0, IDLE)
    assert ground.seat(anna).base_free == 300 * LOT
    ground.place(anna, SELL, 100, 10)


def test_the_authority_releases_a_halted_market_at_once(ground: Ground, anna: Trader, ben: Trader) -> None:
    halt(ground, anna, ben)
    ground.send(voiding(ground, ground.authority.pubkey()), ground.settling())
    assert (ground.fetch_market()["halted"], ground.entries()[0].flags) == (0, VOID)


def test_a_lock_that_is_short_is_told_and_the_epoch_ends_all_the_same(
    ground: Ground, anna: Trader, ben: Trader
) -> None:
    trade(ground, anna, ben)
    ground.clear()
    ground.send(ground.matching())
    short(ground, ben, quote_locked=7)
    events = ground.events(ground.send(ground.settling()))
    assert "LedgerMismatch" in [event.name for event in events]
    assert (ground.entries()[0].flags, ground.state(ground.books[0])) == (MISMATCH, IDLE)
    assert (ground.seat(ben).quote_locked, ground.seat(anna).base_locked) == (0, 0)


def test_an_energy_lock_that_is_short_delivers_what_is_there(ground: Ground, anna: Trader, ben: Trader) -> None:
    trade(ground, anna, ben)
    ground.clear()
    ground.send(ground.matching())
    short(ground, anna, base_locked=100 * LOT + 7)
    events = ground.events(ground.send(ground.settling()))
    assert "LedgerMismatch" in [event.name for event in events]
    assert (ground.entries()[0].flags, ground.state(ground.books[0])) == (MISMATCH, IDLE)
    seat = ground.seat(anna)
    assert (seat.base_locked, seat.base_free, seat.open_orders) == (0, 7, 0)
    assert seat.quote_free < 200 * value(10), "what was not delivered is not paid"


def short(ground: Ground, trader: Trader, *, quote_locked: int | None = None, base_locked: int | None = None) -> None:
    """Takes locks away, which no transaction can."""
    start, size = (int(ground.built["trading"].constants[name]) for name in ("SEATS_ROWS_AT", "SEATS_ROW"))
    (info,) = ground.chain.accounts([ground.seats])
    assert info is not None
    data = bytearray(info.data)
    for offset, left in ((40, base_locked), (56, quote_locked)):
        if left is not None:
            at = start + trader.seat * size + offset
            data[at : at + 8] = left.to_bytes(8, "little")
    ground.chain.set_account(ground.seats, owner=info.owner, data=bytes(data))
