"""What the agent's frames of the last minutes say about one meter's wire."""

from meteredge.doctor.gather.wire import wire_of_agent
from meteredge.frame_log import Direction, Frame, FrameLog
from meteredge.probe import request
from meteredge.transceiver import crc_of

QUESTION = request(1, 4, 0, 2)
GOOD = b"\x01\x04\x04\x43\x66\x33\x34" + crc_of(b"\x01\x04\x04\x43\x66\x33\x34")


def log(*frames: tuple[Direction, bytes]) -> FrameLog:
    return FrameLog(9_600, "8N1", 0.0, tuple(Frame(float(at), way, data) for at, (way, data) in enumerate(frames)))


def test_answers_are_counted_by_what_they_are() -> None:
    refusal = b"\x01\x84\x02" + crc_of(b"\x01\x84\x02")
    foreign = b"\x02\x04\x04\0\0\0\0" + crc_of(b"\x02\x04\x04\0\0\0\0")
    facts = wire_of_agent(1, {"echoes": 3, "leading_zeros": 4}, log(
        ("tx", QUESTION), ("rx", GOOD),
        ("tx", QUESTION), ("rx", GOOD[:-1] + b"\0"),
        ("tx", QUESTION),
        ("tx", QUESTION), ("rx", refusal),
        ("tx", QUESTION), ("rx", foreign),
    ))  # fmt: skip
    assert (facts.asked, facts.answered, facts.damaged, facts.silent, facts.exceptions, facts.wrong) == (
        5,
        1,
        1,
        1,
        1,
        1,
    )
    assert (facts.echoes, facts.leading_zeros, facts.settings) == (3, 4, "9600 8N1")


def test_a_dead_neighbour_on_the_bus_is_not_this_meters_wire() -> None:
    facts = wire_of_agent(1, {}, log(("tx", QUESTION), ("rx", GOOD), ("tx", request(2, 4, 0, 2)), ("tx", QUESTION)))
    assert (facts.asked, facts.answered, facts.silent) == (1, 1, 0)


def test_a_question_whose_answer_is_under_way_is_not_lost() -> None:
    facts = wire_of_agent(1, {}, log(("tx", QUESTION), ("rx", GOOD), ("tx", QUESTION)))
    assert (facts.asked, facts.silent) == (1, 0)


def test_a_question_that_nobody_of_us_asked_is_another_master() -> None:
    facts = wire_of_agent(1, {}, log(("unasked", b"\0" + request(9, 3, 16, 8) + b"\xff")))
    assert facts.strangers == (request(9, 3, 16, 8).hex(" "),)
    assert facts.unasked_bytes == 10


def test_a_second_answer_to_one_question_is_a_second_device_but_a_late_one_is_not() -> None:
    twice = wire_of_agent(1, {}, log(("tx", QUESTION), ("rx", GOOD), ("unasked", GOOD), ("tx", QUESTION)))
    assert twice.doubled == 1
    late = wire_of_agent(1, {}, log(("tx", QUESTION), ("unasked", GOOD), ("tx", QUESTION), ("rx", GOOD)))
    assert late.doubled == 0
