"""Clocks that are passed in."""

import pytest

from meteredge.clock import SystemClock, VirtualClock


def test_a_virtual_clock_moves_only_when_told() -> None:
    clock = VirtualClock(1_000.0)
    clock.advance(2.5)
    assert (clock.utc(), clock.monotonic()) == (1_002.5, 2.5)


def test_sleeping_on_a_virtual_clock_takes_no_time_and_passes_all_of_it() -> None:
    clock = VirtualClock(0.0)
    clock.sleep(3_600)
    clock.sleep(-1)
    assert clock.utc() == 3_600


def test_setting_the_date_leaves_the_monotonic_count_alone() -> None:
    clock = VirtualClock(5_000.0)
    clock.advance(10)
    clock.set_utc(100.0)
    assert (clock.utc(), clock.monotonic()) == (100.0, 10)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        VirtualClock(0.0).advance(-1)


def test_the_system_clock_is_the_hosts() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(0)
    assert clock.monotonic() >= before
    assert clock.utc() > 1_600_000_000
