"""Which moment of the simulated day it is when the wire's clock shows a given time.

The wire runs in real (or virtual) seconds of its own; the meters' world has UTC.  A timeline ties the two together: it
can stand still (rate 0, so that a whole read phase sees one instant), run along (1) or run fast.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeline:
    """At wire time `wire_s` it is `utc_s` (Unix seconds); from there UTC runs `rate` times as fast as the wire."""

    utc_s: float = 0.0
    wire_s: float = 0.0
    rate: float = 1.0

    def utc(self, at_s: float) -> float:
        """UTC, Unix seconds, at wire time `at_s`."""
        return self.utc_s + (at_s - self.wire_s) * self.rate
