"""`meterbridge provision status`: all nodes of a site, a line each."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meterchain.commands.session import CHECK_SAID_NO, AsJson, say, show_table
from meterprov.image_cli import ManifestFile, Site
from meterprov.life.options import Rpc, office

if TYPE_CHECKING:
    from meterprov.life.status import NodeLine

HEAD = ("meter", "image", "card", "booted", "registry", "key", "level", "last record")


def status(
    context: typer.Context,
    site: Site,
    card: Annotated[
        list[Path] | None,
        typer.Option("--card", metavar="DIR", help="Folder meterbridge of a card that was booted; may be repeated."),
    ] = None,
    stale_after_min: Annotated[
        int, typer.Option("--stale-after", min=16, metavar="MINUTES", help="An active meter is silent for too long.")
    ] = 60,
    rpc: Rpc = None,
    manifest: ManifestFile = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Where each node stands: imaged, card written, booted, enrolled, last record, level of its key; and what is next.

    With --card what the first boot left on a card is kept in the manifest, too.
    Exit codes: 0 nobody is silent, 1 a node is stale, 2 wrong site file or card, 3 the chain cannot be reached.
    """
    from meteredge.clock import SystemClock
    from meterprov import manifest as facts
    from meterprov.life.status import booted, node_lines

    here = office(site, manifest)
    for folder in card or ():
        facts.append_once(here.manifest, booted(folder, int(SystemClock().utc())))
    with here.chain(context, rpc) as there:
        now = there.chain.clock().unix_s
        lines = node_lines(there, here.site, list(facts.read(here.manifest)), now, stale_after_min * 60)
    stale = [line.meter_id for line in lines if line.stale]
    if as_json:
        typer.echo(json.dumps({"schema": 1, "at": now, "stale": stale, "nodes": [asdict(line) for line in lines]}))
    else:
        show_table(HEAD, [_row(line) for line in lines])
        for line in lines:
            if line.next_step:
                say(f"{line.meter_id}: {line.next_step}")
    if stale:
        raise typer.Exit(CHECK_SAID_NO)


def _row(line: "NodeLine") -> tuple[str, ...]:
    made = "-" if line.imaged_at is None else f"{_day(line.imaged_at)} (life {line.generation})"
    registry = "-" if line.status is None else f"{line.status}, install {line.install_id}"
    last = "-" if line.age_s is None else f"{line.age_s // 60} min ago"
    return (
        line.meter_id, made, _day(line.flashed_at), line.booted or "-", registry, line.fingerprint or "-",
        line.key_level or "-", f"{last}, STALE" if line.stale else last,
    )  # fmt: skip


def _day(at: int | None) -> str:
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
