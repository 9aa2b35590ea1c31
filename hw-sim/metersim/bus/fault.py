"""What a fault may do to a wire: the hooks, each of which does nothing until a fault overrides it.

on_request   what the master hears while it sends           (an echo)
on_sent      what travels of the characters that it sends    (lost or turned ones)
on_answer    what a meter says instead of its answer         (an exception, nothing)
on_reply     what travels of the reply's characters          (late, damaged, cut short)
next_noise   characters that nobody asked for                (a babbler, a second master)
line         how the meters' ports are really set            (wrong baud or parity)
brings       further stations                                (a second meter on one address)
unplugs      whether the adapter is out of its socket

Faults of a wire apply in their order, each to the result of the one before.  All chance comes from the wire's seeded
generator.  A fault that remembers (a meter that is dark for a while) belongs to one wire.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from metersim.bus.line import Line
from metersim.bus.symbols import Symbol


@dataclass(frozen=True, slots=True)
class Request:
    """A good frame addressed to a station.

    `wire_s` is when its last bit ended, `utc_s` the same moment in the meters' world, `quiet_s` the silence before its
    first bit.
    """

    pdu: bytes
    wire_s: float
    utc_s: float
    quiet_s: float


@dataclass(frozen=True, slots=True)
class Raw:
    """A whole frame as it once travelled, CRC and all its flaws included, `delay_s` after the request's end."""

    frame: bytes
    delay_s: float


class Station(Protocol):
    """Whatever answers on the wire."""

    @property
    def unit(self) -> int:
        """Its Modbus address, 1 to 247."""

    @property
    def turnaround_s(self) -> float:
        """Seconds from the end of a request to the start of its reply (never less than 3.5 characters)."""

    def answer(self, request: Request) -> bytes | Raw | None:
        """The reply's PDU, a recorded frame, or None for silence."""


class StationPlan(Protocol):
    """A description that can travel to another process and becomes a station there."""

    def build(self) -> Station:
        """The station."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault may know: the unit that speaks (None: the master), seconds per character, the wire's generator."""

    unit: int | None
    char_s: float
    chance: random.Random


class Fault:
    """A fault that does nothing; real ones override what they change."""

    unplugs: bool = False
    """Whether the adapter is pulled out while this fault acts."""

    @property
    def line(self) -> Line | None:
        """How the meters' ports are set, where it is not as planned."""
        return None

    @property
    def brings(self) -> tuple[StationPlan, ...]:
        """Stations that are there while this fault acts."""
        return ()

    def on_request(self, sent: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:  # noqa: ARG002
        """What the master hears while it sends `sent`: nothing, on a good half-duplex adapter."""
        return ()

    def on_sent(self, sent: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:  # noqa: ARG002
        """What the stations hear instead of `sent`."""
        return sent

    def on_answer(self, request: Request, answer: bytes | Raw | None, scene: Scene) -> bytes | Raw | None:  # noqa: ARG002
        """What the meter says instead of `answer`; None for silence."""
        return answer

    def on_reply(self, reply: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:  # noqa: ARG002
        """What travels instead of `reply`; empty for silence."""
        return reply

    def next_noise(self, after_s: float, scene: Scene) -> Sequence[Symbol]:  # noqa: ARG002
        """The next characters that nobody asked for, later than `after_s`; empty if there are none."""
        return ()
