"""How well the host knows the time: what a record's time status is taken from.

S  synchronised: a daemon (timesyncd, chrony, ntpd, PTP) keeps the host's clock within MAX_ERROR_S, says the kernel, or,
   where the sandbox keeps the kernel from answering, the file that timesyncd renews at each contact with a server;
I  informative: the date agrees with a clock that went on while the power was off (RTC);
U  unknown: a date before this software existed, or one that nobody vouches for.

`nodetime` makes the node's time of it, with what else the node has seen since it booted.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from meterchain.record import TimeStatus
from meteredge.clock import Clock

EARLIEST_S = 1_767_225_600
"""2026-01-01T00:00:00Z: an earlier date is a clock that was never set."""
MAX_ERROR_S = 2.0
MARK_FRESH_S = 4_000
"""timesyncd asks a server at least every 2,048 s; a clock that is off by 500 ppm at most is 2 s away after 4,000 s."""
RTC_APART_S = 30.0
"""The RTC counts whole seconds and drifts; a date that it does not confirm to so many seconds is not confirmed."""
TIMESYNC_MARK = Path("/run/systemd/timesync/synchronized")
RTC_NOW = Path("/sys/class/rtc/rtc0/since_epoch")

_STA_UNSYNC, _STA_NANO = 0x0040, 0x2000
_TIME_ERROR = 5


class TimeSource(Protocol):
    """Says how far `utc` may be believed."""

    def status(self, utc: float) -> TimeStatus:
        """S, I or U for the host's clock showing `utc` (Unix seconds)."""


@dataclass(frozen=True, slots=True)
class KernelTime:
    """What the kernel says of its clock; seconds."""

    synchronised: bool
    offset_s: float
    max_error_s: float

    @property
    def is_good(self) -> bool:
        """Within MAX_ERROR_S of true time."""
        return self.synchronised and abs(self.offset_s) < MAX_ERROR_S and self.max_error_s < MAX_ERROR_S


class HostTime:
    """The host's own word for it."""

    def __init__(
        self,
        clock: Clock,
        *,
        kernel: Callable[[], KernelTime | None] | None = None,
        mark: Path = TIMESYNC_MARK,
        rtc: Path = RTC_NOW,
    ) -> None:
        """`kernel` answers None where it may not be asked; the default asks by adjtimex(2)."""
        self._clock = clock
        self._kernel = kernel or ask_kernel
        self._mark = mark
        self._rtc = rtc
        self._marked: tuple[float, float] | None = None
        """When the mark was last renewed, and UTC minus the monotonic count when that was first seen."""

    def status(self, utc: float) -> TimeStatus:
        """See TimeSource.status."""
        if utc < EARLIEST_S:
            return TimeStatus.UNKNOWN
        kernel = self._kernel()
        if self._is_marked(utc) if kernel is None else kernel.is_good:
            return TimeStatus.SYNCHRONISED
        return TimeStatus.INFORMATIVE if self._agrees_with_rtc(utc) else TimeStatus.UNKNOWN

    def _is_marked(self, utc: float) -> bool:
        """Is timesyncd's mark fresh, and was the clock left alone since?"""
        try:
            renewed = self._mark.stat().st_mtime
        except OSError:
            return False
        offset = utc - self._clock.monotonic()
        if self._marked is None or self._marked[0] != renewed:
            self._marked = renewed, offset
        return -MAX_ERROR_S < utc - renewed < MARK_FRESH_S and abs(offset - self._marked[1]) < MAX_ERROR_S

    def _agrees_with_rtc(self, utc: float) -> bool:
        try:
            return abs(utc - int(self._rtc.read_text("ascii"))) <= RTC_APART_S
        except (OSError, ValueError):
            return False


class ToldTime:
    """A source that says what it was told: for clocks that are not the host's (simulated time)."""

    def __init__(self, status: TimeStatus = TimeStatus.SYNCHRONISED) -> None:
        self.now = status

    def status(self, utc: float) -> TimeStatus:
        """What was told, whatever `utc` is, unless it is before EARLIEST_S."""
        return TimeStatus.UNKNOWN if utc < EARLIEST_S else self.now


class _Timex(ctypes.Structure):
    """struct timex of Linux on 64-bit machines, as far as it is read here (adjtimex(2))."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("rest", ctypes.c_byte * 256),
    )  # fmt: skip


def ask_kernel() -> KernelTime | None:
    """What adjtimex(2) says; None where it may not be asked (a sandbox without @clock, or no Linux)."""
    try:
        ask = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    answer = _Timex()
    state = ask(ctypes.byref(answer))
    if state < 0:
        return None
    synchronised = state != _TIME_ERROR and not answer.status & _STA_UNSYNC
    return KernelTime(synchronised, answer.offset / (1e9 if answer.status & _STA_NANO else 1e6), answer.maxerror / 1e6)
