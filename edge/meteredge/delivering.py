"""The thread that delivers: each meter's records in their turn, when a slot was closed and until all are final."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from meteredge.agent import Agent
from meteredge.clock import Clock
from meteredge.journal_schema import JournalError
from meteredge.reconcile import DeliveryStopped
from meteredge.refusals import Verdict
from meteredge.told import Teller

DELIVER_AGAIN_S = 5.0
"""How soon to look whether what was sent is final, and the first pause after a failure."""
DELIVER_AGAIN_MOST_S = 300.0
IDLE_S = 900.0
NOT_ENROLLED_S = 30.0
"""How soon to look again whether the meter was assigned: until then no slot can be closed."""
CLOCK_APART_S = 30.0
"""The chain takes readings up to so far in its future (MAX_FUTURE_SKEW_SECS)."""

log = logging.getLogger("meterbridge")


@dataclass
class Deliverer:
    """One meter's records on their way."""

    name: str
    agent: Agent
    told: Teller
    on_change: Callable[[], None]
    """Records changed their state."""
    woken: threading.Event = field(default_factory=threading.Event)
    """Set when there is something new to deliver."""
    next_at: float = 0.0
    failures: int = 0
    stopped: DeliveryStopped | None = None
    """Why nothing is delivered any more."""

    def step(self, clock: Clock) -> None:
        """One delivery; `next_at` says when the next one is due."""
        self.woken.clear()
        self.next_at = clock.monotonic() + self._deliver()

    def _deliver(self) -> float:
        """Returns how long to wait."""
        try:
            report = self.agent.deliver()
        except DeliveryStopped as stopped:
            log.error("%s: %s", self.name, stopped)
            self.stopped = stopped
            return IDLE_S
        except JournalError as error:
            self.told.warn(f"{self.name}: {error}", type(error))
            self.failures += 1
            return self._pause_s()
        self.failures = self.failures + 1 if report.verdict else 0
        if report.problem:
            self.told.warn(f"{self.name}: {report.problem}")
        else:
            self.told.forget()
        if report.chain_ahead_s is not None and abs(report.chain_ahead_s) > CLOCK_APART_S:
            apart = f"our clock and the chain's are {report.chain_ahead_s:.0f} s apart: check the time service"
            self.told.warn(apart, "clocks apart")
        for seq, code in report.refused:
            log.warning("%s: record %d was refused by the chain: %s", self.name, seq, code)
        if report.sent or report.final or report.refused:
            self.on_change()
        if report.verdict is Verdict.RETRY:
            return self._pause_s()
        if self.agent.journal.install() is None:
            return NOT_ENROLLED_S
        return DELIVER_AGAIN_S if report.verdict is None and self.agent.journal.undelivered() else IDLE_S

    def _pause_s(self) -> float:
        """5 s, 10 s, 20 s … at most 5 min."""
        return min(DELIVER_AGAIN_S * 2.0 ** min(self.failures - 1, 10), DELIVER_AGAIN_MOST_S)


def deliver(deliverers: Sequence[Deliverer], clock: Clock, stop: threading.Event, wake: threading.Event) -> None:
    """Deliver until `stop` is set or no meter is left that may; `wake` ends a pause."""
    while not stop.is_set():
        wake.clear()
        for each in deliverers:
            if not each.stopped and not stop.is_set() and (each.woken.is_set() or clock.monotonic() >= each.next_at):
                each.step(clock)
        left = [each for each in deliverers if not each.stopped]
        if not left:
            stop.set()
            return
        wake.wait(max(0.0, min(each.next_at for each in left) - clock.monotonic()))
