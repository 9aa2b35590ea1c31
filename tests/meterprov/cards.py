"""Small images of cards, made without tools and without root: a partition table, a FAT, and an ext4 that lies ready.

The roots were made once by `mke2fs -d` (roots/README.md): what `provision image` looks for in Raspberry Pi OS, and 200
more names, so that their folder spans several blocks.
"""

import lzma
import struct
import zipfile
from pathlib import Path

from fatfs.diskio import RamDisk
from fatfs.partition_extended import PartitionExtended
from fatfs.wrapper import Partition, pyf_mkfs

from meterprov.disk_image import SECTOR

BOOT_AT = 2048
"""First sector of the boot partition, as in Raspberry Pi OS."""
_CMDLINE = (
    "console=serial0,115200 console=tty1 root=PARTUUID=1234abcd-02 rootfstype=ext4 fsck.repair=yes rootwait quiet "
    "init=/usr/lib/raspberrypi-sys-mods/firstboot"
)
CMDLINES = {"trixie": f"{_CMDLINE} ds=nocloud;i=rpi-imager-1\n", "bookworm": f"{_CMDLINE}\n"}
CONFIG_TXT = "dtparam=audio=on\n\n[cm5]\ndtoverlay=dwc2,dr_mode=host\n\n[all]\n"


def root_of(codename: str) -> bytes:
    """The ext4 file system of that release."""
    return lzma.decompress((Path(__file__).parent / "roots" / f"{codename}.ext4.xz").read_bytes())


def boot_with(files: dict[str, bytes], size: int) -> bytes:
    """A FAT16 file system that holds these."""
    storage = bytearray(size)
    partition = Partition(RamDisk(storage))
    pyf_mkfs(partition.pname, n_fat=2, au_size=SECTOR)
    partition.mount()
    try:
        volume = PartitionExtended(partition)
        for name, data in files.items():
            volume.write_file(f"/{name}", data)
    finally:
        partition.unmount()
    return bytes(storage)


FILES = {"config.txt": CONFIG_TXT.encode(), "user-data": b"#cloud-config\n"}
"""What lies on the boot partition of an image, with cmdline.txt."""


def card(codename: str, *, boot_size: int = 4 << 20) -> bytes:
    """A whole card: boot (FAT) and root (ext4)."""
    boot = boot_with({"cmdline.txt": CMDLINES[codename].encode(), **FILES}, boot_size)
    return assembled(boot, root_of(codename))


def assembled(boot: bytes, root: bytes) -> bytes:
    """A partition table and these two file systems."""
    root_at = BOOT_AT + len(boot) // SECTOR
    table = bytearray(SECTOR)
    for number, (kind, at, data) in enumerate(((0x0C, BOOT_AT, boot), (0x83, root_at, root))):
        struct.pack_into("<B3xB3xII", table, 446 + 16 * number, 0, kind, at, len(data) // SECTOR)
    table[510:] = b"\x55\xaa"
    return bytes(table).ljust(BOOT_AT * SECTOR, b"\0") + boot + root


def make_wheel(folder: Path, name: str, *, requires: tuple[str, ...] = (), extras: tuple[str, ...] = ()) -> Path:
    """A wheel of that file name, with nothing but metadata in it."""
    path = folder / name
    project, version = name.split("-")[:2]
    lines = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}"]
    lines += [f"Provides-Extra: {each}" for each in extras] + [f"Requires-Dist: {each}" for each in requires]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{project}-{version}.dist-info/METADATA", "\n".join(lines) + "\n\n")
    return path
