"""`meterbridge page`: the status page of this node."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Never

import typer

from meteredge.start import DEFAULT_PATH

if TYPE_CHECKING:
    from meteredge.page.running import Board

NOT_HEALTHY = 1

app = typer.Typer(no_args_is_help=True, add_completion=False)

Config = Annotated[Path, typer.Option("--config", metavar="FILE", help="The agent's configuration.")]


@app.callback()
def page() -> None:
    """The status page: read-only, without the key, for a phone in front of the cabinet."""


@app.command()
def run(
    config: Config = DEFAULT_PATH,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where; another host than loopback shows it to the network.")
    ] = "127.0.0.1:8080",
) -> None:
    """Serve the page, /metrics and /healthz until SIGTERM or Ctrl-C."""
    try:
        import uvicorn

        from meteredge.page.app import app as routes
    except ModuleNotFoundError as missing:
        raise typer.BadParameter(f"{missing.name} is not installed: pip install 'meterbridge[web]'") from None
    from meterchain.systemd import Systemd

    host, port = _address(listen)
    manager, stop = Systemd(os.environ), threading.Event()
    board = _board(config, manager.alive)
    board.snapshot()
    server = uvicorn.Server(
        uvicorn.Config(
            routes(board, lambda: server.should_exit),
            host=host,
            port=port,
            log_level="warning",
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=3,
        )
    )
    fresh = threading.Thread(target=board.keep_fresh, args=(stop,), name="board", daemon=True)
    fresh.start()
    manager.ready()
    typer.echo(f"the status page is on http://{listen}/", err=True)
    try:
        server.run()
    finally:
        manager.stopping()
        stop.set()
    if not server.started:
        raise typer.BadParameter(f"--listen {listen}: the address cannot be had; choose another port")


@app.command()
def show(
    config: Config = DEFAULT_PATH,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The same as one JSON document.")] = False,
) -> None:
    """Write the page once, doctor's sheet included, to stdout.  Exit code 1 if the node is not healthy.

    While the agent closes a slot the doctor waits for the meter, two minutes at most, and says so.
    """
    from meteredge.page import html
    from meteredge.page.snapshot import document

    board = _board(config, lambda: None, lambda sentence: typer.echo(sentence, err=True))
    board.examine_now()
    seen = board.snapshot()
    typer.echo(json.dumps(document(seen)) if as_json else html.page(seen))
    raise typer.Exit(NOT_HEALTHY if seen.problems else 0)


def _board(path: Path, on_look: Callable[[], None], tell: Callable[[str], None] = lambda _sentence: None) -> "Board":
    from meteredge.clock import SystemClock
    from meteredge.config import load
    from meteredge.doctor.examine import Bench, examine
    from meteredge.page.running import Board

    clock = SystemClock()
    bench = Bench(clock, tell=tell, open_port=_no_port)
    return Board(load(path), clock, lambda config: examine(config, bench), on_look)


def _no_port(_setting: object) -> Never:
    """The page never takes the port: while no agent runs, the wire is not looked at."""
    from meteredge.bus_errors import PortDenied

    raise PortDenied("the status page does not open the port", "start the agent, or run `meterbridge doctor`")


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 0xFFFF:
        raise typer.BadParameter(f"--listen {listen!r}: write HOST:PORT, for example 127.0.0.1:8080")
    return host.strip("[]"), int(port)
