"""A meter behind a port that comes and goes: its identity is asked for each time that the port was opened anew."""

import errno
import itertools
import os
from dataclasses import dataclass, field

import pytest
from serial.tools import list_ports
from tests.meteredge.test_port import Adapter, Pty

from meteredge.bus import REOPEN_MAX_S, Bus
from meteredge.bus_errors import PortGone, PortMissing
from meteredge.clock import SystemClock, VirtualClock
from meteredge.config import AgentConfig, ConfigError, parse
from meteredge.meter_port import MeterAtPort, bus_of
from meteredge.port import RtuPort
from meteredge.profiles import load
from meteredge.reader import Implausible, OtherMeter, WrongModel
from metersim.bus.fault import Raw, Request
from metersim.bus.faults import Echo, Unplugged
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.timeline import Timeline
from metersim.bus.wire import Wire
from metersim.meters.installation import Installation
from metersim.meters.meter import Meter, MeterPlan

NOON = 1_767_268_800.0
LINE = Line(9_600)
MODEL_CODE = load("sdm120").identity["meter_code"].address


@dataclass
class Cabinet:
    """Whatever meter hangs there now, and what it was asked."""

    meter: Meter
    asked: list[Request] = field(default_factory=list)

    @property
    def unit(self) -> int:
        return 1

    @property
    def turnaround_s(self) -> float:
        return self.meter.turnaround_s

    def answer(self, request: Request) -> bytes | Raw | None:
        self.asked.append(request)
        return self.meter.answer(request)

    def identity_asked(self) -> int:
        """How often the model's code was read."""
        return sum(MODEL_CODE in range(_address(r), _address(r) + _words(r)) for r in self.asked)


def _address(request: Request) -> int:
    return int.from_bytes(request.pdu[1:3], "big")


def _words(request: Request) -> int:
    return int.from_bytes(request.pdu[3:5], "big")


def meter(serial: str, profile: str = "sdm120") -> Meter:
    plan = MeterPlan(profile, Installation(seed=1), LINE, serial=serial, since_utc=NOON, import_mwh=7_000_000)
    return plan.build()


def config(**meter_table: object) -> AgentConfig:
    table = {"id": '"METER_001"', "profile": '"sdm120"', "unit": 1} | meter_table
    lines = "\n".join(f"{key} = {value}" for key, value in table.items())
    return parse(
        f"""
schema = 1
[site]
name = "tests"
domain = "0011223344556677"
[meter]
{lines}
[bus]
port = "/dev/ttyUSB0"
[chain]
rpc = "http://127.0.0.1:1"
""",
        "test",
    )


class Line1:
    """A meter at a port in memory."""

    def __init__(self, *faults: Echo) -> None:
        self.clock = VirtualClock(NOON)
        self.cabinet = Cabinet(meter("10000001"))
        self.wire = Wire(LINE, [self.cabinet], faults=faults, timeline=Timeline(NOON, 0.0, 0.0))
        self.bus = Bus(MemoryPort(self.wire, self.clock), self.clock)
        self.at_port = MeterAtPort(config(), self.clock, self.bus)

    def pull_out_and_in(self) -> None:
        self.wire.faults = (Unplugged(),)
        self.clock.advance(1)
        with pytest.raises(PortGone):
            self.at_port.read()
        self.wire.faults = ()
        self.clock.advance(REOPEN_MAX_S)


def test_the_identity_is_read_at_start_and_not_at_every_look() -> None:
    line = Line1()
    for _ in range(5):
        assert line.at_port.read().serial == "10000001"
    assert line.cabinet.identity_asked() == 1


def test_the_identity_is_read_at_every_reconnection() -> None:
    line = Line1()
    line.at_port.read()
    for n in (2, 3):
        line.pull_out_and_in()
        line.at_port.read()
        assert line.cabinet.identity_asked() == n


def test_another_meter_behind_the_adapter_that_came_back_is_refused() -> None:
    line = Line1()
    line.at_port.read()
    line.pull_out_and_in()
    line.cabinet.meter = meter("20000002")
    for _ in range(3):
        with pytest.raises(OtherMeter, match="meter 20000002 answers, 10000001 belongs here"):
            line.at_port.read()


def test_after_a_loan_the_identity_is_read_again() -> None:
    line = Line1()
    line.at_port.read()
    line.bus.lend(60)
    line.bus.take_back()
    line.cabinet.meter = meter("20000002")
    with pytest.raises(OtherMeter):
        line.at_port.read()


def test_the_serial_is_read_at_every_look_and_so_at_every_close() -> None:
    line = Line1()
    line.at_port.read()
    line.cabinet.meter = meter("20000002")
    with pytest.raises(OtherMeter):
        line.at_port.read()


def test_another_model_under_the_configured_profile_is_refused_at_start() -> None:
    line = Line1()
    answer = line.cabinet.meter.answer

    def other_code(request: Request) -> bytes | Raw | None:
        reply = answer(request)
        at = 2 + 2 * (MODEL_CODE - _address(request))
        if not isinstance(reply, bytes) or request.pdu[0] != 3 or not 2 <= at < len(reply):
            return reply
        return reply[:at] + b"\0\x70" + reply[at + 2 :]

    line.cabinet.meter.answer = other_code  # type: ignore[method-assign]
    with pytest.raises(WrongModel, match="meter_code is 112, a SDM120"):
        line.at_port.read()


