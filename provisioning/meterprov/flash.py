"""Writing an image to cards, several at once, and reading every byte back.

The image is unpacked once; each card has a thread of its own, so that a slow or broken one fails alone.  Zeros are
written like anything else: where they are skipped, what the card held before stays.
"""

import errno
import fcntl
import hashlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from meterprov.disks import Target, in_gb
from meterprov.unpack import CHUNK, ImageSource, UnpackError

_BLKFLSBUF, _BLKRRPART = 0x1261, 0x125F
_AHEAD = 4
"""Pieces that wait for a slow card before all others wait too."""
_SYNC_EVERY = 64 << 20
Heard = Callable[[Target, str, int, int], None]
"""Called from the cards' threads: "writing" or "verifying", bytes done, bytes in all (0: not known yet)."""


class FlashRefused(Exception):
    """The image does not fit, or nobody agreed."""


@dataclass(frozen=True)
class Flashed:
    """What came of one card."""

    target: Target
    image_bytes: int
    image_sha256: str
    failure: str | None = None
    """Why it is not to be used, in one sentence; None = written and read back the same."""
    differs: bool = False
    """It was written, and gave back something else."""


def flash(image: Path, targets: Sequence[Target], heard: Heard) -> list[Flashed]:
    """Write `image` to all of them.  Raises UnpackError, FlashRefused; what a card does is in its result."""
    if not image.is_file():
        raise UnpackError(f"{image}: there is no such image; nothing was written")
    if not targets:
        raise FlashRefused("no disk is named")
    if len({os.path.realpath(target.path) for target in targets}) < len(targets):
        raise FlashRefused("one disk is named twice")
    size = image.stat().st_size if image.suffix != ".xz" and image.exists() else 0
    for target in targets:
        if target.size is not None and size > target.size:
            raise FlashRefused(
                f"{target.path} has {in_gb(target.size)}, the image needs {in_gb(size)}; take a larger card"
            )
    cards = [_Card(target, size, heard) for target in targets]
    digest, done = hashlib.sha256(), 0
    try:
        for piece in ImageSource(image).pieces():
            digest.update(piece)
            done += len(piece)
            for card in cards:
                card.pieces.put(piece)
    except BaseException:
        for card in cards:
            card.pieces.put(_Stop())
        raise
    else:
        for card in cards:
            card.pieces.put(_End(done, digest.hexdigest()))
    finally:
        for card in cards:
            card.thread.join()
    return [card.result(done, digest.hexdigest()) for card in cards]


@dataclass(frozen=True)
class _End:
    size: int
    sha256: str


class _Stop:
    pass


class _Card:
    """One card and the thread that writes it."""

    def __init__(self, target: Target, size: int, heard: Heard) -> None:
        self.pieces: queue.Queue[bytes | _End | _Stop] = queue.Queue(_AHEAD)
        self._target = target
        self._size = size
        self._heard = heard
        self._failure: str | None = None
        self._differs = False
        self._all_taken = False
        self.thread = threading.Thread(target=self._run, name=f"flash {target.name}", daemon=True)
        self.thread.start()

    def result(self, size: int, sha256: str) -> Flashed:
        """What came of it, once the thread has ended."""
        return Flashed(self._target, size, sha256, self._failure, self._differs)

    def _run(self) -> None:
        try:
            self._write_and_verify()
        except OSError as error:
            why, denied = error.strerror or str(error), error.errno in (errno.EACCES, errno.EPERM)
            step = "run it with sudo" if denied else "try again, then take another card or reader"
            self._failure = f"{self._target.path}: {why}; {step}"
        finally:
            while not self._all_taken:  # so that nobody waits for this card
                self._take()

    def _take(self) -> "bytes | _End | _Stop":
        piece = self.pieces.get()
        self._all_taken = not isinstance(piece, bytes)
        return piece

    def _write_and_verify(self) -> None:
        is_disk = self._target.kind != "file"
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_EXCL if is_disk else os.O_CREAT | os.O_TRUNC)
        descriptor = os.open(self._target.path, flags, 0o644)
        try:
            if is_disk:  # whoever may not do this could not verify either
                fcntl.ioctl(descriptor, _BLKFLSBUF, 0)
            end = self._write(descriptor)
            if end is None:
                self._failure = f"{self._target.path}: given up half-way; the card is not to be used, write it again"
                return
            os.fsync(descriptor)
            if is_disk:
                fcntl.ioctl(descriptor, _BLKFLSBUF, 0)
            if sys.platform == "linux":
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            self._verify(descriptor, end)
            if is_disk:
                with suppress(OSError):  # a loop device without partitions, or somebody looks into it already
                    fcntl.ioctl(descriptor, _BLKRRPART, 0)
        finally:
            os.close(descriptor)

    def _write(self, descriptor: int) -> _End | None:
        done = unsynced = 0
        while isinstance(piece := self._take(), bytes):
            left = memoryview(piece)
            while left:
                left = left[os.write(descriptor, left) :]
            done += len(piece)
            unsynced += len(piece)
            if unsynced >= _SYNC_EVERY:  # so that progress is the card's, not the page cache's
                os.fdatasync(descriptor)
                unsynced = 0
            self._heard(self._target, "writing", done, self._size)
        return piece if isinstance(piece, _End) else None

    def _verify(self, descriptor: int, end: _End) -> None:
        digest, done = hashlib.sha256(), 0
        os.lseek(descriptor, 0, os.SEEK_SET)
        while done < end.size:
            piece = os.read(descriptor, min(CHUNK, end.size - done))
            if not piece:
                break
            digest.update(piece)
            done += len(piece)
            self._heard(self._target, "verifying", done, end.size)
        if digest.hexdigest() != end.sha256:
            self._differs = True
            self._failure = f"{self._target.path} gave back something else than was written; throw the card away"
