"""The agent and its bridge: a tamper event becomes the record's flag, a restart is told, and no slot waits for it."""

import pytest
from bridge import diagnostic
from tests.firmware.bench import OWN, WORDS, Bench, BenchPort
from tests.meteredge.node import Node

from meterchain.record import Record, StatusFlags
from meteredge.bridge_watch import PROFILE, BridgeNews, BridgeWatch
from meteredge.bus import Bus
from meteredge.bus_errors import NoReply
from meteredge.profiles import load
from metersim.bus.faults import LateReply


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
