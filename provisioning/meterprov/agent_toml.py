"""The node's `/etc/meterbridge/agent.toml`, made from the site file and checked as the agent will check it."""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath

from meteredge import config as agent
from meteredge.profiles import load as load_profile
from meterprov.paths import PROGRAMS_ON_NODE
from meterprov.site_file import MeterTable, SiteFile

STATE = PurePosixPath("/var/lib/meterbridge")
Value = str | int | None


def agent_toml(site: SiteFile, meter: MeterTable) -> str:
    """The file's text.  Raises ConfigError if the agent would refuse it."""
    tables: Mapping[str, Mapping[str, Value]] = {
        "site": {
            "name": site.site.name,
            "domain": site.site.domain,
            "timezone": site.site.timezone,
            "phase_accounting": site.site.phase_accounting,
        },
        "meter": {
            "id": meter.id,
            "profile": meter.profile,
            "unit": meter.unit,
            "serial": meter.serial if serial_on_wire(meter) else None,
            "direction": meter.direction,
            "phase_accounting": meter.phase_accounting,
        },
        "bus": {"port": meter.port, "baud": meter.baud, "framing": meter.framing},
        "bridge": {"unit": meter.bridge_unit},
        "key": {"file": str(STATE / "meter.key")},
        "chain": {
            "rpc": site.chain.rpc,
            "relayer": str(STATE / "relayer.json"),
            "settle_every": site.chain.settle_every,
            "programs": PROGRAMS_ON_NODE if site.chain.programs is not None else None,
        },
        "state": {"directory": str(STATE)},
    }
    text = "".join(
        [f"# {meter.id} of the site {site.site.name}; made from the site file: change it there.\n", "schema = 1\n"]
    )
    for name, table in tables.items():
        lines = [f"{key} = {_written(value)}\n" for key, value in table.items() if value is not None]
        text += f"\n[{name}]\n{''.join(lines)}" if lines else ""
    agent.parse(text, f"agent.toml of {meter.id}")
    return text


def serial_on_wire(meter: MeterTable) -> bool:
    """Does its model tell the serial number, or does a person read it off the plate?"""
    return load_profile(meter.profile).identity_level == "register"


def _written(value: str | int) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
