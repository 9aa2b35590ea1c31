"""The running agent, as it answers over its socket."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meteredge.doctor.facts import AgentFacts
from meteredge.frame_log import FrameLog
from meteredge.socket_client import AgentAbsent, AgentSocket
from meteredge.socket_protocol import Counts, Frames, Status

OVERHEARD_S = 900.0


@dataclass(frozen=True, slots=True)
class AgentSays:
    """What the agent said at once."""

    facts: AgentFacts
    meter_key: str | None
    counts: Mapping[str, int]
    frames: FrameLog


def ask_agent(agent: AgentSocket, meter_id: str) -> AgentSays | None:
    """None where no agent runs.  Raises AgentError where one does and will not answer."""
    try:
        status = agent.ask(Status())
    except AgentAbsent:
        return None
    said = meter_of(status, meter_id)
    facts = AgentFacts(
        running=True,
        pid=_int(status.get("pid")),
        version=_text(status.get("version")),
        slot_problem=_text(said.get("slot_problem")),
        delivery_problem=_text(said.get("delivery_problem")),
        stopped=_text(said.get("stopped")),
        written_at=_float(status.get("written_at")),
        time_status=_text(said.get("time_status")),
        undated=_int(said.get("undated")) or 0,
    )
    return AgentSays(facts, _text(said.get("meter_key")), agent.ask(Counts()), agent.ask(Frames(OVERHEARD_S)))


def meter_of(status: Mapping[str, Any], meter_id: str) -> Mapping[str, Any]:
    """The part of a status document that is about one meter."""
    meters = status.get("meters")
    entries = meters if isinstance(meters, list) else [status]
    return next((entry for entry in entries if entry.get("meter_id") == meter_id), status)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _int(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
