"""`meterbridge bundle`: the support archive."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from meteredge.start import DEFAULT_PATH

app = typer.Typer(add_completion=False, help="A support archive without secrets.")


@app.command()
def bundle(
    config: Annotated[Path, typer.Option("--config", metavar="FILE", help="The agent's configuration.")] = DEFAULT_PATH,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write it (….tar.gz).")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be in it, write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Collect configuration, doctor's sheet, status, journal's states, log and raw frames, redacted, in one archive.

    Look into it before you send it: it is plain text.  Exit codes: 0 written, 2 configuration, 3 cannot be written.
    """
    from meteredge.bundle.archive import write_archive
    from meteredge.bundle.contents import entries, read_systemd_log
    from meteredge.clock import SystemClock
    from meteredge.config import load
    from meteredge.doctor.examine import Bench

    clock = SystemClock()
    loaded = load(config)
    found = entries(loaded, Bench(clock, tell=lambda sentence: typer.echo(sentence, err=True)), read_systemd_log)
    stamp = datetime.fromtimestamp(clock.utc(), UTC).strftime("%Y%m%dT%H%M%SZ")
    path = out or Path(f"meterbridge-{loaded.each()[0].meter.id}-{stamp}.tar.gz")
    written = None if dry_run else write_archive(path, found, clock.utc())
    if as_json:
        listed = [{"name": e.name, "bytes": len(e.text.encode()), "about": e.about} for e in found]
        typer.echo(
            json.dumps({"schema": 1, "path": None if dry_run else str(path), "bytes": written, "entries": listed})
        )
        return
    for entry in found:
        typer.echo(f"{len(entry.text.encode()):>9,}  {entry.name:<20}{entry.about}")
    typer.echo(f"would write {path}" if dry_run else f"wrote {path}, {written:,} bytes")
