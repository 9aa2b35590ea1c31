"""The loop that puts wires on pseudo-terminals: real time in, bytes out at the moment their stop bit ends.

One loop serves any number of segments and a control channel.  A command goes in, one answer comes out; see `Command`.
"""

import ctypes
import select
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from metersim.bus.fault import Fault, StationPlan
from metersim.bus.line import Line
from metersim.bus.observed import Overheard
from metersim.bus.pty_port import PtyPort
from metersim.bus.timeline import Timeline
from metersim.bus.wire import Wire

_PR_SET_TIMERSLACK = 29
_BUSY_S = 0.000_05
KEPT_FRAMES = 100_000


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """One bus: its line, who answers on it, what goes wrong on it, and the by-id style link to its port.

    `grain_s`: the adapter hands characters over at most so much late, several at once (an FTDI's latency timer); 0 for
    each at its own time.  The last one of a reply is always on time.  With `eavesdrop` the last frames are kept for
    `GetFrames`.
    """

    line: Line
    stations: tuple[StationPlan, ...]
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    link: Path | None = None
    grain_s: float = 0.001
    strict_t35: bool = True
    strict_t15: bool = False
    eavesdrop: bool = False


@dataclass(frozen=True, slots=True)
class SetTime:
    """From now it is `utc_s` on all segments, and UTC runs `rate` times as fast as the real clock (0: stands still)."""

    utc_s: float
    rate: float


@dataclass(frozen=True, slots=True)
class SetFaults:
    """Replace the faults of a segment."""

    segment: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class SetMasterCharacter:
    """The master's character format, which a pty does not show; a wrong one is understood by nobody."""

    segment: int
    character: str


@dataclass(frozen=True, slots=True)
class GetTally:
    """Answered with the Tally of a segment."""

    segment: int


@dataclass(frozen=True, slots=True)
class GetFrames:
    """Answered with what was overheard on a segment since the last time, at most KEPT_FRAMES."""

    segment: int


@dataclass(frozen=True, slots=True)
class Unplug:
    """Close the port of a segment."""

    segment: int


@dataclass(frozen=True, slots=True)
class Plug:
    """Open it again, most often under another name; answered with the new path."""

    segment: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End the loop."""


Command = SetTime | SetFaults | SetMasterCharacter | GetTally | GetFrames | Unplug | Plug | Stop


@dataclass(slots=True)
class _Segment:
    plan: SegmentPlan
    wire: Wire
    port: PtyPort | None
    frames: deque[Overheard]


def serve(plans: Sequence[SegmentPlan], control: Connection, clock: Callable[[], float] = time.monotonic) -> None:
    """Serve until `Stop` arrives or the other end of `control` is gone.  First it sends the paths of the ports."""
    _sharpen_timers()
    segments = [_begin(plan) for plan in plans]
    for segment in segments:
        segment.wire.advance(clock())
    control.send(tuple(segment.port.path if segment.port else "" for segment in segments))
    try:
        while True:
            ready = _wait(segments, control, clock)
            if control in ready and not _obey(segments, control, clock):
                return
            for segment in segments:
                _serve_once(segment, segment.port is not None and segment.port.fd in ready, clock)
    finally:
        for segment in segments:
            if segment.port:
                segment.port.close()


def _begin(plan: SegmentPlan) -> _Segment:
    frames: deque[Overheard] = deque(maxlen=KEPT_FRAMES)
    wire = Wire(
        plan.line,
        [station.build() for station in plan.stations],
        faults=plan.faults,
        seed=plan.seed,
        strict_t35=plan.strict_t35,
        strict_t15=plan.strict_t15,
        eavesdropper=frames.append if plan.eavesdrop else None,
    )
    return _Segment(plan, wire, PtyPort(plan.line.baud, plan.link) if wire.plugged else None, frames)


def _sharpen_timers() -> None:
    """Ask Linux to wake this thread on time; without it a sleep may last 50 µs longer."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


def _wait(segments: Sequence[_Segment], control: Connection, clock: Callable[[], float]) -> list[Connection | int]:
    due = [at for segment in segments if (at := segment.wire.due(segment.plan.grain_s)) is not None]
    timeout = max(0.0, min(due) - clock()) if due else None
    if timeout is not None and timeout < _BUSY_S:
        timeout = 0.0
    sources: list[Connection | int] = [control, *(segment.port.fd for segment in segments if segment.port)]
    return select.select(sources, [], [], timeout)[0]


def _serve_once(segment: _Segment, readable: bool, clock: Callable[[], float]) -> None:
    wire, port = segment.wire, segment.port
    if readable and port and (data := port.read()):
        baud = port.baud()
        if baud is not None and baud != wire.master_line.baud:
            wire.master_line = replace(wire.master_line, baud=baud)
        wire.transmit(clock(), data)
    due = wire.due(segment.plan.grain_s)
    if due is None or due > (now := clock()):
        return
    arrived = wire.advance(now)
    if arrived and port:
        port.write(bytes(symbol.value for symbol in arrived))


def _obey(segments: Sequence[_Segment], control: Connection, clock: Callable[[], float]) -> bool:
    """Carry out one command and answer it; False when the loop is to end."""
    try:
        command: Command = control.recv()
    except EOFError:
        return False
    match command:
        case SetTime(utc_s, rate):
            timeline = Timeline(utc_s, clock(), rate)
            for segment in segments:
                segment.wire.timeline = timeline
            control.send(None)
        case SetFaults(index, faults):
            segment = segments[index]
            was_plugged, segment.wire.faults = segment.wire.plugged, faults
            if was_plugged != segment.wire.plugged:
                _set_plugged(segment, plugged=segment.wire.plugged)
            control.send(None)
        case SetMasterCharacter(index, character):
            wire = segments[index].wire
            wire.master_line = replace(wire.master_line, character=character)
            control.send(None)
        case GetTally(index):
            control.send(segments[index].wire.tally)
        case GetFrames(index):
            frames = segments[index].frames
            control.send(tuple(frames))
            frames.clear()
        case Unplug(index):
            _set_plugged(segments[index], plugged=False)
            control.send(None)
        case Plug(index):
            control.send(_set_plugged(segments[index], plugged=True))
        case Stop():
            control.send(None)
            return False
    return True


def _set_plugged(segment: _Segment, *, plugged: bool) -> str:
    """Close or open the port; the path that it has now, empty if none."""
    if plugged and segment.port is None:
        segment.port = PtyPort(segment.plan.line.baud, segment.plan.link)
    elif not plugged and segment.port is not None:
        segment.port.close()
        segment.port = None
    return segment.port.path if segment.port else ""
