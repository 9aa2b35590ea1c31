"""What happens, told on stderr: bars where somebody watches, a line for each step where nobody does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from meterprov.telling import Heard


class Terminal:
    """stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False)

    def say(self, line: str) -> None:
        """One line."""
        self._console.print(line, soft_wrap=True)

    @contextmanager
    def many(self) -> Iterator[Callable[[str, int, int], None]]:
        """Bars that come as their names are told, from any thread; without a terminal a line when each begins."""
        if not self._console.is_terminal:
            begun: set[str] = set()

            def tell(what: str, _done: int, _total: int) -> None:
                if what not in begun:
                    begun.add(what)
                    self.say(what)

            yield tell
            return
        with self._bars() as progress:
            tasks: dict[str, TaskID] = {}

            def show(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = progress.add_task(what, total=total or None)
                progress.update(tasks[what], completed=done, total=total or None)

            yield show

    @contextmanager
    def bar(self, what: str) -> Iterator[Heard]:
        """A bar that goes away when it is full; without a terminal a line at the start."""
        if not self._console.is_terminal:
            self.say(what)
            yield lambda _done, _total: None
            return
        with self._bars() as progress:
            task = progress.add_task(what)
            yield lambda done, total: progress.update(task, completed=done, total=total)
        self.say(what)

    def _bars(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        return Progress(*columns, console=self._console, transient=True)
