"""A second master on the bus is heard, counted and told, and none is made up."""

import contextlib
import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from meteredge.bus import Bus, Timing
from meteredge.bus_errors import BusError
from meteredge.clock import VirtualClock
from meteredge.probe import request
from meteredge.second_master import SecondMaster
from metersim.bus.bank import RegisterBank
from metersim.bus.faults import BitFlip, Echo, Fault, LateReply, LeadZero
from metersim.bus.intruders import Babbling
from metersim.bus.intruders import SecondMaster as Intruder
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.wire import Wire

QUESTION = request(9, 4, 0, 2)
OURS = request(1, 4, 0, 2)


def bus_with(*faults: Fault, seed: int = 1) -> tuple[Bus, VirtualClock]:
    clock = VirtualClock(0.0)
    wire = Wire(Line(9_600), [RegisterBank(tuple(range(200)))], faults=faults, seed=seed)
    return Bus(MemoryPort(wire, clock), clock), clock


def poll(bus: Bus, clock: VirtualClock, times: int) -> None:
    for n in range(times):
        with contextlib.suppress(BusError):
            bus.read_block(1, 3, 0, 2 + n % 3, Timing(0.1))
        clock.advance(1.0)


def test_a_second_master_is_heard_counted_and_told() -> None:
    bus, clock = bus_with(Intruder(every_s=0.7))
    poll(bus, clock, 60)
    assert bus.counts()["foreign_questions"] >= 10
    assert "find the second master" in (bus.second_master() or "")


def test_a_second_master_that_asks_what_we_ask_is_heard_too() -> None:
    bus, clock = bus_with(Intruder(every_s=0.7, unit=1, function=3, address=0, count=2))
    poll(bus, clock, 60)
    assert bus.counts()["foreign_questions"] >= 10


def test_listening_without_a_word_counts_the_questions_of_others() -> None:
    busy, _ = bus_with(Intruder(every_s=1.0))
    assert 3 <= busy.listen(6.0) <= 8
    quiet, clock = bus_with()
    assert quiet.listen(6.0) == 0
    assert clock.monotonic() >= 6.0
    assert quiet.counts()["requests"] == 0


def test_echoes_late_replies_noise_and_damage_are_no_second_master() -> None:
    for faults in ((Echo(),), (LateReply(0.3),), (LeadZero(),), (BitFlip(0.3),), (Babbling(0.5, 40), Echo())):
        bus, clock = bus_with(*faults)
        poll(bus, clock, 200)
        assert bus.second_master() is None, faults


@given(st.lists(st.integers(1, 7), max_size=3))
def test_a_question_that_comes_in_pieces_is_one_question(cuts: list[int]) -> None:
    heard = SecondMaster()
    places = [0, *sorted(set(cuts)), 8]
    for n, (begin, end) in enumerate(itertools.pairwise(places)):
        heard.came(10.0 + n * 0.05, QUESTION[begin:end])
    assert (heard.heard, heard.last) == (1, QUESTION)


def test_pieces_that_are_far_apart_are_no_question() -> None:
    heard = SecondMaster()
    heard.came(10.0, QUESTION[:4])
    heard.came(11.0, QUESTION[4:])
    assert heard.heard == 0


def test_one_copy_of_our_own_question_is_an_echo_and_the_second_one_is_not() -> None:
    heard = SecondMaster()
    heard.asked(10.0, OURS)
    heard.came(10.1, OURS)
    assert heard.heard == 0
    heard.came(10.2, OURS)
    assert heard.heard == 1
    heard.asked(20.0, OURS)
    heard.came(25.0, OURS)
    assert heard.heard == 2


def test_questions_and_answers_in_one_piece_are_told_apart() -> None:
    heard = SecondMaster()
    heard.came(1.0, (QUESTION + bytes.fromhex("09 04 04 43 66 33 33 76 c6")) * 3)
    assert heard.heard == 3


def test_a_single_question_is_not_yet_told() -> None:
    heard = SecondMaster()
    heard.came(1.0, QUESTION)
    assert heard.told() is None
    heard.came(3.0, QUESTION)
    assert "2 times, the last: 09 04 00 00" in (heard.told() or "")


def test_200_000_bytes_of_noise_are_not_told_as_a_master() -> None:
    heard, dice = SecondMaster(), random.Random(7)
    for n in range(1_000):
        heard.came(n * 1.0, dice.randbytes(200))
    assert heard.told() is None
