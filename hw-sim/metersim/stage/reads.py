"""Reading one meter many times under a fault: how many reads it costs, and that none is false.

`read_under` runs in memory and virtual time, ten thousand reads in seconds.  `read_on_ptys` takes the agent's own port
in real time, many buses at once, as the time goes by in waiting.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from meteredge.bus import Bus
from meteredge.bus_errors import BusError, NoReply, PortGone, PortMissing
from meteredge.clock import Clock, SystemClock, VirtualClock
from meteredge.port import RtuPort
from meteredge.profiles import load
from meteredge.reader import Reader, Reading
from metersim.bus import running
from metersim.bus.fault import Fault
from metersim.bus.line import Line
from metersim.bus.loop import SegmentPlan
from metersim.bus.memory_port import MemoryPort
from metersim.bus.timeline import Timeline
from metersim.bus.wire import Wire
from metersim.meters.installation import Installation
from metersim.meters.meter import Meter, MeterPlan

NOON = 1_782_043_200.0
FAST = Line(115_200)
STARTS = 10
WITHOUT_PORT_S = 0.4
"""A read without a port takes no time: the next one is tried after so much."""
SLACK_S = 1.0
"""What the clocks of two processes and the hand-over of a command may differ."""
_START_MWH = 800_000_000


@dataclass(frozen=True, slots=True)
class Reads:
    """What became of so many reads; `lost` by the kind of error."""

    good: int
    lost: Counter[str]
    false: tuple[str, ...]
    """A sentence for each reading that the meter did not hold while it was read."""
    passed_s: float
    """Seconds of the bus's clock."""


def read_under(
    faults: Sequence[Fault], times: int, *, profile: str = "sdm630", seed: int = 1, every_s: float = 1.0
) -> Reads:
    """Read `times` times in virtual time, `every_s` apart and more, the faults acting all the while."""
    known = load(profile)
    plan = _plan(profile, Line(known.default.baud or 9_600, known.default.format or "8N1"), seed)
    meter, clock = plan.build(), VirtualClock(NOON)
    wire = Wire(plan.line, [meter], seed=seed, timeline=Timeline(NOON, 0.0, 1.0))
    reader = Reader(Bus(MemoryPort(wire, clock), clock), plan.unit, known, clock)  # type: ignore[arg-type]
    reader.identify()
    wire.faults = tuple(faults)

    def pause(_number: int) -> None:
        clock.advance(every_s)

    return _read(reader, meter, clock, times, pause, NOON)


def read_on_ptys(
    faults: Mapping[str, Sequence[Fault]],
    times: int,
    folder: Path,
    *,
    profile: str = "sdm230",
    line: Line = FAST,
    acts: Callable[[int], bool] = lambda _number: True,
    seed: int = 1,
) -> dict[str, Reads]:
    """Read `times` times under each, at once on as many pseudo-terminals, by links in `folder`.

    `acts(number)` says whether the faults act on that read: what loses every read would otherwise take for ever.
    """
    plan, clock = _plan(profile, line, seed), SystemClock()
    links = {name: folder / name for name in faults}
    with running.in_process([SegmentPlan(line, (plan,), seed=seed, link=link) for link in links.values()]) as buses:
        began_s = clock.monotonic()
        buses.set_time(NOON, 1.0)

        def read(segment: int, name: str) -> Reads:
            meter = plan.build()
            bus = Bus(RtuPort(str(links[name]), line.baud, line.character, clock), clock)
            try:
                reader = Reader(bus, plan.unit, load(profile), clock)
                _begin(reader)
                now = False

                def switch(number: int) -> None:
                    nonlocal now
                    if now != acts(number):
                        now = not now
                        buses.set_faults(segment, *(faults[name] if now else ()))

                return _read(reader, meter, clock, times, switch, NOON - began_s, slack_s=SLACK_S)
            finally:
                bus.close()

        with ThreadPoolExecutor(len(faults)) as pool:
            return dict(zip(faults, pool.map(read, range(len(faults)), faults), strict=True))


def _begin(reader: Reader) -> None:
    """Identify the meter; a machine that is busy starting all this may be late.  Raises BusError."""
    for _ in range(STARTS):
        try:
            reader.identify()
        except NoReply:
            continue
        return
    reader.identify()


def _plan(profile: str, line: Line, seed: int) -> MeterPlan:
    known = load(profile)
    installation = Installation(seed, seed, max(known.phases), pv_peak_w=3_000 * max(known.phases))
    return MeterPlan(known.name, installation, line, since_utc=NOON, import_mwh=_START_MWH, export_mwh=_START_MWH)


def _read(
    reader: Reader,
    meter: Meter,
    clock: Clock,
    times: int,
    before: Callable[[int], None],
    utc_at_0: float,
    slack_s: float = 0.0,
) -> Reads:
    """`before(number)` is called before each read; it is `utc_at_0` where the clock's count is 0, `slack_s` unsure."""
    good, lost, false, began_s = 0, Counter[str](), [], clock.monotonic()
    for number in range(times):
        before(number)
        begun_s = clock.monotonic()
        try:
            reading = reader.read()
        except BusError as error:
            lost[error.kind] += 1
            if isinstance(error, PortGone | PortMissing):
                clock.sleep(WITHOUT_PORT_S)
            continue
        good += 1
        if not _was_held(meter, reading, utc_at_0 + begun_s - slack_s, utc_at_0 + clock.monotonic() + slack_s):
            false.append(f"{reading.export_mwh} and {reading.import_mwh} mWh at {begun_s - began_s:.1f} s")
    return Reads(good, lost, tuple(false), clock.monotonic() - began_s)


def _was_held(meter: Meter, reading: Reading, from_utc: float, until_utc: float) -> bool:
    """Registers only rise: each value must lie between what it was before and after; rounding may add half a step."""
    before, after = meter.held_mwh(from_utc), meter.held_mwh(until_utc)
    allowed = reading.quantum_mwh / 2
    counts = meter.profile.export_registers, meter.profile.import_registers
    held = ((before.export, after.export), (before.import_, after.import_))
    values = (reading.export_mwh, reading.import_mwh)
    return all(
        not counted or low - allowed <= value <= high + allowed
        for counted, (low, high), value in zip(counts, held, values, strict=True)
    )
