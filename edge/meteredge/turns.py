"""Whose turn it is on a bus that several meters share: a pure function of the time and of what happened so far.

The rule is one: among those that are ready, the one that has waited longest since it was last tried.  So nobody
starves, whatever the others cost, and nobody is tried twice while another one is ready.  Ready is a meter

- that was never tried;
- `poll_s` after its last try, or, if it failed n times in a row, n times 2 s after it, at most 5 min;
- 5 s before the end of a slot, and at its end;
- while its slot waits to be closed: at once, and after a failure so soon that, with the time that the others take, it
  is tried again within 10 s (where the meters together take less than 8 s, and each less than 2).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from meteredge.close_window import AWAKE_BEFORE_S

BACKOFF_STEP_S = 2.0
BACKOFF_MOST_S = 300.0
"""A meter that does not answer is asked after 2 s, 4 s, 6 s … at most 5 min."""
CLOSE_RETRY_S = 8.0
"""A close that failed is tried again so long after its last try began; with the try itself less than every 10 s."""
DUE_AGAIN_S = 0.2
"""A slot that waits is looked at no more often, however quickly a try ends."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One meter as the order of turns sees it."""

    poll_s: float
    """Seconds between looks at a healthy meter."""
    to_close_s: float
    """Seconds to the next end of a slot that this meter can close; 0 while one waits."""
    tried_at: float | None = None
    """When its last try began, monotonic seconds; None before the first."""
    took_s: float = 0.0
    """How long that try took."""
    failures: int = 0
    """Tries in a row that failed."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The seat whose turn it is, or None and how long there is nothing to do."""

    seat: int | None
    wait_s: float = 0.0


def next_turn(now: float, seats: Sequence[Seat]) -> Turn:
    """Whose turn it is at `now` (monotonic seconds)."""
    all_take_s = sum(seat.took_s for seat in seats)
    ready = [ready_at(now, seat, all_take_s - seat.took_s) for seat in seats]
    waiting = [index for index, at in enumerate(ready) if at <= now]
    if not waiting:
        return Turn(None, min(ready, default=now + BACKOFF_MOST_S) - now)
    return Turn(min(waiting, key=lambda index: _tried_at(seats[index])))


def ready_at(now: float, seat: Seat, others_take_s: float) -> float:
    """When the seat wants its next turn, monotonic seconds; `now` or before means at once."""
    if seat.tried_at is None:
        return now
    if seat.to_close_s <= 0:
        return seat.tried_at + (max(DUE_AGAIN_S, CLOSE_RETRY_S - others_take_s) if seat.failures else DUE_AGAIN_S)
    usual_s = min(seat.failures * BACKOFF_STEP_S, BACKOFF_MOST_S) if seat.failures else seat.poll_s
    ends_at = now + seat.to_close_s
    awake_at = ends_at - AWAKE_BEFORE_S
    wanted = min(seat.tried_at + usual_s, ends_at)
    return min(wanted, awake_at) if seat.tried_at < awake_at else wanted


def _tried_at(seat: Seat) -> float:
    return float("-inf") if seat.tried_at is None else seat.tried_at
