"""Delivery for a node without SOL: what is due is published, and a relay that nobody has to trust pays for it.

Only the chain says what became of a record.  One that the chain should have had long ago is put to it in a rehearsal,
which costs nothing: if the chain would refuse it, the journal is told as if we had sent it ourselves; if not, the relay
is to blame.
"""

from collections.abc import Callable, Sequence

from meterchain.relay import window
from meteredge.clock import Clock
from meteredge.journal import Row

AGAIN_S = 60.0
"""The same records are published again so often: messages are not kept for a relay that was away."""
STUCK_S = 120.0
"""A record that has been published for so long and is not on the chain is rehearsed."""


class Courier:
    """Publishes one meter's records.  `publish` hands a message to the broker and raises BrokerUnreachable."""

    def __init__(self, publish: Callable[[bytes], None], clock: Clock) -> None:
        self._publish = publish
        self._clock = clock
        self._last: bytes | None = None
        self._last_at = 0.0
        self._first: tuple[bytes, float] | None = None

    def hand_over(self, rows: Sequence[Row]) -> bool:
        """Publish the records that are due, oldest first, unless it was done a moment ago; True if it was done now.

        Raises BrokerUnreachable.
        """
        message = window.encode([(row.record, row.signature) for row in rows[: window.MOST_ROWS]])
        now = self._clock.monotonic()
        if message == self._last and now - self._last_at < AGAIN_S:
            return False
        self._publish(message)
        self._last, self._last_at = message, now
        if self._first is None or self._first[0] != rows[0].record:
            self._first = (rows[0].record, now)
        return True

    def is_stuck(self, row: Row) -> bool:
        """Whether `row`, the oldest that is due, was published long enough ago to be on the chain by now."""
        return (
            self._first is not None
            and self._first[0] == row.record
            and self._clock.monotonic() - self._first[1] >= STUCK_S
        )
