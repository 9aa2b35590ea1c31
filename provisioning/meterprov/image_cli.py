"""`meterbridge provision image`: an image for one node."""

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meterprov.image import Wheels
    from meterprov.progress import Terminal
    from meterprov.site_file import SiteFile
    from meterprov.system import System

MANIFEST_NAME = "manifest.jsonl"
Site = Annotated[Path, typer.Option("--site", metavar="SITE", help="The site file.")]
ManifestFile = Annotated[
    Path | None,
    typer.Option(
        "--manifest", metavar="FILE", help="Where facts are kept; default: manifest.jsonl beside the site file."
    ),
]
OwnWheel = Annotated[
    Path | None, typer.Option(metavar="FILE", help="meterbridge's own wheel; default: built from the source tree.")
]
OtherWheels = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="All other wheels; default: downloaded once, then cached.")
]


def image(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="Raspberry Pi OS Lite (64-bit), .img or .img.xz.")],
    site: Site,
    node: Annotated[str, typer.Option("--node", metavar="METER", help="The meter it stands beside, as in METER_007.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="IMAGE", help="Where the image goes.")],
    generation: Annotated[
        int | None, typer.Option(min=1, help="Counts the node's lives; default: the one that the manifest has, or 1.")
    ] = None,
    wheel: OwnWheel = None,
    wheels: OtherWheels = None,
    manifest: ManifestFile = None,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Over a file that is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout: the manifest's line.")] = False,
) -> None:
    """Make a node's card image without root: first boot, board, agent and all its wheels; every file is read back.

    Exit codes: 0 made, 2 the site file or the base is not right, 3 wheels or files cannot be reached, 4 refused (no
    room, read back otherwise, a file is there).
    """
    from meterprov.extra import need_extra

    need_extra()
    from meteredge.clock import SystemClock
    from meterprov import manifest as facts
    from meterprov.image import Order, make_image, rehearse
    from meterprov.payload import install_script
    from meterprov.progress import Terminal
    from meterprov.site_file import load_site

    described = load_site(site)
    kept = manifest or manifest_beside(site)
    tell = Terminal()
    programs = programs_beside(site, described)
    lived = facts.generation_of(kept, node)
    order = Order(
        described, described.meter(node), base, output, install_script(), generation or lived or 1, programs, replace
    )
    with gathering(wheel, wheels, tell) as gather:
        if dry_run:
            plan = rehearse(order, gather, tell)
            document: dict[str, Any] = {
                "schema": 1,
                "dry_run": True,
                "system": plan.system.codename,
                "instance": plan.instance,
                "files": {path.lstrip("/"): len(data) for path, data in plan.files.items()},
                "takes_bytes": plan.takes,
                "free_bytes": plan.free,
            }
            typer.echo(json.dumps(document) if as_json else "\n".join(_rows(document)))
            return
        made = make_image(order, gather, tell, SystemClock())
    line = facts.append(kept, made)
    if as_json:
        typer.echo(facts.line_of(made), nl=False)
        return
    typer.echo(f"image     {output}, {made.image_bytes:,} bytes, {made.system} for a {made.board}")
    typer.echo(f"sha256    {made.image_sha256}")
    typer.echo(f"instance  {made.instance}")
    typer.echo(f"files     {len(made.files)} written, read back and the same")
    typer.echo(f"manifest  {kept}, line {line}")


@contextmanager
def gathering(wheel: Path | None, wheels: Path | None, tell: "Terminal") -> "Iterator[Wheels]":
    """Where wheels come from: a folder, or the network and then the cache; our own from `wheel`, or built."""
    from meterprov import wheels as wheelhouse

    with tempfile.TemporaryDirectory() as folder:

        def gather(system: "System") -> tuple[wheelhouse.Wheel, ...]:
            own = wheelhouse.own_wheel(wheel, Path(folder), tell.say)
            if wheels is not None:
                return wheelhouse.from_folder(own, wheels, system)
            return wheelhouse.gather(own, system, wheelhouse.default_cache(), tell.say)

        yield gather


def manifest_beside(site: Path) -> Path:
    """Where facts are kept unless somebody says otherwise."""
    return site.parent / MANIFEST_NAME


def programs_beside(site: Path, described: "SiteFile") -> Path | None:
    """The folder of programs that the site file at `site` names; None for the development ids."""
    return site.parent / described.chain.programs if described.chain.programs else None


def _rows(document: dict[str, Any]) -> list[str]:
    files = {path: size for path, size in document["files"].items() if "/wheels/" not in path}
    wheels = {path: size for path, size in document["files"].items() if path not in files}
    return [
        f"would make {document['instance']} on {document['system']}",
        *(f"{size:>12,}  {path}" for path, size in sorted(files.items())),
        f"{sum(wheels.values()):>12,}  {len(wheels)} wheels",
        f"{document['takes_bytes']:>12,}  bytes of the boot partition, {document['free_bytes']:,} are free",
    ]
