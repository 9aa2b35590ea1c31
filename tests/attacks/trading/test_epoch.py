"""Attacks on clearing, matching and settling (threats.md T7, T8, T9, T11, T12)."""

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.trading.conftest import Param, Refused
from tests.attacks.trading.test_setup import updating
from tests.trading.ground import Ground
from tests.trading.making import Plan, build
from tests.trading.rows import (
    ALLOCATED,
    BASE,
    BUY,
    COLLECTING,
    IDLE,
    QUOTE,
    SELL,
    SETTLING,
    Trader,
    key,
    price,
    value,
)

from meterchain.chain import TransactionFailed
from meterchain.embedded import START, EmbeddedChain
from meterchain.programs import Programs
from meterchain.units import SLOT_S, UnixTime

FEE_BPS, SETTLE_DELAY, MAX_SWEEP = 3, 10, 17


def trade(ground: Ground, anna: Trader, ben: Trader) -> None:
    """Five orders that cross, the epoch over."""
    for tick in (5, 10, 10):
        ground.place(anna, SELL, 100, tick)
    for tick in (10, 15):
        ground.place(ben, BUY, 100, tick)
    ground.end_epoch()


def clear_as(ground: Ground, **bent: Pubkey) -> str:
    """The name of the error with which clearing is refused."""
    with pytest.raises(TransactionFailed) as refusal:
        ground.send_unsigned(ground.clearing(**bent))
    return refusal.value.name


def test_an_epoch_without_a_trade_is_the_last_settled_one_and_leaves_the_last_price(
    ground: Ground, anna: Trader, ben: Trader
) -> None:
    trade(ground, anna, ben)
    ground.settle_epoch()
    after = ground.fetch_market()
    assert (after["last_settled_epoch"], after["last_price"]) == (START, price(10))
    ground.place(anna, SELL, 100, 10)
    ground.settle_epoch()
    market, epochs = ground.fetch_market(), [entry.epoch for entry in ground.entries()]
    assert (market["last_settled_epoch"], market["last_price"]) == (epochs[-1], price(10))
    assert epochs[-1] > START


# --- T7: who clears, and when ---


def test_only_the_oracle_clears(ground: Ground, anna: Trader, ben: Trader, refused: Refused) -> None:
    trade(ground, anna, ben)
    for wallet in (anna.key, ground.authority):
        assert refused(ground.clearing(oracle_auth=wallet.pubkey()), by=wallet) == "Unauthorized"
    for program, seed in (("trading", b"oracle_auth"), ("energy_token", b"oracle_auth"), ("oracle", b"oracle")):
        pda = Pubkey.find_program_address([seed], ground.built.id(program))[0]
        assert clear_as(ground, oracle_auth=pda) == "Unauthorized", (program, seed)
    unsigned = ground.clearing()
    metas = [type(meta)(meta.pubkey, is_signer=False, is_writable=meta.is_writable) for meta in unsigned.accounts]
    assert refused(Instruction(unsigned.program_id, unsigned.data, metas)) == "MissingRequiredSignature"
    ground.clear()


def test_an_epoch_clears_when_it_is_over_and_the_delay_has_passed(
    ground: Ground, anna: Trader, ben: Trader, param: Param
) -> None:
    param(SETTLE_DELAY, 120)
    ground.place(anna, SELL, 100, 10)
    for second in (0, SLOT_S - 1, SLOT_S, SLOT_S + 119):
        ground.chain.set_unix_time(UnixTime(START + second))
        assert clear_as(ground) == "EpochNotOver", second
    ground.chain.set_unix_time(UnixTime(START + SLOT_S + 120))
    ground.clear()


def test_the_earlier_epoch_clears_first_and_alone(ground: Ground, anna: Trader, ben: Trader) -> None:
    assert clear_as(ground) == "WrongPhase", "nothing collects"
    trade(ground, anna, ben)
    trade(ground, anna, ben)
    assert clear_as(ground, book=ground.books[1]) == "WrongBook"
    ground.clear()
    for book in ground.books:
        assert clear_as(ground, book=book) == "WrongPhase", "one is being matched"
    ground.send(ground.matching())
    assert clear_as(ground, book=ground.books[1]) == "WrongPhase", "one is being settled"
    ground.send(ground.settling())
    assert [ground.state(book) for book in ground.books] == [IDLE, COLLECTING]
    ground.clear()
    ground.send(ground.matching(), ground.settling(book=ground.books[1]))
    assert [entry.epoch for entry in ground.entries()] == [START, START + SLOT_S]


def test_a_late_epoch_clears_with_its_own_stamp(ground: Ground, anna: Trader, ben: Trader) -> None:
    trade(ground, anna, ben)
    ground.chain.set_unix_time(UnixTime(START + 10 * SLOT_S + 7))
    ground.settle_epoch()
    assert ground.entries()[0].epoch == START


def test_a_market_that_is_switched_off_does_not_clear(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused
) -> None:
    trade(ground, anna, ben)
    ground.send(updating(ground, clearing_enabled=0))
    assert clear_as(ground) == "MarketClosed"
    assert refused(ground.order(anna, SELL, 100, 10), by=anna.key) == "MarketClosed"
    ground.send(updating(ground, clearing_enabled=1))
    ground.clear()


