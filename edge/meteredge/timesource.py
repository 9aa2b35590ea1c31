"""How well the host knows the time: what a record's time status is taken from.

S  synchronised: systemd-timesyncd says so by a file, or the kernel's clock is disciplined (chrony, ntpd, PTP) to within
   MAX_ERROR_S;
I  informative: a believable date that nobody vouches for;
U  unknown: a date before this software existed, so no slot can be named and nothing is signed.

R (relative) belongs to records that are dated afterwards and is never given to a present instant.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from meterchain.record import TimeStatus

EARLIEST_S = 1_767_225_600
"""2026-01-01T00:00:00Z: an earlier date is a clock that was never set."""
MAX_ERROR_S = 2.0
TIMESYNC_MARK = Path("/run/systemd/timesync/synchronized")

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5


class TimeSource(Protocol):
    """Says how far `utc` may be believed."""

    def status(self, utc: float) -> TimeStatus:
        """The time status of a reading taken at `utc` (Unix seconds, the host's clock)."""


class HostTime:
    """The host's own word for it."""

    def __init__(self, mark: Path = TIMESYNC_MARK, disciplined: Callable[[], bool] | None = None) -> None:
        self._mark = mark
        self._disciplined = disciplined or kernel_clock_is_disciplined

    def status(self, utc: float) -> TimeStatus:
        """See TimeSource.status."""
        if utc < EARLIEST_S:
            return TimeStatus.UNKNOWN
        if self._mark.exists() or self._disciplined():
            return TimeStatus.SYNCHRONISED
        return TimeStatus.INFORMATIVE


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


def kernel_clock_is_disciplined() -> bool:
    """True if some daemon keeps the kernel's clock within MAX_ERROR_S.  False where the kernel cannot be asked."""
    try:
        ask = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return False
    answer = _Timex()
    state = ask(ctypes.byref(answer))
    if state < 0 or state == _TIME_ERROR or answer.status & _STA_UNSYNC:
        return False
    return bool(answer.maxerror < MAX_ERROR_S * 1e6)
