"""A station that answers as another one did: the frames of a recording, byte for byte and with their delays.

A question that was asked several times gets its answers in their order, the last one from then on; one that was never
asked gets silence, as does one whose recorded answer is None.  Flaws of the recorded frames are played back too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from metersim.bus.fault import Raw, Request


@dataclass(slots=True)
class RecordedStation:
    """`answers` by the question's PDU, in the order in which they came."""

    unit: int
    answers: Mapping[bytes, tuple[Raw | None, ...]]
    turnaround_s: float = 0.0
    _played: dict[bytes, int] = field(default_factory=dict, init=False, compare=False)

    def build(self) -> Self:
        """Itself."""
        return self

    def answer(self, request: Request) -> Raw | None:
        """What was answered the next time."""
        known = self.answers.get(request.pdu)
        if not known:
            return None
        number = self._played.get(request.pdu, 0)
        self._played[request.pdu] = number + 1
        return known[min(number, len(known) - 1)]
