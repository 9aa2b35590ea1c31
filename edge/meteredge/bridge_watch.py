"""What the bridge between USB and RS-485 saw since the last signed record (docs/bridge.md).

A tamper event becomes the record's flag; a restart of the bridge is told, because pulses and counters began anew.  The
bridge says how long ago things were, so nothing has to be remembered here: an agent that was off sees them too.
"""

from dataclasses import dataclass

from meterchain.record import StatusFlags
from meteredge.block_bus import BlockBus
from meteredge.bus import timing_of
from meteredge.profiles import NotAvailable, Profile

PROFILE = "meterbridge-bridge"
TAMPER_OPEN = 1 << 1
WATCHDOG = 1
_HEALTH = ("uptime", "reset_cause", "watchdog_resets", "supply_voltage", "flags")
_TAMPER = ("tamper_events", "tamper_age")


@dataclass(frozen=True, slots=True)
class BridgeNews:
    """What belongs into the record, and what a person should know (None: nothing)."""

    flags: StatusFlags = StatusFlags.NONE
    note: str | None = None


class BridgeWatch:
    """Asks the bridge at `unit` of a bus."""

    def __init__(self, bus: BlockBus, unit: int, profile: Profile) -> None:
        self._bus = bus
        self._unit = unit
        self._profile = profile

    def look(self, seconds: float) -> BridgeNews:
        """What happened within the last `seconds`.  Raises BusError."""
        health, tamper = self._read(_HEALTH), self._read(_TAMPER)
        age = tamper.get("tamper_age")
        tampered = bool(health["flags"] & TAMPER_OPEN) or (age is not None and age <= seconds)
        notes = []
        if tampered:
            since = "is open" if age is None else f"opened {age} s ago"
            notes.append(f"the tamper contact {since}, {tamper['tamper_events']} times in all")
        if health["uptime"] < seconds:
            why = "by its watchdog" if health["reset_cause"] == WATCHDOG else "without its watchdog"
            notes.append(f"the bridge restarted {health['uptime']} s ago {why}")
        return BridgeNews(StatusFlags.TAMPER if tampered else StatusFlags.NONE, "; ".join(notes) or None)

    def _read(self, names: tuple[str, ...]) -> dict[str, int]:
        """Neighbouring registers in one request; raw numbers, those marked as not available left out."""
        registers = [self._profile.register(name) for name in names]
        start = registers[0].address
        words = self._bus.read_block(
            self._unit, registers[0].fc, start, registers[-1].end - start, timing_of(self._profile)
        )
        values = {}
        for register in registers:
            try:
                value = register.decode(words[register.address - start : register.end - start])
            except NotAvailable:
                continue
            values[register.name] = int(value)
        return values
