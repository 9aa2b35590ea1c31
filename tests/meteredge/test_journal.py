"""The journal: once, and never lost."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature
from tests.bench import journal as bench_journal
from tests.meteredge.node import closing, install_at

from meterchain.embedded import START
from meterchain.record import Reason, Record, StatusFlags, record_digest
from meterchain.units import InstallId, Mwh, Seq, Slot
from meteredge.journal import Identity, Journal, SlotAlreadyClosed, State, UnknownInstall
from meteredge.journal_schema import (
    JournalBusy,
    JournalCorrupt,
    JournalError,
    JournalForeign,
    JournalUnwritable,
    connect,
)
from meteredge.signer import Signer

ONE = InstallId(1)
OpenJournal = Callable[[], Journal]


def test_the_first_record_of_an_install_begins_it_and_the_others_are_periodic(journal: Journal, signer: Signer) -> None:
    rows = [journal.append(closing(n), signer.sign_record) for n in (1, 2, 3)]
    assert [row.reason for row in rows] == [Reason.BEGIN, Reason.PERIODIC, Reason.PERIODIC]
    assert [row.seq for row in rows] == [1, 2, 3]


def test_what_is_stored_is_what_was_signed_and_each_record_names_the_one_before(
    journal: Journal, signer: Signer
) -> None:
    for n in (1, 2):
        journal.append(closing(n), signer.sign_record)
    first, second = journal.rows_after(ONE, 0, 10)
    assert Signature(first.signature).verify(signer.public_key, first.record)
    assert Record.decode(first.record).prev == bytes(16)
    assert Record.decode(second.record).prev == record_digest(first.record)[:16]


def test_a_record_outlives_the_process_that_wrote_it(open_journal: OpenJournal, signer: Signer) -> None:
    journal = open_journal()
    journal.begin_install(install_at())
    row = journal.append(closing(1), signer.sign_record)
    journal.close()
    again = open_journal()
    assert again.rows_after(ONE, 0, 10) == [row]
    assert again.append(closing(2), signer.sign_record).seq == 2


def test_a_slot_is_never_signed_again(journal: Journal, signer: Signer) -> None:
    journal.append(closing(1, reason=Reason.PERIODIC), signer.sign_record)
    with pytest.raises(SlotAlreadyClosed, match="stays as it is"):
        journal.append(closing(1, reason=Reason.PERIODIC, export_mwh=Mwh(9_999_999)), signer.sign_record)
    assert len(journal.last_rows(10)) == 1
    assert journal.append(closing(2), signer.sign_record).seq == 2


def test_one_slot_may_have_a_final_record_beside_its_periodic_one(journal: Journal, signer: Signer) -> None:
    journal.append(closing(1, reason=Reason.PERIODIC), signer.sign_record)
    assert journal.append(closing(1, reason=Reason.FINAL), signer.sign_record).seq == 2


def test_the_schema_itself_forbids_a_second_record_of_a_number_or_slot(
    journal: Journal, journal_path: Path, signer: Signer
) -> None:
    row = journal.append(closing(1), signer.sign_record)
    other = sqlite3.connect(journal_path)
    insert = "INSERT INTO record (id, slot, reason, record, signature) VALUES (?, ?, ?, ?, ?)"
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE.*id"):
        other.execute(insert, (1 << 32 | row.seq, row.slot + 900, "P", row.record, row.signature))
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        other.execute(insert, (1 << 32 | 2, row.slot, str(row.reason), row.record, row.signature))
    other.close()


def test_nobody_deletes_or_changes_a_signed_record(journal: Journal, journal_path: Path, signer: Signer) -> None:
    journal.append(closing(1), signer.sign_record)
    other = sqlite3.connect(journal_path)
    for statement in ("DELETE FROM record", "UPDATE record SET record = zeroblob(96)", "UPDATE record SET slot = 0"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            other.execute(statement)
    other.close()


def test_before_the_chain_was_seen_nothing_can_be_signed(open_journal: OpenJournal, signer: Signer) -> None:
    journal = open_journal()
    assert journal.last_signed() is None
    with pytest.raises(UnknownInstall, match="first contact"):
        journal.append(closing(1), signer.sign_record)


def test_a_signer_that_fails_leaves_no_trace_and_no_gap(journal: Journal, signer: Signer) -> None:
    def broken(_encoded: bytes) -> bytes:
        raise RuntimeError("no key")

    with pytest.raises(RuntimeError):
        journal.append(closing(1), broken)
    assert journal.append(closing(1), signer.sign_record).seq == 1


def test_a_new_install_counts_from_one_again(journal: Journal, signer: Signer) -> None:
    journal.append(closing(1), signer.sign_record)
    journal.begin_install(install_at(install_id=2))
    row = journal.append(closing(2), signer.sign_record)
    assert (row.install_id, row.seq, row.reason) == (2, 1, Reason.BEGIN)
    assert Record.decode(row.record).prev == bytes(16)


def test_a_journal_that_took_over_goes_on_where_the_chain_stood(journal: Journal, signer: Signer) -> None:
    digest = bytes(range(32))
    journal.begin_install(replace(install_at(), start_seq=Seq(41), start_digest=digest))
    row = journal.append(closing(1), signer.sign_record)
    assert (row.seq, row.reason, Record.decode(row.record).prev) == (42, Reason.PERIODIC, digest[:16])


def test_records_up_to_the_one_on_chain_are_final_except_the_refused(journal: Journal, signer: Signer) -> None:
    rows = [journal.append(closing(n), signer.sign_record) for n in (1, 2, 3, 4)]
    journal.mark(rows[1], State.REFUSED, "ReadingTooOld")
    assert journal.mark_final(ONE, 3) == 2
    states = [(row.state, row.code) for row in journal.rows_after(ONE, 0, 10)]
    assert states == [
        (State.FINAL, None), (State.REFUSED, "ReadingTooOld"), (State.FINAL, None), (State.CLOSED, None),
    ]  # fmt: skip
    assert journal.mark_final(ONE, 3) == 0


def test_a_record_that_the_chain_shows_is_final_even_if_it_was_called_refused(journal: Journal, signer: Signer) -> None:
    row = journal.append(closing(1), signer.sign_record)
    journal.mark(row, State.REFUSED, "ReadingTooOld")
    assert journal.mark_final(ONE, 1) == 1


def test_sent_is_seen_at_once_and_written_with_the_next_commit(open_journal: OpenJournal, signer: Signer) -> None:
    journal = open_journal()
    journal.begin_install(install_at())
    for n in (1, 2, 3):
        journal.append(closing(n), signer.sign_record)
    journal.note_sent(ONE, 2)
    assert [row.state for row in journal.last_rows(3)] == [State.SENT, State.SENT, State.CLOSED]
    assert journal.counts()[State.SENT] == 2
    journal.close()
    assert [row.state for row in open_journal().last_rows(3)] == [State.SENT, State.SENT, State.CLOSED]


def test_a_held_record_that_went_out_after_all_is_sent(journal: Journal, signer: Signer) -> None:
    row = journal.append(closing(1), signer.sign_record)
    journal.mark(row, State.HELD, "Frozen")
    assert journal.undelivered() == 1
    journal.note_sent(ONE, 1)
    assert (journal.last_rows(1)[0].state, journal.last_rows(1)[0].code) == (State.SENT, None)


def test_a_second_agent_is_kept_out(journal: Journal, open_journal: OpenJournal) -> None:
    with pytest.raises(JournalBusy, match="another agent"):
        open_journal()


def test_the_journal_can_be_looked_at_while_its_agent_runs(
    journal: Journal, journal_path: Path, signer: Signer
) -> None:
    journal.append(closing(1), signer.sign_record)
    looking = Journal.open_read_only(journal_path)
    assert looking.counts()[State.CLOSED] == 1
    with pytest.raises(JournalError):
        looking.append(closing(2), signer.sign_record)
    looking.close()


def test_closing_and_forwarding_threads_share_a_journal(journal: Journal, signer: Signer) -> None:
    def forward() -> None:
        for _ in range(100):
            newest = journal.last_rows(1)
            if newest:
                journal.note_sent(ONE, newest[0].seq)
                journal.mark_final(ONE, newest[0].seq)

    thread = threading.Thread(target=forward)
    thread.start()
    for n in range(1, 101):
        journal.append(closing(n), signer.sign_record)
    thread.join()
    assert [row.seq for row in journal.rows_after(ONE, 0, 200)] == list(range(1, 101))


# -- files that are not what they should be


@pytest.mark.parametrize(
    ("field", "word"), [("meter_id", "meter"), ("domain", "site"), ("meter_key", "key")], ids=lambda value: str(value)
)
def test_a_journal_of_another_meter_site_or_key_is_refused(
    journal: Journal, journal_path: Path, identity: Identity, field: str, word: str
) -> None:
    journal.close()
    other = {"meter_id": "METER_002", "domain": bytes(8), "meter_key": bytes(32)}[field]
    with pytest.raises(JournalForeign, match=f"another {word}.*" if field != "meter_key" else "another meter key"):
        Journal.open(journal_path, replace(identity, **{field: other}))


def test_some_other_file_is_not_overwritten(journal_path: Path, identity: Identity) -> None:
    journal_path.write_bytes(b"somebody's diary, in no hurry\n" * 100)
    before = journal_path.read_bytes()
    with pytest.raises(JournalCorrupt, match="left as it is"):
        Journal.open(journal_path, identity)
    assert journal_path.read_bytes() == before


def test_another_programs_database_is_not_taken_for_a_journal(journal_path: Path, identity: Identity) -> None:
    other = sqlite3.connect(journal_path)
    other.execute("CREATE TABLE diary (line TEXT)")
    other.close()
    with pytest.raises(JournalForeign, match="not a journal"):
        Journal.open(journal_path, identity)


@pytest.mark.parametrize("at", [0, 100, 900, 1_200, 2_000, 5_000])
def test_a_damaged_journal_is_noticed_and_never_replaced(
    journal: Journal, journal_path: Path, identity: Identity, signer: Signer, at: int
) -> None:
    for n in range(1, 41):
        journal.append(closing(n), signer.sign_record)
    journal.close()
    content = bytearray(journal_path.read_bytes())
    content[at : at + 300] = b"\xa5" * 300
    journal_path.write_bytes(content)
    with pytest.raises(JournalCorrupt, match=r"damaged.*[Cc]opy the whole folder"):
        Journal.open(journal_path, identity)
    assert journal_path.read_bytes() == content


def test_a_cut_off_journal_is_noticed(journal: Journal, journal_path: Path, identity: Identity, signer: Signer) -> None:
    for n in range(1, 41):
        journal.append(closing(n), signer.sign_record)
    journal.close()
    os.truncate(journal_path, journal_path.stat().st_size // 2)
    with pytest.raises(JournalCorrupt, match="damaged"):
        Journal.open(journal_path, identity)


def test_a_record_whose_bytes_were_exchanged_is_noticed(
    journal: Journal, journal_path: Path, identity: Identity, signer: Signer
) -> None:
    row = journal.append(closing(1), signer.sign_record)
    journal.close()
    content = journal_path.read_bytes()
    forged = bytearray(row.record)
    forged[64] ^= 1
    assert content.count(row.record) == 1
    journal_path.write_bytes(content.replace(row.record, bytes(forged)))
    with pytest.raises(JournalCorrupt, match="does not carry the meter key's signature"):
        Journal.open(journal_path, identity)


def test_looking_at_a_journal_that_is_not_there_makes_none(journal_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal yet"):
        Journal.open_read_only(journal_path)
    assert not journal_path.exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, identity: Identity) -> None:
    with pytest.raises(JournalUnwritable, match=r"create the folder"):
        Journal.open(tmp_path / "none" / "x.journal", identity)


# -- a full disk


def _fill(journal: Journal, signer: Signer) -> int:
    """Append until there is no room; how many records the journal then has."""
    for n in range(2, 40):
        try:
            journal.append(closing(n), signer.sign_record)
        except JournalUnwritable:
            return n - 1
    raise AssertionError("the disk was never full")


def test_a_full_disk_stores_nothing_loses_nothing_and_heals(journal: Journal, signer: Signer) -> None:
    journal.append(closing(1), signer.sign_record)
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    stored = _fill(journal, signer)
    with pytest.raises(JournalUnwritable, match=r"no room.*slot stays open.*Free some disk space"):
        journal.append(closing(stored + 1), signer.sign_record)
    assert [row.seq for row in journal.rows_after(ONE, 0, 100)] == list(range(1, stored + 1))
    journal._connection.execute("PRAGMA max_page_count = 100000")
    assert journal.append(closing(stored + 1), signer.sign_record).seq == stored + 1


def test_a_write_that_the_system_refuses_loses_nothing(
    journal: Journal, journal_path: Path, identity: Identity, signer: Signer
) -> None:
    journal.append(closing(1), signer.sign_record)
    journal.close()
    script = f"""
