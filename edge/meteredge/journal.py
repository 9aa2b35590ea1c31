"""The journal: signed records, kept until the chain shows them, and for ever after.

One row per closed slot.  A row is born signed (seq is given, the record is signed and stored in one transaction) and
never deleted or changed; only its state moves: closed → sent → final | refused(code), or held / stopped (code) until
somebody cures the cause.  When `append` returns, a power cut cannot take the record back.

`sent` is a remark, not a promise (the chain alone knows), so it is written together with the next commit and costs no
write of its own.  File format: `journal_schema`.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from meterchain.record import PREV_SIZE, Reason, Record, record_digest
from meterchain.units import InstallId, Seq, Slot
from meteredge import journal_schema as schema
from meteredge.journal_checks import TAIL, check_tail, refuse_foreign
from meteredge.journal_rows import (
    Closing,
    Identity,
    Install,
    LastSigned,
    Row,
    SlotAlreadyClosed,
    State,
    Undated,
    UnknownInstall,
)
from meteredge.journal_schema import JournalBusy, JournalCorrupt, JournalError

__all__ = [
    "Closing",
    "Identity",
    "Install",
    "Journal",
    "LastSigned",
    "Row",
    "SlotAlreadyClosed",
    "State",
    "Undated",
    "UnknownInstall",
]

_SEQ_BITS = 32
_ROW = "SELECT id, slot, reason, record, signature, state, code FROM record"


class Journal:
    """An open journal.  Safe to use from the closing thread and the forwarding thread at once."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock_file: int | None, identity: Identity) -> None:
        self.path = path
        self.identity = identity
        self._connection = connection
        self._lock_file = lock_file
        self._lock = threading.RLock()
        self._sent_through = -1  # ids up to this one are `sent` in the next commit

    @classmethod
    def open(cls, path: Path, identity: Identity) -> Self:
        """Open or create the journal of `identity`.

        Raises JournalBusy (another agent has it), JournalCorrupt, JournalForeign, JournalTooNew, JournalUnwritable.
        """
        lock_file = _take(path)
        try:
            connection = schema.connect(path)
        except JournalError:
            os.close(lock_file)
            raise
        try:
            version = schema.check_format(path, connection)
            if version == 0:
                schema.create(path, connection, identity.meter_id, identity.domain, identity.meter_key)
            else:
                schema.migrate(path, connection, version)
            refuse_foreign(path, _whose(path, connection), identity)
            journal = cls(path, connection, lock_file, identity)
            check_tail(path, identity, journal.last_rows(TAIL), journal.key_of)
        except JournalError:
            connection.close()
            os.close(lock_file)
            raise
        return journal

    @classmethod
    def open_read_only(cls, path: Path) -> Self:
        """Look at a journal, also while its agent runs.  Raises JournalError."""
        if not path.exists():
            raise JournalError(f"{path}: there is no journal yet; has the agent run with this configuration?")
        connection = schema.connect(path, read_only=True)
        try:
            if schema.check_format(path, connection) == 0:
                raise JournalError(f"{path}: an empty file: the agent has not begun yet")
            return cls(path, connection, None, _whose(path, connection))
        except JournalError:
            connection.close()
            raise

    def close(self) -> None:
        """Write what is noted, fold the WAL into the file, let go of the lock."""
        with self._lock:
            if self._lock_file is not None:
                if self._sent_through >= 0:
                    with suppress(JournalError), self._transaction():
                        pass
                os.close(self._lock_file)
                self._lock_file = None
            self._connection.close()

    # -- installs

    def install(self) -> Install | None:
        """The newest install, None before the chain was first seen.  Raises JournalError."""
        row = self._one("SELECT * FROM install ORDER BY install_id DESC LIMIT 1")
        return None if row is None else Install(*row)

    def begin_install(self, install: Install) -> None:
        """Take up a new install, or new facts about the present one.  Raises JournalError."""
        with self._transaction():
            self._connection.execute(
                "INSERT OR REPLACE INTO install VALUES (?,?,?,?,?,?,?,?,?,?)",
                (
                    install.install_id, install.start_seq, install.start_digest, install.start_export_mwh,
                    install.start_import_mwh, install.start_ts, install.start_slot, install.max_export_w,
                    install.max_import_w, install.register_modulus_mwh,
                ),
            )  # fmt: skip

    # -- records

    def append(self, closing: Closing, sign: Callable[[bytes], bytes], dated: Undated | None = None) -> Row:
        """Give the next seq, sign and store, all or nothing; durable once this returns.

        `dated` is the kept reading that the closing was made of: it and those before it are done with.
        Raises SlotAlreadyClosed, UnknownInstall, JournalUnwritable (nothing stored), other JournalErrors.
        """
        with self._transaction():
            install = self.install()
            if install is None:
                raise UnknownInstall(
                    f"{self.path}: the meter's install is not known yet; it is read from the chain at the first contact"
                )
            last = self._last(install)
            first = last.seq == 0
            reason = closing.reason or (Reason.BEGIN if first else Reason.PERIODIC)
            seq = Seq(last.seq + 1)
            encoded = Record(
                self.identity.domain, self.identity.meter_id, install.install_id, seq, closing.slot, closing.ts,
                closing.export_mwh, closing.import_mwh, bytes(PREV_SIZE) if first else last.digest[:PREV_SIZE],
                reason, closing.time_status, closing.status_flags,
            ).encode()  # fmt: skip
            signature = sign(encoded)
            try:
                self._connection.execute(
                    "INSERT INTO record (id, slot, reason, record, signature) VALUES (?, ?, ?, ?, ?)",
                    (_id(install.install_id, seq), closing.slot, str(reason), encoded, signature),
                )
            except sqlite3.IntegrityError:
                raise SlotAlreadyClosed(
                    f"slot {closing.slot} has a signed {reason} record already; it stays as it is"
                ) from None
            if dated is not None:
                self._connection.execute(
                    "DELETE FROM undated WHERE boot_id = ? AND monotonic_ms <= ?", (dated.boot_id, dated.monotonic_ms)
                )
        return Row(install.install_id, seq, closing.slot, reason, encoded, signature, State.CLOSED)

    def last_signed(self) -> LastSigned | None:
        """What the next record follows; None before the first install is known."""
        with self._lock:
            install = self.install()
            return None if install is None else self._last(install)

    def row(self, install_id: InstallId, seq: int) -> Row | None:
        """One record, or None."""
        found = self._one(f"{_ROW} WHERE id = ?", (_id(install_id, seq),))
        return None if found is None else self._row(found)

    def rows_after(self, install_id: InstallId, seq: int, limit: int) -> list[Row]:
        """Up to `limit` records with a greater seq, in order."""
        return self._rows(f"{_ROW} WHERE id > ? AND id < ? ORDER BY id LIMIT ?",
                          (_id(install_id, seq), _id(InstallId(install_id + 1), 0), limit))  # fmt: skip

    def due_after(self, install_id: InstallId, seq: int, limit: int) -> list[Row]:
        """The same without the refused ones: what is still to be delivered."""
        return self._rows(
            f"{_ROW} WHERE id > ? AND id < ? AND state <> 'refused' ORDER BY id LIMIT ?",
            (_id(install_id, seq), _id(InstallId(install_id + 1), 0), limit),
        )

    def last_rows(self, limit: int) -> list[Row]:
        """The newest records, oldest of them first."""
        return self._rows(f"{_ROW} ORDER BY id DESC LIMIT ?", (limit,))[::-1]

    def undelivered(self) -> int:
        """How many records are neither final nor refused."""
        counts = self.counts()
        return sum(counts.values()) - counts[State.FINAL] - counts[State.REFUSED]

    def counts(self) -> dict[State, int]:
        """Records by state, all installs.  Reads the whole table: a third of a second for ten years."""
        with self._lock:
            found = dict(self._all("SELECT state, count(*) FROM record GROUP BY state"))
            counts = {state: int(found.get(state, 0)) for state in State}
            if self._sent_through >= 0:
                noted = "SELECT state, count(*) FROM record WHERE id > ? AND id <= ? GROUP BY state"
                for state, number in self._all(noted, (self._first_unsent(), self._sent_through)):
                    if state not in {State.FINAL, State.REFUSED}:
                        counts[State(state)] -= number
                        counts[State.SENT] += number
        return counts

    def codes(self) -> dict[str, int]:
        """The chain's words for records that are refused, held or stopped, and how many of each."""
        return dict(self._all("SELECT code, count(*) FROM record WHERE code IS NOT NULL GROUP BY code"))

    # -- the key

    def key_of(self, row: Row) -> bytes:
        """The key (32 bytes) that signed the record.  Raises JournalError."""
        query = "SELECT meter_key FROM retired_key WHERE last_id >= ? ORDER BY last_id LIMIT 1"
        retired = self._one(query, (_id(row.install_id, row.seq),))
        return self.identity.meter_key if retired is None else bytes(retired[0])

    def rotate(self, meter_key: bytes, then: Callable[[], None]) -> int:
        """From now on records are signed with `meter_key`; `then` is called before the next one can be.

        What the old key signed and is not final is refused (KeyRotated): the chain takes it no more, and the next
        record carries its energy.  Returns how many those are.  Raises JournalError.
        """
        with self._lock:
            with self._transaction():
                self._sent_through = -1
                refused = self._connection.execute(
                    "UPDATE record SET state = 'refused', code = 'KeyRotated' WHERE state NOT IN ('final', 'refused')"
                ).rowcount
                (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM record").fetchone()
                self._connection.execute(
                    "INSERT OR IGNORE INTO retired_key VALUES (?, ?)", (last, self.identity.meter_key)
                )
                self._connection.execute("UPDATE journal SET meter_key = ?", (meter_key,))
            self.identity = replace(self.identity, meter_key=meter_key)
            then()
        return refused

    # -- readings without a date

    def keep_undated(self, reading: Undated, most: int) -> None:
        """Keep it until the time is known; of its boot, the `most` newest are kept.  Raises JournalUnwritable."""
        with self._transaction():
            self._connection.execute(
                "INSERT OR REPLACE INTO undated VALUES (?, ?, ?, ?, ?)",
                (reading.boot_id, reading.monotonic_ms, reading.export_mwh, reading.import_mwh, reading.quantum_mwh),
            )
            self._connection.execute(
                "DELETE FROM undated WHERE boot_id = ? AND monotonic_ms <= (SELECT monotonic_ms FROM undated "
                "WHERE boot_id = ? ORDER BY monotonic_ms DESC LIMIT 1 OFFSET ?)",
                (reading.boot_id, reading.boot_id, most),
            )

    def undated(self, boot_id: str) -> list[Undated]:
        """Those of that boot, in the order in which they were taken."""
        found = self._all("SELECT * FROM undated WHERE boot_id = ? ORDER BY monotonic_ms", (boot_id,))
        return [Undated(*row) for row in found]

    def forget_undated(self, boot_id: str, *, of_others: bool) -> int:
        """Forget the readings of that boot, or those of all others; how many they were.  Raises JournalUnwritable."""
        which = "boot_id <> ?" if of_others else "boot_id = ?"
        with self._lock:
            if self._one(f"SELECT 1 FROM undated WHERE {which} LIMIT 1", (boot_id,)) is None:  # noqa: S608
                return 0
            with self._transaction():
                return self._connection.execute(f"DELETE FROM undated WHERE {which}", (boot_id,)).rowcount  # noqa: S608

    # -- states

    def note_sent(self, install_id: InstallId, through_seq: int) -> None:
        """Records up to `through_seq` are on their way; written with the next commit."""
        with self._lock:
            self._sent_through = max(self._sent_through, _id(install_id, through_seq))

    def mark_final(self, install_id: InstallId, through_seq: int) -> int:
        """The chain shows `through_seq`: it and all records before it that were not refused are final.

        Returns how many became final.  Raises JournalUnwritable.
        """
        first, last = _id(install_id, 0), _id(install_id, through_seq)
        above = self._one(
            "SELECT id FROM record WHERE id > ? AND id <= ? AND state = 'final' ORDER BY id DESC LIMIT 1", (first, last)
        )
        if above is not None:
            first = above[0]
        if first == last:
            return 0
        with self._transaction():
            changed = self._connection.execute(
                "UPDATE record SET state = 'final', code = NULL WHERE id > ? AND id <= ? "
                "AND (state <> 'refused' OR id = ?)",
                (first, last, last),
            )
        return changed.rowcount

    def mark(self, row: Row, state: State, code: str | None) -> None:
        """Refused, held or stopped, with the chain's word for it.  Raises JournalUnwritable."""
        if (row.state, row.code) == (state, code):
            return
        with self._transaction():
            self._connection.execute(
                "UPDATE record SET state = ?, code = ? WHERE id = ?", (str(state), code, _id(row.install_id, row.seq))
            )

    # -- inside

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    if self._sent_through >= 0:
                        self._connection.execute(
                            "UPDATE record SET state = 'sent', code = NULL WHERE id <= ? AND id > ? "
                            "AND state NOT IN ('final', 'refused')",
                            (self._sent_through, self._first_unsent()),
                        )
                    yield
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
                self._sent_through = -1
            except sqlite3.Error as error:
                raise schema.explain(self.path, error) from error

    def _first_unsent(self) -> int:
        lowest = self._sent_through & ~0xFFFF_FFFF
        row = self._connection.execute(
            "SELECT id FROM record WHERE id <= ? AND id > ? AND state = 'final' ORDER BY id DESC LIMIT 1",
            (self._sent_through, lowest),
        ).fetchone()
        return lowest if row is None else int(row[0])

    def _last(self, install: Install) -> LastSigned:
        found = self._one(
            f"{_ROW} WHERE id > ? AND id < ? ORDER BY id DESC LIMIT 1",
            (_id(install.install_id, 0), _id(InstallId(install.install_id + 1), 0)),
        )
        if found is None:
            return LastSigned(install.start_seq, install.start_slot, install.start_ts, install.start_export_mwh,
                              install.start_import_mwh, install.start_digest)  # fmt: skip
        row = self._row(found)
        record = Record.decode(row.record)
        return LastSigned(row.seq, row.slot, record.ts, record.export_mwh, record.import_mwh, record_digest(row.record))

    def _row(self, found: tuple[int, int, str, bytes, bytes, str, str | None]) -> Row:
        identity, slot, reason, record, signature, state, code = found
        noted = identity <= self._sent_through and identity >> _SEQ_BITS == self._sent_through >> _SEQ_BITS
        if noted and state not in {State.FINAL, State.REFUSED}:
            state, code = State.SENT, None
        return Row(InstallId(identity >> _SEQ_BITS), Seq(identity & 0xFFFF_FFFF), Slot(slot), Reason(reason), record,
                   signature, State(state), code)  # fmt: skip

    def _rows(self, query: str, values: tuple[int, ...]) -> list[Row]:
        with self._lock:
            return [self._row(found) for found in self._all(query, values)]

    def _one(self, query: str, values: tuple[int | str, ...] = ()) -> tuple | None:  # type: ignore[type-arg]
        with self._lock:
            found = self._all(query, values)
        return found[0] if found else None

    def _all(self, query: str, values: tuple[int | str, ...] = ()) -> list[tuple]:  # type: ignore[type-arg]
        with self._lock:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise schema.explain(self.path, error) from error


def _whose(path: Path, connection: sqlite3.Connection) -> Identity:
    try:
        row = connection.execute("SELECT meter_id, domain, meter_key FROM journal").fetchone()
    except sqlite3.Error as error:
        raise schema.explain(path, error) from error
    if row is None:
        raise JournalCorrupt(schema.corrupt_message(path, "it does not say whose it is"))
    return Identity(*row)


def _id(install_id: InstallId, seq: int) -> int:
    return install_id << _SEQ_BITS | seq


def _take(path: Path) -> int:
    """An exclusive lock beside the journal (a lock on the file itself would disturb SQLite's own)."""
    try:
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise schema.JournalUnwritable(
            f"{path.parent}: {error.strerror}; create the folder for the agent's user, or name another in [state]"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise JournalBusy(f"{path}: another agent has this journal; stop that one first") from None
    return descriptor
