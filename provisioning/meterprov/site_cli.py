"""`meterbridge provision site new | check | show | schema | psk`: the file that nodes are made from."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The site file: what all nodes are made from.")

SiteArgument = Annotated[Path, typer.Argument(metavar="SITE", help="The site file.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@app.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where it goes, mode 0600; nothing is overwritten.")],
) -> None:
    """Write an annotated site file with fifteen meters, to be changed."""
    from meterprov.site_example import write_example

    write_example(file)
    typer.echo(f"{file}: change what is yours, then run: meterbridge provision site check {file}", err=True)


@app.command()
def check(file: SiteArgument, *, as_json: AsJson = False) -> None:
    """Tell all mistakes of the file at once, and what deserves a look; each node's agent.toml is checked too.

    Exit codes: 0 it can be used, 2 it cannot.
    """
    from meterprov.agent_toml import agent_toml
    from meterprov.site_file import load_site

    site = load_site(file)
    for meter in site.meters:
        agent_toml(site, meter)
    warnings = list(site.warnings())
    if file.stat().st_mode & 0o077:
        warnings.insert(0, f"{file}: others may read it, and secrets are in it; run: chmod 600 {file}")
    if as_json:
        meters = [meter.id for meter in site.meters]
        typer.echo(json.dumps({"schema": 1, "site": site.site.name, "meters": meters, "warnings": warnings}))
        return
    for line in warnings:
        typer.echo(f"look at {line}", err=True)
    typer.echo(f"{file}: {site.site.name}, {len(site.meters)} meters, no mistakes")


@app.command()
def show(
    file: SiteArgument,
    *,
    redacted: Annotated[
        bool, typer.Option("--redacted/--everything", help="Leave out what is personal or secret.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Show what the file says, defaults filled in, by default without what is personal or secret."""
    from meteredge.privacy import shown
    from meterprov.site_file import load_site

    site = load_site(file)
    document = shown(site) if redacted else site.model_dump(mode="json", by_alias=True)
    if as_json:
        typer.echo(json.dumps(document))
        return
    document.pop("defaults")
    for line in _lines(document, ""):
        typer.echo(line)


@app.command()
def schema() -> None:
    """Print the file's JSON schema; `privacy` on each field says who may see it."""
    from meterprov.site_file import SiteFile

    typer.echo(json.dumps(SiteFile.model_json_schema(by_alias=True), indent=1))


@app.command()
def psk(ssid: Annotated[str, typer.Argument(help="The network's name.")]) -> None:
    """Ask for a Wi-Fi passphrase and print the `psk` that the site file takes instead of it."""
    from meterprov.wifi import psk_of

    typer.echo(psk_of(ssid, typer.prompt("passphrase", hide_input=True, err=True)))


def _lines(value: Any, name: str) -> list[str]:  # noqa: ANN401
    """`table.key  value`, a line each; a meter is one block under its id."""
    if isinstance(value, dict):
        inner = {key: each for key, each in value.items() if each not in (None, [])}
        return [line for key, each in inner.items() for line in _lines(each, f"{name}.{key}" if name else key)]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [line for each in value for line in _lines({k: v for k, v in each.items() if k != "id"}, each["id"])]
    text = ", ".join(value) if isinstance(value, list) else json.dumps(value) if isinstance(value, bool) else str(value)
    return [f"{name:<28}{text}"]
