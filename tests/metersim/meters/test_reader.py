"""The edge's own reader on a simulated bus in memory: it sees what the meter holds, whatever the model."""

import pytest

from meteredge.bus import Bus
from meteredge.clock import VirtualClock
from meteredge.profiles import load, names
from meteredge.reader import Reader
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.timeline import Timeline
from metersim.bus.wire import Wire
from metersim.meters.installation import Installation
from metersim.meters.meter import MeterPlan

NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z


@pytest.mark.parametrize("name", names())
def test_the_reader_sees_what_the_meter_holds(name: str) -> None:
    profile = load(name)
    line = Line(profile.default.baud or 9_600, profile.formats[0] if profile.formats else "8N1")
    installation = Installation(seed=3, phases=min(profile.phases), pv_peak_w=4_000)
    plan = MeterPlan(name, installation, line, since_utc=NOON - 7_200, import_mwh=1_234_560_000, export_mwh=98_760_000)
    meter = plan.build()
    held = meter.moment(NOON).energy_mwh
    clock = VirtualClock(NOON)
    port = MemoryPort(Wire(line, [meter], timeline=Timeline(NOON, 0.0, 0.0)), clock)
    reader = Reader(Bus(port, clock), 1, profile, clock)
    serial, reading = reader.identify(), reader.read()
    expected = (held.import_ if profile.import_registers else 0, held.export if profile.export_registers else 0)
    assert (reading.import_mwh, reading.export_mwh) == expected
    assert serial == (None if profile.identity_level == "label" else plan.serial)
