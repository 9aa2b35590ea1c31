"""What the running agent says of itself: a JSON file on a RAM disk, replaced whole, gone when the agent is.

`agent status` reads it.  Counting the journal takes a while after years, so `count` is called after a close or delivery
and `write` repeats its result.
"""

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from meteredge.journal_rows import State

MODE = 0o640
"""For the agent's group too, whatever its umask: the status page runs as another user."""
Counts = Mapping[State, int]


class StatusFileError(Exception):
    """The status file cannot be written; without it nobody sees what the agent does."""


class StatusFile:
    """The file at `path`; `describe` makes the document from the journal's counts."""

    def __init__(
        self, path: Path, count_records: Callable[[], Counts], describe: Callable[[Counts], Mapping[str, Any]]
    ) -> None:
        """Raises StatusFileError if its folder cannot be had."""
        self._path = path
        self._count_records = count_records
        self._describe = describe
        self._lock = threading.Lock()
        self._counts = count_records()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StatusFileError(_advice(path.parent, error)) from error

    def count(self) -> None:
        """Count the journal anew.  Raises JournalError."""
        counts = self._count_records()
        with self._lock:
            self._counts = counts

    def counts(self) -> Counts:
        """The journal's counts as they were counted last."""
        with self._lock:
            return self._counts

    def write(self) -> None:
        """Replace the file.  Raises StatusFileError."""
        with self._lock:
            document = self._describe(self._counts)
            draft = self._path.with_suffix(".tmp")
            try:
                draft.write_text(json.dumps(document), "utf-8")
                draft.chmod(MODE)
                draft.replace(self._path)
            except OSError as error:
                raise StatusFileError(_advice(self._path, error)) from error

    def remove(self) -> None:
        """Take the file away."""
        with suppress(OSError):
            self._path.unlink()


def _advice(path: Path, error: OSError) -> str:
    return f"{path}: {error.strerror}; name a folder that the agent may write to in [state] runtime"
