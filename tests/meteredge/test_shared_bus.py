"""Several meters on one wire, each with the real reader, agent and journal: the dead and the slow starve nobody."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from tests.meteredge.node import BASELINE_EXPORT, BASELINE_IMPORT, DOMAIN, install_at

from meterchain.embedded import START
from meterchain.record import Record
from meteredge.agent import Agent
from meteredge.bus import Bus
from meteredge.clock import VirtualClock
from meteredge.closing import Closer, close_slots
from meteredge.journal import Identity, Journal, Row
from meteredge.profiles import load
from meteredge.reader import Reader
from meteredge.signer import Signer
from meteredge.timesource import ToldTime
from metersim.bus.fault import Raw, Request
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.timeline import Timeline
from metersim.bus.wire import Wire
from metersim.meters.installation import Installation
from metersim.meters.meter import Meter, MeterPlan

LINE = Line(9_600)
SLOTS = 3


@dataclass
class OnWire:
    """A meter at an address; dead, slow or as it should be."""

    meter: Meter
    unit: int
    turnaround_s: float = 0.02
    dead: bool = False

    def answer(self, request: Request) -> bytes | Raw | None:
        return None if self.dead else self.meter.answer(request)


class Teller:
    """Hears warnings."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warn(self, message: str, kind: object = None) -> None:
        self.said.append(f"{message} ({kind})")

    def forget(self) -> None:
        """All is well."""


@dataclass
class Street:
    """Five meters on a wire: the second is dead, the fourth takes 480 ms for every answer."""

    folder: Path
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    rows: dict[int, list[tuple[float, Row]]] = field(default_factory=dict)
    tries: dict[int, list[float]] = field(default_factory=dict)

    def build(self, undo: ExitStack) -> list[Closer]:
        stations = []
        for unit in range(1, 6):
            plan = MeterPlan(
                "sdm120", Installation(seed=unit), LINE, unit=unit, serial=f"1000000{unit}", since_utc=START,
                import_mwh=BASELINE_IMPORT, export_mwh=BASELINE_EXPORT,
            )  # fmt: skip
            stations.append(OnWire(plan.build(), unit))
        stations[1].dead = True
        stations[3].turnaround_s = 0.48
        wire = Wire(LINE, stations, timeline=Timeline(START, 0.0, 1.0))
        bus = Bus(MemoryPort(wire, self.clock), self.clock)
        return [self._closer(bus, unit, undo) for unit in range(1, 6)]

    def _closer(self, bus: Bus, unit: int, undo: ExitStack) -> Closer:
        name, signer = f"METER_00{unit}", Signer(SigningKey(bytes([unit]) * 32))
        journal = Journal.open(self.folder / f"{name}.journal", Identity(name, DOMAIN, bytes(signer.public_key)))
        undo.callback(journal.close)
        journal.begin_install(install_at())
        reader = Reader(bus, unit, load("sdm120"), self.clock)
        agent = Agent(
            reader=_Watched(reader, self.tries.setdefault(unit, []), self.clock), clock=self.clock,
            time_source=ToldTime(), journal=journal, signer=signer, ledger=None,  # type: ignore[arg-type]
        )  # fmt: skip
        rows = self.rows.setdefault(unit, [])
        return Closer(name, agent, 30.0, Teller(), lambda row: rows.append((self.clock.utc(), row)), lambda: None)


@dataclass
class _Watched:
    reader: Reader
    tries: list[float]
    clock: VirtualClock

    def read(self):  # noqa: ANN202
        self.tries.append(self.clock.utc())
        return self.reader.read()


class Until:
    """A stop that is set when the time has come; waiting moves the clock."""

    def __init__(self, clock: VirtualClock, utc: float) -> None:
        self._clock, self._utc = clock, utc

    def is_set(self) -> bool:
        return self._clock.utc() >= self._utc

    def wait(self, seconds: float) -> None:
        self._clock.advance(seconds)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    street = Street(tmp_path_factory.mktemp("street"))
    with ExitStack() as undo:
        closers = street.build(undo)
        stop = Until(street.clock, START + SLOTS * 900 + 120)
        close_slots(closers, street.clock, stop, slot_is_due=lambda: None, alive=lambda: None)  # type: ignore[arg-type]
        yield street


def test_the_living_close_every_slot_within_seconds_of_its_end_and_with_their_own_registers(street: Street) -> None:
    for unit in (1, 3, 4, 5):
        found = [(at, row) for at, row in street.rows[unit] if row.slot >= START]
        slots = [row.slot for _, row in found]
        assert slots == [START + n * 900 for n in range(SLOTS)], unit
        for at, row in found:
            assert at - (row.slot + 900) < 20, "far from the end of the window"
            assert Record.decode(row.record).import_mwh >= BASELINE_IMPORT
    assert street.rows[2] == []


def test_the_dead_one_is_tried_every_ten_seconds_around_each_slots_end_and_rarely_else(street: Street) -> None:
    tries = street.tries[2]
    for n in range(1, SLOTS):
        edge = START + n * 900
        inside = [edge - 5, *(at for at in tries if edge - 5 <= at <= edge + 110), edge + 110]
        assert max(after - before for before, after in itertools.pairwise(inside)) <= 10
        assert sum(edge + 115 < at < edge + 890 for at in tries) <= 30


def test_the_slow_one_is_not_mistaken_for_its_neighbour(street: Street) -> None:
    values = {unit: {Record.decode(row.record).import_mwh for _, row in street.rows[unit]} for unit in (1, 3, 4, 5)}
    assert len({frozenset(each) for each in values.values()}) == 4, "each has the registers of its own house"
