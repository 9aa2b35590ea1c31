"""A character on the wire: who sends it, when its stop bit ends, and whether a receiver can make sense of it."""

from collections.abc import Sequence
from dataclasses import dataclass

MASTER = -1
"""The source of what the master sends; stations are numbered from 0."""
NOISE = -2
"""The source of what nobody was asked for: see Fault.next_noise."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """One character: it occupies the wire from `start_s` to `end_s` (wire time, seconds).

    `damaged` marks a framing or parity error: no receiver takes the frame that holds it.
    """

    start_s: float
    end_s: float
    value: int
    damaged: bool = False


def back_to_back(data: bytes, start_s: float, char_s: float, *, damaged: bool = False) -> list[Symbol]:
    """`data` as characters without a gap, the first starting at `start_s`."""
    return [Symbol(start_s + i * char_s, start_s + (i + 1) * char_s, value, damaged) for i, value in enumerate(data)]


def shifted(symbols: Sequence[Symbol], by_s: float) -> list[Symbol]:
    """The same characters, `by_s` seconds later."""
    return [Symbol(s.start_s + by_s, s.end_s + by_s, s.value, s.damaged) for s in symbols]
