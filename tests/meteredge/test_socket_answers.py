"""What the agent answers over its socket: the slots' time on the bus is their own, and the port always comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteredge.bus import Bus, Timing
from meteredge.bus_errors import NoReply, PortLent
from meteredge.clock import VirtualClock
from meteredge.frame_ring import KEPT_FRAMES, KEPT_S, FrameRing
from meteredge.port import RtuPort
from meteredge.socket_answers import AgentAnswers
from meteredge.socket_protocol import Counts, Frames, Read, Refusal, Release, Request, Resume, Status
from meteredge.socket_server import Refused
from metersim.bus.bank import RegisterBank
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.wire import Wire

NOON = 1_782_043_200
"""A slot's edge."""
WORDS = tuple(range(100))
ME, OTHER = 1, 2


class Desk:
    """Answers over a bus in memory, some seconds after a slot's edge."""

    def __init__(self, into_slot_s: float = 300.0) -> None:
        self.clock = VirtualClock(NOON + into_slot_s)
        self.wire = Wire(Line(9_600), [RegisterBank(WORDS)])
        self.ring = FrameRing(self.clock)
        self.port = MemoryPort(self.wire, self.clock)
        self.bus = Bus(self.port, self.clock, self.ring.hear)
        self.slot_waits = False
        self.answers = AgentAnswers(self.bus, self.ring, self.clock, lambda: {"schema": 1}, lambda: self.slot_waits)

    def ask(self, request: Request, client: int = ME) -> dict[str, object]:
        return dict(self.answers.answer(request, client))

    def refusal(self, request: Request, client: int = ME) -> Refusal:
        with pytest.raises(Refused) as caught:
            self.answers.answer(request, client)
        return caught.value.refusal


READ = Read(1, 3, 10, 4)


# --- reading


def test_a_tool_reads_through_the_agents_bus() -> None:
    desk = Desk()
    assert desk.ask(READ) == {"words": [10, 11, 12, 13]}
    counts = desk.ask(Counts())["counts"]
    assert isinstance(counts, dict)
    assert counts["replies"] == 1
    assert desk.ask(Status()) == {"schema": 1}


def test_a_meter_that_is_not_there_is_told_as_the_bus_tells_it() -> None:
    refusal = Desk().refusal(Read(9, 3, 0, 2))
    assert refusal.kind == NoReply.kind
    assert "unit 9" in refusal.fact


def test_an_exception_arrives_with_its_code() -> None:
    refusal = Desk().refusal(Read(1, 3, 99, 2))
    assert (refusal.kind, refusal.code) == ("device_exception", 2)


@pytest.mark.parametrize("into_slot_s", [896.0, 899.9])
def test_nobody_reads_just_before_a_slots_end(into_slot_s: float) -> None:
    refusal = Desk(into_slot_s).refusal(READ)
    assert (refusal.kind, refusal.wait_s) == ("busy", 10.0)


@pytest.mark.parametrize("into_slot_s", [0.0, 1.0, 109.0])
def test_while_a_slot_waits_nobody_reads_and_once_all_are_closed_everybody_may(into_slot_s: float) -> None:
    desk = Desk(into_slot_s)
    desk.slot_waits = True
    assert desk.refusal(READ).kind == "busy"
    assert desk.bus.counts()["requests"] == 0
    desk.slot_waits = False
    assert desk.ask(READ)


def test_a_tool_that_asks_without_pause_leaves_half_of_the_bus_to_the_agent() -> None:
    desk = Desk()
    desk.ask(READ)
    began = desk.clock.monotonic()
    for _ in range(20):
        desk.ask(READ)
    alone = Desk()
    alone.bus.read_block(1, 3, 10, 4, Timing())
    before = alone.clock.monotonic()
    for _ in range(20):
        alone.bus.read_block(1, 3, 10, 4, Timing())
    assert desk.clock.monotonic() - began >= 1.9 * (alone.clock.monotonic() - before)


# --- lending


def test_a_lent_port_is_closed_and_comes_back_after_its_time() -> None:
    desk = Desk()
    desk.ask(READ)
    assert desk.ask(Release(60)) == {"port": "memory", "baud": 9_600, "format": "8N1", "seconds": 60}
    assert not desk.port.is_open
    with pytest.raises(PortLent, match="comes back in 60 s"):
        desk.bus.read_block(1, 3, 0, 2)
    assert desk.refusal(READ).kind == "port_lent"
    desk.clock.advance(60)
    assert desk.ask(READ)
    assert desk.port.is_open


def test_resume_gives_the_port_back_at_once() -> None:
    desk = Desk()
    desk.ask(Release(60))
    assert desk.ask(Resume()) == {"was_lent": True}
    assert desk.ask(READ)
    assert desk.ask(Resume()) == {"was_lent": False}


