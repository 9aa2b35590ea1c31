"""The port: found anew at each opening, owned by one process, closed when it dies, able to send nothing but reads."""

import errno
import fcntl
import os
import struct
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteredge.bus import Bus, Timing
from meteredge.bus_errors import (
    CorruptReply,
    NoReply,
    PortBusy,
    PortDenied,
    PortGone,
    PortMissing,
    PortUnfit,
    RequestRefused,
)
from meteredge.clock import SystemClock
from meteredge.port import RtuPort, refuse_unless_reading, resolve
from metersim.bus import running
from metersim.bus.bank import RegisterBank
from metersim.bus.faults import Echo, Fault, LateReply, LeadZero
from metersim.bus.line import Line
from metersim.bus.loop import SegmentPlan

REQUEST = bytes.fromhex("01 04 00 00 00 02 71 cb")
WORDS = tuple(range(1_000, 1_200))
CLOCK = SystemClock()
TIOCGEXCL = 0x8004_5440
"""Asks Linux whether a terminal is exclusive; root may open one that is, so that opening it proves nothing."""


class SkippingClock(SystemClock):
    """The host's clock, put forward by hand; it stands where it is held."""

    skipped_s = 0.0
    held_at: float | None = None

    def monotonic(self) -> float:
        return (super().monotonic() if self.held_at is None else self.held_at) + self.skipped_s

    def hold(self) -> None:
        self.held_at = super().monotonic()

    def go_on(self) -> None:
        self.held_at = None


@dataclass
class Adapter:
    """An entry of the list of ports."""

    device: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None


ADAPTERS = [
    Adapter("/dev/ttyS0"),
    Adapter("/dev/ttyUSB1", 0x0403, 0x6001, "A1B2"),
    Adapter("/dev/ttyUSB2", 0x0403, 0x6001, "C3D4"),
    Adapter("/dev/ttyUSB3", 0x1A86, 0x7523),
]


@dataclass
class Pty:
    """A pseudo-terminal: `far` is the meters' side, `path` what the port opens."""

    far: int
    near: int
    path: str

    def unplug(self) -> None:
        """Close our end: the device is dead."""
        os.close(self.far)
        self.far = -1


@pytest.fixture
def pty() -> Iterator[Pty]:
    far, near = os.openpty()
    tty.setraw(near)
    os.set_blocking(far, False)
    pair = Pty(far, near, os.ttyname(near))
    yield pair
    os.close(near)
    if pair.far >= 0:
        os.close(far)


def opened(pty: Pty, framing: str = "8N1") -> RtuPort:
    return RtuPort(pty.path, 9_600, framing, CLOCK)


# --- which device


@pytest.mark.parametrize("spec", ["/dev/serial/by-id/usb-FTDI-if00-port0", "/dev/serial/by-path/x", "/dev/ttyUSB0"])
def test_a_path_is_taken_as_it_is(spec: str) -> None:
    assert resolve(spec, ADAPTERS) == spec


@pytest.mark.parametrize(
    ("spec", "device"),
    [("0403:6001:C3D4", "/dev/ttyUSB2"), ("1a86:7523", "/dev/ttyUSB3"), ("1A86:7523", "/dev/ttyUSB3")],
)
def test_a_usb_id_finds_its_adapter(spec: str, device: str) -> None:
    assert resolve(spec, ADAPTERS) == device


def test_two_adapters_of_one_id_are_not_guessed_between() -> None:
    with pytest.raises(PortMissing, match=r"names 2 ports.*add the serial number"):
        resolve("0403:6001", ADAPTERS)


def test_a_missing_adapter_is_told_with_what_is_there() -> None:
    with pytest.raises(PortMissing, match="ports there now: /dev/ttyS0, /dev/ttyUSB1"):
        resolve("0403:6001:ZZZZ", ADAPTERS)


# --- what may be sent