import resource
from pathlib import Path
from nacl.signing import SigningKey
from meteredge.journal import Journal, Identity
from meteredge.journal_schema import JournalUnwritable
from meteredge.signer import Signer
from tests.bench import journal as bench_journal
from tests.meteredge.node import closing
signer = Signer(SigningKey(b"meter key of the tests, 32 bytes"))
journal = Journal.open(Path({str(journal_path)!r}), Identity("METER_001", bytes(range(8)), bytes(signer.public_key)))
size = Path({str(journal_path)!r} + "-wal").stat().st_size if Path({str(journal_path)!r} + "-wal").exists() else 0
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 6000, resource.RLIM_INFINITY))
n = 1
try:
    while n < 60:
        journal.append(closing(n + 1), signer.sign_record)
        n += 1
except JournalUnwritable as error:
    print(n, "records;", error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    stored, _, told = done.stdout.partition(" records; ")
    assert "slot stays open" in told
    again = Journal.open(journal_path, identity)
    assert [row.seq for row in again.rows_after(ONE, 0, 100)] == list(range(1, int(stored) + 1))
    again.close()


# -- durability and wear


def test_the_modes_that_durability_rests_on_are_in_force(journal: Journal) -> None:
    pragmas = {
        name: journal._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "page_size")
    }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "page_size": 512}


