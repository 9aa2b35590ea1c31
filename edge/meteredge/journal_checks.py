"""Is this file the journal that it should be?  Checks at opening, before anything is written."""

from collections.abc import Callable, Sequence
from pathlib import Path

from solders.pubkey import Pubkey
from solders.signature import Signature

from meterchain.record import PREV_SIZE, Record, RecordError, record_digest
from meteredge.journal_rows import Identity, Row
from meteredge.journal_schema import JournalCorrupt, JournalForeign, corrupt_message

TAIL = 100
"""How many of the newest records are checked one by one."""


def refuse_foreign(path: Path, found: Identity, ours: Identity) -> None:
    """Raises JournalForeign unless the journal is this meter's, of this site, with this key."""
    for what, theirs, wanted in (
        ("meter", found.meter_id, ours.meter_id),
        ("site (domain)", found.domain.hex(), ours.domain.hex()),
        ("meter key", found.meter_key.hex(), ours.meter_key.hex()),
    ):
        if theirs != wanted:
            raise JournalForeign(
                f"{path}: the journal of another {what} ({theirs}, configured is {wanted}); "
                "name its own [state] directory for each meter, or put the right key back"
            )


def check_tail(path: Path, identity: Identity, rows: Sequence[Row], key_of: Callable[[Row], bytes]) -> None:
    """The records decode, chain, carry the key's signature, and say what their rows say.  Raises JournalCorrupt.

    `key_of` tells which key a record must carry: keys are rotated.
    """
    before: Row | None = None
    for row in rows:
        try:
            record = Record.decode(row.record)
        except RecordError as error:
            raise JournalCorrupt(corrupt_message(path, f"record {row.seq}: {error}")) from error
        said = (record.install_id, record.seq, record.epoch, record.reason, record.meter_id, record.domain)
        if said != (row.install_id, row.seq, row.slot, row.reason, identity.meter_id, identity.domain):
            raise JournalCorrupt(corrupt_message(path, f"record {row.seq} is not its row's"))
        follows = before is not None and (before.install_id, before.seq + 1) == (row.install_id, row.seq)
        if follows and before and record.prev != record_digest(before.record)[:PREV_SIZE]:
            raise JournalCorrupt(corrupt_message(path, f"record {row.seq} breaks the chain"))
        if not Signature(row.signature).verify(Pubkey(key_of(row)), row.record):
            raise JournalCorrupt(corrupt_message(path, f"record {row.seq} does not carry the meter key's signature"))
        before = row
