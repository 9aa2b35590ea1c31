"""One question and all that comes back: told apart by bytes, never believed too soon."""

from hypothesis import given
from hypothesis import strategies as st

from meteredge.clock import VirtualClock
from meteredge.probe import Outcome, Probe, ask, frame_length, questions_in, request
from meteredge.transceiver import crc_of


class Parrot:
    """A port that answers with given bytes."""

    port = "parrot"
    baudrate = 9_600
    bytesize = 8
    parity = "N"
    stopbits = 1

    def __init__(self, answer: bytes, before: bytes = b"") -> None:
        self.timeout: float | None = None
        self._answer = answer
        self._arrived = bytearray(before)
        self.clock = VirtualClock(1_782_043_200.0)
        self.framing_errors = 0

    def write(self, data: bytes) -> int:
        self._arrived += self._answer
        return len(data)

    def read(self, size: int = 1) -> bytes:
        data = bytes(self._arrived[:size])
        del self._arrived[:size]
        if len(data) < size:
            self.clock.sleep(self.timeout or 0.0)
        return data

    def close(self) -> None:
        """Nothing to close."""


def probe(answer: bytes, before: bytes = b"") -> Probe:
    port = Parrot(answer, before)
    return ask(port, port.clock, 1, fc=4, address=0, words=2, response_s=0.5)


def framed(body: bytes) -> bytes:
    return body + crc_of(body)


GOOD = framed(b"\x01\x04\x04\x43\x66\x33\x34")
QUESTION = request(1, 4, 0, 2)


def test_a_request_is_the_bytes_of_the_standard() -> None:
    assert bytes.fromhex("01 04 00 00 00 02 71 cb") == QUESTION


def test_answers_are_told_apart() -> None:
    assert probe(b"").outcome is Outcome.SILENT
    assert probe(GOOD).values == (0x4366, 0x3334)
    assert probe(framed(b"\x01\x84\x02")).exception == 2
    assert probe(framed(b"\x02\x04\x04\0\0\0\0")).answered_by == 2
    assert probe(framed(b"\x01\x04\x02\0\0")).outcome is Outcome.OTHER
    assert probe(GOOD + GOOD).outcome is Outcome.DOUBLED
    assert probe(GOOD[:-1] + b"\0").outcome is Outcome.DAMAGED


def test_what_the_adapter_adds_is_taken_off() -> None:
    echoed = probe(QUESTION + b"\0" + GOOD)
    assert (echoed.outcome, echoed.echo, echoed.leading_zeros) == (Outcome.ANSWERED, True, 1)
    lone = probe(b"\0")
    assert (lone.outcome, lone.leading_zeros) == (Outcome.SILENT, 1)
    assert probe(GOOD + b"\0").outcome is Outcome.ANSWERED


def test_what_came_before_the_question_is_not_its_answer() -> None:
    found = probe(b"", before=GOOD)
    assert (found.outcome, found.unasked) == (Outcome.SILENT, GOOD)


def test_two_devices_look_like_a_right_beginning_or_more_than_one_answer() -> None:
    assert probe(GOOD[:5] + b"\0\0\0\0").looks_like_two
    assert probe(b"\x7f" * 12).looks_like_two
    assert not probe(b"\x7f" * 9).looks_like_two
    assert not probe(GOOD).looks_like_two


def test_questions_of_others_are_found_between_noise() -> None:
    other = request(9, 3, 16, 8)
    assert questions_in(b"\xff" + other + b"\0\x01" + QUESTION) == (other, QUESTION)
    assert questions_in(GOOD) == ()


@given(st.binary(max_size=40))
def test_whatever_comes_back_only_a_whole_frame_of_this_unit_is_an_answer(raw: bytes) -> None:
    found = probe(raw)
    if found.outcome is Outcome.ANSWERED:
        whole = raw[raw.index(found.raw[:9]) :]
        assert frame_length(whole) == 9
        assert whole[:3] == b"\x01\x04\x04"
    assert found.outcome is not Outcome.SILENT or not raw.strip(b"\0")