@given(st.binary(min_size=0, max_size=12), st.booleans())
def test_nothing_passes_that_does_not_only_read(frame: bytes, history: bool) -> None:
    try:
        refuse_unless_reading(frame, history=history)
    except RequestRefused:
        return
    assert 1 <= frame[0] <= 248
    assert frame[1] in ({3, 4, 0x2B, 0x14} if history else {3, 4, 0x2B})
    assert frame[1] != 0x2B or frame[2] == 0x0E


@pytest.mark.parametrize("code", [code for code in range(256) if code not in (3, 4)])
def test_no_other_function_code_leaves_with_a_request_of_eight_bytes(code: int) -> None:
    with pytest.raises(RequestRefused):
        refuse_unless_reading(bytes([1, code, 0, 0, 0, 1, 0, 0]))


@pytest.mark.parametrize("code", [3, 4])
def test_reading_registers_passes(code: int) -> None:
    refuse_unless_reading(bytes([1, code, 0, 0, 0, 1, 0, 0]))


def test_reading_the_history_passes_only_where_a_profile_asks_for_it() -> None:
    frame = bytes([1, 0x14, 7, 6, 0, 1, 0, 0, 0, 2, 0, 0])
    refuse_unless_reading(frame, history=True)
    with pytest.raises(RequestRefused, match="could change a meter"):
        refuse_unless_reading(frame)


def test_a_broadcast_is_refused() -> None:
    with pytest.raises(RequestRefused, match="unit 0"):
        refuse_unless_reading(bytes([0, *REQUEST[1:]]))


def test_a_refused_request_never_reaches_the_wire(pty: Pty) -> None:
    with opened(pty) as port:
        with pytest.raises(RequestRefused):
            port.write(bytes([1, 6, 0, 0, 0, 1, 0, 0]))
        port.write(REQUEST)
        assert os.read(pty.far, 64) == REQUEST


# --- opening


@pytest.mark.parametrize("framing", ["8N1", "8E1", "8O1", "8N2"])
def test_a_pseudo_terminal_opens_with_any_parity_again_and_again(pty: Pty, framing: str) -> None:
    for _ in range(3):
        with opened(pty, framing) as port:
            port.write(REQUEST)
            assert os.read(pty.far, 64) == REQUEST
            port.timeout = 0.2


def test_a_framing_that_is_none_is_named(pty: Pty) -> None:
    with pytest.raises(PortUnfit, match="'7E1' is no framing"):
        opened(pty, "7E1")


def test_a_second_owner_is_told_that_the_port_is_busy(pty: Pty) -> None:
    with opened(pty), pytest.raises(PortBusy, match="another process has"):
        opened(pty)
    opened(pty).close()


def test_the_port_is_exclusive_for_the_system_itself_while_it_is_open(pty: Pty) -> None:
    def is_exclusive() -> bool:
        return struct.unpack("i", fcntl.ioctl(pty.near, TIOCGEXCL, bytes(4)))[0] == 1

    port = opened(pty)
    assert is_exclusive()
    port.close()
    assert not is_exclusive()


def test_the_kernel_is_not_asked_to_switch_the_transceiver(pty: Pty) -> None:
    with opened(pty) as port:
        assert port.rs485_mode is None


def test_a_missing_path_says_where_to_look() -> None:
    with pytest.raises(PortMissing, match="see /dev/serial/by-id"):
        RtuPort("/dev/serial/by-id/none", 9_600, "8N1", CLOCK)


