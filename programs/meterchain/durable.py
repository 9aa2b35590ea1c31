"""Files that outlive a power cut: what is synced is there afterwards, what is only written may not be.

Secrets are made by `write_once`: mode 0600, whole or not there, and never in the place of another.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Make the file `path` (0600) of what is written meanwhile, on the medium in the end; its name needs `sync_folder`.

    Nothing half done stays where writing ends in an exception.  Raises OSError, FileExistsError if there is one.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def write_new(path: Path, content: bytes) -> None:
    """As `new_file`, with `content`.  Raises OSError, FileExistsError if there is one."""
    with new_file(path) as file:
        file.write(content)


def write_once(path: Path, content: bytes) -> None:
    """Make the file `path` (0600) under another name and link it into place: whole or not there, and for good.

    Raises OSError, FileExistsError if there is one, also one made meanwhile.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_new(draft, content)
    try:
        os.link(draft, path)  # unlike rename, never replaces what somebody else made in between
    finally:
        draft.unlink()
    sync_folder(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """The file `path` holds `content`, or at any cut what it held before; also on a file system without modes.

    Raises OSError.
    """
    draft = path.with_name(f"{path.name}.new")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def replace(draft: Path, path: Path) -> None:
    """`draft`, whose content is synced, takes the name `path` for good.  Raises OSError."""
    draft.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """What was written to `path`, by whomever, is on the medium once this returns.  Raises OSError."""
    _sync(path, os.O_RDONLY | os.O_CLOEXEC)


def sync_folder(folder: Path) -> None:
    """Names made, changed or removed in `folder` are on the medium once this returns.  Raises OSError."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
