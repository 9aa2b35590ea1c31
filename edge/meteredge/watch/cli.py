"""`meterbridge watch`: live, on a screen or as JSON lines."""

import json
from pathlib import Path
from typing import Annotated

import typer

from meteredge.start import DEFAULT_PATH
from meteredge.watch.source import NodeSource

app = typer.Typer(add_completion=False, help="One node, live: values, slot, bus, journal, chain.")


class NoScreen(Exception):
    """The part that draws is not installed; the message says how to get it."""


@app.command()
def watch(
    config: Annotated[Path, typer.Option("--config", metavar="FILE", help="The agent's configuration.")] = DEFAULT_PATH,
    meter: Annotated[
        str | None, typer.Option("--meter", metavar="ID", help="Which meter, where the configuration has several.")
    ] = None,
    every: Annotated[float, typer.Option(min=0.5, max=300, help="Seconds between two looks.")] = 2.0,
    count: Annotated[int, typer.Option(min=0, help="With --json: end after so many looks; 0 never.")] = 0,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line and look, no screen.")] = False,
) -> None:
    """Show what the meter, the agent and the chain are doing, until q is pressed.  Reads only.

    Exit codes: 0 left, 2 configuration or no screen installed, 130 interrupted.
    """
    from meterchain.rpc import RpcChain
    from meteredge.clock import SystemClock
    from meteredge.config import load

    clock = SystemClock()
    loaded = load(config).of(meter)
    source = NodeSource(loaded, clock, RpcChain)
    try:
        if not as_json:
            _screen(loaded.meter.id, source, every)
            return
        looks = 0
        while not count or looks < count:
            if looks:
                clock.sleep(every)
            typer.echo(json.dumps(source.look().document()))
            looks += 1
    finally:
        source.close()


def _screen(title: str, source: NodeSource, every_s: float) -> None:
    try:
        from meteredge.watch.screen import Watch
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "textual":
            raise
        raise NoScreen(
            "the screen needs textual, which is not installed: pip install 'meterbridge[technician]' (on a node: "
            "/opt/meterbridge/current/bin/pip), or use --json"
        ) from error
    Watch(title, source.look, every_s).run()