def test_a_file_is_no_port(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(PortUnfit, match="is no serial port"):
        RtuPort(str(path), 9_600, "8N1", CLOCK)


@pytest.mark.parametrize(
    ("number", "kind", "told"),
    [
        (errno.EACCES, PortDenied, "group dialout"),
        (errno.EPERM, PortDenied, "group dialout"),
        (errno.EBUSY, PortBusy, "another process"),
        (errno.ENODEV, PortGone, "went away"),
    ],
)
def test_what_the_system_refuses_is_told_with_the_next_step(
    pty: Pty, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception], told: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(kind, match=told):
        opened(pty)


# --- losing it


def test_an_unplugged_port_closes_and_says_so(pty: Pty) -> None:
    port = opened(pty)
    pty.unplug()
    with pytest.raises(PortGone, match="is gone"):
        port.read(1)
    assert not port.is_open
    with pytest.raises(PortGone):
        port.write(REQUEST)


@pytest.mark.parametrize("act", ["write", "in_waiting", "reset_input_buffer", "reset_output_buffer"])
def test_every_way_to_touch_a_dead_port_says_that_it_is_gone(
    pty: Pty, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    port = opened(pty)
    pty.unplug()
    try:
        if act == "write":
            port.write(REQUEST)
            port.read(1)
        elif act == "in_waiting":
            assert port.in_waiting == 0
            port.read(1)
        else:
            getattr(port, act)()
            port.read(1)
    except PortGone:
        assert not port.is_open
    else:
        pytest.fail("a dead port must not look alive")


# --- on a simulated bus, in real time

PATIENT = Timing(response_s=2.0)
"""A busy machine may hold the simulated meter's thread up."""


def bus_on(path: str, baud: int = 115_200, clock: SystemClock = CLOCK) -> Bus:
    return Bus(RtuPort(path, baud, "8N1", clock), clock)


def wire(*faults: Fault, link: Path | None = None, turnaround_s: float = 0.003) -> running.RunningBuses:
    station = RegisterBank(WORDS, turnaround_s=turnaround_s)
    return running.in_thread([SegmentPlan(Line(115_200), (station,), faults, link=link)])


def test_blocks_of_all_sizes_come_whole() -> None:
    with wire() as buses:
        bus = bus_on(buses.ports[0])
        for words in (1, 2, 20, 80, 125):
            assert bus.read_block(1, 3, 7, words, PATIENT) == WORDS[7 : 7 + words]
        bus.close()


@pytest.mark.parametrize("faults", [(Echo(),), (LeadZero(),), (Echo(), LeadZero())])
def test_echo_and_a_leading_zero_are_read_through(faults: tuple[Fault, ...]) -> None:
    with wire(*faults) as buses:
        bus = bus_on(buses.ports[0])
        for words in (1, 20, 40):
            assert bus.read_block(1, 3, 0, words, PATIENT) == WORDS[:words]
        bus.close()


def ask_until_it_is_late(bus: Bus) -> None:
    """To a host that is held up, what comes 0.1 s too late may once have come in time."""
    for _ in range(20):
        assert bus.read_block(1, 3, 0, 2, Timing(response_s=0.3)) == WORDS[:2]


def test_a_late_reply_is_never_believed_on_a_real_port() -> None:
    with wire(LateReply(0.4)) as buses:
        bus = bus_on(buses.ports[0])
        with pytest.raises(NoReply):
            ask_until_it_is_late(bus)
        buses.set_faults(0)
        assert bus.read_block(1, 3, 100, 2, PATIENT) == WORDS[100:102]
        bus.close()


def test_a_wrong_speed_is_told_with_what_to_check() -> None:
    with wire() as buses:
        bus = bus_on(buses.ports[0], baud=9_600)
        with pytest.raises((NoReply, CorruptReply), match=r"baud"):
            bus.read_block(1, 3, 0, 2, Timing(response_s=0.05))
        bus.close()


def test_a_port_that_comes_back_under_another_name_is_found_by_its_link(tmp_path: Path) -> None:
    link = tmp_path / "by-id" / "usb-adapter"
    with wire(link=link) as buses:
        clock = SkippingClock()
        bus = bus_on(str(link), clock=clock)
        assert bus.read_block(1, 3, 0, 2, PATIENT) == WORDS[:2]
        buses.unplug(0)
        clock.hold()
        with pytest.raises(PortGone):
            bus.read_block(1, 3, 0, 2)
        with pytest.raises(PortMissing):
            bus.read_block(1, 3, 0, 2)
        buses.plug(0)
        with pytest.raises(PortGone, match="looked for again"):
            bus.read_block(1, 3, 0, 2)
        clock.skipped_s += 1.0
        clock.go_on()
        assert bus.read_block(1, 3, 0, 2, PATIENT) == WORDS[:2]
        assert bus.counts()["reopened"] == 1
        bus.close()
