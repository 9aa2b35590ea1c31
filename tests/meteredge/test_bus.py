"""The bus on the simulated wire, in memory, on a virtual clock: what is believed, and when nothing is sent."""

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meteredge.bus import SILENCE_S, Bus, Timing
from meteredge.bus_errors import (
    BusError,
    CorruptReply,
    DeviceException,
    NoisyBus,
    NoReply,
    PortGone,
    RequestRefused,
    WrongReply,
)
from meteredge.clock import VirtualClock
from metersim.bus.bank import RegisterBank
from metersim.bus.faults import BitFlip, Echo, Fault, LateReply, LeadZero, Scene, Silence
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.symbols import Symbol, back_to_back, shifted
from metersim.bus.wire import Wire

LINE = Line(9_600)
WORDS = tuple(range(1_000, 1_200))
FAST = Timing(response_s=0.1)


class Setup:
    """A bus on a wire with register banks, and all that went over it."""

    def __init__(self, *faults: Fault, line: Line = LINE, master: Line | None = None, seed: int = 1) -> None:
        self.clock = VirtualClock(0.0)
        self.wire = Wire(line, [RegisterBank(WORDS), RegisterBank(WORDS, unit=2)], faults=faults, seed=seed)
        self.port = MemoryPort(self.wire, self.clock, master)
        self.frames: list[tuple[float, str, bytes]] = []
        self.bus = Bus(self.port, self.clock, lambda at, way, data: self.frames.append((at, way, data)))

    def read(self, address: int, words: int, unit: int = 1, timing: Timing = FAST) -> tuple[int, ...]:
        return self.bus.read_block(unit, 3, address, words, timing)

    def sent_at(self) -> list[float]:
        return [at for at, way, _ in self.frames if way == "tx"]


