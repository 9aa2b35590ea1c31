"""Files that outlive a power cut: what is synced is there afterwards, what is only written may not be."""

import os
from pathlib import Path


def write_new(path: Path, content: bytes) -> None:
    """Make the file `path` (0600) with `content`, on the medium once this returns; its name needs `sync_folder`.

    Raises OSError, FileExistsError if there is one.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


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
