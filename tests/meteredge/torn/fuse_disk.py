"""A file system in user space on a Medium: what the kernel and any program really do to a disk that is cut off.

    python -m tests.meteredge.torn.fuse_disk FOLDER      serves FOLDER until it is unmounted

Setting the attribute `user.power` of the folder to "SEED CHANGES" turns the power on: the medium is what the last cut
left, and the power fails at that change.  From then on every change fails with EIO.  SQLite's shared memory and lock
files are no matter of the medium: they are gone at the cut.
"""

import errno
import os
import random
import stat
import sys
from typing import Any

import mfusepy as fuse
from tests.meteredge.torn.medium import POWER, Medium

_PASSING = ("-shm", ".lock")


class TornDisk(fuse.Operations):  # type: ignore[misc]
    """One folder, no subfolders.  Paths begin with a slash."""

    def __init__(self) -> None:
        self._medium = Medium({}, random.Random(0), 0)
        self._passing: dict[str, bytearray] = {}
        self._medium.change()

    def setxattr(self, path: str, name: str, value: bytes, options: int, position: int = 0) -> int:
        if name != POWER:
            raise fuse.FuseOSError(errno.EPERM)
        seed, changes = (int(word) for word in value.split())
        left = self._medium.left
        if left is None:  # shut down in peace before
            left = {name: bytes(file.seen) for name, file in self._medium.names.items()}
        files = {name: content for name, content in left.items() if not name.startswith(".fuse_hidden")}
        self._medium = Medium(files, random.Random(seed), changes)
        self._passing.clear()
        return 0

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        """`user.power`: b"1" while there is power."""
        if name != POWER:
            raise fuse.FuseOSError(errno.ENODATA)
        return b"0" if self._medium.left is not None else b"1"

    def getattr(self, path: str, fh: Any = None) -> dict[str, int]:  # noqa: ANN401
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        size = len(self._seen(path))
        return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": size, "st_uid": os.getuid()}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *self._medium.names, *self._passing]

    def create(self, path: str, mode: int, fi: Any = None) -> int:  # noqa: ANN401
        if path.endswith(_PASSING):
            self._passing[path[1:]] = bytearray()
        else:
            self._change()
            self._medium.create(path[1:])
        return 0

    def open(self, path: str, flags: int) -> int:
        self._seen(path)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return bytes(self._seen(path)[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        if path[1:] in self._passing:
            content = self._passing[path[1:]]
            content.extend(bytes(max(0, offset + len(data) - len(content))))
            content[offset : offset + len(data)] = data
        else:
            self._change()
            self._medium.names[path[1:]].write(offset, bytes(data))
        return len(data)

    def truncate(self, path: str, length: int, fh: Any = None) -> int:  # noqa: ANN401
        if path[1:] in self._passing:
            content = self._passing[path[1:]]
            del content[length:]
            content.extend(bytes(length - len(content)))
        else:
            self._change()
            self._medium.names[path[1:]].truncate(length)
        return 0

    def unlink(self, path: str) -> int:
        if self._passing.pop(path[1:], None) is None:
            self._change()
            self._medium.remove(path[1:])
        return 0

    def rename(self, old: str, new: str, flags: int = 0) -> int:
        if old[1:] in self._passing:
            self._passing[new[1:]] = self._passing.pop(old[1:])
        else:
            self._change()
            self._medium.rename(old[1:], new[1:])
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        if path[1:] not in self._passing:
            self._change()
            self._medium.sync(path[1:])
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self._change()
        self._medium.sync_folder()
        return 0

    def _change(self) -> None:
        if not self._medium.change():
            raise fuse.FuseOSError(errno.EIO)

    def _seen(self, path: str) -> bytearray:
        if path[1:] in self._passing:
            return self._passing[path[1:]]
        if path[1:] in self._medium.names:
            return self._medium.names[path[1:]].seen
        raise fuse.FuseOSError(errno.ENOENT)


if __name__ == "__main__":
    fuse.FUSE(TornDisk(), sys.argv[1], foreground=True, nothreads=True, attr_timeout=0, entry_timeout=0)
