"""What happens, told on stderr: bars where somebody watches, a line for each step where nobody does."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Heard = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


class Teller(Protocol):
    """Somebody who is told."""

    def say(self, line: str) -> None:
        """One step."""

    def bar(self, what: str) -> AbstractContextManager[Heard]:
        """A step that takes its time; what the context gives is told how far it is."""


class Terminal:
    """stderr."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False, markup=False)

    def say(self, line: str) -> None:
        """One line."""
        self._console.print(line, soft_wrap=True)

    @contextmanager
    def bar(self, what: str) -> Iterator[Heard]:
        """A bar that goes away when it is full; without a terminal a line at the start."""
        if not self._console.is_terminal:
            self.say(what)
            yield lambda _done, _total: None
            return
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(what)
            yield lambda done, total: progress.update(task, completed=done, total=total)
        self.say(what)
