"""`meterbridge demo`: the whole line, from wire to token, in a minute.  JSON goes to stdout, progress to stderr."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from meteredge.clock import SystemClock
from metersim.stage import show as shows
from metersim.stage.demo import Options, Outcome, play
from metersim.stage.ending import tell
from metersim.stage.real import find_meter
from metersim.stage.report import page

CHECK_FAILED = 1
MOST_METERS = 64
MOST_SLOTS = 96

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    meters: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_METERS, help="How many meters, each with bus and agent; 15 by default."),
    ] = None,
    slots: Annotated[int, typer.Option(min=1, max=MOST_SLOTS, help="How many slots of 900 s, around midday.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Weather, loads and registers follow from it.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of the table.")] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write one self-contained page with pictures.")
    ] = None,
    port: Annotated[
        str | None, typer.Option(help="A real meter on this port (with --meters 1), e.g. /dev/serial/by-id/…")
    ] = None,
    meter: Annotated[
        str | None, typer.Option(help="With --port: its profile, e.g. sdm630; without, all known ones are tried.")
    ] = None,
    unit: Annotated[int, typer.Option(min=1, max=248, help="With --port: its Modbus address.")] = 1,
    baud: Annotated[int | None, typer.Option(min=300, help="With --port: its speed.")] = None,
    character: Annotated[str | None, typer.Option("--format", help="With --port: 8N1, 8E1, 8O1 or 8N2.")] = None,
) -> None:
    """Play a campus at midday: meters, agents, tokens, a market, and an audit.  Exit code 1 if the audit fails."""
    if port is None and (meter or baud or character or unit != 1):
        raise typer.BadParameter("--meter, --unit, --baud and --format describe a real meter: give its --port too")
    if port is not None and meters not in (None, 1):
        raise typer.BadParameter(f"one port has one meter on it here: write --meters 1, not {meters}")
    if report is not None and (report.is_dir() or not report.parent.is_dir()):
        raise typer.BadParameter(f"--report {report}: write a file's name in a folder that is there")
    wanted = Options(1 if port else meters or Options().meters, slots, seed)
    with shows.on(Console(stderr=True)) as show:
        if port is not None:
            clock = SystemClock()
            real = find_meter(port, unit, clock, show, profile=meter, baud=baud, character=character)
            wanted = replace(wanted, real=real)
        outcome = play(wanted, show)
    if report is not None:
        report.write_text(page(outcome), "utf-8")
    _end(outcome, as_json=as_json)
    raise typer.Exit(0 if outcome.audit.ok else CHECK_FAILED)


def _end(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(outcome.document(), indent=2))
    else:
        tell(outcome, Console())
