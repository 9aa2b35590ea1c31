"""What a person sees while a play runs: bars on a terminal, a line per scene elsewhere, all on one console."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Show(Protocol):
    """Told what happens: scenes of so many steps."""

    def scene(self, title: str, steps: int) -> None:
        """A new scene begins; the one before is over."""

    def step(self, detail: str) -> None:
        """One step of the present scene is done."""


class Silent:
    """Shows nothing: for tests."""

    def scene(self, title: str, steps: int) -> None:
        """Nothing."""

    def step(self, detail: str) -> None:
        """Nothing."""


class Lines:
    """One line per scene: for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def scene(self, title: str, steps: int) -> None:
        """Print its title."""
        del steps
        self._console.print(title, highlight=False)

    def step(self, detail: str) -> None:
        """Nothing."""


class Bars:
    """One bar per scene, with what was done last beside it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def scene(self, title: str, steps: int) -> None:
        """Start its bar."""
        self._finish()
        self._task = self._progress.add_task(title, total=steps, detail="")

    def step(self, detail: str) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.update(self._task, advance=1, detail=detail)

    def _finish(self) -> None:
        if self._task is not None:
            self._progress.update(self._task, detail="")
            self._progress.stop_task(self._task)


@contextmanager
def on(console: Console) -> Iterator[Show]:
    """Bars if `console` is a terminal, lines if not."""
    if not console.is_terminal:
        yield Lines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=14),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[detail]}"),
    )
    with Progress(*columns, console=console) as progress:
        yield Bars(progress)
