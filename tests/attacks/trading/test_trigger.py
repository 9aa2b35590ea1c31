"""Attacks on the oracle's trigger of the market (threats.md O16, X14)."""

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.trading.conftest import Param, Pause, Refused
from tests.trading.ground import Ground
from tests.trading.making import Plan, build
from tests.trading.rows import BUY, COLLECTING, IDLE, MATCHING, SELL, SETTLING, Trader

from meterchain import pdas
from meterchain.embedded import START, EmbeddedChain
from meterchain.programs import Programs
from meterchain.units import SLOT_S, UnixTime

SETTLE_DELAY = 10
CLEARING = 1 << 5
WEEK = 604_800


def auto(ground: Ground, enabled: int, by: Keypair | None = None) -> None:
    """Lets anyone trigger, or the authority alone."""
    accounts = {"authority": (by or ground.authority).pubkey()}
    ground.send(ground.built["oracle"].instruction("set_auto_clearing", accounts, {"enabled": enabled}), by=by)


def copied(ground: Ground, address: Pubkey) -> Pubkey:
    """The same account elsewhere."""
    (info,) = ground.chain.accounts([address])
    assert info is not None
    twin = Pubkey.new_unique()
    ground.chain.set_account(twin, owner=info.owner, data=info.data)
    return twin


def trade(ground: Ground, anna: Trader, ben: Trader) -> None:
    ground.place(anna, SELL, 100, 10)
    ground.place(ben, BUY, 100, 20)
    ground.end_epoch()


def test_a_stranger_triggers_while_auto_clearing_is_on(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused
) -> None:
    trade(ground, anna, ben)
    trigger = ground.triggering(caller=anna.wallet)
    assert refused(trigger, by=anna.key) == "Unauthorized"
    setting = {"authority": anna.wallet}
    mine = ground.built["oracle"].instruction("set_auto_clearing", setting, {"enabled": 1})
    assert refused(mine, by=anna.key) == "Unauthorized"
    beyond = ground.built["oracle"].instruction(
        "set_auto_clearing", {"authority": ground.authority.pubkey()}, {"enabled": 2}
    )
    assert refused(beyond) == "InvalidArgument"
    auto(ground, 1)
    ground.send(trigger, by=anna.key)
    assert ground.state(ground.books[0]) == MATCHING


def test_not_before_the_epoch_is_over_not_twice_and_not_while_paused(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused, pause: Pause, param: Param
) -> None:
    param(SETTLE_DELAY, 100)
    ground.place(anna, SELL, 100, 10)
    ground.place(ben, BUY, 100, 20)
    for second in (0, SLOT_S - 1, SLOT_S + 99):
        ground.chain.set_unix_time(UnixTime(START + second))
        assert refused(ground.triggering()) == "EpochNotOver", second
    ground.chain.set_unix_time(UnixTime(START + SLOT_S + 100))
    pause(CLEARING)
    assert refused(ground.triggering()) == "Paused"
    accounts = {"authority": ground.authority.pubkey()}
    ground.send(ground.built["governance"].instruction("emergency_unpause", accounts, {"mask": CLEARING}))
    ground.send(ground.triggering())
    assert refused(ground.triggering(book=ground.books[0])) == "WrongPhase"
    oracle = Pubkey.find_program_address([b"oracle"], ground.built.id("oracle"))[0]
    config = ground.built["oracle"].decode_account("OracleConfig", ground.data(oracle))
    assert config["last_market_clearing"] == START + SLOT_S + 100
    assert config["trading_program"] == ground.built.id("trading")


def test_a_longer_delay_counts_for_the_epoch_that_is_running_a_shorter_one_does_not(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused, param: Param
) -> None:
    """The one of the opening must have passed, and the one of now."""
    param(SETTLE_DELAY, 50)
    ground.place(anna, SELL, 100, 10)
    ground.place(ben, BUY, 100, 20)
    for now, wait in ((0, 50), (100, 100)):
        param(SETTLE_DELAY, now)
        ground.chain.set_unix_time(UnixTime(START + SLOT_S + wait - 1))
        assert refused(ground.triggering()) == "EpochNotOver", now
    ground.chain.set_unix_time(UnixTime(START + SLOT_S + 100))
    ground.send(ground.triggering())


def test_a_wrong_book_or_market_is_refused(
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
    trade(ground, anna, ben)
    for bent, error in (
        ({"book": ground.books[1]}, "WrongBook"),
        ({"book": other.books[0]}, "WrongBook"),
        ({"market": other.market}, "WrongPhase"),
        ({"market": ground.seats}, "InvalidAccountData"),
        ({"trading": built.id("energy_token")}, "ConstraintAddress"),
        ({"oracle_auth": anna.wallet}, "ConstraintAddress"),
        ({"event_authority": anna.wallet}, "ConstraintAddress"),
        ({"config": copied(ground, pdas.oracle(built))}, "ConstraintAddress"),
        ({"governance": copied(ground, pdas.governance(built))}, "ConstraintAddress"),
    ):
        assert refused(ground.triggering(**bent)) == error, bent
    ground.send(ground.triggering())
    assert [ground.state(book) for book in ground.books] == [MATCHING, COLLECTING]


def test_a_campus_sized_epoch_finishes_in_one_transaction(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused
) -> None:
    trade(ground, anna, ben)
    assert refused(ground.triggering(100, seats=None)) == "NotEnoughAccountKeys"
    assert refused(ground.triggering(100, history=None)) == "NotEnoughAccountKeys"
    assert refused(ground.triggering(100, seats=ground.history)) == "ConstraintDuplicateMutableAccount"
    receipt = ground.send(ground.triggering(100))
    assert ground.state(ground.books[0]) == IDLE
    assert [event.name for event in ground.events(receipt)] == ["EpochCleared", "FillBatch", "EpochSettled"]
    assert ground.entries()[0].volume_lots == 100


def test_an_inline_sweep_may_end_anywhere(ground: Ground, anna: Trader, ben: Trader) -> None:
    trade(ground, anna, ben)
    ground.send(ground.triggering(1))
    assert ground.state(ground.books[0]) == MATCHING
    ground.send(ground.matching(), ground.settling(1), ground.settling())
    trade(ground, anna, ben)
    ground.send(ground.triggering(2))
    assert [entry.volume_lots for entry in ground.entries()] == [100, 100]


def test_an_epoch_without_a_crossing_is_released_at_once(ground: Ground, anna: Trader, ben: Trader) -> None:
    ground.place(anna, SELL, 100, 20)
    ground.place(ben, BUY, 100, 10)
    ground.end_epoch()
    ground.send(ground.triggering())
    assert ground.state(ground.books[0]) == SETTLING
    ground.send(ground.settling())
    assert (ground.entries()[0].price, ground.entries()[0].flags) == (0, 0)
    assert (ground.seat(anna).base_locked, ground.seat(ben).quote_locked) == (0, 0)


def test_a_trigger_stops_by_its_own_bit_until_that_expires(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused, pause: Pause
) -> None:
    """X14, the row of trigger_market_clearing."""
    trade(ground, anna, ben)
    now = ground.chain.clock().unix_s
    for bit in range(5):
        pause(1 << bit)
    ground.chain.simulate([ground.triggering()], ground.authority.pubkey())
    pause(CLEARING)
    assert refused(ground.triggering()) == "Paused"
    ground.chain.set_unix_time(UnixTime(now + WEEK - 1))
    assert refused(ground.triggering()) == "Paused"
    ground.chain.set_unix_time(UnixTime(now + WEEK))
    ground.clear()
