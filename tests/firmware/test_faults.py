"""Reading through the core under every fault of the bus: many values missing is allowed, one wrong value is not."""

import random
import struct
from collections.abc import Callable, Sequence

import pytest
from bridge.rtu import with_crc
from bridge.wire_side import HOLD_US
from hypothesis import given
from hypothesis import strategies as st
from tests.firmware.bench import WORDS, Bench, NoValue

from meteredge.clock import VirtualClock
from metersim.bus.bank import RegisterBank
from metersim.bus.catalogue import FAULTS as FAULTS_OF_A_WIRE
from metersim.bus.fault import Fault, Scene
from metersim.bus.faults import (
    BitFlip,
    BrownOut,
    Echo,
    ExtraBytes,
    LateReply,
    LeadZero,
    LostBytes,
    Silence,
    SwappedPair,
    Truncation,
    Unplugged,
    WrongLine,
)
from metersim.bus.intruders import Babbling, SameAddress, SecondMaster
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.moods import ExceptionStorm, RebootOnFastPolling
from metersim.bus.symbols import Symbol, back_to_back
from metersim.bus.wire import Wire

FAULTS: dict[str, tuple[Callable[[], tuple[Fault, ...]], float]] = {
    "none": (lambda: (), 1.0),
    "late": (lambda: (LateReply(0.6, 0.1),), 0.7),
    "silent": (lambda: (Silence(0.1),), 0.7),
    "echo": (lambda: (Echo(),), 1.0),
    "zeros": (lambda: (LeadZero(2, 0.5),), 1.0),
    "bit flips": (lambda: (BitFlip(0.004, requests=True),), 0.6),
    "lost bytes": (lambda: (LostBytes(0.004, requests=True),), 0.5),
    "extra bytes": (lambda: (ExtraBytes(0.004),), 0.5),
    "cut short": (lambda: (Truncation(None, 0.1),), 0.6),
    "brown-out": (lambda: (BrownOut(1.0, 20),), 0.7),
    "babbling": (lambda: (Babbling(1.0),), 0.6),
    "second master": (lambda: (SecondMaster(2.0, 1, 3, 100, 6),), 0.4),
    "exceptions": (lambda: (ExceptionStorm(6, 0.2),), 0.6),
    "reboots": (lambda: (RebootOnFastPolling(0.005, 0.5),), 0.0),
    "same address": (lambda: (SameAddress(RegisterBank(WORDS[::-1])),), 0.0),
    "wrong line": (lambda: (WrongLine(9_600),), 0.0),
    "swapped pair": (lambda: (SwappedPair(),), 0.0),
    "all at once": (
        lambda: (
            *(Echo(), LeadZero(1, 0.3), LateReply(0.7, 0.05), Silence(0.03), BitFlip(0.001, requests=True)),
            *(
                LostBytes(0.001),
                ExtraBytes(0.001),
                Truncation(None, 0.02),
                Babbling(3.0),
                SecondMaster(4.0, 1, 3, 9, 6),
            ),
        ),
        0.3,
    ),
}
"""Faults, and the share of reads that must succeed in spite of them."""
LINE = Line(19_200)


def read_many(name: str, reads: int, seed: int = 3) -> Bench:
    """Read at random places, some of one length, as a master that knows nothing of late replies."""
    faults, share = FAULTS[name]
    bench = Bench(*faults(), line=LINE, seed=seed)
    bench.bridge.change_settings([247, 192, 0, 1_000, 1_000, 0])
    dice = random.Random(seed)
    good = pulses = 0
    for number in range(reads):
        address, words = dice.randrange(300), dice.choice((6, 6, 6, 20))
        if number % 10 == 0:
            bench.contacts.pulses += 1
            pulses += 1
        try:
            got = bench.read(address, words)
        except NoValue:
            continue
        assert got == list(WORDS[address : address + words])
        good += 1
    bench.let_pass(0.1)
    assert good >= share * reads
    assert bench.bridge.state.pulses == pulses
    return bench


def test_every_fault_of_a_wire_is_here_but_an_adapter_that_a_bridge_does_not_have() -> None:
    here = {type(fault) for faults, _ in FAULTS.values() for fault in faults()}
    assert here == set(FAULTS_OF_A_WIRE.values()) - {Unplugged}


@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_of_the_bus_makes_a_wrong_value(name: str) -> None:
    read_many(name, 150)


@pytest.mark.soak
@pytest.mark.parametrize("name", FAULTS)
def test_ten_thousand_reads_under_each_fault_bring_no_wrong_value(name: str) -> None:
    read_many(name, 10_000)


def test_without_the_bridge_a_late_reply_is_taken_for_the_next_question() -> None:
    """The fault is real: a master on the bare wire believes what the bridge keeps from it."""
    clock = VirtualClock(0.0)
    port = MemoryPort(Wire(LINE, [RegisterBank(WORDS)], faults=[LateReply(0.6)]), clock)
    port.timeout = 0.5
    port.write(with_crc(bytes((1, 3, 0, 10, 0, 2))))
    assert port.read(9) == b""
    port.write(with_crc(bytes((1, 3, 0, 50, 0, 2))))
    assert port.read(9) == with_crc(bytes((1, 3, 4)) + struct.pack(">2H", *WORDS[10:12]))


@pytest.mark.parametrize(
    ("name", "counter"),
    [
        ("late", "late"),
        ("silent", "no_reply"),
        ("echo", "echoes"),
        ("zeros", "leading_zeros"),
        ("bit flips", "crc_errors"),
        ("second master", "unasked"),
    ],
)
def test_each_fault_is_counted_by_its_name(name: str, counter: str) -> None:
    assert getattr(read_many(name, 300).bridge.counters, counter) > 0


