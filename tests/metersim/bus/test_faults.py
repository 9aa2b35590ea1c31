"""metersim.bus.faults: each does what it says, and they compose."""

import pytest

from metersim.bus import rtu
from metersim.bus.bank import RegisterBank
from metersim.bus.fault import Fault
from metersim.bus.faults import (
    BitFlip,
    BrownOut,
    Echo,
    ExtraBytes,
    LateReply,
    LeadZero,
    LostBytes,
    Silence,
    Truncation,
    Unplugged,
    WrongLine,
)
from metersim.bus.line import Line
from metersim.bus.symbols import Symbol
from metersim.bus.wire import Wire

LINE = Line(19_200)
ASK = rtu.frame(1, bytes([4, 0, 10, 0, 2]))
REPLY = rtu.frame(1, bytes([4, 4, 0, 10, 0, 11]))
ON_TIME_S = LINE.transaction_s(len(ASK), len(REPLY))


def wire_with(*faults: Fault, seed: int = 1) -> Wire:
    return Wire(LINE, [RegisterBank(tuple(range(200)))], faults=faults, seed=seed)


def one_exchange(wire: Wire, at_s: float = 0.0) -> list[Symbol]:
    wire.transmit(at_s, ASK)
    return wire.advance(at_s + 5.0)


def data(symbols: list[Symbol]) -> bytes:
    return bytes(symbol.value for symbol in symbols)


def test_a_late_reply_is_whole_and_late() -> None:
    arrived = one_exchange(wire_with(LateReply(0.3)))
    assert data(arrived) == REPLY
    assert arrived[-1].end_s == pytest.approx(ON_TIME_S + 0.3)


def test_a_late_reply_arrives_after_the_next_question_and_before_its_answer() -> None:
    wire = wire_with(LateReply(0.3))
    wire.transmit(0.0, ASK)
    wire.transmit(0.2, rtu.frame(1, bytes([4, 0, 50, 0, 2])))
    other = rtu.frame(1, bytes([4, 4, 0, 50, 0, 51]))
    assert data(wire.advance(5.0)) == REPLY + other


def test_silence_of_one_unit_leaves_the_others_talking() -> None:
    assert one_exchange(wire_with(Silence())) == []
    assert one_exchange(wire_with(Silence(unit=1))) == []
    assert data(one_exchange(wire_with(Silence(unit=2)))) == REPLY


def test_a_share_of_silences_is_repeatable_by_seed() -> None:
    def pattern(seed: int) -> list[bool]:
        wire = wire_with(Silence(0.5), seed=seed)
        return [bool(one_exchange(wire, 10.0 * k)) for k in range(20)]

    assert pattern(1) == pattern(1) != pattern(2)
    assert 0 < sum(pattern(1)) < 20


def test_an_echo_comes_before_the_reply_and_changes_nothing_else() -> None:
    arrived = one_exchange(wire_with(Echo()))
    assert data(arrived) == ASK + REPLY
    assert arrived[-1].end_s == pytest.approx(ON_TIME_S)


def test_stray_zeros_stand_before_a_reply_that_is_on_time() -> None:
    arrived = one_exchange(wire_with(LeadZero(2)))
    assert data(arrived) == b"\0\0" + REPLY
    assert arrived[-1].end_s == pytest.approx(ON_TIME_S)


def test_a_bit_flip_turns_one_bit_of_a_character() -> None:
    turned = data(one_exchange(wire_with(BitFlip(1.0))))
    assert all((a ^ b).bit_count() == 1 for a, b in zip(turned, REPLY, strict=True))


def test_turned_bits_in_a_question_are_met_with_silence() -> None:
    wire = wire_with(BitFlip(0.3, requests=True))
    assert one_exchange(wire) == []
    assert wire.tally.bad_frames == 1


def test_lost_characters_leave_holes_and_the_others_on_time() -> None:
    wire = wire_with(LostBytes(0.3), seed=4)
    arrived = one_exchange(wire)
    assert 0 < len(arrived) < len(REPLY)
    starts = {round((symbol.start_s - ON_TIME_S) / LINE.char_s) + len(REPLY): symbol.value for symbol in arrived}
    assert all(REPLY[at] == value for at, value in starts.items())


def test_a_question_with_a_hole_is_not_answered() -> None:
    assert one_exchange(wire_with(LostBytes(1.0, requests=True))) == []


def test_extra_characters_stand_behind_each_and_make_the_reply_longer() -> None:
    arrived = one_exchange(wire_with(ExtraBytes(1.0)))
    assert data(arrived)[::2] == REPLY
    assert len(arrived) == 2 * len(REPLY)
    assert arrived[-1].end_s == pytest.approx(ON_TIME_S + len(REPLY) * LINE.char_s)


def test_a_truncated_reply_is_its_beginning() -> None:
    assert data(one_exchange(wire_with(Truncation(keep=3)))) == REPLY[:3]
    assert one_exchange(wire_with(Truncation(keep=0))) == []
    lengths = {len(one_exchange(wire_with(Truncation(), seed=seed))) for seed in range(20)}
    assert len(lengths) > 3
    assert max(lengths) < len(REPLY)


def test_a_brown_out_cuts_one_reply_and_darkens_the_meter_for_a_while() -> None:
    wire = wire_with(BrownOut(dark_s=30.0))
    cut = data(one_exchange(wire))
    assert 0 < len(cut) < len(REPLY)
    assert cut[:-1] == REPLY[: len(cut) - 1]
    assert one_exchange(wire, 10.0) == []
    assert one_exchange(wire, 20.0) == []
    assert data(one_exchange(wire, 31.0)) == REPLY


@pytest.mark.parametrize("wrong", [WrongLine(9_600), WrongLine(19_200, "8E1")])
def test_a_meter_whose_port_is_set_otherwise_hears_nothing_it_understands(wrong: WrongLine) -> None:
    wire = wire_with(wrong)
    assert one_exchange(wire) == []
    assert wire.tally.bad_frames == 1
    wire.faults = ()
    assert data(one_exchange(wire, 10.0)) == REPLY


def test_an_unplugged_wire_says_so() -> None:
    wire = wire_with(Unplugged())
    assert not wire.plugged
    wire.faults = ()
    assert wire.plugged


def test_faults_apply_in_their_order() -> None:
    arrived = one_exchange(wire_with(Echo(), LeadZero(), LateReply(0.1)))
    assert data(arrived) == ASK + b"\0" + REPLY
    assert arrived[-1].end_s == pytest.approx(ON_TIME_S + 0.1)
    arrived = one_exchange(wire_with(LeadZero(), Truncation(keep=4), LateReply(0.1)))
    assert data(arrived) == b"\0" + REPLY[:3]
