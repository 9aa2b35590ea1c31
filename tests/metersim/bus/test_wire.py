"""metersim.bus.wire in pure time: every figure here is exact."""

import itertools
from dataclasses import dataclass, field

import pytest

from metersim.bus import rtu
from metersim.bus.bank import RegisterBank
from metersim.bus.fault import Request
from metersim.bus.line import Line
from metersim.bus.observed import Overheard
from metersim.bus.symbols import MASTER, Symbol
from metersim.bus.timeline import Timeline
from metersim.bus.wire import Wire

LINE = Line(9_600)
BANK = RegisterBank(tuple(range(200)))
ASK = rtu.frame(1, bytes([4, 0, 10, 0, 2]))
REPLY = rtu.frame(1, bytes([4, 4, 0, 10, 0, 11]))
FOREVER_S = 1e6


@dataclass
class Listener:
    """Answers as a bank and remembers what it heard."""

    unit: int = 1
    turnaround_s: float = 0.0
    heard: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> bytes | None:
        self.heard.append(request)
        return BANK.answer(request)


def data(symbols: list[Symbol]) -> bytes:
    return bytes(symbol.value for symbol in symbols)


@pytest.mark.parametrize("baud", [1_200, 9_600, 19_200, 38_400, 115_200])
@pytest.mark.parametrize("character", ["8N1", "8E1"])
@pytest.mark.parametrize("turnaround_s", [0.0, 0.02])
def test_a_reply_ends_exactly_when_theory_says(baud: int, character: str, turnaround_s: float) -> None:
    line = Line(baud, character)
    wire = Wire(line, [RegisterBank(tuple(range(200)), turnaround_s=turnaround_s)])
    wire.transmit(5.0, ASK)
    arrived = wire.advance(FOREVER_S)
    assert data(arrived) == REPLY
    assert arrived[-1].end_s - 5.0 == pytest.approx(line.transaction_s(len(ASK), len(REPLY), turnaround_s), abs=1e-9)
    assert [b.end_s - a.end_s for a, b in itertools.pairwise(arrived)] == pytest.approx(
        [line.char_s] * (len(REPLY) - 1)
    )


def test_following_the_due_times_gives_the_same_bytes_at_the_same_times_as_one_leap() -> None:
    leap, steps = Wire(LINE, [BANK]), Wire(LINE, [BANK])
    leap.transmit(0.0, ASK)
    steps.transmit(0.0, ASK)
    arrived = []
    while (due := steps.due()) is not None:
        arrived += steps.advance(due)
    assert arrived == leap.advance(FOREVER_S)


def test_a_character_is_not_there_before_its_stop_bit_has_ended() -> None:
    wire = Wire(LINE, [BANK])
    wire.transmit(0.0, ASK)
    first_s = 8 * LINE.char_s + LINE.t35_s + LINE.char_s
    assert wire.advance(first_s - 1e-9) == []
    assert data(wire.advance(first_s + 1e-9)) == REPLY[:1]


def test_several_units_share_the_wire_and_each_answers_for_itself() -> None:
    wire = Wire(LINE, [RegisterBank((7,) * 20, unit=3), RegisterBank((9,) * 20, unit=247)])
    wire.transmit(0.0, rtu.frame(247, bytes([3, 0, 0, 0, 1])))
    assert data(wire.advance(1.0)) == rtu.frame(247, bytes([3, 2, 0, 9]))
    wire.transmit(2.0, rtu.frame(3, bytes([3, 0, 0, 0, 1])))
    assert data(wire.advance(3.0)) == rtu.frame(3, bytes([3, 2, 0, 7]))


@pytest.mark.parametrize("unit", [0, 2])
def test_nobody_answers_for_another_unit_nor_for_a_broadcast(unit: int) -> None:
    wire = Wire(LINE, [BANK])
    wire.transmit(0.0, rtu.frame(unit, ASK[1:-2]))
    assert wire.advance(FOREVER_S) == []
    assert wire.tally.unknown_unit == 1


def test_a_frame_with_a_wrong_crc_is_met_with_silence() -> None:
    wire = Wire(LINE, [BANK])
    wire.transmit(0.0, ASK[:-1] + b"\0")
    assert wire.advance(FOREVER_S) == []
    assert wire.tally.bad_frames == 1


@pytest.mark.parametrize(("strict", "answers"), [(True, 0), (False, 1)])
def test_a_request_sooner_than_t35_after_a_reply_is_glued_to_it(strict: bool, answers: int) -> None:
    wire = Wire(LINE, [BANK], strict_t35=strict)
    wire.transmit(0.0, ASK)
    reply_ends_s = wire.advance(0.5)[-1].end_s
    wire = Wire(LINE, [BANK], strict_t35=strict)
    wire.transmit(0.0, ASK)
    wire.advance(reply_ends_s)
    wire.transmit(reply_ends_s + 0.9 * LINE.t35_s, ASK)
    assert len(wire.advance(FOREVER_S)) == answers * len(REPLY)
    assert wire.tally.glued_frames == 1 - answers


def test_a_request_exactly_t35_after_a_reply_is_answered() -> None:
    wire = Wire(LINE, [BANK])
    wire.transmit(0.0, ASK)
    reply_ends_s = LINE.transaction_s(len(ASK), len(REPLY))
    assert data(wire.advance(reply_ends_s + 1e-9)) == REPLY
    wire.transmit(reply_ends_s + LINE.t35_s + 1e-9, ASK)
    assert data(wire.advance(FOREVER_S)) == REPLY


