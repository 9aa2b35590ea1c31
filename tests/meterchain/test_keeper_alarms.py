"""The keeper's alarms: what raises them, what ends them, and how Prometheus sees them."""

import logging
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from solders.keypair import Keypair
from tests.free_ports import free_port
from tests.meterchain.market.place import Place, key, open_place

from meterchain import instructions
from meterchain.accounts import MeterStatus
from meterchain.chain import ChainUnreachable
from meterchain.commands.service import serve_metrics
from meterchain.embedded import EmbeddedChain
from meterchain.keeper import CLEARING, Keeper
from meterchain.keeper_alarms import Alarm, Limits, alarms, heard_from
from meterchain.keeper_metrics import instruments
from meterchain.keeper_plan import fees_for_days
from meterchain.keeper_watch import Watchman
from meterchain.market.accounts import Side
from meterchain.programs import Programs
from meterchain.site import Site
from meterchain.systemd import Systemd
from meterchain.units import Lamports, UnixTime

if TYPE_CHECKING:
    from tests.meterchain.conftest import NewMeter, Signer

RICH = Lamports(10**10)
FEES = 96 * 30 * 5_000
"""A month of epochs, one transaction each."""


@pytest.fixture
def place(chain: EmbeddedChain, built: Programs, site: Site, authority: Keypair) -> Place:
    return open_place(chain, built, site, authority)


@pytest.fixture
def keeper(place: Place) -> Keeper:
    payer = key("keeper")
    place.chain.airdrop(payer.pubkey(), RICH)
    return Keeper(place.chain, place.programs, place.address, payer)


def kinds(place: Place, keeper: Keeper, *, balance: int = RICH) -> list[str]:
    turn = keeper.turn()
    heard = heard_from(place.chain, place.programs)
    return [alarm.kind for alarm in alarms(turn.state, turn.now, heard, Lamports(balance))]


def deliver(meter: "Signer", relayer: Keypair) -> None:
    record = meter.sign(1_100_000, 7_000_000)
    steps = instructions.submit_meter_data(meter.site.programs, relayer.pubkey(), [record], position=0)
    meter.chain.send(steps, [relayer])


def test_nothing_is_wrong_on_a_quiet_day(place: Place, keeper: Keeper) -> None:
    assert kinds(place, keeper) == []


def test_a_meter_that_stops_speaking_is_named(
    place: Place, keeper: Keeper, new_meter: "NewMeter", authority: Keypair
) -> None:
    speaks, silent = new_meter("METER_001"), new_meter("METER_002")
    place.chain.set_unix_time(UnixTime(place.chain.clock().unix_s + 1_799))
    deliver(speaks, authority)
    start = place.chain.clock().unix_s
    place.chain.set_unix_time(UnixTime(start + 1_800))
    heard = heard_from(place.chain, place.programs)
    assert [(each.meter_id, each.at) for each in heard] == [("METER_001", start), ("METER_002", heard[1].at)]
    turn = keeper.turn()
    (alarm,) = alarms(turn.state, turn.now, heard, RICH)
    assert (alarm.kind, alarm.about) == ("meter_silent", "METER_002")
    wanted = instructions.set_meter_status(
        place.programs, authority.pubkey(), silent.assignment.meter_id, MeterStatus.MAINTENANCE
    )
    place.send(wanted)
    assert kinds(place, keeper) == [], "a meter in maintenance may be silent"


def test_an_epoch_that_nobody_clears_is_late_and_says_why(place: Place, keeper: Keeper) -> None:
    place.order(place.join("anna"), Side.BUY, 100, 500)
    place.send(instructions.emergency_pause(place.programs, place.authority.pubkey(), CLEARING, 0))
    place.end_epoch()
    place.chain.advance(120)
    assert kinds(place, keeper) == []
    place.chain.advance(1)
    turn = keeper.turn()
    (alarm,) = alarms(turn.state, turn.now, [], RICH)
    assert alarm == Alarm("epoch_late", "", "an epoch is 121 s late: clearing is paused")


def test_a_payer_with_less_than_a_month_of_fees_is_told(place: Place, keeper: Keeper) -> None:
    assert fees_for_days(keeper.turn().state, 30) == FEES
    assert kinds(place, keeper, balance=FEES) == []
    assert kinds(place, keeper, balance=FEES - 1) == ["payer_low"]


def test_a_keeper_that_may_not_trigger_says_so(place: Place, keeper: Keeper) -> None:
    place.send(instructions.set_auto_clearing(place.programs, place.authority.pubkey(), enabled=False))
    assert kinds(place, keeper) == ["cannot_trigger"]


@pytest.fixture
def watch(place: Place, keeper: Keeper) -> Watchman:
    log = logging.getLogger("test keeper")
    return Watchman(place.chain, place.programs, keeper.payer.pubkey(), log, Systemd({}), Limits(), instruments())


def test_an_alarm_is_logged_when_it_comes_and_when_it_goes(
    place: Place, keeper: Keeper, watch: Watchman, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    place.order(place.join("anna"), Side.BUY, 100, 500)
    place.send(instructions.emergency_pause(place.programs, place.authority.pubkey(), CLEARING, 0))
    place.end_epoch()
    for seconds in (200, 10):
        place.chain.advance(seconds)
        watch(keeper.turn())
    place.send(instructions.emergency_unpause(place.programs, place.authority.pubkey(), CLEARING))
    watch(keeper.turn())
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "ALARM epoch_late: an epoch is 200 s late: clearing is paused"
    assert said[1].startswith("trigger_market_clearing of epoch ")
    assert said[2:] == ["over: epoch_late "]


def test_metrics_tell_what_was_done_and_what_is_wrong(place: Place, keeper: Keeper, watch: Watchman) -> None:
    assert watch.metrics is not None
    anna, ben = place.join("anna"), place.join("ben")
    place.order(anna, Side.BUY, 100, 500)
    place.order(ben, Side.SELL, 100, 500)
    place.end_epoch()
    watch(keeper.turn())
    watch(ChainUnreachable("gone"))
    text = watch.metrics.text()
    for line in (
        'meterbridge_keeper_transactions_total{outcome="done",what="trigger_market_clearing"} 1.0',
        "meterbridge_keeper_fees_lamports_total 5",
        'meterbridge_keeper_alarm{about="",kind="epoch_late"} 0.0',
        "meterbridge_keeper_last_price 4.5e+06",
        'meterbridge_keeper_book_orders{book="0"} 0.0',
        "meterbridge_keeper_unreachable_total 1.0",
        "meterbridge_keeper_payer_lamports 9.9",
        "meterbridge_keeper_last_settled_epoch 1.7672256e+09",
    ):
        assert line in text, line


def test_a_chain_that_goes_away_between_two_questions_is_no_end(place: Place, keeper: Keeper, watch: Watchman) -> None:
    turn = keeper.turn()
    place.chain.close()
    watch(turn)
    assert watch.metrics is not None
    assert "meterbridge_keeper_unreachable_total 1.0" in watch.metrics.text()


def test_metrics_are_served_over_http() -> None:
    metrics = instruments()
    metrics.note_unreachable()
    with ExitStack() as stack:
        address = f"127.0.0.1:{free_port()}"
        serve_metrics(stack, address, metrics.registry)
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
            assert b"meterbridge_keeper_unreachable_total 1.0" in answer.read()
