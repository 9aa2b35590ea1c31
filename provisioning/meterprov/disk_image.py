"""The partition table of a card's image (MBR): where the boot and the root file system lie.

Byte 446: four entries of 16 bytes; in each, byte 4 is the type, bytes 8 to 11 the first sector and 12 to 15 the number
of sectors, little-endian.  Bytes 510 and 511 are 55 AA.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
_TABLE_AT, _ENTRY, _ENTRIES = 446, 16, 4
_FAT_TYPES = frozenset({0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E})
_LINUX_TYPE = 0x83


class NoCardImage(Exception):
    """The file is no image of a card that a Raspberry Pi boots from."""


@dataclass(frozen=True)
class Partition:
    """A stretch of the image, in bytes."""

    offset: int
    size: int
    kind: int
    """The type byte of the table."""


@dataclass(frozen=True)
class CardLayout:
    """The two partitions of Raspberry Pi OS."""

    boot: Partition
    root: Partition


def read_layout(path: Path) -> CardLayout:
    """Where boot (FAT, the first partition) and root (Linux, the second) lie.  Raises NoCardImage."""
    try:
        with path.open("rb") as file:
            sector = file.read(SECTOR)
            length = file.seek(0, 2)
    except OSError as error:
        raise NoCardImage(f"{path}: cannot be read ({error.strerror}); name an image of Raspberry Pi OS") from error
    if len(sector) < SECTOR or sector[510:] != b"\x55\xaa":
        raise NoCardImage(f"{path}: no partition table in it; name an image of Raspberry Pi OS, .img or .img.xz")
    found = [_entry(sector, number) for number in range(_ENTRIES)]
    boot, root = found[0], found[1]
    if boot is None or root is None or boot.kind not in _FAT_TYPES or root.kind != _LINUX_TYPE:
        raise NoCardImage(f"{path}: its first partitions are not FAT and Linux; name an image of Raspberry Pi OS")
    for part in (boot, root):
        if part.offset + part.size > length:
            raise NoCardImage(f"{path}: it ends before its partitions do ({length:,} bytes); download it again")
    return CardLayout(boot, root)


def _entry(sector: bytes, number: int) -> Partition | None:
    at = _TABLE_AT + number * _ENTRY
    first, count = struct.unpack_from("<II", sector, at + 8)
    return Partition(first * SECTOR, count * SECTOR, sector[at + 4]) if count else None
