"""Journals of older and newer versions.  `data/schema1.journal` was written by the code of schema 1: eight records."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.meteredge.node import closing
from tests.meteredge.torn.lives import NAME, Life
from tests.meteredge.torn.medium import Medium
from tests.meteredge.torn.sqlite_disk import Disk

from meterchain.units import InstallId, Mwh, Seq
from meteredge import journal_schema
from meteredge.journal import Identity, Journal, Row, State, Undated
from meteredge.journal_schema import JournalError, JournalTooNew
from meteredge.signer import Signer

OLD = Path(__file__).parent / "data" / "schema1.journal"
STATES = ["final", "final", "refused", "final", "final", "sent", "closed", "held"]


@pytest.fixture
def old(journal_path: Path) -> Path:
    shutil.copyfile(OLD, journal_path)
    return journal_path


def rows_of_old() -> list[tuple[int, bytes, bytes]]:
    connection = sqlite3.connect(f"file:{OLD}?mode=ro&immutable=1", uri=True)
    rows = connection.execute("SELECT seq, record, signature FROM record ORDER BY id").fetchall()
    connection.close()
    return rows


def test_a_journal_of_schema_1_goes_on_with_every_record_and_state(
    old: Path, open_journal: Callable[[], Journal], signer: Signer
) -> None:
    journal = open_journal()
    rows = journal.last_rows(100)
    assert [(row.seq, row.record, row.signature) for row in rows] == rows_of_old()
    assert [str(row.state) for row in rows] == STATES
    assert journal.append(closing(9), signer.sign_record).seq == 9
    reading = Undated("boot", 5, Mwh(1), Mwh(2), 1_000)
    journal.keep_undated(reading, 10)
    assert journal.undated("boot") == [reading]


def test_a_copy_of_the_old_journal_is_made_before_it_is_changed(old: Path, open_journal: Callable[[], Journal]) -> None:
    open_journal()
    copy = sqlite3.connect(old.with_name(f"{old.name}.schema1"))
    assert copy.execute("PRAGMA user_version").fetchone() == (1,)
    assert copy.execute("SELECT seq, record, signature FROM record ORDER BY id").fetchall() == rows_of_old()
    copy.close()


def test_a_migration_that_fails_leaves_the_journal_as_it_was(journal: Journal, signer: Signer) -> None:
    version = journal_schema.SCHEMA_VERSION
    journal.append(closing(1), signer.sign_record)
    migrations = {version: "ALTER TABLE record ADD COLUMN note TEXT; ALTER TABLE nothing ADD COLUMN x"}
    with pytest.raises(JournalError):
        journal_schema.migrate(journal.path, journal._connection, version, target=version + 1, migrations=migrations)
    assert journal._connection.execute("PRAGMA user_version").fetchone() == (version,)
    assert journal.append(closing(2), signer.sign_record).seq == 2


def test_an_older_agent_refuses_a_newer_journal_and_leaves_it_alone(
    journal: Journal, identity: Identity, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append(closing(1), signer.sign_record)
    journal.close()
    before = journal.path.read_bytes()
    monkeypatch.setattr(journal_schema, "SCHEMA_VERSION", journal_schema.SCHEMA_VERSION - 1)
    with pytest.raises(JournalTooNew, match="newer meterbridge"):
        Journal.open(journal.path, identity)
    with pytest.raises(JournalTooNew, match="newer meterbridge"):
        Journal.open_read_only(journal.path)
    assert journal.path.read_bytes() == before


def test_every_older_schema_has_its_migration() -> None:
    assert list(journal_schema.MIGRATIONS) == list(range(1, journal_schema.SCHEMA_VERSION))


def test_a_migrated_journal_is_laid_out_like_a_new_one(
    old: Path, open_journal: Callable[[], Journal], identity: Identity, tmp_path: Path
) -> None:
    new = Journal.open(tmp_path / "new.journal", identity)
    layouts = [
        sorted(journal._connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall())
        for journal in (open_journal(), new)
    ]
    new.close()
    assert layouts[0] == layouts[1]


def test_a_cut_at_any_moment_of_a_migration_loses_nothing(tmp_path: Path, identity: Identity, signer: Signer) -> None:
    known = {(InstallId(1), Seq(seq)): (record, signature) for seq, record, signature in rows_of_old()}
    for changes in range(80):
        folder = tmp_path / str(changes)
        folder.mkdir()
        chance = random.Random(changes)
        medium = Medium({NAME: OLD.read_bytes()}, chance, changes)
        shutil.copyfile(OLD, folder / NAME)
        life = Life(identity, signer, acknowledged=dict(known))
        with Disk(folder, medium).mounted():
            life.live(folder, chance)
        shutil.rmtree(folder)
        folder.mkdir()
        assert medium.left is not None
        for name, content in medium.left.items():
            (folder / name).write_bytes(content)
        assert life.harm_of(folder) == [], f"change {changes}"


def test_what_was_sent_and_refused_before_is_so_afterwards(old: Path, open_journal: Callable[[], Journal]) -> None:
    held: list[Row] = [row for row in open_journal().last_rows(8) if row.code]
    assert [(row.seq, row.state, row.code) for row in held] == [
        (3, State.REFUSED, "ReadingTooOld"),
        (8, State.HELD, "Frozen"),
    ]
