"""Progress lines on stderr."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class Progress:
    """Writes lines with the seconds since the start in front."""

    stream: TextIO
    monotonic: Callable[[], float]
    started: float

    def say(self, text: str) -> None:
        """One line, at once."""
        print(f"[{self.monotonic() - self.started:4.0f} s] {text}", file=self.stream, flush=True)


def on_stderr() -> Progress:
    """Progress of a command that starts now."""
    return Progress(sys.stderr, time.monotonic, time.monotonic())
