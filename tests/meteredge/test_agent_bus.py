"""Reading through the agent's bus: its turn is waited for, and not for ever."""

import pytest
from tests.meteredge.test_socket_answers import NOON, Desk

from meteredge.agent_bus import AgentBus, AgentPort
from meteredge.socket_client import AgentBusy
from meteredge.socket_protocol import Read
from meteredge.socket_server import Refused


class Line:
    """A connection to a desk without a socket between."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def ask(self, question: Read) -> tuple[int, ...]:
        try:
            return question.reply(self.desk.answers.answer(question, 1))
        except Refused as refused:
            raise AgentBusy(str(refused), refused.refusal.wait_s or 0.0) from refused


def bus_of(desk: Desk, told: list[str], **options: float) -> AgentBus:
    return AgentBus(Line(desk), AgentPort(9_600), desk.clock, told.append, **options)  # type: ignore[arg-type]


def test_a_question_in_a_close_waits_until_all_slots_are_closed_and_says_so() -> None:
    desk, told = Desk(into_slot_s=20.0), list[str]()
    desk.slot_waits = True
    assert bus_of(desk, told).read_block(1, 3, 10, 4) == (10, 11, 12, 13)
    assert desk.clock.utc() >= NOON + 110
    assert "slot is being closed" in told[0]


def test_patience_ends() -> None:
    desk = Desk(into_slot_s=20.0)
    desk.slot_waits = True
    with pytest.raises(AgentBusy):
        bus_of(desk, [], patience_s=5.0).read_block(1, 3, 10, 4)
    assert desk.clock.utc() < NOON + 30
