"""What a node publishes: its records that the chain does not show yet, oldest first, in one message.

    0    4  magic "GMW1"
    4  160n for each of 1 to 40 records: the 96 bytes that were signed, the 64 bytes of the signature

Always from the first one that is due: whichever relay gets the message has all that must go before its newest record,
so relays that share the work cannot bring a meter's records out of order.  The topic is
`meterbridge/DOMAIN/records/METER_ID`, DOMAIN in hexadecimal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from meterchain.record import RECORD_SIZE, SIGNATURE_SIZE, Record, RecordError, decode_meter_id
from meterchain.units import InstallId

MAGIC = b"GMW1"
MOST_ROWS = 40
ROW_SIZE = RECORD_SIZE + SIGNATURE_SIZE
_ROOT = "meterbridge"
_RECORDS = "records"


class WindowError(ValueError):
    """A message that is no window; whoever sent it is no node of ours."""


@dataclass(frozen=True, slots=True)
class SignedRow:
    """One record as it was signed: what it says, its 96 bytes, the signature."""

    record: Record
    encoded: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Window:
    """A meter's records that are due, in the order of seq, all of one install."""

    meter_id: str
    domain: bytes
    install_id: InstallId
    rows: tuple[SignedRow, ...]


def encode(rows: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The message for these records and signatures.  Raises WindowError unless `decode` would take it."""
    payload = MAGIC + b"".join(record + signature for record, signature in rows)
    decode(payload)
    return payload


def decode(payload: bytes) -> Window:
    """The window in a message from anybody.  Raises WindowError; signatures are not checked here."""
    body = payload[len(MAGIC) :]
    if payload[: len(MAGIC)] != MAGIC or len(body) % ROW_SIZE or not 1 <= len(body) // ROW_SIZE <= MOST_ROWS:
        raise WindowError(f"{len(payload)} bytes are no window of 1 to {MOST_ROWS} records")
    try:
        rows = tuple(_row(body[at : at + ROW_SIZE]) for at in range(0, len(body), ROW_SIZE))
    except RecordError as error:
        raise WindowError(str(error)) from error
    first = rows[0].record
    if {(row.record.meter_id, row.record.domain, row.record.install_id) for row in rows} != {
        (first.meter_id, first.domain, first.install_id)
    }:
        raise WindowError("records of more than one meter, site or install in one window")
    if any(later.record.seq <= earlier.record.seq for earlier, later in pairwise(rows)):
        raise WindowError(f"the records of {first.meter_id} are not in the order of their numbers")
    return Window(first.meter_id, first.domain, first.install_id, rows)


def topic(domain: bytes, meter_id: str) -> str:
    """Where a node publishes."""
    return f"{_ROOT}/{domain.hex()}/{_RECORDS}/{meter_id}"


def topics(domain: bytes, group: str) -> str:
    """What a relay subscribes to: all meters of a site, shared among the relays of `group` (MQTT 5, 4.8.2)."""
    return f"$share/{group}/{_ROOT}/{domain.hex()}/{_RECORDS}/+"


def meter_of(name: str, domain: bytes) -> str:
    """Whose window a topic holds.  Raises WindowError if it is not one of ours."""
    before, _, last = name.rpartition("/")
    if before != f"{_ROOT}/{domain.hex()}/{_RECORDS}":
        raise WindowError(f"{name!r} is no topic of this site")
    try:
        return decode_meter_id(last.encode().ljust(16, b"\0"))
    except RecordError as error:
        raise WindowError(str(error)) from error


def _row(raw: bytes) -> SignedRow:
    encoded, signature = raw[:RECORD_SIZE], raw[RECORD_SIZE:]
    return SignedRow(Record.decode(encoded), encoded, signature)
