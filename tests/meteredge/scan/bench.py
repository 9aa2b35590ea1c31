"""A bus in memory with meters on it, whose port can be opened with any setting, on a clock that costs no time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from meteredge.clock import VirtualClock
from meteredge.profiles import load
from meteredge.scan.identify import Identified, identify
from meteredge.scan.plan import EVERYTHING, Setting, Wanted, known_profiles
from meteredge.scan.search import Found, Search
from metersim.bus.fault import Fault, Station
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.timeline import Timeline
from metersim.bus.wire import Wire
from metersim.meters.installation import Installation
from metersim.meters.meter import MeterPlan

NOON = 1_782_043_200.0


def plan(profile: str, unit: int, line: Line, serial: str = "10000001", seed: int = 1) -> MeterPlan:
    phases = max(load(profile).phases)
    return MeterPlan(
        profile, Installation(seed, seed, phases, pv_peak_w=3_000), line, unit, serial, since_utc=NOON - 3_600,
        import_mwh=1_234_000_000 + seed * 1_111_000, export_mwh=987_000_000 + seed * 2_222_000,
    )  # fmt: skip


@dataclass
class Bench:
    """`open` is what a scan opens; meters and their faults may change in between."""

    line: Line
    stations: Sequence[Station]
    faults: tuple[Fault, ...] = ()
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(NOON))
    opened: list[Setting] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wire = Wire(self.line, self.stations, faults=self.faults, seed=1, timeline=Timeline(NOON, 0.0, 1.0))

    def open(self, setting: Setting) -> MemoryPort:
        self.opened.append(setting)
        return MemoryPort(self.wire, self.clock, Line(setting.baud, setting.framing))

    def search(self, wanted: Wanted = EVERYTHING, **options: object) -> Found:
        search = Search(self.open, self.clock, known_profiles(), wanted, **options)  # type: ignore[arg-type]
        list(search.events())
        return search.found

    def identified(self, found: Found) -> list[Identified]:
        return [identify(a, self.open, self.clock, known_profiles()) for a in found.answering]


def bench(*meters: tuple[str, int], baud: int = 9_600, framing: str = "8N1", faults: tuple[Fault, ...] = ()) -> Bench:
    line = Line(baud, framing)
    stations = [
        plan(name, unit, line, f"1000000{n}", seed=n + 1).build() for n, (name, unit) in enumerate(meters, start=1)
    ]
    return Bench(line, stations, faults)
