"""Time, passed in: nothing in this package reads a clock of its own.

The agent gets two: one for the bus (deadlines, gaps between frames) and one for the slots.  In the field both are the
same SystemClock; the demo runs slots on a VirtualClock while the bus keeps the time of the wire.
"""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """UTC for what is signed, a monotonic count for what is measured."""

    def utc(self) -> float:
        """Unix seconds.  May jump when the host's clock is set."""

    def monotonic(self) -> float:
        """Seconds since some fixed instant; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock; at once if not positive."""


_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the host sleeps (Linux); a clock that stood still would date readings wrongly."""


class SystemClock:
    """The host's clock."""

    def utc(self) -> float:
        """Unix seconds of CLOCK_REALTIME."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of CLOCK_BOOTTIME."""
        return time.clock_gettime(_BOOTTIME)

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        if seconds > 0:
            time.sleep(seconds)


class VirtualClock:
    """A clock that moves only when told: `advance`, or a `sleep`, which advances instead of waiting."""

    def __init__(self, utc0: float, monotonic0: float = 0.0) -> None:
        self._utc = float(utc0)
        self._monotonic = float(monotonic0)
        self._lock = threading.Lock()

    def utc(self) -> float:
        """Unix seconds as told."""
        with self._lock:
            return self._utc

    def monotonic(self) -> float:
        """Seconds advanced since the start, jumps of UTC not counted."""
        with self._lock:
            return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass.  Raises ValueError if negative: time does not go back, `set_utc` does."""
        if seconds < 0:
            raise ValueError(f"time does not go back: advance({seconds})")
        with self._lock:
            self._utc += seconds
            self._monotonic += seconds

    def set_utc(self, utc: float) -> None:
        """Jump: what the host's clock does when it is corrected; the monotonic count stays."""
        with self._lock:
            self._utc = float(utc)

    def sleep(self, seconds: float) -> None:
        """Pass `seconds` at once."""
        if seconds > 0:
            self.advance(seconds)
