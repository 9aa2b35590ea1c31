"""Questions on the wire that we did not send: somebody else is master on this bus (inverters often are).

Two masters on one bus destroy each other's frames, and one takes the answers to the other's questions.  A frame of
eight bytes with a right CRC that asks for registers is a question; no answer to a reading looks like one.  Noise passes
for it once in some million bytes, so twice is what counts.
"""

from meteredge.probe import REQUEST_BYTES, questions_in

ENOUGH = 2
"""So many questions are no accident."""
JOIN_WITHIN_S = 0.5
"""Bytes that come so soon after others may belong to one frame."""
OWN_ECHO_S = 1.0
"""An adapter's copy of our own question comes within this time."""


class SecondMaster:
    """Listens to what came without a question and to what came instead of an answer."""

    def __init__(self) -> None:
        self.heard = 0
        """Questions of somebody else so far."""
        self.last: bytes | None = None
        """The last one."""
        self._tail = b""
        self._tail_at = 0.0
        self._own = b""
        self._own_at = 0.0

    def asked(self, at: float, question: bytes) -> None:
        """We sent this question; one copy of it is an echo."""
        self._own, self._own_at, self._tail = question, at, b""

    def came(self, at: float, data: bytes) -> None:
        """These bytes came, and are no answer to us."""
        heard = self._tail + data if at - self._tail_at <= JOIN_WITHIN_S else data
        found = questions_in(heard)
        for question in found:
            if question == self._own and at - self._own_at <= OWN_ECHO_S:
                self._own = b""
                continue
            self.heard += 1
            self.last = question
        rest = heard[heard.rfind(found[-1]) + REQUEST_BYTES :] if found else heard
        self._tail, self._tail_at = rest[-(REQUEST_BYTES - 1) :], at

    def told(self) -> str | None:
        """What a person should know; None while there is nothing to tell."""
        if self.heard < ENOUGH or self.last is None:
            return None
        return (
            f"somebody else asks on this bus ({self.heard} times, the last: {self.last.hex(' ')}); find the second "
            "master (inverters often are one) and give the meter a bus of its own"
        )