def test_a_question_that_is_ready_early_waits_for_the_silence_behind_the_answer_before_it() -> None:
    line = Line()
    bench = Bench(line=line)
    wire_reads, wire_sends = bench.uart.read, bench.uart.send
    heard_s, waited_s = -1.0, []

    def read() -> bytes:
        nonlocal heard_s
        data = wire_reads()
        heard_s = bench.now_s if data else heard_s
        return data

    def send(frame: bytes) -> None:
        waited_s.append(bench.now_s - heard_s)
        wire_sends(frame)

    bench.uart.read, bench.uart.send = read, send  # type: ignore[method-assign]
    for address in (10, 36, 70):
        assert bench.read(address, 6) == list(WORDS[address : address + 6])
    assert min(waited_s) >= line.t35_s
    assert max(waited_s[1:]) < line.t35_s + 0.001, "and no longer"


def test_whoever_speaks_into_our_question_is_counted_as_a_collision() -> None:
    bench = Bench(line=Line())
    bench.bridge.step()
    bench.now_s += 0.1
    bench.to_bridge += with_crc(bytes((1, 3, 0, 10, 0, 6)))
    while not bench.sent:
        bench.bridge.step()
    bench.now_s += 0.002
    assert bench.uart.sending()
    bench.uart.read = lambda: b"\x55"  # type: ignore[method-assign]
    for _ in range(3):
        bench.bridge.step()
    assert bench.bridge.counters.collisions == 1, "one question, one collision"


def test_an_answer_is_kept_back_if_the_master_asks_for_something_else_in_this_very_moment() -> None:
    bench = Bench(line=Line())
    wire_reads, came = bench.uart.read, bytearray()
    answer_bytes = 5 + 2 * 6

    def read() -> bytes:
        data = wire_reads()
        came.extend(data)
        if data and len(came) == answer_bytes:
            bench.to_bridge += with_crc(bytes((1, 3, 0, 36, 0, 6)))
        return bytes(data)

    bench.uart.read = read  # type: ignore[method-assign]
    bench.to_bridge += with_crc(bytes((1, 3, 0, 10, 0, 6)))
    bench.let_pass(0.5)
    assert bytes(bench.to_master) == with_crc(bytes((1, 3, 12)) + struct.pack(">6H", *WORDS[36:42]))


class OneQuestion(Fault):
    """Another master asks unit 1 for six words at 9, once."""

    def next_noise(self, after_s: float, scene: Scene) -> Sequence[Symbol]:
        frame = with_crc(bytes((1, 3, 0, 9, 0, 6)))
        return back_to_back(frame, 1_000.5, scene.char_s) if after_s < 1_000.5 else ()


@pytest.mark.parametrize("asked_after_s", [0.55, 0.6, 0.7, 0.9, 1.1, 1.4])
def test_the_late_answer_to_another_masters_question_is_never_taken_for_ours(asked_after_s: float) -> None:
    bench = Bench(OneQuestion(), LateReply(0.6))
    bench.let_pass(asked_after_s)
    for _ in range(6):
        try:
            assert bench.read(36, 6) == list(WORDS[36:42])
        except NoValue:
            continue
    assert bench.bridge.counters.unasked > 0


WAITS_S = 0.5
"""How long the master waits that an answer comes late for."""
USB_S = 0.002
WIRE_S = 0.03
"""What question and answer of six words take at 9,600 baud."""


def wrong_values(answer_after_s: float, usb_s: float, patience_ms: int) -> int:
    """How many of four questions in turn a plain master takes a wrong answer for, each being answered so late."""
    bench = Bench(LateReply(answer_after_s - WIRE_S), usb_s=usb_s)
    bench.write(0x105, patience_ms)
    wrong = 0
    for address in (10, 36, 70, 100):
        try:
            wrong += bench.read(address, 6, timeout_s=WAITS_S) != list(WORDS[address : address + 6])
        except NoValue:
            continue
    return wrong


def test_an_answer_on_its_way_through_usb_is_believed_by_a_plain_master_that_has_just_given_up() -> None:
    """No bridge can call it back; what it can do is the next test."""
    assert sum(wrong_values(WAITS_S + quarter_ms / 4_000, USB_S, 0) for quarter_ms in range(-20, 20)) > 0


@given(st.floats(-0.1, 0.45), st.floats(0, 0.045))
def test_a_bridge_that_knows_its_masters_patience_hands_nothing_over_so_late(late_s: float, usb_s: float) -> None:
    assert wrong_values(WAITS_S + late_s, usb_s, int(1_000 * WAITS_S) - 50) == 0


def test_an_answer_in_time_is_handed_over_whatever_the_patience() -> None:
    bench = Bench(LateReply(0.3), usb_s=USB_S)
    bench.write(0x105, 450)
    assert bench.read(10, 6) == list(WORDS[10:16])


def test_a_question_that_waited_too_long_is_not_sent_by_a_loop_that_was_held_up() -> None:
    """Its master would give up just when the answer comes."""
    bench = Bench(Silence())
    bench.bridge.step()
    bench.ask(with_crc(bytes((1, 3, 0, 10, 0, 6))), 0.95)
    bench.to_bridge += with_crc(bytes((1, 3, 0, 36, 0, 6)))
    bench.let_pass(0.001)
    assert len(bench.sent) == 1
    bench.now_s += HOLD_US / 1e6 + 0.2
    bench.let_pass(0.1)
    assert len(bench.sent) == 1
    assert bench.bridge.counters.held_off == 1
