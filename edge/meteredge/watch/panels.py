"""The lines of each panel, as text: pure functions of two looks."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from meteredge.watch.snapshot import Snapshot, answered_share

Lines = list[tuple[str, str]]
"""(what, how much)."""
TITLES: Mapping[str, str] = {"meter": "meter", "slot": "slot", "bus": "bus", "journal": "journal", "chain": "chain"}
_BAR = 30
_TROUBLES = ("no_reply", "corrupt_reply", "wrong_reply", "device_exception", "noisy_bus", "echoes", "leading_zeros")


def panels(now: Snapshot, before: Snapshot | None) -> dict[str, Lines]:
    """Every panel's lines, in the order of TITLES."""
    return {
        "meter": _meter(now),
        "slot": _slot(now),
        "bus": _bus(now, before),
        "journal": _journal(now),
        "chain": _chain(now),
    }


def _meter(now: Snapshot) -> Lines:
    if now.live is None:
        return [("", "no reading yet" if now.running else "no agent runs")]
    lines = [
        ("export", f"{now.live.export_mwh / 1e6:,.3f} kWh"),
        ("import", f"{now.live.import_mwh / 1e6:,.3f} kWh"),
    ]
    if now.live.power_w is not None:
        way = "feeds in" if now.live.power_w < 0 else "takes"
        lines.append(("power", f"{now.live.power_w:,.0f} W ({way})"))
    shown = [(name, value) for name, value in now.live.values.items() if "volt" in name or "freq" in name]
    return lines + [(name.replace("_", " "), f"{value:,.1f}") for name, value in shown[:6]]


def _slot(now: Snapshot) -> Lines:
    left = now.seconds_to_end
    filled = round((1 - left / 900) * _BAR)
    lines = [("ends in", f"{int(left) // 60}:{int(left) % 60:02d}"), ("", "█" * filled + "░" * (_BAR - filled))]
    if now.closing:
        lines.append(("", "slots are being closed: the bus is the meters' own"))
    if now.last_slot:
        zone = ZoneInfo(now.timezone)
        lines.append(("last closed", f"{datetime.fromtimestamp(now.last_slot, zone):%Y-%m-%d %H:%M} {zone.key}"))
    return lines


def _bus(now: Snapshot, before: Snapshot | None) -> Lines:
    lines = [("port", now.port or "unknown")]
    if not now.bus:
        return lines
    if now.settings:
        lines.append(("set to", now.settings))
    if now.bridge:
        lines.append(("bridge", now.bridge))
    share = answered_share(before.bus, now.bus) if before else None
    lines.append(("answered now", "nothing was asked" if share is None else f"{share:.0%}"))
    whole = answered_share({}, now.bus)
    lines.append(
        ("since start", f"{now.bus.get('requests', 0):,} questions" + ("" if whole is None else f", {whole:.2%}"))
    )
    return lines + [(name.replace("_", " "), f"{now.bus[name]:,}") for name in _TROUBLES if now.bus.get(name)]


def _journal(now: Snapshot) -> Lines:
    lines = [("waiting", f"{now.waiting:,}")]
    return lines + [(state, f"{number:,}") for state, number in now.records.items()]


def _chain(now: Snapshot) -> Lines:
    lines: Lines = []
    if now.chain:
        lines.append(("chain", now.chain.host))
        lines.append(("meter", now.chain.status or "not in the registry"))
        if now.chain.seq is not None and now.chain.last_ts is not None:
            lines.append(("last record", f"{now.chain.seq:,}, {(now.at - now.chain.last_ts) / 60:,.0f} min ago"))
        if now.chain.fee_days is not None:
            lines.append(("fees", f"{now.chain.fee_days:,.0f} days"))
    else:
        lines.append(("chain", "not seen yet"))
    if now.delivered_at:
        lines.append(("delivered", f"{(now.at - now.delivered_at) / 60:,.0f} min ago"))
    if now.chain_ahead_s is not None:
        lines.append(("its clock", f"{now.chain_ahead_s:+.0f} s"))
    return lines