# --- T8, T9: phases and steps ---


def test_each_step_has_its_phase(ground: Ground, anna: Trader, ben: Trader, refused: Refused) -> None:
    book = ground.books[0]

    def refusals() -> tuple[str | None, str | None]:
        names: list[str | None] = []
        for step in (ground.matching(1, book=book), ground.settling(1, book=book)):
            try:
                ground.chain.simulate([step], ground.authority.pubkey())
                names.append(None)
            except TransactionFailed as refusal:
                names.append(refusal.name)
        return names[0], names[1]

    assert refusals() == ("WrongPhase", "WrongPhase")
    trade(ground, anna, ben)
    assert refusals() == ("WrongPhase", "WrongPhase")
    ground.clear()
    assert refusals() == (None, "WrongPhase")
    ground.send(ground.matching())
    assert refusals() == ("WrongPhase", None)
    ground.send(ground.settling())
    assert refusals() == ("WrongPhase", "WrongPhase")


def test_a_step_of_none_does_nothing_and_a_huge_one_everything(ground: Ground, anna: Trader, ben: Trader) -> None:
    trade(ground, anna, ben)
    ground.clear()
    before = ground.data(ground.market)
    ground.send(ground.matching(0))
    assert ground.data(ground.market) == before
    ground.send(ground.matching(2**32 - 1))
    assert ground.state(ground.books[0]) == SETTLING
    before = ground.data(ground.seats)
    ground.send(ground.settling(0))
    assert ground.data(ground.seats) == before
    ground.send(ground.settling(2**32 - 1))
    assert ground.state(ground.books[0]) == IDLE


def test_a_sweep_is_bounded_by_its_parameter(ground: Ground, anna: Trader, ben: Trader, param: Param) -> None:
    param(MAX_SWEEP, 2)
    trade(ground, anna, ben)
    ground.clear()
    ground.send(ground.matching(4096))
    assert [row.state for row in ground.orders(ground.books[0])] == [ALLOCATED] * 2 + [1] * 3


def test_match_and_settle_take_the_markets_own_accounts(
    ground: Ground,
    anna: Trader,
    ben: Trader,
    refused: Refused,
    chain: EmbeddedChain,
    built: Programs,
    authority: Keypair,
) -> None:
    other = build(chain, built, authority, Plan(name="other"))
    trade(ground, anna, ben)
    ground.clear()
    assert refused(ground.matching(book=ground.books[1])) == "WrongPhase"
    assert refused(ground.matching(book=other.books[0])) == "WrongBook"
    assert refused(ground.matching(market=other.market)) == "WrongBook"
    ground.send(ground.matching())
    for bent, error in (
        ({"seats": other.seats}, "WrongAccount"),
        ({"history": other.history}, "WrongAccount"),
        ({"book": other.books[0]}, "WrongBook"),
        ({"event_authority": key("nobody").pubkey()}, "ConstraintAddress"),
        ({"program": built.id("oracle")}, "ConstraintAddress"),
    ):
        assert refused(ground.settling(**bent)) == error, bent
    ground.send(ground.settling())


def test_nobody_forges_an_event(ground: Ground, refused: Refused) -> None:
    tag = bytes.fromhex("e445a52e51cb9a1d")
    forged = Instruction(ground.built.id("trading"), tag + bytes(100), [ground.clearing().accounts[0]])
    with pytest.raises(TransactionFailed):
        ground.send_unsigned(forged)
    nobody = Instruction(ground.built.id("trading"), tag + bytes(100), [])
    assert refused(nobody) == "NotEnoughAccountKeys"


# --- T11, T12: the ledger ---


def test_withdrawing_between_two_steps_harms_nobody(ground: Ground, anna: Trader, ben: Trader) -> None:
    trade(ground, anna, ben)
    ground.clear()
    ground.send(ground.matching())
    ground.send(ground.settling(2))
    got = ground.seat(anna).quote_free
    assert got > 0, "anna is paid, ben's lock has not paid yet"
    ground.send(ground.moving("withdraw", anna, QUOTE, got), by=anna.key)
    ground.send(ground.settling())
    ground.send(ground.paying(anna, ben))
    market = ground.fetch_market()
    assert (market["liab_base"], market["liab_quote"]) == (0, market["fee_accrued"])
    assert ground.tokens(ground.vault(QUOTE)) == market["fee_accrued"]
    assert ground.tokens(ground.vault(BASE)) == 0
    assert ground.entries()[0].flags == 0


@pytest.mark.parametrize("bps", [0, 1, 500])
def test_the_fee_is_never_more_than_the_proceeds(
    ground: Ground, anna: Trader, ben: Trader, param: Param, bps: int
) -> None:
    param(FEE_BPS, bps)
    param(11, 1)
    ground.place(anna, SELL, 1, 0)
    ground.place(ben, BUY, 1, 0)
    ground.settle_epoch()
    (entry,) = ground.entries()
    assert entry.fee == -(-value(0) * bps // 10_000) <= entry.quote_volume == value(0)
    assert ground.seat(anna).quote_free == value(0) - entry.fee
