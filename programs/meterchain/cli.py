"""`meterbridge localnet`: a local chain over HTTP."""

import json
from pathlib import Path
from typing import Annotated

import typer

CANNOT_REACH = 3

app = typer.Typer(add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@app.command()
def localnet(
    port: Annotated[int, typer.Option(min=1, max=65_534, help="RPC port; the websocket gets the next one.")] = 8899,
    slot_ms: Annotated[int, typer.Option(min=10, max=10_000, help="Milliseconds a slot.")] = 400,
    cache: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the download is kept.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """A fresh local chain over HTTP (Surfnet, offline), until Ctrl-C.

    Needs Node.js 18 with npm, and once the network for a download of 15 MB that is checked by its hash.
    Exit codes: 0 stopped, 3 it cannot be started.
    """
    from meterchain.localnet import run

    with run(port=port, slot_ms=slot_ms, cache=cache) as chain:
        if as_json:
            typer.echo(json.dumps({"rpc": chain.url, "websocket": chain.websocket}))
        typer.echo(f"local chain: {chain.url} (websocket {chain.websocket}); Ctrl-C stops and forgets it", err=True)
        try:
            code = chain.process.wait()
        except KeyboardInterrupt:
            return
    typer.echo(f"the local chain ended by itself with code {code}", err=True)
    raise typer.Exit(CANNOT_REACH)
