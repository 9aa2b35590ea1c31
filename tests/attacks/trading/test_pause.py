"""The pause matrix of Trading (threats.md X14): every instruction, every bit, expiry, the emergency; exits never."""

import pytest
from solders.instruction import Instruction
from tests.attacks.trading.conftest import Pause
from tests.attacks.trading.test_setup import updating
from tests.trading.ground import Ground
from tests.trading.rows import BASE, BUY, QUOTE, SELL, Trader

from meterchain import pdas
from meterchain.chain import TransactionFailed
from meterchain.embedded import START
from meterchain.units import UnixTime

ORDER_ENTRY, CLEARING = 4, 5
BITS, ALL = range(6), 0x3F
WEEK = 604_800
"""PAUSE_MAX_SECS: a pause set now ends then."""
STOPPED_BY = {
    "open_seat": ORDER_ENTRY,
    "deposit": ORDER_ENTRY,
    "create_sell_order": ORDER_ENTRY,
    "create_buy_order": ORDER_ENTRY,
    "clear_epoch": CLEARING,
    "initialize_market": None,
    "close_seat": None,
    "set_seat_flags": None,
    "withdraw": None,
    "cancel_order": None,
    "match_orders": None,
    "settle_trade": None,
    "payout": None,
    "void_epoch": None,
    "update_market_params": None,
    "sweep_fees": None,
    "set_authority": None,
    "get_order": None,
    "get_orders_of": None,
    "get_seat": None,
    "get_epoch": None,
}


def prepared(name: str, ground: Ground, anna: Trader, ben: Trader) -> Instruction:
    """Brings the market to where `name` works, and returns it."""
    if name == "open_seat":
        return ground.seating(ground.citizen("carl").pubkey())
    if name in ("deposit", "withdraw"):
        ground.send(ground.moving("deposit", anna, BASE, 10), by=anna.key)
        return ground.moving(name, anna, BASE, 5)
    if name in ("create_sell_order", "create_buy_order"):
        return ground.order(anna, SELL if name == "create_sell_order" else BUY, 10, 5)
    if name == "close_seat":
        return ground.leaving(anna)
    if name == "set_seat_flags":
        return ground.flagging(anna, 1)
    if name == "payout":
        ground.send(ground.moving("deposit", anna, QUOTE, 10), by=anna.key)
        return ground.paying(anna)
    if name == "update_market_params":
        return updating(ground, clearing_enabled=1)
    if name in ("sweep_fees", "set_authority"):
        return ground.ix(name, {"config": ground.market} if name == "set_authority" else {})
    return in_an_epoch(name, ground, anna, ben)


def in_an_epoch(name: str, ground: Ground, anna: Trader, ben: Trader) -> Instruction:
    """The same for what needs orders in the book."""
    order_id = ground.place(anna, SELL, 10, 5)
    ground.place(ben, BUY, 10, 5)
    book = ground.books[0]
    if name == "cancel_order":
        return ground.cancelling(anna, book, 0, order_id)
    if name in ("get_order", "get_orders_of"):
        return ground.ix(name, {"book": book}, {"slot": 0} if name == "get_order" else {"seat": anna.seat})
    if name == "get_seat":
        return ground.ix(name, {}, {"seat": anna.seat})
    ground.end_epoch()
    if name == "clear_epoch":
        return ground.clearing()
    ground.clear()
    if name == "match_orders":
        return ground.matching()
    if name == "void_epoch":
        return ground.ix(name, {"caller": ground.authority.pubkey(), "book": book})
    ground.send(ground.matching())
    if name == "settle_trade":
        return ground.settling()
    ground.send(ground.settling())
    return ground.ix("get_epoch", {}, {"epoch": START})


def outcome(ground: Ground, instruction: Instruction) -> str:
    """`done`, or the name of the error; nothing is changed."""
    try:
        ground.chain.simulate([instruction], ground.authority.pubkey())
    except TransactionFailed as refusal:
        return refusal.name
    return "done"


def test_the_matrix_knows_every_instruction(ground: Ground) -> None:
    assert set(STOPPED_BY) == {shape["name"] for shape in ground.built["trading"].raw["instructions"]}


@pytest.mark.parametrize("name", [name for name in STOPPED_BY if name != "initialize_market"])
def test_a_pause_stops_what_it_names_until_it_expires_and_nothing_else(
    ground: Ground, anna: Trader, ben: Trader, pause: Pause, name: str
) -> None:
    instruction = prepared(name, ground, anna, ben)
    assert outcome(ground, instruction) == "done"
    governance = pdas.governance(ground.built)
    (unpaused,) = ground.chain.accounts([governance])
    assert unpaused is not None
    for mask in [1 << bit for bit in BITS] + [ALL]:
        ground.chain.set_account(governance, owner=unpaused.owner, data=unpaused.data)
        pause(mask)
        bit = STOPPED_BY[name]
        stopped = bit is not None and mask & 1 << bit
        assert outcome(ground, instruction) == ("Paused" if stopped else "done"), mask


@pytest.mark.parametrize("name", [name for name, bit in STOPPED_BY.items() if bit is not None])
def test_what_has_expired_stops_nothing(ground: Ground, anna: Trader, ben: Trader, pause: Pause, name: str) -> None:
    now = ground.chain.clock().unix_s
    pause(ALL)
    ground.chain.set_unix_time(UnixTime(now + WEEK))
    assert outcome(ground, prepared(name, ground, anna, ben)) == "done"
