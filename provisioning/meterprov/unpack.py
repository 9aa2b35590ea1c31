"""An image of a card as a plain file, from a plain one or from .xz, with its digest; zeros become holes."""

import hashlib
import lzma
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CHUNK = 4 << 20
Progress = Callable[[int, int], None]
"""Called with bytes of the source done and bytes of it in all."""


class UnpackError(Exception):
    """The image cannot be read, or there is no room for it."""


@dataclass(frozen=True)
class Unpacked:
    """What came out."""

    size: int
    source_sha256: str
    """Of the file that was read, compressed as it was."""


class ImageSource:
    """An image's bytes in pieces, unpacked as they come."""

    def __init__(self, path: Path, heard: Progress = lambda _done, _total: None) -> None:
        self._path = path
        self._heard = heard
        self.sha256 = ""
        """Of the file as it lies there; once all pieces were taken."""

    def pieces(self) -> Iterator[bytes]:
        """Pieces of at most CHUNK bytes.  Raises UnpackError."""
        try:
            with self._path.open("rb") as file:
                total, digest = os.fstat(file.fileno()).st_size, hashlib.sha256()

                def take() -> bytes:
                    raw = file.read(CHUNK)
                    digest.update(raw)
                    self._heard(file.tell(), total)
                    return raw

                yield from _unpacked(take) if self._path.suffix == ".xz" else iter(take, b"")
                self.sha256 = digest.hexdigest()
        except (lzma.LZMAError, EOFError) as error:
            raise UnpackError(f"{self._path}: it is no whole .xz file ({error}); download it again") from None
        except OSError as error:
            raise UnpackError(
                f"{self._path}: cannot be read ({error.strerror}); name an image, .img or .img.xz"
            ) from error


def _unpacked(take: Callable[[], bytes]) -> Iterator[bytes]:
    """The content of one or more xz streams, with padding between and after them as the format allows.

    Raises LZMAError, EOFError.
    """
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    raw = take()
    while raw or not (stream.needs_input or stream.eof):
        piece = stream.decompress(raw, CHUNK)
        if piece:
            yield piece
        raw = b""
        if stream.eof:
            raw = stream.unused_data.lstrip(b"\0")
            while not raw and (more := take()):
                raw = more.lstrip(b"\0")
            if raw:
                stream = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        elif stream.needs_input:
            raw = take()
    if not stream.eof:
        raise EOFError("it ends too early")


def unpack(source: Path, target: Path, heard: Progress) -> Unpacked:
    """Write the image to the new file `target` (0600: secrets will be in it), on the disk at the end.

    Raises UnpackError.
    """
    image = ImageSource(source, heard)
    size = 0
    try:
        room = shutil.disk_usage(target.absolute().parent).free
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UnpackError(f"{target}: cannot be made ({error.strerror}); name a file in a folder of yours") from error
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        for piece in image.pieces():
            size += len(piece)
            if piece == bytes(len(piece)):
                file.seek(size)
                continue
            room -= len(piece)
            if room < 0:
                raise UnpackError(f"{target}: no room for the image on this disk; free some, or name another folder")
            _write_all(file.fileno(), piece, target)
        file.truncate(size)
        os.fsync(file.fileno())
    return Unpacked(size, image.sha256)


def _write_all(descriptor: int, piece: bytes, target: Path) -> None:
    left = memoryview(piece)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError as error:
        raise UnpackError(f"{target}: cannot be written ({error.strerror}); free some room on this disk") from error
