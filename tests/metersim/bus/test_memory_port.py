"""metersim.bus.memory_port: the same wire without a pty and without waiting."""

import pytest

from meteredge.clock import VirtualClock
from metersim.bus import rtu
from metersim.bus.bank import RegisterBank
from metersim.bus.faults import Unplugged
from metersim.bus.intruders import SecondMaster
from metersim.bus.line import Line
from metersim.bus.memory_port import BUFFER_BYTES, MemoryPort
from metersim.bus.wire import Wire

LINE = Line(9_600)
ASK = rtu.frame(1, bytes([4, 0, 10, 0, 2]))
REPLY = rtu.frame(1, bytes([4, 4, 0, 10, 0, 11]))


def port_with(clock: VirtualClock, line: Line | None = None) -> MemoryPort:
    port = MemoryPort(Wire(LINE, [RegisterBank(tuple(range(200)))]), clock, line)
    port.timeout = 1.0
    return port


def test_a_read_moves_the_clock_to_the_end_of_the_reply_and_no_further() -> None:
    clock = VirtualClock(0.0, monotonic0=100.0)
    port = port_with(clock)
    port.write(ASK)
    assert port.read(len(REPLY)) == REPLY
    assert clock.monotonic() - 100.0 == pytest.approx(LINE.transaction_s(len(ASK), len(REPLY)))


def test_a_read_without_a_reply_takes_the_whole_timeout() -> None:
    clock = VirtualClock(0.0)
    port = port_with(clock)
    assert port.read(1) == b""
    assert clock.monotonic() == pytest.approx(1.0)


def test_a_port_set_to_another_speed_hears_nothing() -> None:
    port = port_with(VirtualClock(0.0), Line(19_200))
    port.write(ASK)
    assert port.read(len(REPLY)) == b""


def test_an_unplugged_port_fails_as_on_linux_and_comes_back_under_another_name() -> None:
    clock = VirtualClock(0.0)
    wire = Wire(LINE, [RegisterBank(tuple(range(200)))])
    port = MemoryPort(wire, clock)
    port.timeout = 1.0
    wire.faults = (Unplugged(),)
    with pytest.raises(OSError, match="memory is gone"):
        port.write(ASK)
    port.close()
    with pytest.raises(FileNotFoundError):
        port.open()
    wire.faults = ()
    port.open()
    assert port.port == "memory 2"
    port.write(ASK)
    assert port.read(len(REPLY)) == REPLY


def test_what_arrives_while_the_port_is_closed_is_lost() -> None:
    clock = VirtualClock(0.0)
    port = port_with(clock)
    port.write(ASK)
    port.close()
    clock.advance(1.0)
    assert port.in_waiting == 0
    port.open()
    assert port.read(1) == b""


def test_a_buffer_that_nobody_reads_is_full_one_day() -> None:
    clock = VirtualClock(0.0)
    wire = Wire(LINE, [RegisterBank(tuple(range(200)))], faults=[SecondMaster(every_s=0.1)])
    port = MemoryPort(wire, clock)
    for _ in range(6_000):
        clock.advance(0.1)
        waiting = port.in_waiting
    assert waiting == BUFFER_BYTES
