"""The journal's file format: schema, migrations, and the checks that a file must pass before it is written to.

Layout (schema 2), SQLite 3, WAL, synchronous=FULL, page_size 512:

    journal   one row: whose journal this is (meter_id, domain, meter_key)
    install   where each install begins: seq and digest before its first record here, registers, limits
    record    one row per closed slot: id = install_id << 32 | seq, slot, reason, record BLOB(96), signature BLOB(64),
              state, code; install_id and seq are columns computed from id
    retired_key  keys that signed the records up to last_id, before the present one (since schema 2)
    undated   readings that wait until the time is known: boot_id, monotonic_ms, registers (since schema 2)

`id` *is* PRIMARY KEY (install_id, seq): as the table's own key it costs no index of its own, and with pages of 512
bytes a slot hands about 2,850 bytes to write() instead of 3,500 (measured; SD cards wear).  UNIQUE (install_id, slot,
reason) makes it impossible to sign a slot again with another value.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from meterchain.durable import replace, sync_file, sync_folder

APPLICATION_ID = 0x474D_524A
"""`GMRJ`: tells a journal from any other SQLite file."""
SCHEMA_VERSION = 2
PAGE_SIZE = 512
MODE = 0o640
"""Nothing in it is secret; nobody but the agent writes."""

_SINCE_2 = """
CREATE TABLE retired_key (
    last_id INTEGER PRIMARY KEY,
    meter_key BLOB NOT NULL UNIQUE CHECK (length(meter_key) = 32)
) STRICT;
CREATE TABLE undated (
    boot_id TEXT NOT NULL,
    monotonic_ms INTEGER NOT NULL,
    export_mwh INTEGER NOT NULL,
    import_mwh INTEGER NOT NULL,
    quantum_mwh INTEGER NOT NULL,
    PRIMARY KEY (boot_id, monotonic_ms)
) STRICT, WITHOUT ROWID;
"""

SCHEMA = (
    """
CREATE TABLE journal (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    meter_id TEXT NOT NULL,
    domain BLOB NOT NULL CHECK (length(domain) = 8),
    meter_key BLOB NOT NULL CHECK (length(meter_key) = 32)
) STRICT;
CREATE TABLE install (
    install_id INTEGER PRIMARY KEY CHECK (install_id BETWEEN 1 AND 2147483647),
    start_seq INTEGER NOT NULL,
    start_digest BLOB NOT NULL CHECK (length(start_digest) = 32),
    start_export_mwh INTEGER NOT NULL,
    start_import_mwh INTEGER NOT NULL,
    start_ts INTEGER NOT NULL,
    start_slot INTEGER NOT NULL,
    max_export_w INTEGER NOT NULL,
    max_import_w INTEGER NOT NULL,
    register_modulus_mwh INTEGER NOT NULL
) STRICT;
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    slot INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('P', 'B', 'E', 'F', 'X')),
    record BLOB NOT NULL CHECK (length(record) = 96),
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    state TEXT NOT NULL DEFAULT 'closed'
        CHECK (state IN ('closed', 'sent', 'final', 'refused', 'held', 'stopped')),
    code TEXT,
    install_id INTEGER GENERATED ALWAYS AS (id >> 32) VIRTUAL,
    seq INTEGER GENERATED ALWAYS AS (id & 4294967295) VIRTUAL,
    UNIQUE (install_id, slot, reason)
) STRICT;
CREATE TRIGGER record_is_never_deleted BEFORE DELETE ON record
BEGIN SELECT RAISE(ABORT, 'signed records are never deleted'); END;
CREATE TRIGGER record_is_never_changed BEFORE UPDATE OF id, slot, reason, record, signature ON record
BEGIN SELECT RAISE(ABORT, 'signed records are never changed'); END;
"""
    + _SINCE_2
)

MIGRATIONS: Mapping[int, str] = {1: _SINCE_2}
"""From version n to n + 1, the SQL that does it."""


class JournalError(Exception):
    """The journal cannot be used or written; the message names the file, the cause and the next step."""


class JournalCorrupt(JournalError):
    """What is in the file is not what was written."""


class JournalForeign(JournalError):
    """A good file, but not this node's journal: of another meter, site or key, or no journal at all."""


class JournalTooNew(JournalError):
    """Written by a newer version of this program."""


class JournalUnwritable(JournalError):
    """No room or no permission: nothing was stored, nothing that was stored is lost."""


