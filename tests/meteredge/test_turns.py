"""Whose turn it is on a shared bus: fair, never across the end of a slot, and nobody is left out at a close."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meteredge.turns import Seat, next_turn, ready_at

SLOT_S, WINDOW_S = 900.0, 110.0


# --- one seat


def wait_s(to_close_s: float, failures: int, poll_s: float = 10.0, others_s: float = 0.0) -> float:
    """How long after a try that ended just now the next one may begin."""
    return ready_at(0.0, Seat(poll_s, to_close_s, 0.0, 0.0, failures), others_s)


def test_a_meter_that_was_never_tried_is_tried_at_once() -> None:
    assert next_turn(5.0, [Seat(10.0, 600.0)]).seat == 0


def test_a_healthy_meter_is_looked_at_at_its_cadence() -> None:
    assert wait_s(600, 0) == 10


def test_a_dead_meter_is_asked_ever_less_often_but_at_least_every_five_minutes() -> None:
    assert [wait_s(900, failures) for failures in (1, 2, 3, 200)] == [2, 4, 6, 300]


def test_while_a_slot_can_be_closed_a_dead_meter_is_tried_every_8_seconds() -> None:
    assert wait_s(0, 500) == 8


def test_the_more_time_the_others_take_the_sooner_a_dead_meter_is_tried_again() -> None:
    assert wait_s(0, 500, others_s=6) == 2
    assert wait_s(0, 500, others_s=60) == pytest.approx(0.2)


def test_a_slot_that_is_due_is_not_waited_for() -> None:
    assert wait_s(0, 0) == pytest.approx(0.2)


def test_five_seconds_before_a_slots_end_a_dead_meter_is_tried_again() -> None:
    assert wait_s(200, 400) == 195
    assert wait_s(5, 400) == 5


@given(until=st.floats(0.001, 1_000), failures=st.integers(0, 10_000), poll=st.floats(1, 300))
def test_nothing_waits_across_the_end_of_a_slot(until: float, failures: int, poll: float) -> None:
    assert 0 < wait_s(until, failures, poll) <= until


# --- the order


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20, unique=True))
def test_among_those_that_are_ready_the_one_that_waited_longest_has_its_turn(tried_at: list[float]) -> None:
    seats = [Seat(10.0, 600.0, at) for at in tried_at]
    assert next_turn(1_000.0, seats).seat == tried_at.index(min(tried_at))


def test_while_nobody_is_ready_the_wait_is_told() -> None:
    turn = next_turn(100.0, [Seat(10.0, 600.0, 98.0), Seat(10.0, 600.0, 95.0)])
    assert turn.seat is None
    assert turn.wait_s == 5.0


# --- hours on a bus


@dataclass
class Player:
    """A meter of the simulation, and when it was tried."""

    cost_s: float
    dead: bool
    poll_s: float
    tries: list[float] = field(default_factory=list)
    closed: dict[int, float] = field(default_factory=dict)
    failures: int = 0

    def to_close_s(self, now: float) -> float:
        slot, into = divmod(now, SLOT_S)
        return 0.0 if slot > 0 and into <= WINDOW_S and int(slot) not in self.closed else SLOT_S - into

    def seat(self, now: float) -> Seat:
        return Seat(
            self.poll_s, self.to_close_s(now), self.tries[-1] if self.tries else None,
            self.cost_s if self.tries else 0.0, self.failures,
        )  # fmt: skip


def play(players: Sequence[Player], until_s: float = 3 * SLOT_S) -> None:
    """Give turns by the rule until then; each try takes its meter's time."""
    now = 1.0
    while now < until_s:
        turn = next_turn(now, [player.seat(now) for player in players])
        if turn.seat is None:
            assert turn.wait_s > 0
            now += turn.wait_s
            continue
        player = players[turn.seat]
        waits = player.to_close_s(now) <= 0
        player.tries.append(now)
        if not player.dead and waits:
            player.closed[int(now // SLOT_S)] = now % SLOT_S
        now += player.cost_s
        player.failures = player.failures + 1 if player.dead else 0


def gaps(tries: Sequence[float], begin: float, end: float) -> list[float]:
    """Between two tries each, and from the limits of the time to the first and last."""
    inside = [begin, *(at for at in tries if begin <= at <= end), end]
    return [after - before for before, after in itertools.pairwise(inside)]


_players = st.builds(Player, cost_s=st.floats(0.05, 2.0), dead=st.booleans(), poll_s=st.floats(1, 300))
_bus = st.lists(_players, min_size=1, max_size=12).filter(lambda all_: sum(p.cost_s for p in all_) <= 8)


@settings(max_examples=25, deadline=None)
@given(_bus)
def test_around_a_slots_end_every_meter_is_tried_at_least_every_ten_seconds_until_it_is_closed(
    players: list[Player],
) -> None:
    play(players)
    for player in players:
        for edge in (SLOT_S, 2 * SLOT_S):
            until = edge + (WINDOW_S if player.dead else player.closed[int(edge // SLOT_S)])
            assert max(gaps(player.tries, edge - 5, until)) <= 10.01


@settings(max_examples=25, deadline=None)
@given(st.lists(_players, min_size=1, max_size=25))
def test_however_slow_and_dead_the_others_are_every_living_meter_closes_within_one_round(
    players: list[Player],
) -> None:
    play(players)
    round_s = sum(player.cost_s for player in players) + max(player.cost_s for player in players)
    for player in players:
        if not player.dead:
            assert sorted(player.closed) == [1, 2]
            assert max(player.closed.values()) <= round_s + 0.3


@settings(max_examples=25, deadline=None)
@given(_bus)
def test_dead_meters_are_left_alone_between_the_closes_and_cost_the_living_no_look(players: list[Player]) -> None:
    play(players)
    total = sum(player.cost_s for player in players)
    for player in players:
        between = [at for at in player.tries if SLOT_S + WINDOW_S + 1 < at < 2 * SLOT_S - 6]
        if player.dead:
            assert len(between) <= 30, "2 s, 4 s, 6 s … after each failure"
        else:
            assert max(gaps(between, SLOT_S + WINDOW_S + 1, 2 * SLOT_S - 6)) <= player.poll_s + total + 0.01


@settings(max_examples=30, deadline=None)
@given(st.lists(_players, min_size=2, max_size=12))
def test_nobody_is_tried_twice_while_another_one_is_ready(players: list[Player]) -> None:
    now = 1.0
    for _ in range(300):
        seats = [player.seat(now) for player in players]
        turn = next_turn(now, seats)
        if turn.seat is None:
            now += turn.wait_s
            continue
        all_s = sum(seat.took_s for seat in seats)
        for other, seat in enumerate(seats):
            if ready_at(now, seat, all_s - seat.took_s) <= now and other != turn.seat:
                assert (seat.tried_at or 0.0) >= (seats[turn.seat].tried_at or 0.0)
        players[turn.seat].tries.append(now)
        now += players[turn.seat].cost_s
