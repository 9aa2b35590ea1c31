"""When the running agent wakes."""

from hypothesis import given
from hypothesis import strategies as st

from meteredge.service import next_pause_s


def test_a_healthy_meter_is_looked_at_at_its_cadence() -> None:
    assert next_pause_s(600, 0, 10) == 10


def test_a_dead_meter_is_asked_ever_less_often_but_at_least_every_five_minutes() -> None:
    assert [next_pause_s(900, failures, 10) for failures in (1, 2, 3, 200)] == [2, 4, 6, 300]


def test_while_a_slot_can_be_closed_a_dead_meter_is_tried_every_8_seconds() -> None:
    assert next_pause_s(0, 500, 10) == 8


def test_a_slot_that_is_due_is_not_waited_for() -> None:
    assert next_pause_s(0, 0, 10) == 0


def test_five_seconds_before_a_slots_end_a_dead_meter_is_tried_again() -> None:
    assert next_pause_s(200, 400, 10) == 195
    assert next_pause_s(5, 400, 10) == 5


@given(until=st.floats(0.001, 1_000), failures=st.integers(0, 10_000), poll=st.floats(1, 300))
def test_nothing_sleeps_across_the_end_of_a_slot(until: float, failures: int, poll: float) -> None:
    assert 0 < next_pause_s(until, failures, poll) <= until