class JournalBusy(JournalError):
    """Another process has the journal."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """An open connection in the modes that durability rests on.  Raises JournalError.

    A file that is not there is made (not when `read_only`); one that is there is never replaced.
    """
    try:
        if read_only:
            connection = sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True, isolation_level=None, timeout=5)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return connection
        _make_readable_by_group(path)
        connection = sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        journal_mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        connection.execute("PRAGMA synchronous = FULL")
        synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    except sqlite3.Error as error:
        raise explain(path, error) from error
    if (journal_mode, synchronous) != ("wal", 2):
        connection.close()
        raise JournalError(
            f"{path}: SQLite will not use WAL with synchronous=FULL here; is this a network file system?"
        )
    return connection


def _make_readable_by_group(path: Path) -> None:
    """Whatever the umask: the status page's user may read it.  SQLite gives the files beside it the same mode."""
    with suppress(OSError):  # SQLite says it better
        if not path.exists():
            path.touch(MODE)
            path.chmod(MODE)


def check_format(path: Path, connection: sqlite3.Connection) -> int:
    """The schema version of the file, 0 if it is empty.  Raises JournalForeign, JournalTooNew, JournalCorrupt."""
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        objects = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if (application, version, objects) == (0, 0, 0):
            return 0
        if application != APPLICATION_ID:
            raise JournalForeign(
                f"{path}: a SQLite file, but not a journal of meterbridge; name another file in [state]"
            )
        if version > SCHEMA_VERSION:
            raise JournalTooNew(
                f"{path}: written by a newer meterbridge (schema {version}, this one knows {SCHEMA_VERSION}): update"
            )
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise explain(path, error) from error
    if found != "ok":
        raise JournalCorrupt(corrupt_message(path, found))
    return version


def create(path: Path, connection: sqlite3.Connection, meter_id: str, domain: bytes, meter_key: bytes) -> None:
    """Lay out an empty file, all or nothing; it is there after a power cut once this returns.  Raises JournalError."""
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; "
            f"PRAGMA user_version = {SCHEMA_VERSION};"
        )
        connection.execute("INSERT INTO journal VALUES (1, ?, ?, ?)", (meter_id, domain, meter_key))
        connection.execute("COMMIT")
        sync_folder(path.parent)  # SQLite does it for its log, never for the file itself
    except sqlite3.Error as error:
        raise explain(path, error) from error
    except OSError as error:
        raise _unwritable(path, error) from error


def migrate(
    path: Path,
    connection: sqlite3.Connection,
    version: int,
    *,
    target: int = SCHEMA_VERSION,
    migrations: Mapping[int, str] = MIGRATIONS,
) -> None:
    """Bring the file from `version` to `target`, each step in one transaction, after a copy beside it (VACUUM INTO).

    Raises JournalError; the file is then what it was before.
    """
    if version == target:
        return
    copy = path.with_name(f"{path.name}.schema{version}")
    try:
        if not copy.exists():
            _copy(connection, copy)
        for step in range(version, target):
            connection.executescript(f"BEGIN IMMEDIATE; {migrations[step]}; PRAGMA user_version = {step + 1}; COMMIT;")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise explain(path, error) from error
    except OSError as error:
        raise _unwritable(copy, error) from error


def _copy(connection: sqlite3.Connection, copy: Path) -> None:
    """A whole copy under its name, or none: a cut leaves a draft at most, and the next start makes it anew."""
    draft = copy.with_name(f"{copy.name}.draft")
    draft.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(draft),))
    sync_file(draft)
    replace(draft, copy)


def _unwritable(path: Path, error: OSError) -> JournalUnwritable:
    return JournalUnwritable(f"{path}: {error.strerror}; check that the disk has room and can be written")


def explain(path: Path, error: sqlite3.Error) -> JournalError:
    """What SQLite said, as an error with its next step."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return JournalCorrupt(corrupt_message(path, str(error)))
    if primary == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_WRITE:
        return JournalUnwritable(
            f"{path}: no room to write ({error}); all records so far are safe and the slot stays open. "
            "Free some disk space: the agent tries again by itself"
        )
    if primary == sqlite3.SQLITE_IOERR:
        return JournalUnwritable(
            f"{path}: the disk fails ({error}); stop the agent, then copy the folder to another medium"
        )
    if primary in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return JournalUnwritable(f"{path}: cannot be opened ({error}); check that it exists and whose it is")
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return JournalBusy(f"{path}: another process is writing ({error}); one agent a journal, try again")
    return JournalError(f"{path}: {error}")


def corrupt_message(path: Path, found: str) -> str:
    """One sentence of fact, one of what to do."""
    what = found.splitlines()[-1] if found else "no reason given"
    return (
        f"{path}: the journal is damaged ({what}) and is left as it is. Copy the whole folder for the operator, then "
        "move the file away and start again: the agent goes on from the last record that the chain shows"
    )


def _quoted(path: Path) -> str:
    return str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
