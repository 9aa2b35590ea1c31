"""What a long step tells while it runs, whoever listens."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

Heard = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


class Teller(Protocol):
    """Somebody who is told."""

    def say(self, line: str) -> None:
        """One step."""

    def bar(self, what: str) -> AbstractContextManager[Heard]:
        """A step that takes its time; what the context gives is told how far it is."""
