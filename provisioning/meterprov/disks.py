"""Which disks may be overwritten: cards and sticks that nothing uses.  What the kernel says of each, from sysfs.

Never: a partition, a disk that is built in, one that holds a mounted or swapped-to file system, is part of another
device (LVM, RAID, encryption), or is switched to read-only.  Loop devices only where they are asked for.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SECTOR = 512
_MMC = re.compile(r"mmcblk\d+")
_LOOP = re.compile(r"loop\d+")
_USB = re.compile(r"/usb\d+/")

Kind = Literal["card", "loop", "file"]


class DiskRefused(Exception):
    """The disk may not be overwritten; the message says why and what to name instead."""


@dataclass(frozen=True)
class Target:
    """Something that may be overwritten."""

    path: Path
    kind: Kind
    name: str
    """What a person types to agree: `sdb`, or the file's name."""
    description: str
    """Vendor, model and size as the kernel tells them."""
    size: int | None
    """Bytes; None = as large as need be."""


@dataclass(frozen=True)
class Kernel:
    """Where the kernel tells what there is."""

    sys: Path = Path("/sys")
    proc: Path = Path("/proc")

    def disk(self, path: Path, *, allow_loop: bool = False) -> Target:
        """The disk at `path`, if it may be overwritten.  Raises DiskRefused."""
        name = Path(os.path.realpath(path)).name
        here = self.sys / "class/block" / name
        if (here / "partition").exists():
            whole = Path(os.path.realpath(here)).parent.name
            raise DiskRefused(f"{path} is a partition; name the whole disk, /dev/{whole}")
        if not here.exists():
            raise DiskRefused(f"{path}: the kernel knows no such disk; plug the card in again")
        is_loop = _LOOP.fullmatch(name) is not None
        if is_loop and not allow_loop:
            raise DiskRefused(f"{path} is a loop device; --allow-loop takes it all the same")
        if not is_loop and not self._may_be_unplugged(here, name):
            raise DiskRefused(
                f"{path} is built in ({self._model(here)}), no card and no stick; it is never overwritten"
            )
        if used := next(self._uses(here, name), None):
            raise DiskRefused(f"{path} is in use: {used}; unmount it, or name another disk")
        if _text(here / "ro") == "1":
            raise DiskRefused(f"{path} is read-only; look at the switch on the card's side")
        size = int(_text(here / "size") or "0") * SECTOR
        if not size:
            raise DiskRefused(f"{path} has no medium in it; put the card in")
        return Target(path, "loop" if is_loop else "card", name, f"{self._model(here)}, {in_gb(size)}", size)

    def _may_be_unplugged(self, here: Path, name: str) -> bool:
        if _MMC.fullmatch(name):
            return True
        return _text(here / "removable") == "1" or bool(_USB.search(os.path.realpath(here)))

    def _model(self, here: Path) -> str:
        backing = _text(here / "loop/backing_file")
        words = [backing] if backing else [_text(here / "device" / each) for each in ("vendor", "model", "name")]
        return " ".join(" ".join(words).split()) or "disk"

    def _uses(self, here: Path, name: str) -> Iterator[str]:
        parts = [each for each in here.iterdir() if (each / "partition").exists()] if here.is_dir() else []
        devices = {name, *(part.name for part in parts)}
        numbers = {_text(each / "dev") for each in (here, *parts)}
        for line in _lines(self.proc / "self/mountinfo"):
            words = line.split()
            source = words[words.index("-") + 2]
            if words[2] in numbers or (source.startswith("/dev/") and Path(os.path.realpath(source)).name in devices):
                yield f"mounted at {words[4]}"
        for line in _lines(self.proc / "swaps")[1:]:
            if Path(os.path.realpath(line.split()[0])).name in devices:
                yield f"{line.split()[0]} is swapped to"
        for each in (here, *parts):
            for holder in (each / "holders").iterdir() if (each / "holders").is_dir() else ():
                yield f"{each.name} is part of {holder.name}"


def target_of(path: Path, kernel: Kernel, *, allow_loop: bool = False) -> Target:
    """The disk or the plain file that `path` names.  Raises DiskRefused."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.absolute().is_relative_to("/dev"):
            raise DiskRefused(f"{path}: there is no such disk; `lsblk` shows what is plugged in") from None
        if not path.absolute().parent.is_dir():
            raise DiskRefused(f"{path}: there is no such folder") from None
        return Target(path, "file", path.name, "a new file", None)
    if stat.S_ISBLK(mode):
        return kernel.disk(path, allow_loop=allow_loop)
    if not stat.S_ISREG(mode) or path.absolute().is_relative_to("/dev"):
        raise DiskRefused(f"{path} is neither a disk nor a file")
    return Target(path, "file", path.name, f"a file of {in_gb(path.stat().st_size)}", None)


def in_gb(size: int) -> str:
    """As it stands on a card: 31.9 GB."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _lines(path: Path) -> list[str]:
    return _text(path).splitlines()
