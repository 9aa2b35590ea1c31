"""An image for one node, from an image of Raspberry Pi OS: unpacked, filled, read back, and only then given its name.

Without root and without mounting.  The base image is never changed; the new one is `NAME.part` until every file in it
was read back and has the digest that it should have.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from meterchain.durable import replace
from meteredge.clock import Clock
from meterprov import wheels as wheelhouse
from meterprov.disk_image import CardLayout, read_layout
from meterprov.fat import FatError, digests, fat_volume
from meterprov.manifest import ImageMade
from meterprov.paths import FOLDER
from meterprov.payload import boot_files, instance_of, payload
from meterprov.site_file import MeterTable, SiteFile
from meterprov.system import System, read_system
from meterprov.telling import Teller
from meterprov.unpack import CHUNK, unpack
from meterprov.wheels import Wheel

_CHANGED = ("cmdline.txt", "config.txt")
Wheels = Callable[[System], tuple[Wheel, ...]]
"""Gathers what a node with that system needs, our own wheel among it."""


class BadOutput(Exception):
    """The image cannot go where it should; what is there stays."""


@dataclass(frozen=True)
class Order:
    """What is wanted."""

    site: SiteFile
    meter: MeterTable
    base: Path
    output: Path
    install: bytes
    """The script that the node runs at its first boot (`payload.install_script`)."""
    generation: int = 1
    programs: Path | None = None
    """Folder with IDLs for ids of one's own."""
    replace: bool = False
    claim_install: int = 1
    """For which install of the meter the node makes its claim."""


@dataclass(frozen=True)
class Plan:
    """What would be written."""

    system: System
    instance: str
    version: str
    files: Mapping[str, bytes]
    """By absolute path on the boot partition."""
    takes: int
    """Bytes of the boot partition."""
    free: int


def make_image(order: Order, wheels: Wheels, tell: Teller, clock: Clock) -> ImageMade:
    """Make it.  Raises BadOutput, UnpackError, NoCardImage, SystemUnknown, FatError, WheelsError, PayloadError."""
    with _draft(order) as draft:
        with tell.bar(f"unpacking {order.base.name}") as heard:
            source = unpack(order.base, draft, heard)
        layout = read_layout(draft)
        plan = plan_files(order, draft, layout, wheels)
        tell.say(f"writing {len(plan.files)} files, {sum(map(len, plan.files.values())):,} bytes, for {plan.instance}")
        _write(draft, layout, plan)
        tell.say("reading every file back")
        found = digests(draft, layout.boot, plan.files)
        with tell.bar("hashing the image") as heard:
            image_sha256 = _digest(draft, source.size, heard)
        replace(draft, order.output)
    return ImageMade(
        at=int(clock.utc()),
        meter_id=order.meter.id,
        site=order.site.site.name,
        domain=order.site.site.domain,
        generation=order.generation,
        instance=plan.instance,
        hostname=order.meter.hostname,
        board=order.meter.board,
        system=plan.system.codename,
        version=plan.version,
        base=order.base.name,
        base_sha256=source.source_sha256,
        image=order.output.name,
        image_bytes=source.size,
        image_sha256=image_sha256,
        files={path.lstrip("/"): digest for path, digest in sorted(found.items())},
    )


def rehearse(order: Order, wheels: Wheels, tell: Teller) -> Plan:
    """What `make_image` would write; a packed base is unpacked beside the output and taken away again.

    Raises what `make_image` raises.
    """
    if order.base.suffix != ".xz":
        return plan_files(order, order.base, read_layout(order.base), wheels)
    with _draft(order) as draft:
        with tell.bar(f"unpacking {order.base.name} to look into it") as heard:
            unpack(order.base, draft, heard)
        return plan_files(order, draft, read_layout(draft), wheels)


def plan_files(order: Order, image: Path, layout: CardLayout, wheels: Wheels) -> Plan:
    """Every file, and whether there is room.  Raises FatError, SystemUnknown, WheelsError, PayloadError."""
    system = read_system(image, layout)
    gathered = wheels(system)
    folder = payload(order.site, order.meter, gathered, order.install, order.programs, order.claim_install)
    with fat_volume(image, layout.boot) as volume:
        found = {name: volume.read(f"/{name}").decode("utf-8", "replace") for name in _CHANGED}
        named = boot_files(order.site, order.meter, system, "", found)
        instance = instance_of(order.meter, order.generation, {**folder, **named})
        seeds = boot_files(order.site, order.meter, system, instance, found)
        contents = {f"/{path}": data for path, data in {**folder, **seeds}.items()}
        takes = volume.room_for({path: len(data) for path, data in contents.items()})
        free = volume.free_at_start
    if takes > free:
        raise FatError(
            f"{image}: {takes:,} bytes are needed on its boot partition and {free:,} are free; take a fresh image"
        )
    version = next(str(wheel.version) for wheel in gathered if wheel.name == wheelhouse.OWN)
    return Plan(system, instance, version, contents, takes, free)


def _write(image: Path, layout: CardLayout, plan: Plan) -> None:
    with fat_volume(image, layout.boot, write=True) as volume:
        volume.remove(f"/{FOLDER}")
        for path, data in plan.files.items():
            volume.write(path, data)


def _digest(image: Path, size: int, heard: Callable[[int, int], None]) -> str:
    digest, done = hashlib.sha256(), 0
    with image.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
            done += len(piece)
            heard(done, size)
    return digest.hexdigest()


@contextmanager
def _draft(order: Order) -> Iterator[Path]:
    """A name beside the output that is gone afterwards, whatever happens, unless it was given the output's name."""
    if order.output.suffix == ".xz":
        raise BadOutput(f"{order.output}: the image is written as it is, not packed; leave out .xz")
    if order.output.exists() and order.base.exists() and order.output.samefile(order.base):
        raise BadOutput(f"{order.output}: this is the base, and it stays; name another file")
    if order.output.exists() and not order.replace:
        raise BadOutput(f"{order.output}: there is a file already and it stays; --replace makes it anew")
    draft = order.output.with_name(f"{order.output.name}.part")
    draft.unlink(missing_ok=True)
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)
