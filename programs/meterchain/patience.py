"""Asking again where an RPC has no time now: HTTP 429, or 503 with Retry-After.

For questions alone, never for a transaction.  Whoever is told to wait makes all who share the patience wait: as long as
the RPC said and no shorter than the back-off (1, 2, 4 … 30 s).  A question waits for two minutes in all; then, or where
the RPC would have it wait for longer, it stays without an answer.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from meterchain.rpc_http import ComeLater

MOST_S = 120.0
"""So long a question waits in all."""
FIRST_S, LONGEST_S = 1.0, 30.0
"""The back-off, where the RPC does not say more."""

Answer = TypeVar("Answer")
Told = Callable[[ComeLater, float], None]
"""Called with what the RPC said and the seconds until it is asked again."""


class Patience:
    """Shared by all threads that ask one RPC."""

    def __init__(
        self,
        tell: Told = lambda _later, _seconds: None,
        *,
        now: Callable[[], float] = monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        """`now` counts seconds; `wait(seconds)` returns True if nothing is worth waiting for any more."""
        self._over = threading.Event()
        self._tell, self._now, self._wait = tell, now, wait or self._over.wait
        self._lock = threading.Lock()
        self._not_before = now()

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Its answer.  Raises what it raises, ComeLater among it where patience ends."""
        give_up, back_off = self._now() + MOST_S, FIRST_S
        while True:
            self._until_asked_again(give_up)
            try:
                return question()
            except ComeLater as later:
                pause = max(later.after_s or 0.0, back_off)
                if self._over.is_set() or self._now() + pause > give_up:
                    raise
                self._put_off(later, pause)
            back_off = min(2 * back_off, LONGEST_S)

    def end(self) -> None:
        """Let nobody wait any longer."""
        self._over.set()

    def _put_off(self, later: ComeLater, pause: float) -> None:
        with self._lock:
            now = self._now()
            is_news = self._not_before <= now
            self._not_before = max(self._not_before, now + pause)
        if is_news:
            self._tell(later, pause)

    def _until_asked_again(self, give_up: float) -> None:
        """Others may put it off meanwhile, but for nobody beyond his own two minutes."""
        while (left := min(self._not_before, give_up) - self._now()) > 0:
            if self._wait(left):
                return