def test_a_client_that_hangs_up_gives_the_port_back_and_another_ones_hanging_up_does_not() -> None:
    desk = Desk()
    desk.ask(Release(60))
    assert (desk.answers.has_loan(ME), desk.answers.has_loan(OTHER)) == (True, False)
    desk.answers.hung_up(OTHER)
    assert desk.ask(Resume(), OTHER) == {"was_lent": False}
    assert desk.bus.lent_s() == 60
    desk.answers.hung_up(ME)
    assert desk.ask(READ)


def test_the_port_is_lent_to_one_at_a_time() -> None:
    desk = Desk()
    desk.ask(Release(60))
    refusal = desk.refusal(Release(60), OTHER)
    assert (refusal.kind, refusal.wait_s) == ("busy", 60)
    desk.clock.advance(61)
    desk.ask(Release(30), OTHER)
    desk.answers.hung_up(ME)
    assert desk.bus.lent_s() == 30, "a loan that is over is not given back twice"


@pytest.mark.parametrize(("into_slot_s", "wait_s"), [(895.0, 115), (899.0, 111), (0.0, 110), (109.0, 1), (892.0, 118)])
def test_the_port_is_not_lent_while_slots_are_closed(into_slot_s: float, wait_s: float) -> None:
    desk = Desk(into_slot_s)
    refusal = desk.refusal(Release(10))
    assert refusal.kind == "busy"
    assert refusal.wait_s == pytest.approx(wait_s, abs=0.01)
    desk.clock.advance(refusal.wait_s + 0.01)
    assert desk.ask(Release(10))["seconds"] == 10


def test_a_loan_ends_before_the_next_close_begins() -> None:
    assert Desk(835.0).ask(Release(120))["seconds"] == 60


@given(into_slot_s=st.floats(0, 899.99), seconds=st.floats(1, 120))
def test_the_port_is_never_away_within_a_close_window(into_slot_s: float, seconds: float) -> None:
    desk = Desk(into_slot_s)
    try:
        granted_s = float(str(desk.ask(Release(seconds))["seconds"]))
    except Refused:
        assert into_slot_s <= 110 or into_slot_s >= 890
        return
    begin, end = into_slot_s, into_slot_s + granted_s
    assert granted_s <= seconds
    assert begin > 110 - 1e-6
    assert end <= 895 + 1e-6


def test_a_slot_that_is_due_unexpectedly_takes_the_port_back() -> None:
    desk = Desk()
    desk.ask(Release(120))
    desk.answers.slot_is_due()
    assert desk.bus.lent_s() == 120, "a reading that is kept until the time is known can wait"
    desk.clock.set_utc(NOON + 901.0)
    desk.answers.slot_is_due()
    assert desk.ask(READ)


def test_a_configured_port_is_named_as_the_configuration_names_it() -> None:
    clock = VirtualClock(NOON + 300.0)
    bus = Bus(RtuPort("1A86:7523", 19_200, "8E1", clock, open_now=False), clock)
    answers = AgentAnswers(bus, FrameRing(clock), clock, dict, lambda: False)
    assert answers.answer(Release(10), ME) == {"port": "1A86:7523", "baud": 19_200, "format": "8E1", "seconds": 10}


# --- frames


def test_the_last_frames_are_told_with_their_times() -> None:
    desk = Desk()
    desk.ask(READ)
    desk.clock.advance(100)
    desk.ask(READ)
    reply = desk.ask(Frames())
    log = Frames().reply(reply)
    assert [frame.dir for frame in log.frames] == ["tx", "rx", "tx", "rx"]
    assert log.frames[2].t - log.frames[0].t == pytest.approx(100, abs=1)
    assert (log.baud, log.character) == (9_600, "8N1")
    assert log.began_utc == pytest.approx(NOON + 300.5, abs=0.1)
    assert len(Frames().reply(desk.ask(Frames(50))).frames) == 2


def test_what_is_kept_of_the_frames_is_bounded_in_number_and_time() -> None:
    clock = VirtualClock(NOON)
    ring = FrameRing(clock)
    for n in range(KEPT_FRAMES + 100):
        ring.hear(n * 0.001, "tx", bytes(8))
    clock.advance(10)
    assert len(ring.log(3_600, 9_600, "8N1").frames) == KEPT_FRAMES
    ring.hear(10 + KEPT_S, "rx", bytes(8))
    clock.advance(KEPT_S)
    assert len(ring.log(3_600, 9_600, "8N1").frames) == 1


def test_a_request_without_an_answer_leaves_only_itself() -> None:
    desk = Desk()
    desk.refusal(Read(9, 3, 0, 2))
    assert [frame.dir for frame in Frames().reply(desk.ask(Frames())).frames] == ["tx"]
