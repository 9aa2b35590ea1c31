"""A relay, turn after turn: the broker's messages come in on a thread of their own, turns are taken on the caller's.

What arrives waits in a queue of bounded length; when it is full the oldest message goes: its node publishes again.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meterchain.relay.delivery import Relay, Turn
from meterchain.relay.window import Window, WindowError, decode, meter_of

if TYPE_CHECKING:
    from meterchain.relay.broker import Broker

MOST_WAITING = 2_000
"""Windows in the queue; one has at most 6.4 kB."""
GATHER_S = 0.5
"""After a first message others are waited for so long: neighbours close their slots together and share transactions."""
WAIT_S = 1.0
"""How soon a relay leaves that is told to."""
LOOK_S = 30.0
"""A relay to which nothing came looks at the chain so often: what it holds may be due again."""


@dataclass
class Intake:
    """Windows on their way from the broker's thread; anything else is counted and dropped."""

    domain: bytes
    arrived: "queue.Queue[Window]" = field(default_factory=lambda: queue.Queue(MOST_WAITING))
    strange: int = 0
    dropped: int = 0
    problem: str | None = "the broker was not reached yet"

    def take(self, topic: str, payload: bytes) -> None:
        """What the broker's thread calls with each message."""
        try:
            window = decode(payload)
            if meter_of(topic, self.domain) != window.meter_id:
                raise WindowError(f"{window.meter_id} published under {topic}")
        except WindowError:
            self.strange += 1
            return
        while True:
            try:
                self.arrived.put_nowait(window)
            except queue.Full:
                with suppress(queue.Empty):
                    self.arrived.get_nowait()
                    self.dropped += 1
            else:
                return

    def note(self, problem: str | None) -> None:
        """What is wrong with the broker; None when it listens to us."""
        self.problem = problem

    def gather(self, wait_s: float, gather_s: float) -> list[Window]:
        """The windows that came within `wait_s`, and `gather_s` after the first one."""
        try:
            found = [self.arrived.get(timeout=wait_s)]
        except queue.Empty:
            return []
        threading.Event().wait(gather_s)
        with suppress(queue.Empty):
            while True:
                found.append(self.arrived.get_nowait())
        return found


@contextmanager
def listening(broker: "Broker", intake: Intake, group: str, name: str) -> Iterator[None]:
    """Fill `intake` from the broker in a thread of its own, until the block ends."""
    from meterchain.relay.broker import listen

    loop = asyncio.new_event_loop()
    task = loop.create_task(listen(broker, intake.domain, group, name, intake.take, intake.note))

    def serve() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=serve, name="broker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


def run(relay: Relay, intake: Intake, stop: threading.Event, watch: Callable[[Turn], None]) -> None:
    """Take turns until `stop` is set.  `watch` is told what each came to.  Raises TablesError."""
    quiet_s = 0.0
    while not stop.is_set():
        arrived = intake.gather(WAIT_S, GATHER_S)
        quiet_s = 0.0 if arrived else quiet_s + WAIT_S
        if arrived or quiet_s >= LOOK_S:
            quiet_s = 0.0
            watch(relay.turn(arrived))
