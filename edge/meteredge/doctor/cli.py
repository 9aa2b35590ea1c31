"""`meterbridge doctor`: the sheet of this node, drawn for people or as JSON."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from meteredge.doctor.sheet import Sheet
from meteredge.start import DEFAULT_PATH

app = typer.Typer(add_completion=False, help="One sheet: from the terminals of the meter to the chain.")

_MARKS = {"pass": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red"), "not applicable": ("·", "dim")}


@app.command()
def doctor(
    config: Annotated[Path, typer.Option("--config", metavar="FILE", help="The agent's configuration.")] = DEFAULT_PATH,
    meter: Annotated[
        str | None, typer.Option("--meter", metavar="ID", help="Which meter, where the configuration has several.")
    ] = None,
    load: Annotated[
        float | None,
        typer.Option(min=100, max=100_000, metavar="WATTS", help="Prove the direction by a load of so many watts."),
    ] = None,
    load_name: Annotated[str, typer.Option(metavar="NAME", help="What it is: kettle, heater.")] = "load",
    wait: Annotated[float, typer.Option(min=5, max=3_600, help="Seconds that you may take to switch it on.")] = 120.0,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="A warning is exit code 1, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Examine the node and say what to do next.  Reads only; safe beside a running agent.

    With --load it waits for a step of power after you have switched the load on, in a terminal as in a script.

    Exit codes: 0 nothing failed, 1 something did (with --strict: or is doubtful), 2 configuration.
    """
    from meteredge.clock import SystemClock
    from meteredge.config import load as load_config
    from meteredge.doctor.examine import Bench, examine
    from meteredge.doctor.gather.load_step import Load

    bench = Bench(SystemClock(), tell=lambda sentence: typer.echo(sentence, err=True))
    step = None if load is None else Load(load_name, load, wait)
    sheet = examine(load_config(config).of(meter), bench, step)
    if as_json:
        typer.echo(json.dumps(sheet.document()))
    else:
        _draw(sheet)
    raise typer.Exit(sheet.exit_code(strict=strict))


def _draw(sheet: Sheet) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for section, lines in sheet.sections():
        table.add_row("", Text(section, style="bold"), "")
        for check in lines:
            mark, style = _MARKS[check.verdict]
            text = Text(check.fact, style="" if check.verdict in ("warn", "fail") else "dim")
            if check.next_step:
                text.append(f"\n→ {check.next_step}", style=style)
            table.add_row(Text(mark, style=style), check.title, text)
    Console(file=sys.stdout).print(table)
