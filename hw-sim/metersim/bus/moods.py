"""What meters do at their worst: answer with exceptions, restart when they are asked too fast."""

from dataclasses import dataclass, field

from metersim.bus import rtu
from metersim.bus.fault import Fault, Raw, Request, Scene


@dataclass(frozen=True, slots=True)
class ExceptionStorm(Fault):
    """Good questions are answered with an exception, in a share `probability` of transactions (6: device busy)."""

    code: int = 6
    probability: float = 1.0

    def on_answer(self, request: Request, answer: bytes | Raw | None, scene: Scene) -> bytes | Raw | None:
        """The exception instead of an answer; silence stays silence."""
        if answer is None or scene.chance.random() >= self.probability:
            return answer
        return rtu.exception(request.pdu[0], self.code)


@dataclass(slots=True)
class RebootOnFastPolling(Fault):
    """A meter that restarts when it is asked sooner than `gap_s` after the last frame, and is dark for `dark_s`."""

    gap_s: float = 0.06
    dark_s: float = 5.0
    reboots: int = field(default=0, init=False, compare=False)
    _dark_until_s: float = field(default=float("-inf"), init=False, compare=False)

    def on_answer(self, request: Request, answer: bytes | Raw | None, scene: Scene) -> bytes | Raw | None:  # noqa: ARG002
        """Nothing while it restarts."""
        if request.wire_s < self._dark_until_s:
            return None
        if request.quiet_s < self.gap_s:
            self.reboots += 1
            self._dark_until_s = request.wire_s + self.dark_s
            return None
        return answer
