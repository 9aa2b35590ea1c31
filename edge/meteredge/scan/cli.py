"""`meterbridge scan`: who is on this bus."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from meteredge.probe import ProbePort
from meteredge.scan.report import ScanReport, says
from meteredge.scan.search import OpenPort, Progress
from meteredge.start import DEFAULT_PATH

app = typer.Typer(add_completion=False, help="Who is on this bus: units, speed, parity, model.")


@app.command()
def scan(
    config: Annotated[
        Path, typer.Option("--config", metavar="FILE", help="The agent's configuration: it names the port.")
    ] = DEFAULT_PATH,
    port: Annotated[
        str | None, typer.Option("--port", metavar="PORT", help="Another port; needs no configuration.")
    ] = None,
    units: Annotated[str | None, typer.Option(metavar="1-10,17", help="Only these unit ids.")] = None,
    baud: Annotated[str | None, typer.Option(metavar="9600,19200", help="Only these speeds.")] = None,
    framing: Annotated[str | None, typer.Option(metavar="8N1,8E1", help="Only these framings.")] = None,
    timeout: Annotated[float, typer.Option(min=0.05, max=2.0, help="Seconds that a unit may take to answer.")] = 0.5,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Only what meters come with.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="All settings, even if something was found.")] = False,
    take_port: Annotated[
        bool, typer.Option("--take-port", help="Borrow the port from the running agent, between two slots' closes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Ask every unit id at every speed and parity, the likely ones first, and say what answers and how sure that is.

    Only reads.  Exit codes: 0 found something, 1 nothing, 2 wrong use, 3 port, 75 the agent has the port
    (--take-port), 130 interrupted.
    """
    from meteredge.clock import SystemClock
    from meteredge.scan.plan import Wanted, parse_numbers
    from meteredge.scan.run import run_scan

    clock = SystemClock()
    wanted = Wanted(
        bauds=parse_numbers(baud, "--baud", 1_200, 115_200) if baud else None,
        framings=tuple(part.strip().upper() for part in framing.split(",")) if framing else None,
        units=parse_numbers(units, "--units", 1, 248) if units else None,
    )
    with _progress() as (progress, say), _port(config, port, take_port=take_port, say=say) as (name, open_port):
        report = run_scan(
            name,
            open_port,
            clock,
            wanted,
            depth="quick" if quick else "all" if everything else "usual",
            response_s=timeout,
            progress=progress,
            found=lambda a: say(f"unit {a.unit} answers at {a.setting}"),
        )
    if as_json:
        typer.echo(json.dumps(report.document()))
    else:
        _draw(report)
    raise typer.Exit(report.exit_code)


@contextmanager
def _port(
    config: Path, port: str | None, *, take_port: bool, say: Callable[[str], None]
) -> Iterator[tuple[str, OpenPort]]:
    """The port's name and how to open it; borrowed from the agent where that is wanted."""
    from meteredge.clock import SystemClock
    from meteredge.config import load
    from meteredge.scan.lent import lent_ports
    from meteredge.scan.run import ports_of
    from meteredge.socket_client import AgentAbsent, AgentSocket
    from meteredge.socket_protocol import Status

    clock = SystemClock()
    if port is not None and not take_port:
        yield port, ports_of(port, clock)
        return
    loaded = load(config)
    name = loaded.bus.port
    if not take_port:
        yield name, _unless_lent(ports_of(name, clock), loaded.socket_path)
        return
    with AgentSocket(loaded.socket_path) as agent:
        try:
            agent.ask(Status())
        except AgentAbsent:
            say("no agent runs: the port is free")
            yield name, ports_of(name, clock)
            return
        yield name, lent_ports(agent, ports_of(name, clock), clock, say)


def _unless_lent(open_port: OpenPort, socket: Path) -> OpenPort:
    """Where it is the agent that has the port, the next step is --take-port."""
    from meteredge.bus_errors import PortBusy
    from meteredge.scan.plan import Setting

    def open_free(setting: Setting) -> ProbePort:
        try:
            return open_port(setting)
        except PortBusy as busy:
            if not socket.exists():
                raise
            raise PortBusy(busy.fact, "it is the agent: add --take-port, it lends the port between two slots") from busy

    return open_free


@contextmanager
def _progress() -> Iterator[tuple[Progress, Callable[[str], None]]]:
    """A line on stderr that moves in a terminal; what was found stays above it."""
    from rich import progress as rich_progress
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("opening the port", total=None)

        def moved(what: str, done: int, most: int) -> None:
            bar.update(task, description=what, completed=done, total=most)

        yield moved, lambda sentence: console.print(sentence, highlight=False, markup=False)


def _draw(report: ScanReport) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if report.devices:
        table = Table("unit", "port set to", "what", "how sure", "serial", box=None, pad_edge=False)
        for device in report.devices:
            name, sureness = says(device)
            serial = device.candidates[0].serial if device.candidates else None
            table.add_row(str(device.answering.unit), str(device.answering.setting), name, sureness, serial or "")
        console.print(table)
    elif report.stopped and report.found.answering:
        for answering in report.found.answering:
            console.print(f"unit {answering.unit} at {answering.setting}: interrupted before it was identified")
    elif not report.stopped:
        console.print(f"nothing answers on {report.port}")
    for hint in report.hints():
        console.print(f"→ {hint}", highlight=False, markup=False, soft_wrap=True)