class Trailing(Fault):
    """A stray character behind each reply."""

    def on_reply(self, reply: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        return [*reply, *back_to_back(b"\xff", reply[-1].end_s, scene.char_s)] if reply else reply


class Glitch(Fault):
    """A stray 0x00 when the line is let go, the reply 400 ms later."""

    def on_reply(self, reply: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        return [*back_to_back(b"\0", reply[0].start_s, scene.char_s), *shifted(reply, 0.4)]


class Cut(Fault):
    """A reply that ends after ten characters."""

    def on_reply(self, reply: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:  # noqa: ARG002
        return reply[:10]


class Foreign(Fault):
    """A whole frame of unit 9 instead of the reply."""

    def on_reply(self, reply: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        data = bytes.fromhex("09 03 04 00 00 00 00 73 f3")
        return back_to_back(data, reply[0].start_s, scene.char_s)


# --- good answers


def test_a_block_is_what_the_meter_holds() -> None:
    assert Setup().read(20, 40) == WORDS[20:60]


def test_units_share_a_bus() -> None:
    setup = Setup()
    assert setup.read(0, 2, unit=1) == setup.read(0, 2, unit=2)


def test_many_reads_cost_no_silence() -> None:
    setup = Setup()
    for _ in range(50):
        setup.read(0, 20)
    counts = setup.bus.counts()
    assert (counts["requests"], counts["replies"], counts["settled"]) == (50, 50, 1)


@pytest.mark.parametrize("baud", [9_600, 19_200, 115_200])
def test_reads_follow_one_another_as_fast_as_the_wire_allows(baud: int) -> None:
    line = Line(baud)
    setup = Setup(line=line)
    setup.read(0, 20)
    before = setup.clock.monotonic()
    for _ in range(20):
        setup.read(0, 20)
    limit = line.transaction_s(8, 45) + line.t35_s
    assert setup.wire.tally.glued_frames == 0
    assert limit / ((setup.clock.monotonic() - before) / 20) >= 0.98


def test_the_gap_of_the_profile_is_kept() -> None:
    setup = Setup()
    timing = Timing(response_s=0.1, gap_s=0.06)
    setup.read(0, 2, timing=timing)
    before = setup.clock.monotonic()
    setup.read(0, 2, timing=timing)
    assert setup.sent_at()[1] - before >= 0.06 - LINE.char_s


def test_threads_share_the_bus() -> None:
    setup = Setup()
    wrong: list[object] = []

    def ask(unit: int, address: int) -> None:
        for _ in range(20):
            got = setup.read(address, 4 + unit, unit)
            if got != WORDS[address : address + 4 + unit]:
                wrong.append(got)

    threads = [threading.Thread(target=ask, args=(unit, 10 * unit)) for unit in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert setup.bus.counts()["replies"] == 40


class Meeting(MemoryPort):
    """A port on which a question waits a little for another one to come at the same time."""

    def __init__(self, wire: Wire, clock: VirtualClock) -> None:
        super().__init__(wire, clock)
        self.met = False
        self._meeting = threading.Barrier(2)

    def write(self, data: bytes) -> int:
        try:
            self._meeting.wait(0.3)
            self.met = True
        except threading.BrokenBarrierError:
            pass  # nobody else came within the time of this question
        return super().write(data)


def test_no_two_threads_are_on_the_wire_at_once() -> None:
    setup = Setup()
    port = Meeting(setup.wire, setup.clock)
    bus = Bus(port, setup.clock)
    threads = [threading.Thread(target=bus.read_block, args=(unit, 3, 0, 2)) for unit in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not port.met
    assert bus.counts()["replies"] == 2


# --- answers to another question


def test_a_late_reply_is_never_taken_for_the_next_question() -> None:
    setup = Setup(LateReply(0.15))
    with pytest.raises(NoReply, match="did not answer within 100 ms"):
        setup.read(0, 2)
    setup.wire.faults = ()
    assert setup.read(100, 2) == WORDS[100:102]
    assert setup.bus.counts()["unasked_bytes"] == 9


@pytest.mark.parametrize("after_s", [0.48, 0.51, 0.53])
def test_a_reply_that_comes_as_the_silence_ends_is_drained_and_not_taken_for_the_answer(after_s: float) -> None:
    setup = Setup()
    setup.read(0, 2)
    asked_s, waits_s = LINE.transaction_s(8, 0), 0.12  # FAST and what an adapter may add
    setup.wire.faults = (LateReply(asked_s + waits_s + after_s),)
    with pytest.raises(NoReply):
        setup.read(0, 2)
    setup.wire.faults = (Silence(),)
    with pytest.raises(NoReply):
        setup.read(100, 2)
    assert setup.bus.counts()["unasked_bytes"] == 9


def test_a_reply_later_than_the_silence_does_not_fit_a_question_of_another_length() -> None:
    setup = Setup(LateReply(0.7))
    with pytest.raises(NoReply):
        setup.read(0, 2)
    setup.wire.faults = ()
    with pytest.raises(BusError):
        setup.read(100, 6)
    assert setup.read(100, 6) == WORDS[100:106]


def test_the_first_question_waits_for_what_somebody_else_may_have_asked() -> None:
    setup = Setup(LateReply(0.3))
    setup.port.write(bytes.fromhex("01 03 00 00 00 02 c4 0b"))
    setup.wire.faults = ()
    assert setup.read(100, 2) == WORDS[100:102]
    assert setup.sent_at()[0] >= SILENCE_S


def test_a_question_of_the_same_shape_elsewhere_waits_for_quiet() -> None:
    setup = Setup()
    setup.read(0, 2)
    before = setup.clock.monotonic()
    setup.read(50, 2)
    assert setup.sent_at()[1] - before >= SILENCE_S


def test_a_frame_of_another_unit_is_told_from_noise() -> None:
    setup = Setup(Foreign())
    with pytest.raises(WrongReply, match="a reply to something else"):
        setup.read(0, 2)
    assert setup.bus.counts()["wrong_reply"] == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 100), st.sampled_from([2, 2, 2, 6, 20])), min_size=4, max_size=12),
    st.sampled_from([0.03, 0.09, 0.11, 0.15, 0.25, 0.45, 0.58]),
    st.floats(0.1, 1.0),
    st.integers(0, 1_000),
)
def test_whatever_comes_late_a_believed_block_is_the_one_asked_for(
    questions: list[tuple[int, int]], delay_s: float, share: float, seed: int
) -> None:
    setup = Setup(LateReply(delay_s, share), seed=seed)
    for address, words in questions:
        try:
            got = setup.read(address, words)
        except BusError:
            continue
        assert got == WORDS[address : address + words]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1_000_000), st.sampled_from([0.001, 0.01, 0.1]), st.booleans(), st.booleans())
