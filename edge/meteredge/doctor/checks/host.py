"""The machine: room on the card, enough voltage, which versions."""

from meteredge.doctor.facts import Facts, Unknown
from meteredge.doctor.sheet import Check, Line

MIB = 1 << 20
LITTLE_ROOM, NO_ROOM = 500 * MIB, 50 * MIB
"""Ten years of records take 100 MB; an upgrade keeps a copy of the journal."""
LEAST_BRIDGE_V, MOST_BRIDGE_V = 4.4, 5.6
"""USB's own limits at the end of a cable."""
SUPPLY = "use the board's own supply and a short, thick cable; a weak one tears cards and resets adapters"

_DISK = Line("host", "disk", "disk")
_SUPPLY = Line("host", "supply", "supply voltage")
_VERSIONS = Line("host", "versions", "versions")


def disk(facts: Facts) -> Check:
    """There is room, and it can be written."""
    host = facts.host
    free = f"{host.disk_free_bytes / MIB:,.0f} MiB free in {host.disk_path}"
    if host.disk_read_only:
        return _DISK.failed(f"{host.disk_path} is read-only", "the card may be worn out: copy the log, replace it")
    if host.disk_free_bytes < NO_ROOM:
        return _DISK.failed(free, "make room: without it no slot can be closed")
    if host.disk_free_bytes < LITTLE_ROOM:
        return _DISK.warned(free, "make room before the next upgrade")
    return _DISK.passed(free)


def supply(facts: Facts) -> Check:
    """Neither the board nor the bridge starves."""
    volts = None
    if facts.bridge is not None and not isinstance(facts.bridge, Unknown):
        volts = facts.bridge.values.get("supply_voltage")
    bridge = "" if volts is None else f"bridge {float(volts):.2f} V"
    if facts.host.under_voltage == "now":
        return _SUPPLY.failed("the board has too little voltage now", SUPPLY)
    if volts is not None and not LEAST_BRIDGE_V <= float(volts) <= MOST_BRIDGE_V:
        return _SUPPLY.failed(f"{bridge}: USB allows {LEAST_BRIDGE_V} to {MOST_BRIDGE_V} V", SUPPLY)
    if facts.host.under_voltage == "since boot":
        return _SUPPLY.warned("the board had too little voltage since it was started", SUPPLY)
    if facts.host.under_voltage is None and not bridge:
        return _SUPPLY.left_out("this board does not tell")
    board = [] if facts.host.under_voltage is None else ["never too low since it was started"]
    return _SUPPLY.passed(", ".join([*board, *([bridge] if bridge else [])]))


def versions(facts: Facts) -> Check:
    """Which software this is; the agent's must be the same."""
    ours = facts.host.versions.get("meterbridge", "unknown")
    shown = ", ".join(f"{name} {value}" for name, value in facts.host.versions.items())
    told = f"{shown}, on {facts.host.model}"
    if facts.agent.version and facts.agent.version != ours:
        return _VERSIONS.warned(
            f"the agent runs {facts.agent.version}, installed is {ours}",
            "restart it: systemctl restart meterbridge-agent",
        )
    return _VERSIONS.passed(told)
