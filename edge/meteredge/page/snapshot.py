"""What the page shows at one instant: the agent's status, each meter's day, each meter's sheet of the doctor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meteredge.config import AgentConfig
from meteredge.doctor.sheet import Sheet, Verdict
from meteredge.journal import Journal
from meteredge.journal_schema import JournalError
from meteredge.page.day import ROWS, Stretch, last_day
from meteredge.socket_client import AgentError, AgentSocket
from meteredge.socket_protocol import Counts, Status

FRESH_S = 660.0
"""An agent that has looked at no meter for so long hangs (its unit's watchdog says the same)."""


@dataclass(frozen=True, slots=True)
class MeterView:
    """One meter.  `said` is what the agent says of it, empty where it does not."""

    meter_id: str
    said: Mapping[str, Any]
    records: Mapping[str, int]
    day: tuple[Stretch, ...]
    journal_problem: str | None = None
    sheet: Sheet | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole node.  Times are Unix seconds."""

    made_at: float
    site: str
    timezone: str
    agent: Mapping[str, Any]
    counts: Mapping[str, int]
    meters: tuple[MeterView, ...]
    agent_problem: str | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the node is not healthy: nothing reads, signs or delivers, or the doctor found a failure."""
        found = [self.agent_problem] if self.agent_problem else []
        if not found and self.made_at - float(self.agent.get("written_at", 0)) > FRESH_S:
            found.append("the agent has not looked at its meters for more than 11 minutes")
        for meter in self.meters:
            if meter.said.get("stopped"):
                found.append(f"{meter.meter_id} is stopped: {meter.said['stopped']}")
            if meter.journal_problem:
                found.append(meter.journal_problem)
            if meter.sheet and meter.sheet.worst is Verdict.FAIL:
                found += [f"{c.title}: {c.fact}" for c in meter.sheet.problems if c.verdict is Verdict.FAIL]
        return tuple(found)


def take(config: AgentConfig, now: float, sheets: Mapping[str, Sheet]) -> Snapshot:
    """Ask the agent and read the journals.  What cannot be had is said in it; nothing is raised."""
    agent: Mapping[str, Any] = {}
    counts: Mapping[str, int] = {}
    problem = None
    try:
        with AgentSocket(config.socket_path) as socket:
            agent, counts = socket.ask(Status()), socket.ask(Counts())
    except AgentError as error:
        problem = str(error)
    said = {meter.get("meter_id"): meter for meter in agent.get("meters", [])}
    meters = tuple(_meter(one, said.get(one.meter.id, {}), now, sheets.get(one.meter.id)) for one in config.each())
    return Snapshot(now, config.site.name, config.site.timezone, agent, counts, meters, problem)


def _meter(config: AgentConfig, said: Mapping[str, Any], now: float, sheet: Sheet | None) -> MeterView:
    name = config.meter.id
    if not config.journal_path.exists():
        return MeterView(name, said, {}, (), None, sheet)
    try:
        journal = Journal.open_read_only(config.journal_path)
        try:
            counts = {str(state): number for state, number in journal.counts().items()}
            return MeterView(name, said, counts, last_day(journal.last_rows(ROWS), now), None, sheet)
        finally:
            journal.close()
    except JournalError as error:
        return MeterView(name, said, {}, (), str(error), sheet)


def document(snapshot: Snapshot) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "schema": 1,
        "made_at": snapshot.made_at,
        "site": snapshot.site,
        "healthy": not snapshot.problems,
        "problems": list(snapshot.problems),
        "agent": dict(snapshot.agent),
        "meters": [
            {
                "meter_id": meter.meter_id,
                "records": dict(meter.records),
                "journal_problem": meter.journal_problem,
                "sheet": meter.sheet and meter.sheet.document(),
                "day": [
                    {"begin": s.begin, "end": s.end, "export_mwh": s.export_mwh, "import_mwh": s.import_mwh}
                    for s in meter.day
                ],
            }
            for meter in snapshot.meters
        ],
    }
