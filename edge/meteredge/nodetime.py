"""The node's time: UTC as far as it can be known, and how it is known.

A Pi has no clock of its own: after a boot without network it believes the date of its last shutdown.  So the host's
clock is taken when somebody vouches for it, and else held against what was seen since this boot:

S  the host's clock is synchronised;
I  it is not, but it was since this boot, or the chain's clock was seen since this boot (the last witness), or an RTC
   agrees.  Where the host's clock and the witness are more than APART_S apart, the witness is believed: from then on
   time is counted by the monotonic clock;
-  nobody vouches for the date: readings are kept with the monotonic time and the id of this boot, and dated once the
   time is known (`dating`).  What is dated so is R.

A monotonic count means nothing in another boot, so the id of the boot stands beside it.
"""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from meterchain.record import TimeStatus
from meteredge.clock import Clock
from meteredge.timesource import TimeSource

APART_S = 30.0
"""The chain takes records up to so far in its future (MAX_FUTURE_SKEW_SECS), and its own clock is no better."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
BOOT_ID_VARIABLE = "METERBRIDGE_BOOT_ID"
"""Set in the unit (`%b`), whose sandbox hides BOOT_ID."""


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment: UTC (Unix seconds), the monotonic count (seconds), and how UTC is known (S or I)."""

    utc: float
    monotonic: float
    status: TimeStatus

    @property
    def offset_s(self) -> float:
        """UTC minus the monotonic count: the same in two moments unless the clock was set between them."""
        return self.utc - self.monotonic


class NodeTime:
    """Safe to use from two threads."""

    def __init__(self, clock: Clock, source: TimeSource) -> None:
        self._clock = clock
        self._source = source
        self._lock = threading.Lock()
        self._reference: float | None = None
        """UTC minus the monotonic count, by the best witness since this boot."""
        self._synchronised = False

    def now(self) -> Instant | None:
        """The present moment, None if nobody vouches for the date."""
        with self._lock:
            utc, monotonic = self._clock.utc(), self._clock.monotonic()
            status = self._source.status(utc)
            self._synchronised = status is TimeStatus.SYNCHRONISED
            if self._synchronised:
                self._reference = utc - monotonic
                return Instant(utc, monotonic, status)
            if self._reference is not None:
                told = monotonic + self._reference
                return Instant(utc if abs(utc - told) <= APART_S else told, monotonic, TimeStatus.INFORMATIVE)
            return Instant(utc, monotonic, status) if status is TimeStatus.INFORMATIVE else None

    @property
    def wants_witness(self) -> bool:
        """Whether the chain's clock could tell us something: the host's is not synchronised."""
        return not self._synchronised

    def hear_chain(self, unix_s: float) -> None:
        """The chain's clock shows `unix_s` now."""
        with self._lock:
            offset = unix_s - self._clock.monotonic()
            known = self._reference
            if not self._synchronised and (known is None or abs(offset - known) > APART_S):
                self._reference = offset


def boot_id(environment: Mapping[str, str], path: Path = BOOT_ID) -> str:
    """The id of this boot (32 hexadecimal digits).

    Where neither the unit nor the kernel tells it, a new one: nothing that an earlier process kept can then be dated.
    """
    told = environment.get(BOOT_ID_VARIABLE)
    if told is None:
        try:
            told = path.read_text("ascii")
        except OSError:
            return secrets.token_hex(16)
    return told.strip().replace("-", "")
