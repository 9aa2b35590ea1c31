"""Which operating system an image holds: read from its root partition, not from its file name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meterprov.disk_image import CardLayout
from meterprov.ext4 import Ext4, Ext4Error

FirstBoot = Literal["cloud-init", "firstrun"]


class SystemUnknown(Exception):
    """The image's system is none that a node can be made from; the message says which one to take."""


@dataclass(frozen=True)
class System:
    """What a release of Raspberry Pi OS (64-bit) brings."""

    codename: str
    python: tuple[int, int]
    glibc: tuple[int, int]
    first_boot: FirstBoot
    """Who does what the boot partition says at the first boot."""
    machine: str = "aarch64"

    @property
    def tag(self) -> str:
        """Its Python as wheels name it: cp313."""
        return f"cp{self.python[0]}{self.python[1]}"


SYSTEMS: Mapping[str, System] = {
    "trixie": System("trixie", (3, 13), (2, 41), "cloud-init"),
    "bookworm": System("bookworm", (3, 11), (2, 36), "firstrun"),
}
_LOADER = "lib/ld-linux-aarch64.so.1"
_TAKE = "take Raspberry Pi OS Lite (64-bit) of trixie or bookworm"


def read_system(image: Path, layout: CardLayout) -> System:
    """The system on the image.  Raises SystemUnknown."""
    try:
        with image.open("rb") as file:
            root = Ext4(file, layout.root)
            release = _fields(root.read("etc/os-release").decode("utf-8", "replace"))
            system = SYSTEMS.get(release.get("VERSION_CODENAME", ""))
            if system is None:
                raise SystemUnknown(f"{image}: it holds {release.get('PRETTY_NAME', 'no known system')}; {_TAKE}")
            if not root.exists(_LOADER):
                raise SystemUnknown(f"{image}: it is no 64-bit system; {_TAKE}")
            if not root.exists(f"usr/bin/python{system.python[0]}.{system.python[1]}"):
                raise SystemUnknown(f"{image}: it has no Python {system.python[0]}.{system.python[1]}; {_TAKE}")
            if system.first_boot == "cloud-init" and not root.exists("usr/bin/cloud-init"):
                raise SystemUnknown(f"{image}: a trixie without cloud-init; take one of 2025-11-24 or later")
    except Ext4Error as error:
        raise SystemUnknown(f"{image}: {error}; {_TAKE}") from error
    return system


def _fields(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}
