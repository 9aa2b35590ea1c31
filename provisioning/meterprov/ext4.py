"""Reading single files out of an ext4 file system inside an image: no root, no mounting, nothing written.

Enough for `etc/os-release` of a root partition: superblock, group descriptors (32 and 64 bytes), inodes, extent trees,
directories (a hashed one reads like a plain one), symbolic links.  Not read: block maps of ext2/3, inline data,
encrypted files.  Layout: Documentation/filesystems/ext4 of the Linux kernel.
"""

import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from meterprov.disk_image import Partition

_SUPERBLOCK_AT, _SUPERBLOCK_SIZE = 1024, 1024
_MAGIC, _EXTENT_MAGIC = 0xEF53, 0xF30A
_ROOT_INODE = 2
_64BIT = 0x80
_EXTENTS, _INLINE = 0x80000, 0x10000000
_FAST_LINK = 60
_DEEPEST, _MOST_LINKS = 5, 40
_MOST_SHIFT = 6
"""Blocks have 1 KiB to 64 KiB."""
_MOST_BYTES = 16 << 20


class Ext4Error(Exception):
    """The root partition cannot be read; the message says why."""


class NoSuchFile(Ext4Error):
    """There is no file of that name in it."""


@dataclass(frozen=True)
class _Inode:
    mode: int
    size: int
    flags: int
    block: bytes


