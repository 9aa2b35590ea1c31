"""The screen: five panels and what is wrong, drawn by textual.  Nothing else here imports it."""

from collections.abc import Callable
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.widgets import Footer, Header, Static

from meteredge.watch.panels import TITLES, Lines, panels
from meteredge.watch.snapshot import Snapshot


class Watch(App[None]):
    """`look` is called in a thread every `every_s` seconds."""

    CSS = """
    Grid { grid-size: 2; grid-gutter: 0 1; grid-rows: auto; height: auto; }
    .panel { border: round $primary; padding: 0 1; height: auto; min-height: 7; }
    #problems { border: round $error; padding: 0 1; height: auto; display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "leave"),
        Binding("space", "look", "look now"),
        Binding("p", "pause", "pause"),
    ]

    def __init__(self, title: str, look: Callable[[], Snapshot], every_s: float) -> None:
        super().__init__()
        self.title = title
        self._look = look
        self._every_s = every_s
        self._before: Snapshot | None = None
        self._paused = False

    def compose(self) -> ComposeResult:
        """Header, panels, problems, footer."""
        yield Header(show_clock=True)
        with Grid():
            for name, title in TITLES.items():
                panel = Static("…", id=name, classes="panel")
                panel.border_title = title
                yield panel
        problems = Static("", id="problems")
        problems.border_title = "in the way"
        yield problems
        yield Footer()

    def on_mount(self) -> None:
        """Look now, and then again and again."""
        self.set_interval(self._every_s, self._tick)
        self.action_look()

    def _tick(self) -> None:
        if not self._paused:
            self.action_look()

    def action_pause(self) -> None:
        """Stop looking by itself, or go on."""
        self._paused = not self._paused
        self.sub_title = "paused" if self._paused else ""

    def action_look(self) -> None:
        """Look now, unless a look is under way."""
        if not any(worker.name == "look" and worker.is_running for worker in self.workers):
            self._look_in_thread()

    @work(thread=True, name="look")
    def _look_in_thread(self) -> None:
        snapshot = self._look()
        self.call_from_thread(self._show, snapshot)

    def _show(self, now: Snapshot) -> None:
        for name, lines in panels(now, self._before).items():
            self.query_one(f"#{name}", Static).update(_table(lines))
        problems = self.query_one("#problems", Static)
        problems.update(Text("\n".join(now.problems)))
        problems.display = bool(now.problems)
        self._before = now


def _table(lines: Lines) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    for what, how_much in lines:
        table.add_row(Text(what, style="dim"), Text(how_much))
    return table
