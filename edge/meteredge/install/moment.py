"""When the agent may be restarted: never while a slot is being closed, or one waits to be delivered.

A slot is unsent from its end until the chain has shown its record.  The quiet part of each 900 s begins when every
meter has closed and delivered, and ends so early that a new version can fail and the old one be back in time.
"""

from collections.abc import Callable
from pathlib import Path

from meterchain.units import SLOT_S
from meteredge.clock import Clock
from meteredge.close_window import AWAKE_BEFORE_S, WINDOW_S, seconds_left_of_window, seconds_to_window
from meteredge.install.errors import UpdateBusy
from meteredge.install.health import HEALTHY_WITHIN_S
from meteredge.install.host import Host
from meteredge.install.journals import closes_slots, journals_of, last_slot, undelivered

TRIAL_S = HEALTHY_WITHIN_S + 60.0
"""No restart so shortly before a close window: the new version is heard out, and the old one reads again by then."""
LOOK_AGAIN_S = 10.0
WAIT_AT_MOST_S = 3_600.0


def seconds_to_wait(now: float) -> float:
    """How long to wait for a restart that costs no slot: 0 in the quiet part of each 900 s."""
    soon = seconds_to_window(now)
    return soon + AWAKE_BEFORE_S + WINDOW_S if 0 < soon < TRIAL_S else seconds_left_of_window(now)


def refuse_unless_quiet(host: Host, clock: Clock, *, with_unsent: bool) -> None:
    """Raises UpdateBusy while a slot is unsent, if there is an agent that closes any."""
    if not host.is_running:
        return
    journals = [path for path in journals_of(host) if closes_slots(path)]
    now = clock.utc()
    wait = seconds_to_wait(now) if journals else 0.0
    if wait and not (now % SLOT_S <= WINDOW_S and all(_is_closed(path, now) for path in journals)):
        raise UpdateBusy(f"a slot is being closed; try again in {wait:.0f} s, or with --wait")
    waiting = 0 if with_unsent else sum(map(undelivered, journals))
    if waiting:
        raise UpdateBusy(
            f"{waiting} records wait to be delivered; try again when `meterbridge agent status` shows them final, or "
            "with --wait; --with-unsent goes on where the update is what repairs the delivery"
        )


def wait_until_quiet(host: Host, clock: Clock, told: Callable[[str], None], *, with_unsent: bool) -> None:
    """Return in a quiet moment.  Raises UpdateBusy if there was none for an hour."""
    until, said = clock.monotonic() + WAIT_AT_MOST_S, ""
    while True:
        try:
            refuse_unless_quiet(host, clock, with_unsent=with_unsent)
        except UpdateBusy as busy:
            if clock.monotonic() >= until:
                raise
            reason = str(busy).partition(";")[0]
            if reason != said:
                told(f"waiting: {reason}")
                said = reason
            clock.sleep(LOOK_AGAIN_S)
        else:
            return


def _is_closed(path: Path, now: float) -> bool:
    """True if the meter has its record of the slot that ended last."""
    return last_slot(path) >= now - now % SLOT_S - SLOT_S