class Ext4:
    """The file system in one partition of an open image."""

    def __init__(self, file: BinaryIO, partition: Partition) -> None:
        """Read the superblock.  Raises Ext4Error."""
        self._file = file
        self._partition = partition
        block = self._bytes(_SUPERBLOCK_AT, _SUPERBLOCK_SIZE)
        if struct.unpack_from("<H", block, 0x38)[0] != _MAGIC:
            raise Ext4Error("the root partition holds no ext4 file system")
        (shift,) = struct.unpack_from("<I", block, 0x18)
        self._block_size = 1024 << min(shift, _MOST_SHIFT + 1)
        (self._first_block,) = struct.unpack_from("<I", block, 0x14)
        (self._inodes_per_group,) = struct.unpack_from("<I", block, 0x28)
        (self._inode_size,) = struct.unpack_from("<H", block, 0x58)
        (incompatible,) = struct.unpack_from("<I", block, 0x60)
        wide = bool(incompatible & _64BIT)
        self._descriptor_size = struct.unpack_from("<H", block, 0xFE)[0] if wide else 32
        if shift > _MOST_SHIFT or not self._inodes_per_group or self._inode_size < 128 or self._descriptor_size < 32:
            raise Ext4Error("the root partition's superblock is damaged")

    def read(self, path: str) -> bytes:
        """The file's bytes, symbolic links followed.  Raises NoSuchFile, Ext4Error."""
        inode = self._inode(self._find(path))
        if not stat.S_ISREG(inode.mode):
            raise NoSuchFile(f"/{path} is no file")
        return self._content(inode)

    def exists(self, path: str) -> bool:
        """Is there anything of that name?  Raises Ext4Error."""
        try:
            self._find(path)
        except NoSuchFile:
            return False
        return True

    def _find(self, path: str) -> int:
        """The inode's number, links in it followed, below the root like in a chroot."""
        todo = [part for part in path.split("/") if part][::-1]
        trail = [_ROOT_INODE]
        links = 0
        while todo:
            name = todo.pop()
            if name == ".":
                continue
            if name == "..":
                trail = trail[:-1] or [_ROOT_INODE]
                continue
            number = self._entry(trail[-1], name, path)
            inode = self._inode(number)
            if not stat.S_ISLNK(inode.mode):
                trail.append(number)
                continue
            links += 1
            if links > _MOST_LINKS:
                raise NoSuchFile(f"/{path}: its symbolic links go in a circle")
            target = self._target(inode)
            if target.startswith("/"):
                trail = [_ROOT_INODE]
            todo += [part for part in target.split("/") if part][::-1]
        return trail[-1]

    def _entry(self, folder: int, name: str, path: str) -> int:
        inode = self._inode(folder)
        if not stat.S_ISDIR(inode.mode):
            raise NoSuchFile(f"there is no /{path}")
        wanted = name.encode()
        content = self._content(inode)
        for start in range(0, len(content), self._block_size):
            at = start
            while at + 8 <= start + self._block_size:
                number, length, size, _ = struct.unpack_from("<IHBB", content, at)
                if length < 8:
                    break
                if number and content[at + 8 : at + 8 + size] == wanted:
                    return int(number)
                at += length
        raise NoSuchFile(f"there is no /{path}")

    def _target(self, inode: _Inode) -> str:
        raw = inode.block[: inode.size] if inode.size < _FAST_LINK else self._content(inode)
        return raw.decode("utf-8", "surrogateescape")

    def _inode(self, number: int) -> _Inode:
        group, index = divmod(number - 1, self._inodes_per_group)
        table = (self._first_block + 1) * self._block_size
        descriptor = self._bytes(table + group * self._descriptor_size, self._descriptor_size)
        (first,) = struct.unpack_from("<I", descriptor, 0x08)
        if self._descriptor_size >= 64:
            first |= struct.unpack_from("<I", descriptor, 0x28)[0] << 32
        raw = self._bytes(first * self._block_size + index * self._inode_size, 128)
        mode, size = struct.unpack_from("<H", raw, 0)[0], struct.unpack_from("<I", raw, 4)[0]
        if stat.S_ISREG(mode):
            size |= struct.unpack_from("<I", raw, 0x6C)[0] << 32
        return _Inode(mode, size, struct.unpack_from("<I", raw, 0x20)[0], raw[0x28 : 0x28 + 60])

    def _content(self, inode: _Inode) -> bytes:
        if inode.size > _MOST_BYTES:
            raise Ext4Error(f"a file of {inode.size:,} bytes is not read")
        if inode.flags & _INLINE or not inode.flags & _EXTENTS:
            raise Ext4Error("a file is stored in a way that is not read here (no extents)")
        content = bytearray(inode.size)
        for logical, physical, count in self._extents(inode.block, _DEEPEST):
            at = logical * self._block_size
            wanted = min(count * self._block_size, inode.size - at)
            if wanted > 0:
                content[at : at + wanted] = self._bytes(physical * self._block_size, wanted)
        return bytes(content)

    def _extents(self, node: bytes, depth_left: int) -> list[tuple[int, int, int]]:
        """Logical block, physical block, number of blocks.  Unwritten stretches read as zeros and are left out."""
        magic, entries, _, depth = struct.unpack_from("<HHHH", node, 0)
        if magic != _EXTENT_MAGIC or depth > depth_left or 12 + entries * 12 > len(node):
            raise Ext4Error("the root partition's extent tree is damaged")
        found = []
        for at in range(12, 12 + entries * 12, 12):
            if depth:
                _, low, high = struct.unpack_from("<IIH", node, at)
                inner = self._bytes((low | high << 32) * self._block_size, self._block_size)
                found += self._extents(inner, depth - 1)
            else:
                logical, count, high, low = struct.unpack_from("<IHHI", node, at)
                if count <= 0x8000:
                    found.append((logical, low | high << 32, count))
        return found

    def _bytes(self, at: int, size: int) -> bytes:
        if at + size > self._partition.size:
            raise Ext4Error("the root partition points beyond its own end: the image is damaged")
        self._file.seek(self._partition.offset + at)
        data = self._file.read(size)
        if len(data) < size:
            raise Ext4Error("the root partition ends too early: the image is damaged")
        return data


def read_file(image: Path, partition: Partition, path: str) -> bytes:
    """One file of the root partition of `image`.  Raises NoSuchFile, Ext4Error."""
    with image.open("rb") as file:
        return Ext4(file, partition).read(path)
