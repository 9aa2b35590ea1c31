"""What an update has to know of the meters' journals, and how one goes back with the version that wrote it.

A newer version may bring a journal to its own schema, after a copy beside it.  Going back, the copy takes the journal's
place, unless a record was signed since: that one must never be signed again with another value.
"""

import sqlite3
from pathlib import Path

from meterchain.durable import replace
from meteredge.config import load
from meteredge.install.changes import CONFIG
from meteredge.install.errors import InstallFailed
from meteredge.install.host import Host
from meteredge.journal import Journal
from meteredge.journal_rows import State
from meteredge.journal_schema import JournalError

_NEWEST = "SELECT coalesce(max(id), 0) FROM record"


def journals_of(host: Host) -> list[Path]:
    """One a meter.  Raises ConfigError."""
    return [host.at(each.journal_path) for each in load(host.at(CONFIG)).each()]


def closes_slots(path: Path) -> bool:
    """True once the chain has told where the meter's records begin.  Raises JournalError."""
    if not path.exists():
        return False
    journal = Journal.open_read_only(path)
    try:
        return journal.install() is not None
    finally:
        journal.close()


def last_slot(path: Path) -> int:
    """The slot of the newest record, 0 if there is none."""
    try:
        journal = Journal.open_read_only(path)
    except JournalError:
        return 0
    try:
        return max((row.slot for row in journal.last_rows(1)), default=0)
    finally:
        journal.close()


def undelivered(path: Path) -> int:
    """How many records the chain has neither shown nor answered; 0 where there is no journal.  Raises JournalError."""
    if not path.exists():
        return 0
    journal = Journal.open_read_only(path)
    try:
        counts = journal.counts()
    finally:
        journal.close()
    return counts[State.CLOSED] + counts[State.SENT]


def schema_of(path: Path) -> int | None:
    """The schema of a journal, None if there is none."""
    return None if not path.exists() else _value(path, "PRAGMA user_version")


def can_go_back(path: Path, before: int | None) -> bool:
    """True if the version that knew schema `before` can go on with what it would find."""
    if before is None or schema_of(path) == before:
        return True
    copy = _copy_of(path, before)
    return copy.exists() and _value(copy, _NEWEST) == _value(path, _NEWEST)


def go_back(path: Path, before: int | None) -> None:
    """Put the copy from before a migration in the journal's place; at any cut, one of the two is there whole.

    For journals that `can_go_back`, and that no agent has open.  Raises InstallFailed.
    """
    if before is None or schema_of(path) == before:
        return
    _empty_log(path)  # or what stands in it would be taken for the copy's
    replace(_copy_of(path, before), path)


def _copy_of(path: Path, schema: int) -> Path:
    return path.with_name(f"{path.name}.schema{schema}")


def _empty_log(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=1)
    try:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.Error as error:
        raise InstallFailed(f"{path}: {error}") from error
    finally:
        connection.close()
    log = path.with_name(f"{path.name}-wal")
    if busy or (log.exists() and log.stat().st_size):
        raise InstallFailed(
            f"{path}: somebody has it open; stop whoever does, then `meterbridge agent update --recover`"
        )


def _value(database: Path, query: str) -> int:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()
