"""Guards 4 and 5: what a pair of readings may and may not be."""

from dataclasses import dataclass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meterchain.units import Mwh
from meteredge.guards import Rated, most_mwh, pair_breach, rise_mwh, signed_breach

RATED = Rated(max_export_w=10_000, max_import_w=20_000)
KWH = 1_000_000


@dataclass(frozen=True)
class Two:
    """Two registers."""

    export_mwh: Mwh
    import_mwh: Mwh
    quantum_mwh: int = 1_000


def two(export_mwh: int, import_mwh: int, quantum_mwh: int = 1_000) -> Two:
    return Two(Mwh(export_mwh), Mwh(import_mwh), quantum_mwh)


def test_a_pair_that_agrees_passes() -> None:
    assert pair_breach(two(5 * KWH, 7 * KWH), two(5 * KWH, 7 * KWH), 0.2, RATED) is None


def test_a_pair_may_differ_by_one_quantum() -> None:
    assert pair_breach(two(5 * KWH, 0), two(5 * KWH + 1_000, 0), 0.0, RATED) is None
    assert pair_breach(two(5 * KWH, 0), two(5 * KWH + 1_001, 0), 0.0, RATED) is not None


def test_a_pair_that_falls_is_a_breach_in_either_register() -> None:
    for second in (two(5 * KWH - 1, 7 * KWH), two(5 * KWH, 7 * KWH - 1)):
        breach = pair_breach(two(5 * KWH, 7 * KWH), second, 1.0, RATED)
        assert breach is not None
        assert (breach.guard, breach.kind) == (4, "pair")


def test_each_direction_has_its_own_rated_power() -> None:
    moved = most_mwh(15_000, 3_600) + 1_000
    assert signed_breach(two(0, 0), two(0, moved), 3_600, RATED) is None
    breach = signed_breach(two(0, 0), two(moved, 0), 3_600, RATED)
    assert breach is not None
    assert (breach.kind, breach.register) == ("too_fast", "export")


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from([0, 10**9]), st.floats(0, 86_400))
def test_a_meter_that_is_turned_round_without_a_new_enrolment_is_never_signed(
    export_mwh: int, import_mwh: int, modulus_mwh: int, seconds: float
) -> None:
    assume(export_mwh != import_mwh)
    rated = Rated(1_000, 1_000, modulus_mwh)
    moved = most_mwh(1_000, seconds) + 1_000
    assume(not modulus_mwh or modulus_mwh - abs(export_mwh - import_mwh) > moved)
    signed, turned = two(export_mwh, import_mwh), two(import_mwh, export_mwh)
    assert signed_breach(signed, turned, seconds, rated) is not None


def test_a_fall_since_the_signed_reading_names_what_to_do() -> None:
    breach = signed_breach(two(5 * KWH, 0), two(4 * KWH, 0), 900, RATED)
    assert breach is not None
    assert breach.kind == "fell"
    assert "waits until the register passes" in str(breach)


def test_the_register_may_go_on_once_it_has_passed_the_signed_value() -> None:
    assert signed_breach(two(5 * KWH, 0), two(5 * KWH, 0), 900, RATED) is None


def test_a_wrap_at_the_modulus_is_a_rise() -> None:
    rated = Rated(10_000, 20_000, modulus_mwh=100 * KWH)
    assert signed_breach(two(100 * KWH - 5, 0), two(10, 0), 900, rated) is None
    assert rise_mwh(Mwh(100 * KWH - 5), Mwh(10), 100 * KWH) == 15


def test_a_reset_is_no_wrap() -> None:
    rated = Rated(10_000, 20_000, modulus_mwh=100 * KWH)
    breach = signed_breach(two(50 * KWH, 0), two(0, 0), 900, rated)
    assert breach is not None
    assert breach.kind == "fell"


@pytest.mark.parametrize(
    ("power_w", "seconds", "mwh"), [(1_000, 3_600, KWH), (3_600, 1, 1_000), (1, 1, 1), (0, 900, 0), (5, -1, 0)]
)
def test_power_times_time_is_energy_rounded_up(power_w: int, seconds: float, mwh: int) -> None:
    assert most_mwh(power_w, seconds) == mwh


@given(
    st.integers(0, 10**12),
    st.integers(0, 10**12),
    st.integers(0, 20_000),
    st.floats(0.1, 10_000),
)
def test_what_the_rated_power_can_move_always_passes(export: int, imported: int, watts: int, seconds: float) -> None:
    moved = min(watts, RATED.max_export_w) * seconds * 1_000 / 3_600
    assert signed_breach(two(export, imported), two(export + int(moved), imported), seconds, RATED) is None


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.floats(0, 10_000))
def test_no_fall_ever_passes_without_a_modulus(value: int, fall: int, seconds: float) -> None:
    lower = max(0, value - fall)
    assert signed_breach(two(value, 0), two(lower, 0), seconds, RATED) is not None
    assert pair_breach(two(0, value), two(0, lower), seconds, RATED) is not None


@given(st.integers(0, 10**12), st.integers(0, 10**9), st.floats(0, 10_000))
def test_no_rise_beyond_the_rated_power_ever_passes(value: int, extra: int, seconds: float) -> None:
    rise = most_mwh(RATED.max_export_w, seconds) + 1_001 + extra
    assert signed_breach(two(value, 0), two(value + rise, 0), seconds, RATED) is not None
