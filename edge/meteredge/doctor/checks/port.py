"""Is the serial port there, ours, well named and left alone?"""

from meteredge.doctor.facts import Facts
from meteredge.doctor.sheet import Check, Line

UDEV = "run `meterbridge agent install`: its udev rule does it, then plug the adapter in again"
CH340_VID = 0x1A86
LATENCY_MOST_MS = 1

_OPENS = Line("port", "port", "port")
_PERMISSIONS = Line("port", "permissions", "permissions")
_OWNER = Line("port", "owner", "one owner")
_NAMING = Line("port", "naming", "name of the port")
_LATENCY = Line("port", "latency", "latency timer")
_MEDDLERS = Line("port", "meddlers", "other programs")


def opens(facts: Facts) -> Check:
    """The port is there and opens."""
    port = facts.port
    if port.agent_has_it:
        return _OPENS.passed(f"{port.spec} is open; the agent has it")
    if port.trouble and port.trouble.kind not in {"port_denied", "port_busy"}:
        return _OPENS.failed(port.trouble.fact, port.trouble.next_step)
    if port.trouble:
        return _OPENS.left_out(f"{port.spec} is there, but could not be opened: see below")
    return _OPENS.passed(f"{port.spec} opens ({port.adapter})")


def permissions(facts: Facts) -> Check:
    """Whoever runs us may open it."""
    port = facts.port
    if port.device is None or (port.trouble and port.trouble.kind == "port_missing"):
        return _PERMISSIONS.left_out("there is no port")
    if port.trouble and port.trouble.kind == "port_denied":
        return _PERMISSIONS.failed(f"{port.trouble.fact} ({port.mode or 'mode unknown'})", port.trouble.next_step)
    return _PERMISSIONS.passed(port.mode or "not known")


def owner(facts: Facts) -> Check:
    """Nobody else has it open."""
    port = facts.port
    strangers = [culprit for culprit in port.holders if culprit.pid != facts.agent.pid]
    if strangers:
        return _OWNER.failed(
            f"{', '.join(map(str, strangers))} has {port.spec} open",
            "stop it: two masters on one bus destroy each other's answers",
        )
    if port.trouble and port.trouble.kind == "port_busy":
        return _OWNER.failed(
            f"another process has {port.spec} open, this user may not see which", "run this as root to be told which"
        )
    return _OWNER.passed("the agent alone" if port.agent_has_it else "nobody else")


def naming(facts: Facts) -> Check:
    """The name leads to the same adapter tomorrow."""
    port, adapter = facts.port, facts.port.adapter
    better = adapter.by_path or "/dev/serial/by-path/…"
    if port.device is None:
        return _NAMING.left_out("there is no port")
    if "/by-path/" in port.spec:
        return _NAMING.passed(f"{port.spec}: by the socket it is plugged into")
    if adapter.vid is None:
        return _NAMING.passed(f"{port.spec}: no USB adapter, its number does not change")
    if adapter.serial_number is None and (adapter.twins or adapter.vid == CH340_VID):
        make = "a CH340 has no serial number" if adapter.vid == CH340_VID else "this adapter has no serial number"
        there = f"; {', '.join(adapter.twins)} is of the same make" if adapter.twins else ""
        return _NAMING.warned(
            f"{make}, two of them share a name{there}", f'write port = "{better}" and keep it in that socket'
        )
    if "/by-id/" in port.spec or ":" in port.spec:
        return _NAMING.passed(f"{port.spec}: by the adapter itself")
    return _NAMING.warned(
        f"{port.spec} changes its number when another adapter is plugged in",
        f"name it by /dev/serial/by-id/… or {better}",
    )


def latency(facts: Facts) -> Check:
    """An FTDI adapter hands bytes over at once."""
    held_ms = facts.port.adapter.latency_timer_ms
    if held_ms is None:
        return _LATENCY.left_out("the adapter has none")
    if held_ms > LATENCY_MOST_MS:
        return _LATENCY.warned(f"the adapter holds bytes back for {held_ms} ms", UDEV)
    return _LATENCY.passed(f"{held_ms} ms")


def meddlers(facts: Facts) -> Check:
    """ModemManager and brltty leave it alone."""
    port = facts.port
    guilty = [
        culprit for culprit in port.meddlers if culprit.name != "ModemManager" or not port.adapter.modem_manager_ignores
    ]
    if port.adapter.vid is None and guilty:
        return _MEDDLERS.passed(f"{', '.join(map(str, guilty))}: looks at USB adapters only")
    if guilty:
        return _MEDDLERS.warned(
            f"{', '.join(map(str, guilty))} probes serial adapters: it sends bytes that no meter asked for", UDEV
        )
    return _MEDDLERS.passed("none that probe serial ports")
