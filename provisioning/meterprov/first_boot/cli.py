"""`meterbridge provision first-boot`: called by the card's install.sh and by the service meterbridge-claim."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)

FAILED = 1
ON_THE_CARD = Path("/boot/firmware/meterbridge")


@app.command("first-boot")
def first_boot(
    payload: Annotated[
        Path, typer.Option("--payload", metavar="DIR", help="The folder that `provision image` put on the card.")
    ] = ON_THE_CARD,
    *,
    only_publish: Annotated[bool, typer.Option("--publish", help="Only carry the claim to the card.")] = False,
) -> None:
    """Make this machine the node that the payload describes; what came of it goes to its outcome.json.

    Exit codes: 0 done (the claim may still wait for the meter: the outcome says so), 1 a step failed.
    """
    from meteredge.install.host import Host
    from meterprov.first_boot.node import FirstBootFailed, become_node, publish

    if only_publish:
        typer.echo("claim written" if publish(payload, Host()) else "no claim yet", err=True)
        return
    try:
        outcome = become_node(payload, Host(), lambda what: typer.echo(what, err=True))
    except FirstBootFailed as failure:
        typer.echo(f"meterbridge: first boot: {failure}", err=True)
        raise typer.Exit(FAILED) from None
    typer.echo(json.dumps(outcome))
