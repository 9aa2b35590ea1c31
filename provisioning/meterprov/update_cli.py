"""`meterbridge provision update-key | update-bundle`: updates for nodes that run already."""

import json
import platform
from pathlib import Path
from typing import Annotated

import typer

from meterprov.image_cli import OtherWheels, OwnWheel, gathering

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def update_key(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the secret half goes.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Make the site's release key (0600, never over a file) and print its public half for the site file.

    Whoever has the secret half decides what the nodes run: keep it off line.  Exit codes: 0 made, 4 there is a file.
    """
    from solders.pubkey import Pubkey

    from meteredge.keys import create_key

    public = str(Pubkey(bytes(create_key(output).verify_key)))
    if as_json:
        typer.echo(json.dumps({"schema": 1, "file": str(output), "update_key": public}))
        return
    typer.echo(f'update_key = "{public}"')
    typer.echo(f"that line belongs under [site] of the site file; {output} stays with you", err=True)


def update_bundle(
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The site's release key.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="BUNDLE", help="Where the bundle goes.")],
    system: Annotated[str, typer.Option("--system", metavar="NAME", help="What the nodes run: trixie or bookworm.")],
    wheel: OwnWheel = None,
    wheels: OtherWheels = None,
    *,
    this_machine: Annotated[
        bool, typer.Option("--this-machine", help="For the processor of this machine, not a Raspberry Pi's.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Over a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a signed update for all nodes with that system: meterbridge and all its wheels, in one file.

    Copy it to a node and run `meterbridge agent update BUNDLE` there.  Exit codes: 0 made, 2 wrong use, 3 wheels or the
    key cannot be reached, 4 refused.
    """
    from meterprov.extra import need_extra

    need_extra()
    from dataclasses import replace as with_changes

    from meteredge.clock import SystemClock
    from meteredge.keys import load_key
    from meterprov.progress import Terminal
    from meterprov.system import SYSTEMS
    from meterprov.update_bundle import make_bundle

    if system not in SYSTEMS:
        raise typer.BadParameter(f"--system {system}: there is {', '.join(SYSTEMS)}")
    meant = with_changes(SYSTEMS[system], machine=platform.machine()) if this_machine else SYSTEMS[system]
    secret = load_key(key, "release key")
    with gathering(wheel, wheels, Terminal()) as gather:
        made = make_bundle(output, gather(meant), meant, secret, SystemClock(), replace=replace).manifest
    if as_json:
        typer.echo(json.dumps({**made.model_dump(mode="json", by_alias=True), "bundle": str(output)}))
        return
    typer.echo(f"bundle   {output}, {output.stat().st_size:,} bytes, {len(made.files)} wheels, signed and read back")
    typer.echo(f"version  {made.version} for {system}: {made.python}, {made.machine}")
