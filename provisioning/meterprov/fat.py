"""Reading and writing the FAT boot partition of an image in place, without mounting it and without root.

FatFS (fatfs-ng) does the file system.  What it leaves open is closed here: it writes short files on a full disk without
a word, so room is reckoned first; an exception inside its disk functions is lost, so the first failure is kept and
raised; and names go in as ASCII only.
"""

import hashlib
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fatfs.diskio import Disk
from fatfs.partition_extended import PartitionExtended
from fatfs.wrapper import FatFSException, Partition

from meterprov.disk_image import SECTOR
from meterprov.disk_image import Partition as Stretch

_FREE = 0
_FAT16_LEAST, _FAT32_LEAST = 4085, 65525
"""Numbers of clusters from which on a table has entries of 16, and of 32 bits: the only sign there is."""
_DIRECTORY_ENTRIES = 21
"""The most that one file with a name of 255 characters takes, 32 bytes each."""


class FatError(Exception):
    """The boot partition cannot be read or written as asked; the message says the next step."""


class _Window(Disk):  # type: ignore[misc]
    """A stretch of a file as FatFS wants a disk.  Nothing here may raise: FatFS would not hear it."""

    def __init__(self, file: BinaryIO, stretch: Stretch) -> None:
        super().__init__()
        self._file = file
        self._at = stretch.offset
        self._sectors = stretch.size // SECTOR
        self.failure: OSError | None = None

    def ioctl_get_sector_count(self) -> int:
        return self._sectors

    def ioctl_get_sector_size(self) -> int:
        return SECTOR

    def ioctl_get_block_size(self) -> int:
        return 1

    def ioctl_sync(self) -> None:
        pass

    def read(self, sector: int, count: int) -> bytes:
        data = b""
        try:
            self._file.seek(self._at + sector * SECTOR)
            data = self._file.read(count)
        except OSError as error:
            self.failure = self.failure or error
        if len(data) < count:
            self.failure = self.failure or OSError("the image ends too early")
        return data.ljust(count, b"\0")

    def write(self, sector: int, count: int, buff: bytes) -> None:
        try:
            if sector < 0 or sector + count // SECTOR > self._sectors:
                raise OSError("a write beyond the end of the partition")
            self._file.seek(self._at + sector * SECTOR)
            self._file.write(buff)
        except OSError as error:
            self.failure = self.failure or error


