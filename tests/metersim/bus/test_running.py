"""metersim.bus on real pseudo-terminals.  Real time: the shortest of many, and medians where the machine is quiet."""

import os
import select
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serial

from metersim.bus import rtu, running
from metersim.bus.bank import RegisterBank
from metersim.bus.faults import Echo, Silence, Unplugged
from metersim.bus.line import Line
from metersim.bus.loop import SegmentPlan
from metersim.bus.running import BusGone, RunningBuses

LINE = Line(19_200)
BANK = RegisterBank(tuple(range(200)))
ASK = rtu.frame(1, bytes([4, 0, 10, 0, 20]))
REPLY = rtu.frame(1, bytes([4, 40]) + b"".join(n.to_bytes(2, "big") for n in range(10, 30)))
ALLOWED_SHARE, ALLOWED_S = 0.02, 0.000_3
ANSWERED_S, SILENT_S = 30.0, 0.2
"""How long a busy host may take over an answer that is certain, and how long one is waited for that must not come."""
BATCH, MOST_BATCHES = 11, 20
"""A machine that is busy with other things gets so many chances to be on time for one batch."""
BAUDS = (9_600, 19_200, 115_200)


@pytest.fixture
def buses(tmp_path: Path) -> Iterator[RunningBuses]:
    plan = SegmentPlan(LINE, (BANK,), link=tmp_path / "by-id" / "usb-bench-0")
    with running.in_thread([plan, SegmentPlan(LINE, (RegisterBank((7,) * 40),))]) as buses:
        yield buses


def exchange(port: serial.Serial, length: int = len(REPLY)) -> bytes:
    keep_silence()
    port.write(ASK)
    return port.read(length)


def keep_silence() -> None:
    """What every master owes the bus between two frames, at any of the speeds here."""
    select.select([], [], [], 2 * Line(9_600).t35_s)


def transaction_s(port: serial.Serial) -> float:
    keep_silence()
    started = time.perf_counter()
    port.write(ASK)
    assert port.read(len(REPLY)) == REPLY
    return time.perf_counter() - started


def shortest_batch_s(line: Line, of_batch: Callable[[list[float]], float]) -> tuple[float, float, float]:
    """What theory says of a transaction, the least that `of_batch` says of several, and how long that may be."""
    theory_s = line.transaction_s(len(ASK), len(REPLY))
    may_take_s = theory_s + max(ALLOWED_SHARE * theory_s, ALLOWED_S)
    found: list[float] = []
    with (
        running.in_process([SegmentPlan(line, (BANK,))]) as buses,
        serial.Serial(buses.ports[0], line.baud, timeout=ANSWERED_S) as port,
    ):
        while len(found) < MOST_BATCHES and not any(one < may_take_s for one in found):
            found.append(of_batch([transaction_s(port) for _ in range(BATCH)]))
    return theory_s, min(found), may_take_s


@pytest.mark.parametrize("baud", BAUDS)
def test_no_transaction_is_shorter_than_theory_says_and_the_shortest_is_no_longer(baud: int) -> None:
    theory_s, shortest_s, may_take_s = shortest_batch_s(Line(baud), min)
    assert theory_s < shortest_s < may_take_s


@pytest.mark.ci
@pytest.mark.parametrize("baud", BAUDS)
def test_the_median_transaction_takes_what_theory_says(baud: int) -> None:
    theory_s, median_s, may_take_s = shortest_batch_s(Line(baud), statistics.median)
    assert theory_s < median_s < may_take_s


def test_several_segments_answer_each_for_itself(buses: RunningBuses) -> None:
    with (
        serial.Serial(buses.ports[0], LINE.baud, timeout=ANSWERED_S) as one,
        serial.Serial(buses.ports[1], LINE.baud, timeout=ANSWERED_S) as two,
    ):
        one.write(ASK)
        two.write(ASK)
        assert one.read(45) == REPLY
        assert two.read(45) == rtu.frame(1, bytes([4, 40]) + b"\0\7" * 20)
    assert buses.tally(0).replies == buses.tally(1).replies == 1


