"""One tar.gz, readable by its owner alone, never over another file."""

import gzip
import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

from meteredge.bundle.contents import Entry


class BundleError(Exception):
    """The archive cannot be written; the message says why and what to do."""


def write_archive(path: Path, found: Sequence[Entry], made_at: float) -> int:
    """Write the archive at `path` (0600); its bytes.  Raises BundleError, and leaves nothing half done."""
    folder = path.name.removesuffix(".tar.gz")
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=int(made_at)) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for entry in found:
            content = entry.text.encode()
            info = tarfile.TarInfo(f"{folder}/{entry.name}")
            info.size, info.mtime, info.mode = len(content), int(made_at), 0o600
            archive.addfile(info, io.BytesIO(content))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise BundleError(f"{path}: there is a file already; name another with --out") from None
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}; name a folder that you may write to with --out") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(packed.getvalue())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise BundleError(f"{path}: {error.strerror}; make room, or name another disk with --out") from error
    return len(packed.getvalue())
