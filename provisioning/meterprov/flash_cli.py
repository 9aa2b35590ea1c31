"""`meterbridge provision flash`: an image onto cards."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meterprov.image_cli import MANIFEST_NAME

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from meterprov.disks import Target
    from meterprov.flash import Flashed

CHECK_SAID_NO, UNREACHED = 1, 3


def flash(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A card's image, .img or .img.xz.")],
    disks: Annotated[list[Path], typer.Argument(metavar="DISK…", help="Cards, as /dev/sdb; all at once.")],
    yes: Annotated[
        list[str] | None, typer.Option("--yes", metavar="NAME", help="Do not ask for the disk of that name, as in sdb.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where facts are kept; default: manifest.jsonl beside the image."),
    ] = None,
    *,
    allow_loop: Annotated[bool, typer.Option("--allow-loop", help="Loop devices too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be overwritten; touch nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Overwrite cards with an image and read them back whole.  Asks for each disk's name first.

    Exit codes: 0 all are good, 1 a card gave back something else, 3 a card or the image cannot be reached, 4 refused.
    """
    from meterprov.disks import Kernel, target_of
    from meterprov.flash import flash as write
    from meterprov.progress import Terminal

    kernel = Kernel()
    targets = [target_of(path, kernel, allow_loop=allow_loop) for path in disks]
    for target in targets:
        typer.echo(f"{'would overwrite' if dry_run else 'overwrites'} {target.path}: {target.description}", err=True)
    if dry_run:
        found = [{"disk": str(target.path), "description": target.description} for target in targets]
        if as_json:
            typer.echo(json.dumps({"schema": 1, "dry_run": True, "disks": found}))
        return
    _ask_for(targets, set(yes or ()))
    with Terminal().many() as heard:
        results = write(image, targets, lambda target, what, done, total: heard(f"{target.name}: {what}", done, total))
    kept = manifest or image.parent / MANIFEST_NAME
    keep = manifest is not None or kept.exists()
    document = _document(results, kept)
    if keep:
        _write_down(results, kept, image.name)
    if as_json:
        typer.echo(json.dumps({"schema": 1, "manifest": str(kept) if keep else None, "disks": document}))
    else:
        _show(document)
    for result in results:
        if result.failure is not None:
            typer.echo(f"meterbridge: {result.failure}", err=True)
    if any(result.differs for result in results):
        raise typer.Exit(CHECK_SAID_NO)
    if any(result.failure for result in results):
        raise typer.Exit(UNREACHED)


def _ask_for(targets: "Sequence[Target]", agreed: "Collection[str]") -> None:
    """Each disk's name is typed, unless it was said beforehand.  Raises FlashRefused."""
    from meterprov.flash import FlashRefused

    for target in targets:
        if target.name in agreed or (target.kind == "file" and not target.path.exists()):
            continue
        answer = typer.prompt(f"everything on it is lost; type {target.name} to go on", default="", err=True)
        if answer.strip() != target.name:
            raise FlashRefused(
                f"nothing was written; {target.name} was not typed (--yes {target.name} says it beforehand)"
            )


def _write_down(results: "Sequence[Flashed]", kept: Path, image: str) -> None:
    """A line of the manifest for each card that is good.  Raises ManifestError."""
    from meteredge.clock import SystemClock
    from meterprov import manifest as facts

    clock = SystemClock()
    for result in results:
        if result.failure is None:
            line = facts.Flashed(
                at=int(clock.utc()),
                meter_id=facts.meter_of_image(kept, result.image_sha256),
                image=image,
                image_bytes=result.image_bytes,
                image_sha256=result.image_sha256,
                disk=result.target.description,
            )
            facts.append(kept, line)


def _document(results: "Sequence[Flashed]", kept: Path) -> list[dict[str, Any]]:
    from meterprov import manifest as facts

    return [
        {
            "disk": str(result.target.path),
            "meter_id": facts.meter_of_image(kept, result.image_sha256),
            "ok": result.failure is None,
            "failure": result.failure,
            "bytes": result.image_bytes,
            "sha256": result.image_sha256,
        }
        for result in results
    ]


def _show(document: "Sequence[dict[str, Any]]") -> None:
    for entry in document:
        who = f", {entry['meter_id']}" if entry["meter_id"] else ""
        good = f"{entry['bytes']:,} bytes written and read back, sha256 {entry['sha256'][:16]}{who}"
        typer.echo(f"{entry['disk']}  {good if entry['ok'] else 'FAILED'}")
