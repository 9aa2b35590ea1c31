"""The raw frames of the last minutes, for the support bundle: bounded in time, number and bytes, in memory alone."""

import threading
from collections import deque
from typing import get_args

from meteredge.clock import Clock
from meteredge.frame_log import Direction, Frame, FrameLog

KEPT_S = 900.0
KEPT_FRAMES = 6_000
"""One of 100 registers has 205 bytes: with their objects at most 3 MB, usually 0.3."""


class FrameRing:
    """`hear` is a bus's on_frame; `log` may be called from another thread."""

    def __init__(self, clock: Clock) -> None:
        """`clock` is the bus's own."""
        self._clock = clock
        self._frames: deque[tuple[float, Direction, bytes]] = deque(maxlen=KEPT_FRAMES)
        self._lock = threading.Lock()
        self._known: dict[str, Direction] = {name: name for name in get_args(Direction)}

    def hear(self, at: float, direction: str, data: bytes) -> None:
        """Keep a frame; a request that had no answer leaves none."""
        if not data:
            return
        with self._lock:
            self._frames.append((at, self._known[direction], data))
            while self._frames[0][0] < at - KEPT_S:
                self._frames.popleft()

    def log(self, seconds: float, baud: int, character: str) -> FrameLog:
        """The frames of the last `seconds`, their times from the first of them on."""
        now, utc = self._clock.monotonic(), self._clock.utc()
        with self._lock:
            kept = [frame for frame in self._frames if frame[0] >= now - seconds]
        began = kept[0][0] if kept else now
        return FrameLog(
            baud, character, utc - (now - began), tuple(Frame(at - began, way, data) for at, way, data in kept)
        )
