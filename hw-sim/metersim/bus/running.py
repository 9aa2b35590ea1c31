"""Running buses: the loop in a process of its own (its timing owes nothing to the caller's work) or in a thread.

with running.in_process([SegmentPlan(Line(9600), (plan,))]) as buses:
    buses.set_time(noon)
    ... open buses.ports[0] ...
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Self

from metersim.bus import loop
from metersim.bus.fault import Fault
from metersim.bus.loop import Command, SegmentPlan
from metersim.bus.observed import Overheard, Tally

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0


class BusGone(Exception):
    """The loop has ended or never started; the message says what it was asked."""


class RunningBuses:
    """The caller's end of the control channel.  Any thread may use it; a call returns when the loop has obeyed."""

    def __init__(self, control: Connection, worker: BaseProcess | threading.Thread) -> None:
        self._control = control
        self._worker = worker
        self._lock = threading.Lock()
        if not control.poll(START_TIMEOUT_S):
            raise BusGone(f"the bus did not start within {START_TIMEOUT_S:.0f} s: see its error on stderr")
        try:
            self._ports: list[str] = list(control.recv())
        except EOFError as error:
            raise BusGone("the bus ended while starting: see its error on stderr") from error

    @property
    def ports(self) -> tuple[str, ...]:
        """The path that a master opens, by segment."""
        return tuple(self._ports)

    @property
    def pid(self) -> int:
        """The process that serves: one of its own, or the caller's."""
        own = getattr(self._worker, "pid", None)
        return os.getpid() if own is None else int(own)

    def set_time(self, utc_s: float, rate: float = 0.0) -> None:
        """Put all meters at `utc_s` (Unix seconds); from there their time runs `rate` times as fast as ours."""
        self._ask(loop.SetTime(utc_s, rate))

    def set_faults(self, segment: int, *faults: Fault) -> None:
        """Let `faults`, and no others, act on a segment."""
        self._ask(loop.SetFaults(segment, faults))

    def set_master_character(self, segment: int, character: str) -> None:
        """Say which character format the master has set, e.g. "8E1": a pty does not show it."""
        self._ask(loop.SetMasterCharacter(segment, character))

    def tally(self, segment: int) -> Tally:
        """What the wire of a segment has seen so far."""
        answer = self._ask(loop.GetTally(segment))
        if not isinstance(answer, Tally):
            raise BusGone(f"the bus answered {answer!r} instead of a tally")
        return answer

    def overheard(self, segment: int) -> tuple[Overheard, ...]:
        """The frames on a segment since the last call (its plan says `eavesdrop`)."""
        frames = self._ask(loop.GetFrames(segment))
        if not isinstance(frames, tuple):
            raise BusGone(f"the bus answered {frames!r} instead of frames")
        return frames

    def unplug(self, segment: int) -> None:
        """Pull the adapter out: the port closes under the master."""
        self._ask(loop.Unplug(segment))

    def plug(self, segment: int) -> str:
        """Plug it in again; returns the path, most often a new one (a link follows it)."""
        self._ports[segment] = str(self._ask(loop.Plug(segment)))
        return self._ports[segment]

    def stop(self) -> None:
        """End the loop and close its ports.  A second call does nothing."""
        if self._control.closed:
            return
        try:
            self._ask(loop.Stop())
        except BusGone:
            pass
        finally:
            self._control.close()
        self._worker.join(STOP_TIMEOUT_S)

    def _ask(self, command: Command) -> object:
        with self._lock:
            try:
                self._control.send(command)
                answer: object = self._control.recv()
            except (OSError, EOFError) as error:
                raise BusGone(f"the bus is gone; it was asked {command}") from error
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def in_process(plans: Sequence[SegmentPlan]) -> RunningBuses:
    """Serve `plans` in one process of their own.  It ends with `stop`, or when the caller is gone.  Raises BusGone."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_serve_deaf_to_ctrl_c, args=(tuple(plans), theirs), daemon=True, name="metersim-bus"
    )
    process.start()
    theirs.close()
    return RunningBuses(ours, process)


def in_thread(plans: Sequence[SegmentPlan]) -> RunningBuses:
    """Serve `plans` in a thread of this process: quick to start, its timing suffers from what other threads do."""
    ours, theirs = multiprocessing.Pipe()
    thread = threading.Thread(target=loop.serve, args=(tuple(plans), theirs), daemon=True, name="metersim-bus")
    thread.start()
    return RunningBuses(ours, thread)


def _serve_deaf_to_ctrl_c(plans: Sequence[SegmentPlan], control: Connection) -> None:
    """Ctrl-C in a terminal reaches every process of the group; this one ends when its caller has."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop.serve(plans, control)
