"""metersim.meters.changes: what happens to a meter, and when."""

import pytest

from meteredge.bus import Bus
from meteredge.clock import VirtualClock
from meteredge.profiles import load
from meteredge.reader import Implausible, Reader, WrongSettings
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.timeline import Timeline
from metersim.bus.wire import Wire
from metersim.meters.changes import (
    CHANGES,
    Change,
    CurrentReversed,
    OtherDevice,
    RegisterReset,
    Restart,
    Setting,
    WordOrderFlipped,
)
from metersim.meters.installation import Installation
from metersim.meters.meter import Meter, MeterPlan

NOON = 1_782_043_200.0
EXPORT_MWH, IMPORT_MWH = 800_000_000, 5_000_000_000
SUNNY = Installation(seed=3, phases=3, pv_peak_w=9_000, load="none")


def meter_with(*changes: Change, modulus_mwh: int | None = None) -> Meter:
    plan = MeterPlan(
        "sdm630",
        SUNNY,
        Line(9_600),
        since_utc=NOON,
        import_mwh=IMPORT_MWH,
        export_mwh=EXPORT_MWH,
        modulus_mwh=modulus_mwh,
        changes=changes,
    )
    return plan.build()


def export_at(meter: Meter, after_s: float) -> int:
    return meter.moment(NOON + after_s).energy_mwh.export


def reader_at(meter: Meter, after_s: float) -> Reader:
    clock = VirtualClock(NOON + after_s)
    wire = Wire(Line(9_600), [meter], timeline=Timeline(NOON + after_s, 0.0, 0.0))
    return Reader(Bus(MemoryPort(wire, clock), clock), 1, load("sdm630"), clock)


def test_nothing_changes_before_its_time() -> None:
    plain, changed = meter_with(), meter_with(RegisterReset(NOON + 600))
    assert export_at(plain, 599) == export_at(changed, 599) > EXPORT_MWH


def test_a_reset_register_counts_from_zero() -> None:
    meter = meter_with(RegisterReset(NOON + 600))
    assert export_at(meter, 600) == 0
    assert 0 < export_at(meter, 1_200) < 2_000_000


def test_a_restart_forgets_what_was_not_saved_and_counts_on() -> None:
    plain, restarted = meter_with(), meter_with(Restart(NOON + 600, forgets_export_mwh=50_000))
    assert export_at(plain, 1_200) - export_at(restarted, 1_200) == pytest.approx(50_000, abs=1_000)


def test_another_device_has_its_own_serial_and_registers() -> None:
    meter = meter_with(OtherDevice(NOON + 600, serial="20000002", export_mwh=7_000_000, import_mwh=1_000))
    assert reader_at(meter, 599).identify() == "10000001"
    assert reader_at(meter, 601).identify() == "20000002"
    assert reader_at(meter, 601).read().export_mwh == pytest.approx(7_000_000, abs=5_000)


def test_a_setting_is_read_back_and_energy_counts_on() -> None:
    meter = meter_with(Setting(NOON + 600, "energy_units_prefix", 1))
    assert export_at(meter, 1_200) == pytest.approx(export_at(meter_with(), 1_200), abs=1_000)
    with pytest.raises(WrongSettings, match="energy_units_prefix is 1"):
        reader_at(meter, 601).read()


def test_a_flipped_word_order_is_not_believed_and_flips_back() -> None:
    meter = meter_with(WordOrderFlipped(NOON + 600), WordOrderFlipped(NOON + 900))
    with pytest.raises(Implausible):
        reader_at(meter, 601).read()
    assert reader_at(meter, 901).read().export_mwh == export_at(meter, 901)


def test_reversed_current_turns_export_into_import() -> None:
    meter = meter_with(CurrentReversed(NOON + 600))
    before, after = meter.moment(NOON + 600).energy_mwh, meter.moment(NOON + 1_200).energy_mwh
    assert after.export == before.export
    assert after.import_ > before.import_
    assert meter.moment(NOON + 601).power.import_ > 0


def test_registers_wrap_where_the_plan_says() -> None:
    meter = meter_with(modulus_mwh=800_100_000)
    assert export_at(meter, 0) == EXPORT_MWH
    assert export_at(meter, 3_600) < 100_000_000


def test_changes_apply_in_the_order_of_their_time() -> None:
    meter = meter_with(Restart(NOON + 900, forgets_export_mwh=1_000), RegisterReset(NOON + 600))
    assert export_at(meter, 901) < 1_000_000


def test_every_change_has_a_name() -> None:
    assert {kind.__name__ for kind in CHANGES.values()} == {kind.__name__ for kind in Change.__subclasses__()}