def test_whatever_is_damaged_a_believed_block_is_the_one_asked_for(
    seed: int, flips: float, echo: bool, zero: bool
) -> None:
    faults = [BitFlip(flips), *([Echo()] if echo else []), *([LeadZero(1, 0.5)] if zero else [])]
    setup = Setup(*faults, seed=seed)
    for address, words in [(0, 20), (7, 2), (3, 40), (0, 2)]:
        try:
            got = setup.read(address, words)
        except BusError:
            continue
        assert got == WORDS[address : address + words]


# --- damaged answers and silence


@pytest.mark.parametrize("fault", [BitFlip(1.0), Cut(), LeadZero(2)])
def test_a_damaged_reply_is_refused_and_followed_by_silence(fault: Fault) -> None:
    setup = Setup(fault)
    with pytest.raises(CorruptReply, match="the reply is damaged"):
        setup.read(0, 20)
    failed_at = setup.clock.monotonic()
    setup.wire.faults = ()
    assert setup.read(0, 20) == WORDS[:20]
    assert setup.sent_at()[1] - failed_at >= SILENCE_S
    assert setup.bus.counts()["corrupt_reply"] == 1


def test_silence_is_told_with_what_to_check() -> None:
    setup = Setup(Silence())
    with pytest.raises(NoReply, match="check unit id, baud and parity") as caught:
        setup.read(0, 2)
    assert "unit 1 on memory (9600 baud 8N1)" in caught.value.fact


def test_a_meter_may_take_as_long_as_its_profile_says() -> None:
    setup = Setup(LateReply(0.45))
    assert setup.read(0, 2, timing=Timing(response_s=0.5)) == WORDS[:2]


@pytest.mark.parametrize("master", [Line(19_200), Line(2_400), Line(9_600, "8E1")])
def test_a_wrong_speed_or_parity_is_silence_or_noise_and_never_a_value(master: Line) -> None:
    setup = Setup(master=master)
    with pytest.raises((NoReply, CorruptReply), match="baud"):
        setup.read(0, 2)


def test_an_exception_is_told_at_once_and_costs_no_silence() -> None:
    setup = Setup()
    with pytest.raises(DeviceException, match="illegal data address") as caught:
        setup.read(500, 20)
    assert caught.value.code == 2
    before = setup.clock.monotonic()
    assert before - SILENCE_S < 0.2
    assert setup.read(0, 22) == WORDS[:22]
    assert setup.sent_at()[1] - before < 0.1


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 77])
def test_every_exception_code_is_told(code: int) -> None:
    class Refusing(RegisterBank):
        def answer(self, request: object) -> bytes:  # noqa: ARG002
            return bytes([0x83, code])

    setup = Setup()
    setup.wire = Wire(LINE, [Refusing(WORDS)])
    setup.bus = Bus(MemoryPort(setup.wire, setup.clock), setup.clock)
    with pytest.raises(DeviceException) as caught:
        setup.read(0, 2)
    assert caught.value.code == code


# --- adapters


def test_an_adapter_that_echoes_is_found_and_read_through() -> None:
    setup = Setup(Echo())
    for address, words in [(0, 1), (5, 2), (9, 40)]:
        assert setup.read(address, words) == WORDS[address : address + words]
    assert setup.bus.counts()["echoes"] == 3


def test_silence_behind_an_echo_is_silence() -> None:
    setup = Setup(Echo(), Silence())
    for _ in range(2):
        with pytest.raises(NoReply):
            setup.read(0, 2)


def test_an_exception_behind_an_echo_is_an_exception() -> None:
    setup = Setup(Echo())
    for _ in range(2):
        with pytest.raises(DeviceException):
            setup.read(500, 20)


def test_one_leading_zero_is_taken_off() -> None:
    setup = Setup(LeadZero())
    assert setup.read(0, 1) == WORDS[:1]
    assert setup.read(0, 40) == WORDS[:40]
    assert setup.bus.counts()["leading_zeros"] == 2


@pytest.mark.parametrize("faults", [(LeadZero(2),), (BitFlip(1.0), LeadZero())])
def test_a_leading_zero_stays_where_the_rest_is_no_right_frame(faults: tuple[Fault, ...]) -> None:
    setup = Setup(*faults)
    with pytest.raises(CorruptReply) as caught:
        setup.read(0, 20)
    assert caught.value.raw[:1] == b"\0"
    assert setup.bus.counts()["leading_zeros"] == 0