def test_a_switched_word_order_is_noticed_at_start() -> None:
    line = Line1()
    answer = line.cabinet.meter.answer

    def swapped(request: Request) -> bytes | Raw | None:
        reply = answer(request)
        if not isinstance(reply, bytes) or request.pdu[0] != 4:
            return reply
        data = reply[2:]
        return reply[:2] + b"".join(data[n + 2 : n + 4] + data[n : n + 2] for n in range(0, len(data), 4))

    line.cabinet.meter.answer = swapped  # type: ignore[method-assign]
    with pytest.raises(Implausible, match="register order"):
        line.at_port.read()


def test_the_adapters_echo_is_found_at_start() -> None:
    line = Line1(Echo())
    assert line.at_port.read().serial == "10000001"
    counts = line.bus.counts()
    assert counts["echoes"] == counts["replies"] == counts["requests"]


def test_a_port_that_is_missing_is_looked_for_often_enough_for_a_close() -> None:
    clock, line = VirtualClock(NOON), Line1()
    line.wire.faults = (Unplugged(),)
    line.clock.advance(1)
    tried: list[float] = []
    opening = line.bus.port.open

    def tell() -> None:
        tried.append(line.clock.monotonic())
        opening()

    line.bus.port.open = tell  # type: ignore[method-assign]
    for _ in range(600):
        with pytest.raises(PortGone):
            line.at_port.read()
        line.clock.advance(0.5)
    assert max(after - before for before, after in itertools.pairwise(tried)) <= 10
    assert len(tried) <= 60, "and not more often than that"
    assert clock.monotonic() == 0


def test_an_adapter_that_was_renumbered_is_found_by_its_usb_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def pty() -> Pty:
        far, near = os.openpty()
        return Pty(far, near, os.ttyname(near))

    first, second = pty(), pty()
    there = [Adapter(first.path, 0x0403, 0x6001, "A1B2")]
    monkeypatch.setattr(list_ports, "comports", lambda: there)
    port = RtuPort("0403:6001:A1B2", 9_600, "8N1", SystemClock())
    assert port.port == first.path
    first.unplug()
    with pytest.raises(PortGone):
        port.read(1)
    there.clear()
    with pytest.raises(PortMissing, match="no USB adapter 0403:6001:A1B2 is plugged in"):
        port.open()
    there.append(Adapter(second.path, 0x0403, 0x6001, "A1B2"))
    port.open()
    assert port.port == second.path
    port.close()
    second.unplug()
    for left in (first, second):
        os.close(left.near)


@pytest.mark.parametrize("number", [errno.ENODEV, errno.EIO, errno.ENXIO])
def test_a_device_that_dies_in_any_way_is_closed_at_once(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    far, near = os.openpty()
    port = RtuPort(os.ttyname(near), 9_600, "8N1", SystemClock())
    descriptor = port.fd

    def dead(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr("meteredge.port.os.write", dead)
        with pytest.raises(PortGone):
            port.write(bytes.fromhex("01 04 00 00 00 02 71 cb"))
    assert not port.is_open
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor or -1)
    os.close(near)
    os.close(far)


def test_meters_of_different_speeds_need_one_in_the_configuration() -> None:
    both = config().model_copy(
        update={"meters": (*config().meters, config(id='"METER_002"', profile='"abb-b21"', unit=2).meters[0])}
    )
    usual = {load(each.profile).default.baud or 9_600 for each in both.meters}
    formats = {load(each.profile).default.format or "8N1" for each in both.meters}
    assert len(usual) > 1 or len(formats) > 1, "the test needs two that differ"
    with pytest.raises(ConfigError, match=r"set them all to one, and write it as `(baud|framing)` in \[bus\]"):
        bus_of(both, SystemClock())


def test_a_port_that_cannot_be_opened_early_is_tried_again_by_the_first_question_with_the_reason() -> None:
    bus = Bus(RtuPort("/dev/serial/by-id/none", 9_600, "8N1", SystemClock(), open_now=False), VirtualClock(NOON))
    bus.open_early()
    with pytest.raises(PortMissing, match="see /dev/serial/by-id"):
        bus.read_block(1, 4, 0, 2)


def test_a_port_that_was_opened_early_is_read_after_the_same_silence() -> None:
    line = Line1()
    line.bus.open_early()
    line.clock.advance(10)
    before = line.clock.monotonic()
    line.at_port.read()
    assert line.clock.monotonic() - before < 1
    assert line.bus.counts()["settled"] == 1


def test_a_meter_that_is_configured_as_reversed_is_read_turned() -> None:
    line = Line1()
    straight = line.at_port.read()
    turned = MeterAtPort(config(direction='"reversed"'), line.clock, line.bus).read()
    assert (turned.export_mwh, turned.import_mwh) == (straight.import_mwh, straight.export_mwh)
    assert straight.import_mwh == 7_000_000