def test_a_station_is_told_how_long_the_wire_was_quiet_and_what_time_it_is() -> None:
    listener = Listener()
    wire = Wire(LINE, [listener], timeline=Timeline(1_000_000.0, 0.0, 60.0))
    wire.transmit(0.0, ASK)
    reply_ends_s = wire.advance(1.0)[-1].end_s
    wire.transmit(reply_ends_s + 0.06, ASK)
    wire.advance(1.0)
    first, second = listener.heard
    assert first.quiet_s == float("inf")
    assert second.quiet_s == pytest.approx(0.06)
    assert first.utc_s == pytest.approx(1_000_000.0 + 60 * 8 * LINE.char_s)


@pytest.mark.parametrize(
    ("gap_in_chars", "strict", "answered"), [(1.4, True, True), (2, True, False), (2, False, True)]
)
def test_a_gap_inside_a_frame_over_t15_spoils_it_for_strict_stations(
    gap_in_chars: float, strict: bool, answered: bool
) -> None:
    wire = Wire(LINE, [BANK], strict_t15=strict)
    wire.transmit(0.0, ASK[:4])
    wire.transmit((4 + gap_in_chars) * LINE.char_s, ASK[4:])
    assert bool(wire.advance(FOREVER_S)) is answered


def test_a_master_that_speaks_into_a_reply_destroys_both() -> None:
    wire = Wire(LINE, [BANK])
    wire.transmit(0.0, ASK)
    reply_starts_s = 8 * LINE.char_s + LINE.t35_s
    wire.advance(reply_starts_s + 1.5 * LINE.char_s)
    wire.transmit(reply_starts_s + 2.5 * LINE.char_s, ASK)
    rest = data(wire.advance(FOREVER_S))
    assert len(rest) < len(REPLY) - 1
    assert wire.tally.collisions > 0
    assert wire.tally.replies == 1


def test_two_stations_on_one_address_that_say_the_same_are_not_noticed() -> None:
    wire = Wire(LINE, [BANK, BANK])
    wire.transmit(0.0, ASK)
    assert data(wire.advance(FOREVER_S)) == REPLY


def test_two_stations_on_one_address_that_differ_give_the_and_of_both_and_no_valid_frame() -> None:
    wire = Wire(LINE, [BANK, RegisterBank(tuple(range(1_000, 1_200)))])
    wire.transmit(0.0, ASK)
    heard = data(wire.advance(FOREVER_S))
    other = rtu.frame(1, bytes([4, 4]) + (1_010).to_bytes(2, "big") + (1_011).to_bytes(2, "big"))
    assert heard == bytes(a & b for a, b in zip(REPLY, other, strict=True))
    assert rtu.unframe(heard) is None


@pytest.mark.parametrize("master", [Line(19_200), Line(9_600, "8E1")])
def test_a_master_with_other_settings_than_the_line_gets_no_answer(master: Line) -> None:
    wire = Wire(LINE, [BANK])
    wire.master_line = master
    wire.transmit(0.0, ASK)
    assert wire.advance(FOREVER_S) == []
    assert wire.tally.replies == 0


def test_two_writes_in_a_row_are_sent_back_to_back() -> None:
    wire = Wire(LINE, [BANK])
    wire.transmit(0.0, ASK[:3])
    wire.transmit(0.0001, ASK[3:])
    arrived = wire.advance(FOREVER_S)
    assert arrived[-1].end_s == pytest.approx(LINE.transaction_s(len(ASK), len(REPLY)))


def test_a_coarse_grain_groups_characters_and_still_brings_the_last_one_on_time() -> None:
    wire = Wire(LINE, [BANK])
    wire.transmit(0.0, ASK)
    wakes, arrived = 0, []
    while (due := wire.due(grain_s=0.004)) is not None:
        arrived += wire.advance(due)
        wakes += 1
        last_due = due
    assert data(arrived) == REPLY
    assert wakes < len(ASK + REPLY) / 2
    assert last_due == pytest.approx(LINE.transaction_s(len(ASK), len(REPLY)) + LINE.t35_s)


def test_an_eavesdropper_hears_every_frame_with_its_sender_and_its_times() -> None:
    heard: list[Overheard] = []
    wire = Wire(LINE, [RegisterBank((7,) * 20, unit=3)], eavesdropper=heard.append)
    ask = rtu.frame(3, bytes([4, 0, 0, 0, 1]))
    wire.transmit(1.0, ask)
    wire.advance(2.0)
    question, reply = heard
    assert (question.unit, question.data, question.start_s) == (MASTER, ask, 1.0)
    assert question.end_s == pytest.approx(1.0 + 8 * LINE.char_s)
    assert (reply.unit, reply.data) == (3, rtu.frame(3, bytes([4, 2, 0, 7])))
    assert reply.start_s == pytest.approx(question.end_s + LINE.t35_s)
    assert not reply.damaged


def test_a_frame_into_which_two_spoke_has_no_sender() -> None:
    heard: list[Overheard] = []
    wire = Wire(LINE, [BANK, RegisterBank((5,) * 200)], eavesdropper=heard.append)
    wire.transmit(0.0, ASK)
    wire.advance(1.0)
    assert [frame.unit for frame in heard] == [MASTER, None]
