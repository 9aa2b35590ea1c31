"""metersim.meters: what the registers count is the integral of what the power register shows, and a seed is a world."""

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metersim.meters.installation import DAY_S, Installation, net_watts
from metersim.meters.integral import WMS_PER_MWH, Accounting, Flow, Integral
from metersim.meters.loads import LoadKind
from metersim.meters.meter import MeterPlan, MeterPlanError
from metersim.meters.sun import CAMPUS, clear_share, clearness, sine_of_elevation

MIDNIGHT = 1_767_225_600.0  # 2026-01-01T00:00:00Z
HOME = Installation(seed=7, weather_seed=2, phases=3, pv_peak_w=6_000)


@pytest.mark.parametrize("accounting", ["vector", "per_phase"])
def test_energy_is_the_sum_of_power_second_by_second_across_midnight(accounting: Accounting) -> None:
    integral = Integral(HOME, accounting)
    begin, seconds = MIDNIGHT + DAY_S - 1_800, 3_600
    flows = [integral.power_w(begin + k) for k in range(seconds)]
    counted = integral.energy_wms(begin, begin + seconds)
    assert counted.import_ == 1_000 * sum(flow.import_ for flow in flows)
    assert counted.export == 1_000 * sum(flow.export for flow in flows)
    assert counted.phase_import == tuple(1_000 * sum(flow.phase_import[p] for flow in flows) for p in range(3))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3 * DAY_S * 1_000), st.integers(0, 3 * DAY_S * 1_000), st.integers(0, 3 * DAY_S * 1_000))
def test_energy_adds_up_over_any_three_moments(a: int, b: int, c: int) -> None:
    first, second, third = (MIDNIGHT + ms / 1_000 for ms in sorted((a, b, c)))
    parts = INTEGRAL.energy_wms(first, second), INTEGRAL.energy_wms(second, third)
    whole = INTEGRAL.energy_wms(first, third)
    assert whole.import_ == parts[0].import_ + parts[1].import_
    assert whole.export == parts[0].export + parts[1].export


INTEGRAL = Integral(HOME, "vector")


def test_netting_over_phases_never_counts_more_than_the_phases_do() -> None:
    noon = MIDNIGHT + DAY_S / 2
    netted, added = (Integral(HOME, how).energy_wms(MIDNIGHT, noon) for how in ("vector", "per_phase"))
    assert netted.import_ < added.import_
    assert (
        netted.import_ - netted.export
        == added.import_ - added.export
        == sum(added.phase_import) - sum(added.phase_export)
    )


def test_a_register_holds_whole_quanta_of_the_integral_on_top_of_its_start() -> None:
    plan = MeterPlan("sdm630", HOME, since_utc=MIDNIGHT, import_mwh=5_000_000, export_mwh=7_000_000)
    meter = plan.build()
    quantum = int(meter.profile.energy_quantum_wh * 1_000)
    for hours in range(0, 25, 3):
        at = MIDNIGHT + hours * 3_600
        exact = meter._integral.energy_wms(MIDNIGHT, at)
        held = meter.moment(at).energy_mwh
        assert held.import_ == 5_000_000 + exact.import_ // WMS_PER_MWH // quantum * quantum
        assert held.export == 7_000_000 + exact.export // WMS_PER_MWH // quantum * quantum


def test_registers_stand_still_before_the_installation_began() -> None:
    meter = MeterPlan("sdm120", Installation(seed=1), since_utc=MIDNIGHT, import_mwh=9_000).build()
    assert (
        meter.moment(MIDNIGHT - 5_000).energy_mwh == meter.moment(MIDNIGHT).energy_mwh == Flow(9_000, 0, (9_000,), (0,))
    )


@pytest.mark.parametrize("load", ["household", "lab", "none"])
def test_one_seed_is_one_day_and_another_seed_another(load: LoadKind) -> None:
    here = Installation(seed=1, weather_seed=1, load=load, pv_peak_w=3_000)
    assert net_watts(here, 20_000) == net_watts(here, 20_000)
    assert net_watts(here, 20_000) != net_watts(here, 20_001)
    assert net_watts(here, 20_000) != net_watts(dataclasses.replace(here, weather_seed=2), 20_000)


def test_neighbours_share_the_sky_and_not_the_kettle() -> None:
    home = Installation(seed=1, load="none", pv_peak_w=3_000)
    assert net_watts(home, 20_000) == net_watts(dataclasses.replace(home, seed=2), 20_000)
    house = Installation(seed=1)
    assert net_watts(house, 20_000) != net_watts(dataclasses.replace(house, seed=2), 20_000)


def test_the_sun_is_highest_at_noon_and_gives_nothing_at_night() -> None:
    heights = [sine_of_elevation(MIDNIGHT + 600 * k, CAMPUS) for k in range(144)]
    assert heights.index(max(heights)) == 72
    assert clear_share(MIDNIGHT, CAMPUS) == 0.0
    june, december = (datetime(2026, month, 21, 12, tzinfo=UTC).timestamp() for month in (6, 12))
    north = dataclasses.replace(CAMPUS, latitude_deg=50.0)
    assert clear_share(june, north) > 2 * clear_share(december, north)


def test_the_sky_has_a_value_between_a_tenth_and_one_for_each_minute() -> None:
    sky = clearness(20_000, 1)
    assert len(sky) == 1_440
    assert 0.1 <= min(sky) < max(sky) <= 1.0


def test_a_meter_does_not_fit_an_installation_with_other_phases() -> None:
    with pytest.raises(MeterPlanError, match="phases"):
        MeterPlan("sdm120", Installation(seed=1, phases=3)).build()
