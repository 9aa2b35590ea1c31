"""The thread that reads: turns in order, what fails is told, the watchdog is fed by work alone."""

import itertools
import threading
from collections.abc import Callable

import pytest
from tests.meteredge.node import Node

from meterchain.embedded import START
from meterchain.record import Record
from meteredge.bus_errors import NoReply, PortLent
from meteredge.clock import VirtualClock
from meteredge.closing import Closer, close_slots
from meteredge.journal import Row
from meteredge.reconcile import DeliveryStopped


class Heard:
    """A teller that remembers."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.kinds: list[object] = []

    def warn(self, message: str, kind: object = None) -> None:
        self.warnings.append(message)
        self.kinds.append(kind)

    def forget(self) -> None:
        self.warnings.clear()


class Stop(threading.Event):
    """Set after so many waits; waiting moves the clock."""

    def __init__(self, clock: VirtualClock, waits: int) -> None:
        super().__init__()
        self._clock, self._left = clock, waits

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self._clock.advance(timeout)
        self._left -= 1
        if self._left <= 0:
            self.set()
        return self.is_set()


def closer_of(node: Node, rows: list[Row] | None = None, told: Heard | None = None) -> Closer:
    found: list[Row] = [] if rows is None else rows
    return Closer("METER_001", node.agent, 10.0, told or Heard(), found.append, lambda: None)


def run(node: Node, closers: list[Closer], waits: int, alive: Callable[[], None] = lambda: None) -> None:
    close_slots(closers, node.clock, Stop(node.clock, waits), slot_is_due=lambda: None, alive=alive)


def test_a_slot_is_closed_at_its_end_without_a_word_from_anybody(node: Node) -> None:
    node.agent.deliver()
    rows: list[Row] = []
    run(node, [closer_of(node, rows)], 100)
    assert [row.seq for row in rows] == [1, 2]
    assert rows[1].slot - rows[0].slot == 900
    assert node.agent.status().last_slot == rows[1].slot


@pytest.mark.parametrize("slots", [1, 2, 100])
def test_a_clock_that_is_set_across_a_slots_end_while_nobodys_turn_has_come_costs_no_slot(
    node: Node, slots: int
) -> None:
    node.agent.deliver()
    node.advance(200.0)
    rows: list[Row] = []
    closer = closer_of(node, rows)
    closer.poll_s, closer.tried_at = 300.0, node.clock.monotonic()
    edge = START + slots * 900

    class Set(Stop):
        def wait(self, timeout: float | None = None) -> bool:
            if node.clock.utc() < edge:  # the first time that it sleeps, its clock is set beneath it
                node.clock.set_utc(edge)
            return super().wait(timeout)

    close_slots([closer], node.clock, Set(node.clock, 5), slot_is_due=lambda: None, alive=lambda: None)
    assert [row.slot for row in rows] == [edge - 900]
    assert Record.decode(rows[0].record).ts - edge <= 10


def test_a_dead_meter_is_told_counted_and_shown_and_the_watchdog_is_fed_all_the_same(node: Node) -> None:
    node.meter.fails = NoReply("unit 1 did not answer", "check the wires")
    told, fed = Heard(), []
    closer = closer_of(node, told=told)
    run(node, [closer], 5, lambda: fed.append(node.clock.monotonic()))
    assert closer.failures >= 4
    assert "METER_001: unit 1 did not answer" in told.warnings[0]
    assert "did not answer" in (node.agent.status().read_problem or "")
    assert len(fed) >= 5


def test_a_read_that_never_returns_starves_the_watchdog(node: Node) -> None:
    fed: list[float] = []
    hangs, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        assert go_on.wait(10)

    class Hanging:
        def seconds_to_close(self) -> float:
            return 300.0

        def close_due_slot(self) -> None:
            hang()

        def read(self) -> None:
            """Nothing more."""

    closer = Closer("METER_001", Hanging(), 10.0, Heard(), lambda _row: None, lambda: None)  # type: ignore[arg-type]
    stop = Stop(node.clock, 1)
    thread = threading.Thread(
        target=close_slots,
        args=([closer], node.clock, stop),
        kwargs={"slot_is_due": lambda: None, "alive": lambda: fed.append(0.0)},
    )
    thread.start()
    assert hangs.wait(10)
    before = len(fed)
    assert before == 1, "once before its turn"
    stop.set()
    go_on.set()
    thread.join(10)
    assert len(fed) == before


def test_while_nobodys_turn_has_come_the_watchdog_is_fed_at_its_own_pace(node: Node) -> None:
    node.meter.fails = NoReply("unit 1 did not answer", "check the wires")
    fed: list[float] = []
    closer = closer_of(node)
    closer.tried_at, closer.failures = node.clock.monotonic(), 100
    close_slots(
        [closer], node.clock, Stop(node.clock, 10), slot_is_due=lambda: None,
        alive=lambda: fed.append(node.clock.monotonic()), alive_every_s=20.0,
    )  # fmt: skip
    assert max(after - before for before, after in itertools.pairwise(fed)) <= 20.0


def test_a_lent_port_is_nobodys_failure(node: Node) -> None:
    node.meter.fails = PortLent("the port is lent", "it comes back in 60 s")
    told = Heard()
    closer = closer_of(node, told=told)
    run(node, [closer], 4)
    assert (closer.failures, told.warnings) == (0, [])


def test_an_agent_that_may_not_sign_any_more_ends_the_loop(node: Node) -> None:
    node.agent._stopped = DeliveryStopped("Fork", "another node signs with this key", "find it")
    begun = node.clock.monotonic()
    run(node, [closer_of(node)], 1_000)
    assert node.clock.monotonic() - begun < 5


def test_a_loan_is_ended_before_a_slot_is_closed(node: Node) -> None:
    node.agent.deliver()
    node.pass_slot()
    seen: list[int] = []
    close_slots(
        [closer_of(node)], node.clock, Stop(node.clock, 1),
        slot_is_due=lambda: seen.append(node.meter.reads), alive=lambda: None,
    )  # fmt: skip
    assert seen == [0]
