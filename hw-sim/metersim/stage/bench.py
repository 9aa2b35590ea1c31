"""Meters and buses for tests: on a pseudo-terminal, in a thread of the test's process, in a time that stands still.

Time stands still so that what a meter holds does not change between two looks; `go_to` moves it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from meteredge.profiles import Profile, load
from metersim.bus import running
from metersim.bus.fault import Fault
from metersim.bus.line import Line
from metersim.bus.loop import SegmentPlan
from metersim.bus.observed import Overheard, Tally
from metersim.bus.running import RunningBuses
from metersim.meters.image import MWH_PER_UNIT, Place, places
from metersim.meters.installation import Installation
from metersim.meters.meter import Meter, MeterPlan

NOON = 1_782_043_200.0
"""2026-06-21T12:00:00Z."""
COUNTED_S = 3_600.0
"""A meter's installation has counted for an hour when a test begins."""
PV_W_A_PHASE = 3_000
_START_MWH = 1_234_000_000


@dataclass(frozen=True, slots=True)
class BenchBus:
    """A bus that runs.  `port` is what a master opens."""

    buses: RunningBuses
    line: Line

    @property
    def port(self) -> str:
        """The path; a bus that was plugged in again may have another one."""
        return self.buses.ports[0]

    def go_to(self, utc_s: float, rate: float = 0.0) -> None:
        """It is `utc_s` now (Unix seconds), and time runs `rate` times as fast as ours."""
        self.buses.set_time(utc_s, rate)

    def faults(self, *faults: Fault) -> None:
        """Let these faults, and no others, act."""
        self.buses.set_faults(0, *faults)

    def unplug(self) -> None:
        """Pull the adapter out."""
        self.buses.unplug(0)

    def plug(self) -> str:
        """Plug it in again; its path."""
        return self.buses.plug(0)

    def tally(self) -> Tally:
        """What the wire has seen."""
        return self.buses.tally(0)

    def overheard(self) -> tuple[Overheard, ...]:
        """The frames since the last call."""
        return self.buses.overheard(0)


@dataclass(slots=True)
class BenchMeter:
    """One meter on a bus of its own."""

    bus: BenchBus
    plan: MeterPlan
    profile: Profile
    _twin: Meter
    _utc_s: float

    @property
    def port(self) -> str:
        """What a master opens."""
        return self.bus.port

    @property
    def baud(self) -> int:
        """Its speed."""
        return self.plan.line.baud

    @property
    def character(self) -> str:
        """8N1, 8E1, 8O1 or 8N2."""
        return self.plan.line.character

    @property
    def unit(self) -> int:
        """Its Modbus address."""
        return self.plan.unit

    @property
    def serial(self) -> str:
        """Its serial number."""
        return self.plan.serial

    @property
    def import_mwh(self) -> int:
        """What its import register holds now."""
        return self._twin.moment(self._utc_s).energy_mwh.import_

    @property
    def export_mwh(self) -> int:
        """What its export register holds now."""
        return self._twin.moment(self._utc_s).energy_mwh.export

    def value(self, register: str) -> Decimal | float | int | str:
        """What the register of that name (as in the profile) holds now, in its unit.  Raises ProfileError."""
        wanted = self.profile.register(register)
        place = next(place for place in places(self.profile) if place.register.name == wanted.name)
        return self._in_unit(place)

    def go_to(self, utc_s: float) -> None:
        """It is `utc_s` now (Unix seconds)."""
        self._utc_s = utc_s
        self.bus.go_to(utc_s)

    def faults(self, *faults: Fault) -> None:
        """Let these faults, and no others, act on its bus."""
        self.bus.faults(*faults)

    def _in_unit(self, place: Place) -> Decimal | float | int | str:
        value = self._twin.value(place, self._twin.moment(self._utc_s))
        factor = MWH_PER_UNIT.get(place.register.unit)
        return value if factor is None or isinstance(value, str) else Decimal(value) / factor


@contextmanager
def open_bus(
    *plans: MeterPlan, baud: int = 9_600, character: str = "8N1", faults: tuple[Fault, ...] = (), utc_s: float = NOON
) -> Iterator[BenchBus]:
    """Serve a bus with these meters at `utc_s`, in a thread."""
    line = Line(baud, character)
    with running.in_thread([SegmentPlan(line, plans, faults, eavesdrop=True)]) as buses:
        buses.set_time(utc_s)
        yield BenchBus(buses, line)


@contextmanager
def open_meter(
    profile: str,
    *,
    baud: int | None = None,
    character: str | None = None,
    unit: int = 1,
    serial: str = "10000001",
    seed: int = 1,
    import_mwh: int = _START_MWH,
    export_mwh: int = _START_MWH,
    faults: tuple[Fault, ...] = (),
    utc_s: float = NOON,
) -> Iterator[BenchMeter]:
    """Serve a meter by its profile or alias.  Raises ProfileError, MeterPlanError, LineError."""
    known = load(profile)
    line = Line(baud or known.default.baud or 9_600, character or known.default.format or "8N1")
    phases = max(known.phases)
    plan = MeterPlan(
        profile,
        Installation(seed, seed, phases, pv_peak_w=PV_W_A_PHASE * phases),
        line,
        unit,
        serial,
        since_utc=utc_s - COUNTED_S,
        import_mwh=import_mwh,
        export_mwh=export_mwh,
    )
    with open_bus(plan, baud=line.baud, character=line.character, faults=faults, utc_s=utc_s) as bus:
        yield BenchMeter(bus, plan, known, plan.build(), utc_s)