class FatVolume:
    """A mounted FAT partition.  Paths are absolute, with '/'."""

    def __init__(self, name: str, disk: _Window, partition: PartitionExtended, cluster_size: int, free: int) -> None:
        self._name = name
        self._disk = disk
        self._partition = partition
        self.cluster_size = cluster_size
        """Bytes; a file takes a whole number of these."""
        self.free_at_start = free
        """Bytes free when it was mounted."""

    def exists(self, path: str) -> bool:
        """Is there a file or a folder of that name?"""
        found = bool(self._partition.exists(_checked(path)))
        self._raise_failure()
        return found

    def names(self, folder: str) -> tuple[str, ...]:
        """What lies in the folder.  Raises FatError."""
        try:
            found = tuple(self._partition.listdir(_checked(folder)))
        except OSError:
            raise FatError(f"{self._name}: there is no folder {folder}") from None
        self._raise_failure()
        return found

    def read(self, path: str) -> bytes:
        """The file's bytes.  Raises FatError."""
        try:
            data = bytes(self._partition.read_file(_checked(path)))
        except OSError:
            raise FatError(f"{self._name}: there is no file {path}") from None
        self._raise_failure()
        return data

    def write(self, path: str, data: bytes) -> None:
        """Write the file, over another one if there is one; its folders are made.  Raises FatError."""
        folder = _checked(path).rpartition("/")[0]
        try:
            if folder:
                self._partition.makedirs(folder, exist_ok=True)
            with self._partition.open(path, "w") as file:
                written = file.write(data)
        except (OSError, FatFSException) as error:
            self._raise_failure()
            raise FatError(
                f"{self._name}: {path} cannot be written ({error}); check the image with fsck.vfat"
            ) from None
        self._raise_failure()
        if written != len(data):
            raise FatError(f"{self._name}: {written:,} of {len(data):,} bytes of {path} went in: the partition is full")

    def remove(self, path: str) -> None:
        """Delete the file, or the folder and all in it; nothing happens if there is none.  Raises FatError."""
        if not self.exists(path):
            return
        try:
            if self._partition.isdir(path):
                for name in self.names(path):
                    self.remove(f"{path}/{name}")
            self._partition.remove(path)
        except OSError:
            raise FatError(f"{self._name}: {path} cannot be deleted; check the image with fsck.vfat") from None
        self._raise_failure()

    def room_for(self, files: Mapping[str, int]) -> int:
        """Bytes of the partition that files of these sizes take, with the entries of their folders."""
        entries = len(files) * _DIRECTORY_ENTRIES * 32
        return sum(self._rounded(size) for size in files.values()) + self._rounded(entries)

    def _rounded(self, size: int) -> int:
        return -(-size // self.cluster_size) * self.cluster_size

    def _raise_failure(self) -> None:
        if self._disk.failure is not None:
            raise FatError(f"{self._name}: {self._disk.failure}; the image is not whole, make it again")


@contextmanager
def fat_volume(image: Path, stretch: Stretch, *, write: bool = False) -> Iterator[FatVolume]:
    """The FAT partition of `image`, mounted while the block runs, and synced to the disk at its end.

    Raises FatError.
    """
    with image.open("r+b" if write else "rb") as file:
        cluster_size, free = _reckon(image, file, stretch)
        disk = _Window(file, stretch)
        partition = Partition(disk)
        try:
            try:
                partition.mount()
            except FatFSException:
                raise FatError(f"{image}: its boot partition is no FAT file system; take another image") from None
            yield FatVolume(str(image), disk, PartitionExtended(partition), cluster_size, free)
        finally:
            partition.unmount()
        if write:
            file.flush()
            os.fsync(file.fileno())
        if disk.failure is not None:
            raise FatError(f"{image}: {disk.failure}; the image is not whole, make it again")


def digests(image: Path, stretch: Stretch, paths: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of these files as the image gives them back, mounted anew; compared with what they should hold.

    Raises FatError if one differs.
    """
    found = {}
    with fat_volume(image, stretch) as volume:
        for path, wanted in paths.items():
            found[path] = hashlib.sha256(volume.read(path)).hexdigest()
            if found[path] != hashlib.sha256(wanted).hexdigest():
                raise FatError(f"{image}: {path} reads back otherwise than it was written; check disk and memory")
    return found


def _checked(path: str) -> str:
    if not path.startswith("/") or not path.isascii() or not path.isprintable():
        raise FatError(f"{path!r}: an absolute path of printable ASCII characters is expected")
    return path


def _reckon(image: Path, file: BinaryIO, stretch: Stretch) -> tuple[int, int]:
    """Size of a cluster and free bytes, counted in the table itself.  Raises FatError."""
    file.seek(stretch.offset)
    boot = file.read(SECTOR)
    if len(boot) < SECTOR or boot[510:] != b"\x55\xaa":
        raise FatError(f"{image}: its boot partition is no FAT file system; take another image")
    sector, per_cluster, reserved, tables, root_entries, few = struct.unpack_from("<HBHBHH", boot, 11)
    (table_16,) = struct.unpack_from("<H", boot, 22)
    many, table_32 = struct.unpack_from("<II", boot, 32)
    table = table_16 or table_32
    if sector != SECTOR or not per_cluster or not tables or not table:
        raise FatError(f"{image}: its boot partition is a FAT of another kind ({sector} bytes a sector)")
    root = -(-root_entries * 32 // sector)
    clusters = ((few or many) - reserved - tables * table - root) // per_cluster
    if clusters < _FAT16_LEAST:
        raise FatError(f"{image}: its boot partition is a FAT12; Raspberry Pi OS has FAT32, take another image")
    wide = clusters >= _FAT32_LEAST
    file.seek(stretch.offset + reserved * sector)
    entries = memoryview(file.read(table * sector)).cast("I" if wide else "H")[2 : clusters + 2]
    mask = 0x0FFF_FFFF if wide else 0xFFFF
    free = sum(1 for entry in entries if entry & mask == _FREE)
    return per_cluster * sector, free * per_cluster * sector
