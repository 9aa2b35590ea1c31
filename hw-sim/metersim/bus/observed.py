"""What can be told of a wire from outside: counts, and every frame as a third receiver hears it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Overheard:
    """A frame as somebody with a third receiver on the wire sees it.

    `unit` is the station that sent it, MASTER or NOISE, or None where several spoke into one frame; `damaged` if
    characters of it were.  Times are the wire's, seconds.
    """

    start_s: float
    end_s: float
    unit: int | None
    data: bytes
    damaged: bool = False


Eavesdropper = Callable[[Overheard], None]
"""Told of every frame when the silence after it has shown that it is over."""


@dataclass(slots=True)
class Tally:
    """What a wire has seen since it was made."""

    requests: int = 0
    replies: int = 0
    bad_frames: int = 0
    glued_frames: int = 0
    unknown_unit: int = 0
    collisions: int = 0
    request_bytes: int = 0
    reply_bytes: int = 0
    noise_bytes: int = 0
