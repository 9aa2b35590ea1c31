"""Keeping the snapshot fresh, in a thread: the agent every few seconds, the doctor every few minutes."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from meteredge.clock import Clock
from meteredge.close_window import seconds_left_of_window
from meteredge.config import AgentConfig
from meteredge.doctor.sheet import Sheet
from meteredge.page.snapshot import Snapshot, take

LOOK_EVERY_S = 5.0
DOCTOR_EVERY_S = 300.0


@dataclass
class Board:
    """The newest snapshot, shared between the thread that takes it and those that show it."""

    config: AgentConfig
    clock: Clock
    examine: Callable[[AgentConfig], Sheet]
    """The doctor, for one meter."""
    on_look: Callable[[], None] = lambda: None
    """After each look: the watchdog is fed here."""
    number: int = 0
    """Counts the snapshots."""
    _sheets: dict[str, Sheet] = field(default_factory=dict)
    _examined_at: float | None = None
    _snapshot: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """The newest one; the first is taken when it is asked for."""
        return self._snapshot or self.look()

    def look(self) -> Snapshot:
        """Ask the agent and the journals."""
        self._snapshot = seen = take(self.config, self.clock.utc(), dict(self._sheets))
        self.number += 1
        self.on_look()
        return seen

    def examine_when_due(self) -> None:
        """Ask the doctor, unless that was done a while ago or a slot is being closed: he reads the meter."""
        due = self._examined_at is None or self.clock.monotonic() - self._examined_at >= DOCTOR_EVERY_S
        if due and not seconds_left_of_window(self.clock.utc()):
            self.examine_now()

    def examine_now(self) -> None:
        """Ask the doctor for every meter, at any time: while a slot is closed the agent itself makes him wait."""
        self._examined_at = self.clock.monotonic()
        for one in self.config.each():
            self._sheets[one.meter.id] = self.examine(one)

    def keep_fresh(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            self.look()
            self.examine_when_due()
            stop.wait(LOOK_EVERY_S)
