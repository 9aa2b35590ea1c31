"""One tar.gz, readable by its owner alone, never over another file."""

import gzip
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from meterchain.durable import write_new
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
        write_new(path, packed.getvalue())
    except FileExistsError:
        raise BundleError(f"{path}: there is a file already; name another with --out") from None
    except OSError as error:
        raise BundleError(
            f"{path}: {error.strerror}; name a folder with --out that you may write to and that has room"
        ) from error
    return len(packed.getvalue())
