"""SQLite's own file layer with a Medium beneath it: no root, no FUSE, no compiler.

SQLite reaches its files through a table of functions (a VFS).  A copy of the standard table becomes the default one;
in it, and in the tables of the files that it opens, the few functions that change a file are ours: they tell the
Medium, refuse once there is no power, and leave the work to the originals.  Syncs are told, not done.

Struct layouts: sqlite3.h, `sqlite3_vfs` and `sqlite3_io_methods`, stable since SQLite 3.7.
"""

import _sqlite3
import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.meteredge.torn.medium import Medium

SQLITE_OK, SQLITE_IOERR = 0, 10

_int, _ptr, _i64 = ctypes.c_int, ctypes.c_void_p, ctypes.c_int64
_OPEN = ctypes.CFUNCTYPE(_int, _ptr, _ptr, _ptr, _int, _ptr)
_DELETE = ctypes.CFUNCTYPE(_int, _ptr, _ptr, _int)
_WRITE = ctypes.CFUNCTYPE(_int, _ptr, _ptr, _int, _i64)
_TRUNCATE = ctypes.CFUNCTYPE(_int, _ptr, _i64)
_SYNC = ctypes.CFUNCTYPE(_int, _ptr, _int)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("version", _int), ("file_size", _int), ("longest_path", _int), ("next", _ptr), ("name", ctypes.c_char_p),
        ("app_data", _ptr), ("open", _ptr), ("delete", _ptr), ("rest", _ptr * 14),
    )  # fmt: skip


class _FileMethods(ctypes.Structure):
    _fields_ = (
        ("version", _int), ("close", _ptr), ("read", _ptr), ("write", _ptr), ("truncate", _ptr), ("sync", _ptr),
        ("rest", _ptr * 13),
    )  # fmt: skip


class _OpenFile(ctypes.Structure):
    _fields_ = (("methods", ctypes.POINTER(_FileMethods)),)


def _library() -> ctypes.CDLL:
    """The very SQLite that the `sqlite3` module uses, found through the module itself."""
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    library.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
    library.sqlite3_vfs_register.argtypes = [ctypes.POINTER(_Vfs), _int]
    library.sqlite3_vfs_unregister.argtypes = [ctypes.POINTER(_Vfs)]
    return library


class Disk:
    """All files that SQLite opens in `folder` lie on `medium` while it is mounted."""

    def __init__(self, folder: Path, medium: Medium) -> None:
        self.folder = folder
        self.medium = medium
        self._library = _library()
        standard = self._library.sqlite3_vfs_find(None).contents
        self._open_as_usual = _OPEN(standard.open)
        self._delete_as_usual = _DELETE(standard.delete)
        self._opened: dict[int, str] = {}
        self._alive: list[Any] = [_OPEN(self._open), _DELETE(self._delete)]  # C holds no reference to these
        self._methods: dict[int, _FileMethods] = {}
        """Ours, by the address of those that they replace: files with and without locks have different ones."""
        self._vfs = _Vfs.from_buffer_copy(standard)
        self._vfs.name = b"torn"
        self._vfs.open, self._vfs.delete = (ctypes.cast(function, _ptr) for function in self._alive)

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Make it SQLite's default, and see to it that a synced folder is a synced folder."""
        self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)
        fsync = os.fsync
        os.fsync = self._fsync
        try:
            yield
        finally:
            os.fsync = fsync
            self._library.sqlite3_vfs_unregister(ctypes.byref(self._vfs))

    def _fsync(self, descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), self.folder.stat()) and self.medium.change():
            self.medium.sync_folder()

    def _name_of(self, path: int | None) -> str | None:
        if not path:
            return None
        whole = Path(os.fsdecode(ctypes.string_at(path)))
        return whole.name if whole.parent == self.folder else None

    def _open(self, vfs: int, path: int | None, file: int, flags: int, out_flags: int) -> int:
        name = self._name_of(path)
        if name is not None and name not in self.medium.names:
            if not self.medium.change():
                return SQLITE_IOERR
            result = self._open_as_usual(vfs, path, file, flags, out_flags)
            if result == SQLITE_OK:
                self.medium.create(name)
        else:
            result = self._open_as_usual(vfs, path, file, flags, out_flags)
        if result == SQLITE_OK and name is not None:
            self._opened[file] = name
            opened = _OpenFile.from_address(file)
            opened.methods = ctypes.pointer(self._methods_like(opened.methods.contents))
        return result

    def _delete(self, vfs: int, path: int, sync_folder: int) -> int:
        name = self._name_of(path)
        if name in self.medium.names:
            if not self.medium.change():
                return SQLITE_IOERR
            self.medium.remove(name)
            if sync_folder:
                self.medium.sync_folder()
        return self._delete_as_usual(vfs, path, 0)

    def _methods_like(self, usual: _FileMethods) -> _FileMethods:
        address = ctypes.addressof(usual)
        if address in self._methods:
            return self._methods[address]
        write_as_usual, truncate_as_usual = _WRITE(usual.write), _TRUNCATE(usual.truncate)

        def write(file: int, content: int, size: int, at: int) -> int:
            def note(name: str) -> None:
                self.medium.names[name].write(at, ctypes.string_at(content, size))

            return self._changed(file, note) or write_as_usual(file, content, size, at)

        def truncate(file: int, length: int) -> int:
            return self._changed(file, lambda name: self.medium.names[name].truncate(length)) or truncate_as_usual(
                file, length
            )

        def sync(file: int, _flags: int) -> int:
            return self._changed(file, self._synced)

        functions = (_WRITE(write), _TRUNCATE(truncate), _SYNC(sync))
        self._alive += functions
        ours = _FileMethods.from_buffer_copy(usual)
        ours.write, ours.truncate, ours.sync = (ctypes.cast(function, _ptr) for function in functions)
        self._methods[address] = ours
        return ours

    def _changed(self, file: int, note: Callable[[str], None]) -> int:
        if not self.medium.change():
            return SQLITE_IOERR
        with suppress(KeyError):  # a file that was removed while it was open: nobody will miss it
            note(self._opened[file])
        return SQLITE_OK

    def _synced(self, name: str) -> None:
        self.medium.sync(name)
        if name.endswith(("-wal", "-journal")):  # SQLite syncs the folder when it first syncs one of these
            self.medium.sync_folder()
