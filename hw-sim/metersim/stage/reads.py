"""Reading one meter many times under a fault, in virtual time: how many reads it costs, and that none is false."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from meteredge.bus import Bus
from meteredge.bus_errors import BusError
from meteredge.clock import VirtualClock
from meteredge.profiles import load
from meteredge.reader import Reader, Reading
from metersim.bus.fault import Fault
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.timeline import Timeline
from metersim.bus.wire import Wire
from metersim.meters.installation import Installation
from metersim.meters.meter import Meter, MeterPlan

NOON = 1_782_043_200.0
_START_MWH = 800_000_000


@dataclass(frozen=True, slots=True)
class Reads:
    """What became of so many reads; `lost` by the kind of error."""

    good: int
    lost: Counter[str]
    false: tuple[str, ...]
    """A sentence for each reading that the meter did not hold while it was read."""
    virtual_s: float


def read_under(
    faults: Sequence[Fault], times: int, *, profile: str = "sdm630", seed: int = 1, every_s: float = 1.0
) -> Reads:
    """Read `times` times, on average `every_s` apart, the faults acting all the while."""
    known = load(profile)
    line = Line(known.default.baud or 9_600, known.default.format or "8N1")
    installation = Installation(seed, seed, max(known.phases), pv_peak_w=3_000 * max(known.phases))
    meter = MeterPlan(
        known.name, installation, line, since_utc=NOON, import_mwh=_START_MWH, export_mwh=_START_MWH
    ).build()
    clock = VirtualClock(NOON)
    wire = Wire(line, [meter], seed=seed, timeline=Timeline(NOON, 0.0, 1.0))
    reader = Reader(Bus(MemoryPort(wire, clock), clock), 1, known, clock)  # type: ignore[arg-type]
    reader.identify()
    wire.faults = tuple(faults)
    good, lost, false = 0, Counter[str](), []
    for _ in range(times):
        clock.advance(every_s)
        begun_s = clock.monotonic()
        try:
            reading = reader.read()
        except BusError as error:
            lost[error.kind] += 1
            continue
        good += 1
        if not _was_held(meter, reading, NOON + begun_s, NOON + clock.monotonic()):
            false.append(f"{reading.export_mwh} and {reading.import_mwh} mWh at {begun_s:.1f} s")
    return Reads(good, lost, tuple(false), clock.monotonic())


def _was_held(meter: Meter, reading: Reading, from_utc: float, until_utc: float) -> bool:
    """Registers only rise: each value must lie between what it was before and after; rounding may add half a step."""
    before, after = meter.moment(from_utc).energy_mwh, meter.moment(until_utc).energy_mwh
    allowed = reading.quantum_mwh / 2
    counts = meter.profile.export_registers, meter.profile.import_registers
    held = ((before.export, after.export), (before.import_, after.import_))
    values = (reading.export_mwh, reading.import_mwh)
    return all(
        not counted or low - allowed <= value <= high + allowed
        for counted, (low, high), value in zip(counts, held, values, strict=True)
    )