def test_a_link_points_at_the_port_while_it_is_plugged_in(buses: RunningBuses, tmp_path: Path) -> None:
    link = tmp_path / "by-id" / "usb-bench-0"
    with serial.Serial(str(link), LINE.baud, timeout=ANSWERED_S) as port:
        assert exchange(port) == REPLY
    buses.unplug(0)
    assert not link.is_symlink()
    buses.plug(0)
    with serial.Serial(str(link), LINE.baud, timeout=ANSWERED_S) as port:
        assert exchange(port) == REPLY


def test_a_port_pulled_out_under_the_master_is_dead(buses: RunningBuses) -> None:
    descriptor = os.open(buses.ports[0], os.O_RDWR | os.O_NOCTTY)
    try:
        buses.unplug(0)
        with pytest.raises(OSError, match="Input/output error"):
            os.write(descriptor, ASK)
    finally:
        os.close(descriptor)


def test_a_port_survives_a_master_that_closes_and_opens_it(buses: RunningBuses) -> None:
    for _ in range(3):
        with serial.Serial(buses.ports[0], LINE.baud, timeout=ANSWERED_S) as port:
            assert exchange(port) == REPLY


def test_a_master_at_another_speed_gets_nothing(buses: RunningBuses) -> None:
    with serial.Serial(buses.ports[0], 9_600, timeout=SILENT_S) as port:
        assert exchange(port) == b""
    with serial.Serial(buses.ports[0], LINE.baud, timeout=ANSWERED_S) as port:
        assert exchange(port) == REPLY


def test_a_master_with_another_parity_gets_nothing(buses: RunningBuses) -> None:
    buses.set_master_character(0, "8E1")
    with serial.Serial(buses.ports[0], LINE.baud, timeout=SILENT_S) as port:
        assert exchange(port) == b""


def test_faults_come_and_go_while_the_bus_runs(buses: RunningBuses) -> None:
    with serial.Serial(buses.ports[0], LINE.baud, timeout=SILENT_S) as port:
        buses.set_faults(0, Silence())
        assert exchange(port) == b""
        port.timeout = ANSWERED_S
        buses.set_faults(0, Echo())
        assert exchange(port, len(ASK + REPLY)) == ASK + REPLY
        buses.set_faults(0)
        assert exchange(port) == REPLY


def test_a_bus_that_was_stopped_says_so(buses: RunningBuses) -> None:
    buses.stop()
    buses.stop()
    with pytest.raises(BusGone):
        buses.tally(0)


def test_an_adapter_that_a_fault_pulls_out_comes_back_behind_the_same_link(buses: RunningBuses, tmp_path: Path) -> None:
    link = tmp_path / "by-id" / "usb-bench-0"
    descriptor = os.open(buses.ports[0], os.O_RDWR | os.O_NOCTTY)
    try:
        buses.set_faults(0, Unplugged())
        assert not link.is_symlink()
        buses.set_faults(0)
        assert str(link.readlink()) != buses.ports[0], "the dead descriptor keeps the old number"
        with serial.Serial(str(link), LINE.baud, timeout=ANSWERED_S) as port:
            assert exchange(port) == REPLY
    finally:
        os.close(descriptor)


def test_what_travelled_can_be_had_from_a_bus_that_runs() -> None:
    with (
        running.in_thread([SegmentPlan(LINE, (BANK,), eavesdrop=True)]) as buses,
        serial.Serial(buses.ports[0], LINE.baud, timeout=ANSWERED_S) as port,
    ):
        assert exchange(port) == REPLY
        assert exchange(port) == REPLY
        heard = buses.overheard(0)
    assert [frame.data for frame in heard][:3] == [ASK, REPLY, ASK]