def test_a_slot_hands_at_most_3000_bytes_to_write_over_2000_slots() -> None:
    assert 0 < bench_journal.measure()["bytes_per_slot"] <= bench_journal.LIMITS["agent.bytes_per_slot"]


WRITER = """
import os, sys
from pathlib import Path
from nacl.signing import SigningKey
from meteredge.journal import Journal, Identity
from meteredge.signer import Signer
from tests.bench import journal as bench_journal
from tests.meteredge.node import closing, install_at
signer = Signer(SigningKey(b"meter key of the tests, 32 bytes"))
journal = Journal.open(Path(sys.argv[1]), Identity("METER_001", bytes(range(8)), bytes(signer.public_key)))
if journal.install() is None:
    journal.begin_install(install_at())
while True:
    n = journal.last_signed().seq + 1
    row = journal.append(closing(n), signer.sign_record)
    journal.note_sent(row.install_id, row.seq)
    if n % 4 == 0:
        journal.mark_final(row.install_id, n)
    os.write(1, b"%d\\n" % row.seq)
"""


def test_a_killed_agent_keeps_every_record_that_it_acknowledged(journal_path: Path, identity: Identity) -> None:
    acknowledged = 0
    for patience in (5, 20, 60):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(journal_path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        for _ in range(patience):
            acknowledged = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
        writer.wait()
        writer.stdout.close()
        acknowledged = int(rest[-1]) if rest else acknowledged
        journal = Journal.open(journal_path, identity)
        seqs = [row.seq for row in journal.rows_after(ONE, 0, 10_000)]
        assert seqs[: int(acknowledged)] == list(range(1, acknowledged + 1))
        assert len(seqs) - acknowledged <= 1
        journal.close()


def test_a_copy_of_the_files_at_any_commit_is_a_whole_journal(
    journal: Journal, journal_path: Path, identity: Identity, signer: Signer, tmp_path: Path
) -> None:
    """What a cut leaves if the medium keeps what it was told to keep: the files as they are after each commit."""
    for n in range(1, 30):
        row = journal.append(closing(n), signer.sign_record)
        folder = tmp_path / f"cut{n}"
        folder.mkdir()
        for suffix in ("", "-wal"):
            source = journal_path.with_name(journal_path.name + suffix)
            (folder / source.name).write_bytes(source.read_bytes())
        copy = Journal.open(folder / journal_path.name, identity)
        assert copy.last_rows(1)[0] == row
        copy.close()


def test_a_torn_tail_of_the_log_costs_only_what_was_not_acknowledged(
    journal: Journal, journal_path: Path, identity: Identity, signer: Signer, tmp_path: Path
) -> None:
    wal = journal_path.with_name(journal_path.name + "-wal")
    for n in range(1, 10):
        journal.append(closing(n), signer.sign_record)
    acknowledged = wal.stat().st_size
    journal.append(closing(10), signer.sign_record)
    content = wal.read_bytes()
    for cut in range(acknowledged, len(content), 512):
        folder = tmp_path / f"torn{cut}"
        folder.mkdir()
        (folder / journal_path.name).write_bytes(journal_path.read_bytes())
        (folder / wal.name).write_bytes(content[:cut])
        copy = Journal.open(folder / journal_path.name, identity)
        assert copy.last_rows(1)[0].seq == 9
        assert copy.append(closing(10, export_mwh=Mwh(5_100_001)), signer.sign_record).seq == 10
        copy.close()


def test_flags_travel_with_the_record(journal: Journal, signer: Signer) -> None:
    row = journal.append(closing(1, status_flags=StatusFlags.CLOCK_ADJUSTED), signer.sign_record)
    assert Record.decode(row.record).status_flags is StatusFlags.CLOCK_ADJUSTED
    assert row.slot == Slot(START)
    assert Pubkey(journal.identity.meter_key) == signer.public_key


def test_the_journal_and_what_sqlite_lays_beside_it_can_be_read_by_the_group_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        connection = connect(tmp_path / "a.journal")
        connection.execute("CREATE TABLE t (x)")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        connection.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("a.journal", "a.journal-wal", "a.journal-shm"), 0o640)
