"""`agent status`: the journal, read-only, and what the running agent says of itself."""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from meteredge.config import AgentConfig, load
from meteredge.journal import Journal


def read_status(path: Path) -> dict[str, Any]:
    """One document: `running` and what the agent says (if it runs), and the journal's counts.

    Raises ConfigError, JournalError (no journal yet is no error: its part is empty).
    """
    config = load(path)
    return {
        "schema": 1,
        "meter_id": config.meter.id,
        "running": False,
        **_said_by_agent(config),
        **_journal(config),
        "timezone": config.site.timezone,
    }


def rows_for_people(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The lines of the table, of `agent once` as of `agent status`."""
    zone = ZoneInfo(document.get("timezone", "UTC"))
    running = document.get("running")
    yield "meter", document["meter_id"]
    if running is not None:
        yield "agent", f"running (process {document['pid']})" if running else "not running"
    if document.get("export_mwh") is not None:
        yield "export", f"{document['export_mwh'] / 1e6:,.3f} kWh"
        yield "import", f"{document['import_mwh'] / 1e6:,.3f} kWh"
    if document.get("power_w") is not None:
        yield "power", f"{document['power_w']:,.0f} W"
    if document.get("last_slot"):
        yield "last slot", f"{datetime.fromtimestamp(document['last_slot'], zone):%Y-%m-%d %H:%M} {zone.key}"
    yield "records", ", ".join(f"{number} {state}" for state, number in document["records"].items() if number) or "none"
    if document.get("codes"):
        yield "the chain said", ", ".join(f"{code} ({number})" for code, number in document["codes"].items())
    for name in ("slot_problem", "delivery_problem", "stopped"):
        if document.get(name):
            yield name.replace("_", " "), document[name]


def _said_by_agent(config: AgentConfig) -> dict[str, Any]:
    try:
        said = json.loads(config.status_path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {**said, "running": True} if _is_alive(said["pid"]) else {}


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _journal(config: AgentConfig) -> dict[str, Any]:
    if not config.journal_path.exists():
        return {"records": {}, "codes": {}}
    journal = Journal.open_read_only(config.journal_path)
    try:
        newest = journal.last_rows(1)
        return {
            "records": {str(state): number for state, number in journal.counts().items()},
            "codes": journal.codes(),
            "last_slot": newest[-1].slot if newest else None,
            "last_seq": newest[-1].seq if newest else None,
            "install_id": (install := journal.install()) and install.install_id,
        }
    finally:
        journal.close()
