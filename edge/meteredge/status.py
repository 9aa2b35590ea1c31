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
    """One document: `running`, the bus and each meter as the agent says (if it runs), and each journal's counts.

    Raises ConfigError, JournalError (no journal yet is no error: its part is empty).
    """
    config = load(path)
    process: dict[str, Any] = {"pid": None, "bus": {"port": config.bus.port}}
    meters = []
    for one in config.each():
        said = _said_by_agent(one)
        if said:
            process = {"pid": said["pid"], "bus": said["bus"], "written_at": said["written_at"]}
        meters.append({"meter_id": one.meter.id, **_of_the_meter(said), **_journal(one)})
    return {
        "schema": 2,
        "running": process["pid"] is not None,
        **process,
        "timezone": config.site.timezone,
        "meters": meters,
    }


def rows_for_people(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The lines of the table, of `agent once` as of `agent status`."""
    running, bus = document["running"], document["bus"]
    if running is not None:
        yield "agent", f"running (process {document['pid']})" if running else "not running"
    yield "port", f"{bus['port']}, lent for {bus['lent_s']:.0f} s" if bus.get("lent_s") else str(bus["port"])
    if bus.get("second_master"):
        yield "second master", bus["second_master"]
    zone = ZoneInfo(document["timezone"])
    for meter in document["meters"]:
        yield from _rows_of(meter, zone)


_TIME = {
    "S": "synchronised",
    "I": "not synchronised, confirmed by a witness",
    "U": "unknown: nobody vouches for the date",
}


def _rows_of(meter: dict[str, Any], zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    yield "meter", meter["meter_id"]
    if meter.get("export_mwh") is not None:
        yield "export", f"{meter['export_mwh'] / 1e6:,.3f} kWh"
        yield "import", f"{meter['import_mwh'] / 1e6:,.3f} kWh"
    if meter.get("power_w") is not None:
        yield "power", f"{meter['power_w']:,.0f} W"
    if meter.get("last_slot"):
        yield "last slot", f"{datetime.fromtimestamp(meter['last_slot'], zone):%Y-%m-%d %H:%M} {zone.key}"
    if meter.get("time_status"):
        waiting = f", {meter['undated']} readings wait for it" if meter["undated"] else ""
        yield "time", _TIME[meter["time_status"]] + waiting
    yield "records", ", ".join(f"{number} {state}" for state, number in meter["records"].items() if number) or "none"
    if meter.get("codes"):
        yield "the chain said", ", ".join(f"{code} ({number})" for code, number in meter["codes"].items())
    for name in ("read_problem", "slot_problem", "delivery_problem", "bridge", "stopped"):
        if meter.get(name):
            yield name.replace("_", " "), meter[name]


def _said_by_agent(config: AgentConfig) -> dict[str, Any]:
    """The status file of the only meter, if the agent that wrote it lives."""
    try:
        said = json.loads(config.status_path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(said) if _is_alive(said["pid"]) else {}


def _of_the_meter(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in {"schema", "pid", "bus", "written_at"}}


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
