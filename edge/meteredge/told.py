"""Warnings that are news: one line an event in the log, however often the event is looked at."""

import logging
from typing import Protocol

from meteredge.clock import Clock

AGAIN_S = 900.0
"""The same kind of warning is told again after so long: once a slot."""

log = logging.getLogger("meterbridge")


class Teller(Protocol):
    """Whoever is told what is wrong."""

    def warn(self, message: str, kind: object = None) -> None:
        """Something is wrong; `kind` says what without its numbers."""

    def forget(self) -> None:
        """Nothing is wrong any more."""


class Told:
    """Logs what somebody has to say, unless it is what was said last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kind: object = None
        self._at = 0.0
        self._kept_back = 0

    def warn(self, message: str, kind: object = None) -> None:
        """One line, unless the last one was of this kind (without one: this message) and is not AGAIN_S old."""
        kind, now = kind or message, self._clock.monotonic()
        if kind == self._kind and now < self._at + AGAIN_S:
            self._kept_back += 1
            return
        more = f" (and {self._kept_back} times before)" if kind == self._kind and self._kept_back else ""
        log.warning("%s%s", message, more)
        self._kind, self._at, self._kept_back = kind, now, 0

    def forget(self) -> None:
        """All is well: the same warning would be news."""
        self._kind, self._kept_back = None, 0
