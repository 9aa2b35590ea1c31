"""The agent and its bridge: a tamper event becomes the record's flag, a restart is told, and no slot waits for it."""

import pytest
from bridge import diagnostic
from tests.firmware.bench import OWN, WORDS, Bench, BenchPort
from tests.meteredge.node import BASELINE_EXPORT, BASELINE_IMPORT, METER_ID, Node

from meterchain.embedded import START
from meterchain.record import Record, StatusFlags
from meterchain.units import UnixTime
from meteredge.agent import Agent
from meteredge.bridge_watch import PROFILE, BridgeNews, BridgeWatch
from meteredge.bus import Bus
from meteredge.bus_errors import BusError, NoReply
from meteredge.ledger import Ledger
from meteredge.profiles import load
from meteredge.reader import Reader
from meteredge.slots import CLOSE_WITHIN_S
from meteredge.timesource import ToldTime
from metersim.bus.faults import LateReply
from metersim.meters.installation import Installation
from metersim.meters.meter import MeterPlan


def watch(bench: Bench) -> tuple[Bus, BridgeWatch]:
    port = BenchPort(bench)
    bus = Bus(port, port)
    return bus, BridgeWatch(bus, OWN, load(PROFILE))


def test_a_quiet_bridge_is_no_news() -> None:
    bench = Bench()
    bench.let_pass(60)
    assert watch(bench)[1].look(30) == BridgeNews()


def test_a_door_that_was_opened_since_the_last_record_is_a_flag() -> None:
    bench = Bench()
    _, bridge = watch(bench)
    bench.let_pass(100)
    bench.contacts.door_open = True
    bench.let_pass(5)
    bench.contacts.door_open = False
    bench.let_pass(20)
    news = bridge.look(90)
    assert news.flags == StatusFlags.TAMPER
    assert news.note is not None
    assert "1 times in all" in news.note
    assert bridge.look(10) == BridgeNews()


def test_a_door_that_stands_open_stays_a_flag() -> None:
    bench = Bench()
    bench.contacts.door_open = True
    bench.let_pass(500)
    assert watch(bench)[1].look(60).flags == StatusFlags.TAMPER


def test_a_reset_by_the_watchdog_is_told_once() -> None:
    bench = Bench().restart(diagnostic.RESET_WATCHDOG)
    _, bridge = watch(bench)
    bench.let_pass(30)
    news = bridge.look(900)
    assert news.flags == StatusFlags.NONE
    assert news.note is not None
    assert "by its watchdog" in news.note
    bench.let_pass(900)
    assert bridge.look(900) == BridgeNews()


def test_the_agents_bus_reads_meter_and_bridge_through_the_bridge() -> None:
    bench = Bench()
    bench.let_pass(10)
    bus, bridge = watch(bench)
    assert bus.read_block(1, 3, 10, 6) == WORDS[10:16]
    assert bridge.look(5) == BridgeNews()
    assert bus.read_block(1, 3, 40, 6) == WORDS[40:46]


def test_late_replies_cost_the_agent_a_read_and_nothing_else() -> None:
    bench = Bench(LateReply(0.6, 0.2), seed=5)
    bus, _ = watch(bench)
    good = 0
    for address in range(60):
        try:
            assert bus.read_block(1, 3, address, 6) == WORDS[address : address + 6]
        except NoReply:
            continue
        good += 1
    assert 30 <= good < 60


class Told:
    """A witness that says what it is told to."""

    def __init__(self, *answers: BridgeNews | NoReply) -> None:
        self.answers = list(answers)
        self.asked: list[float] = []

    def look(self, seconds: float) -> BridgeNews:
        self.asked.append(seconds)
        answer = self.answers.pop(0)
        if isinstance(answer, NoReply):
            raise answer
        return answer


def test_a_tamper_event_becomes_the_flag_of_the_slots_record(node: Node) -> None:
    node.agent.deliver()
    node.agent._witness = witness = Told(BridgeNews(), BridgeNews(StatusFlags.TAMPER, "opened"), BridgeNews())
    flags = []
    for note in (None, "opened", None):
        node.pass_slot()
        row = node.agent.close_due_slot()
        assert row is not None
        flags.append(Record.decode(row.record).status_flags)
        assert node.agent.status().bridge == note
    assert flags == [StatusFlags.NONE, StatusFlags.TAMPER, StatusFlags.NONE]
    assert witness.asked == [pytest.approx(900, abs=60)] * 3
    assert node.agent.deliver().final == 3


def test_a_bridge_that_does_not_answer_costs_no_slot(node: Node) -> None:
    node.agent.deliver()
    node.agent._witness = Told(NoReply("unit 247 did not answer", "look at its LED"), BridgeNews())
    node.close_slots(1)
    assert "does not answer" in str(node.agent.status().bridge)
    node.close_slots(1)
    assert node.agent.status().bridge is None
    assert node.agent.deliver().final == 2


class BenchClock:
    """The bench's time, dated: `START` when the bench began."""

    def __init__(self, port: BenchPort) -> None:
        self._port, self._began = port, port.monotonic()

    def utc(self) -> float:
        return START + self._port.monotonic() - self._began

    def monotonic(self) -> float:
        return self._port.monotonic()

    def sleep(self, seconds: float) -> None:
        self._port.sleep(seconds)


def test_a_bridge_that_hangs_while_a_slot_closes_is_reset_noticed_and_costs_no_slot(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    plan = MeterPlan("sdm120", Installation(seed=1), import_mwh=BASELINE_IMPORT, export_mwh=BASELINE_EXPORT)
    bench = Bench(stations=[plan.build()])
    port = BenchPort(bench)
    bus, clock = Bus(port, port), BenchClock(port)
    agent = Agent(
        reader=Reader(bus, 1, load("sdm120"), clock),
        clock=clock,
        time_source=ToldTime(),
        journal=node.journal,
        signer=node.signer,
        ledger=Ledger(node.chain, node.site.programs, node.relayer, METER_ID, node.signer.public_key),
        witness=BridgeWatch(bus, OWN, load(PROFILE)),
    )
    agent.deliver()
    lost, notes = [], []
    for hangs in (False, True, False):
        bench.let_pass(900 - clock.utc() % 900 + 1)
        if hangs:
            bench.hang()
        failures, row = 0, None
        while row is None:
            assert clock.utc() % 900 < CLOSE_WITHIN_S, "the slot is lost"
            try:
                row = agent.close_due_slot()
            except BusError:
                failures += 1
                clock.sleep(8)
        lost.append(failures)
        notes.append(agent.status().bridge)
        node.chain.set_unix_time(UnixTime(int(clock.utc())))
    assert lost[0] == lost[2] == 0
    assert lost[1] > 0
    assert notes[1] is not None
    assert "by its watchdog" in notes[1]
    assert "by its watchdog" in caplog.text
    assert notes[2] is None
    assert agent.deliver().final == 3
