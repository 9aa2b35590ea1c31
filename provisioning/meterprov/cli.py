"""`meterbridge provision`: making a node, from the site file to the firmware of its bridge."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from meterprov import flash_cli, image_cli, label_cli, site_cli, update_cli
from meterprov.first_boot import cli as first_boot_cli
from meterprov.life import change_cli, enrol_cli, status_cli

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A node, from an empty card to the shelf.")
app.add_typer(site_cli.app, name="site")
app.add_typer(first_boot_cli.app)
app.command()(image_cli.image)
app.command()(flash_cli.flash)
app.command()(label_cli.label)
app.command()(enrol_cli.enrol)
app.command()(status_cli.status)
app.command()(change_cli.replace)
app.command()(change_cli.re_provision)
app.command()(change_cli.decommission)
app.command("update-key")(update_cli.update_key)
app.command("update-bundle")(update_cli.update_bundle)


@app.command()
def bridge(
    port: Annotated[str, typer.Option("--port", help="The Pico: a path, or VID:PID[:SERIAL] as in 2e8a:0005.")],
    unit: Annotated[int, typer.Option(help="The bridge's own unit id, 1 to 247.")] = 247,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Write the firmware, verify it, set the unit id.  The service switch has to be closed (docs/bridge.md)."""
    import serial

    from meteredge.port import resolve
    from meterprov.bridge import flash
    from meterprov.raw_repl import NoPrompt, RawRepl

    path = resolve(port)
    try:
        open_port = serial.Serial(path, 115_200, exclusive=True)
    except serial.SerialException as error:
        raise NoPrompt(f"cannot open {path} ({error}); plug the Pico in, join the group dialout") from error
    with open_port, RawRepl(open_port) as repl:
        flashed = flash(repl, unit, say=lambda line: typer.echo(line, err=True))
    if as_json:
        typer.echo(json.dumps(asdict(flashed)))
    else:
        typer.echo(f"bridge firmware {flashed.version}, unit {flashed.unit}, {len(flashed.sha256)} files verified")
        typer.echo("now open the service switch and plug the Pico in again", err=True)
