"""Files that hold a secret, read once: private to their owner, or not read at all.

Whoever could read such a file before us has the secret too, and whoever could put a link in its place chose it.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

_MOST = 4_096
"""Bytes of a file that are read."""
Judge = Callable[[Path, os.stat_result, str], None]


class NotPrivate(Exception):
    """The file is not read; the message names it, the fact and the next step."""


class NoSuchFile(NotPrivate):
    """There is none."""


def read_private(path: Path, what: str) -> bytes:
    """What stands at `path`, `what` for messages: a plain file of ours, mode 0600 or 0400.  Raises NotPrivate."""
    return _read(path, os.O_NOFOLLOW, what, _refuse_exposed)


def read_credential(path: Path, what: str) -> bytes:
    """What systemd put there: a plain file that nobody may write to and only its group read.  Raises NotPrivate."""
    return _read(path, 0, what, _refuse_open)


def _read(path: Path, flags: int, what: str, judge: Judge) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    except FileNotFoundError:
        raise NoSuchFile(f"{path}: no such file; it should hold the {what}") from None
    except OSError as error:
        raise NotPrivate(
            f"{path}: the {what} cannot be read ({error.strerror}); check owner and mode; a link is refused"
        ) from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise NotPrivate(f"{path}: the {what} must be a plain file")
        judge(path, facts, what)
        return os.read(descriptor, _MOST)
    finally:
        os.close(descriptor)


def _refuse_exposed(path: Path, facts: os.stat_result, what: str) -> None:
    mode = stat.S_IMODE(facts.st_mode)
    if mode & 0o177:
        raise NotPrivate(f"{path}: the {what} has mode {mode:04o}, others may read it; run: chmod 600 {path}")
    if facts.st_uid != os.geteuid():
        raise NotPrivate(f"{path}: the {what} belongs to user {facts.st_uid}, not to this one ({os.geteuid()})")


def _refuse_open(path: Path, facts: os.stat_result, what: str) -> None:
    """Its owner is systemd; an access list for our user shows as group-readable."""
    mode = stat.S_IMODE(facts.st_mode)
    if mode & 0o227:
        raise NotPrivate(f"{path}: the {what} has mode {mode:04o}; systemd makes credentials read-only: check it")
