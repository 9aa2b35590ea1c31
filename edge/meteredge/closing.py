"""The thread that reads: each meter in its turn, each slot closed in its window.

The watchdog is fed by this thread alone, after a turn that ended in a reading or in a reason for none that the status
shows, and while nobody's turn has come.  A read that never returns starves it, and systemd starts the agent again.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from meteredge.agent import Agent
from meteredge.bus_errors import BusError, PortLent
from meteredge.clock import Clock
from meteredge.journal import Row, UnknownInstall
from meteredge.journal_schema import JournalError
from meteredge.reconcile import DeliveryStopped
from meteredge.slots import SlotStaysOpen
from meteredge.told import Teller
from meteredge.turns import Seat, next_turn

LONGEST_WAIT_S = 10.0
"""A clock that is set across a slot's end is noticed within this time, far inside the slot's window."""

log = logging.getLogger("meterbridge")


@dataclass
class Closer:
    """One meter and what happened in its turns."""

    name: str
    agent: Agent
    poll_s: float
    told: Teller
    on_close: Callable[[Row], None]
    """A record was stored."""
    on_turn: Callable[[], None]
    """Something happened: the status is another one."""
    tried_at: float | None = None
    took_s: float = 0.0
    failures: int = 0
    stopped: bool = field(default=False, init=False)

    def seat(self) -> Seat:
        """For `next_turn`."""
        return Seat(self.poll_s, self.agent.seconds_to_close(), self.tried_at, self.took_s, self.failures)

    def take_turn(self, clock: Clock) -> None:
        """Close the slot that is due, or look at the meter.  What fails is told and counted."""
        began = self.tried_at = clock.monotonic()
        try:
            waits = self.agent.seconds_to_close() <= 0
            row = _close(self.agent)
            if row is not None:
                log.info("%s: slot %s closed, record %d", self.name, _clock_time(row.slot), row.seq)
                self.on_close(row)
            elif not waits:
                self.agent.read()
            self.failures = 0
            self.told.forget()
        except DeliveryStopped:
            self.stopped = True
        except PortLent:
            self.failures = 0  # nobody's fault: it is looked at again at its cadence
        except (BusError, SlotStaysOpen, JournalError) as error:
            self.failures += 1
            self.told.warn(f"{self.name}: {error}", type(error))
        self.took_s = clock.monotonic() - began
        self.on_turn()


def close_slots(
    closers: Sequence[Closer],
    clock: Clock,
    stop: threading.Event,
    *,
    slot_is_due: Callable[[], None],
    alive: Callable[[], None],
    alive_every_s: float | None = None,
) -> None:
    """Give turns until `stop` is set, or no meter is left that may sign.

    `slot_is_due` is told before a slot is closed; `alive` that all goes on, every `alive_every_s` at least.
    """
    while not stop.is_set():
        left = [closer for closer in closers if not closer.stopped]
        if not left:
            return
        seats = [closer.seat() for closer in left]
        turn = next_turn(clock.monotonic(), seats)
        alive()
        if turn.seat is None:
            stop.wait(min(turn.wait_s, LONGEST_WAIT_S, alive_every_s or LONGEST_WAIT_S))
            continue
        if seats[turn.seat].to_close_s <= 0:
            slot_is_due()
        left[turn.seat].take_turn(clock)


def _close(agent: Agent) -> Row | None:
    try:
        return agent.close_due_slot()
    except UnknownInstall:  # the forwarder has told why the chain was not seen; the meter can be looked at meanwhile
        return None


def _clock_time(slot: int) -> str:
    return datetime.fromtimestamp(slot, UTC).strftime("%Y-%m-%d %H:%M")