def test_a_zero_long_before_the_reply_is_taken_off() -> None:
    setup = Setup(Glitch())
    for words in (1, 20, 40):
        assert setup.read(0, words, timing=Timing(response_s=0.5)) == WORDS[:words]


def test_a_leading_zero_before_an_exception_is_taken_off() -> None:
    with pytest.raises(DeviceException):
        Setup(LeadZero()).read(500, 20)


def test_a_leading_zero_behind_an_echo_is_taken_off() -> None:
    setup = Setup(Echo(), LeadZero())
    assert setup.read(0, 20) == WORDS[:20]
    assert setup.read(3, 7) == WORDS[3:10]


def test_a_stray_byte_behind_a_reply_does_not_spoil_the_next() -> None:
    setup = Setup(Trailing())
    for _ in range(5):
        assert setup.read(0, 20) == WORDS[:20]
    assert setup.bus.counts()["unasked_bytes"] >= 3


class Babbling(MemoryPort):
    """A port on which bytes never cease."""

    @property
    def in_waiting(self) -> int:
        return 4

    def read(self, size: int = 1) -> bytes:
        self._clock.sleep(0.01)
        return bytes(min(size, 4))


def test_a_bus_that_is_never_quiet_is_told() -> None:
    setup = Setup()
    bus = Bus(Babbling(setup.wire, setup.clock), setup.clock)
    with pytest.raises(NoisyBus, match="second master"):
        bus.read_block(1, 3, 0, 2)
    assert bus.counts()["noisy_bus"] == 1
    assert bus.counts()["requests"] == 0


# --- the port, and what must never be sent


@pytest.mark.parametrize("unit", [0, 249, 255, -1])
def test_no_request_goes_to_a_unit_that_is_no_single_meter(unit: int) -> None:
    setup = Setup()
    with pytest.raises(RequestRefused):
        setup.read(0, 2, unit=unit)
    assert setup.frames == []


@pytest.mark.parametrize("function", [0x05, 0x06, 0x08, 0x0F, 0x10, 0x14, 0x17])
def test_no_question_that_could_change_a_meter_leaves_the_bus_whatever_its_port_lets_through(function: int) -> None:
    setup = Setup()
    with pytest.raises(RequestRefused, match="could change a meter"):
        setup.bus.read_block(1, function, 0, 2)
    assert setup.frames == []


class Unplugged(MemoryPort):
    """A port whose device is gone: everything fails until it is opened again."""

    dead = True

    def write(self, data: bytes) -> int:
        if self.dead:
            raise OSError(5, "Input/output error")
        return super().write(data)


def test_an_unplugged_port_closes_at_once_and_opens_again() -> None:
    setup = Setup()
    port = Unplugged(setup.wire, setup.clock)
    bus = Bus(port, setup.clock)
    with pytest.raises(PortGone, match="plug the adapter in"):
        bus.read_block(1, 3, 0, 2)
    assert not port.is_open
    port.dead = False
    back_at = setup.clock.monotonic()
    assert bus.read_block(1, 3, 0, 2) == WORDS[:2]
    assert (bus.counts()["port_gone"], bus.counts()["reopened"]) == (1, 1)
    assert setup.clock.monotonic() - back_at >= SILENCE_S, "whoever had it meanwhile may have asked"


class Missing(Unplugged):
    """A port that is gone and does not come back."""

    def open(self) -> None:
        raise PortGone("memory is gone", "plug it in")


def test_a_port_that_stays_away_is_looked_for_ever_less_often() -> None:
    setup = Setup()
    bus = Bus(Missing(setup.wire, setup.clock), setup.clock)
    looked = 0
    for _ in range(100):
        with pytest.raises(PortGone) as caught:
            bus.read_block(1, 3, 0, 2)
        looked += "looked for again in" not in str(caught.value)
        setup.clock.advance(1.0)
    assert 5 < looked < 20


def test_every_byte_is_shown_to_who_watches() -> None:
    setup = Setup()
    setup.read(0, 1)
    assert [(way, data.hex(" ")) for _, way, data in setup.frames] == [
        ("tx", "01 03 00 00 00 01 84 0a"),
        ("rx", "01 03 02 03 e8 b8 fa"),
    ]
