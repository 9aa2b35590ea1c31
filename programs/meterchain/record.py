"""The record: the 96 bytes that a meter's key signs, once per slot.

Layout GMR1, little-endian (programs.md 4.4; the right column names the OCMF analogue):

    off size field
      0    4 magic "GMR1"                                                   FV
      4    1 version = 1
      5    1 time_status 'U' unknown, 'I' informative, 'S' synchronised, 'R' relative   TM suffix
      6    2 status_flags                                                   ST, EF
      8    8 domain: which deployment
     16   16 meter_id, ASCII, zero-padded                                   MS
     32    4 install_id
     36    1 reason 'P' periodic, 'B' begin, 'E' end, 'F' final, 'X' exception          TX
     37    3 zero
     40    8 seq, from 1 per install                                        PG
     48    8 epoch: start of the slot that this reading closes              -
     56    8 ts: when it was read                                           TM
     64    8 export register, mWh                                           RV 2.8.0
     72    8 import register, mWh                                           RV 1.8.0
     80   16 sha256(previous record)[:16], zero for seq 1
"""

import hashlib
import re
import struct
from dataclasses import dataclass
from enum import IntFlag, StrEnum
from typing import Self

from meterchain.units import InstallId, Mwh, Seq, Slot, UnixTime

RECORD_SIZE = 96
SIGNATURE_SIZE = 64
DOMAIN_SIZE = 8
METER_ID_SIZE = 16
PREV_SIZE = 16
MAGIC = b"GMR1"
VERSION = 1

_LAYOUT = struct.Struct("<4sBBH8s16sIB3sQqqQQ16s")
_METER_ID = re.compile(r"[A-Z0-9_-]{1,16}")


class RecordError(ValueError):
    """Bytes or values that are not a record."""


class TimeStatus(StrEnum):
    """How well the time of a reading is known."""

    UNKNOWN = "U"
    INFORMATIVE = "I"
    SYNCHRONISED = "S"
    RELATIVE = "R"


class Reason(StrEnum):
    """Why a record was made."""

    PERIODIC = "P"
    BEGIN = "B"
    END = "E"
    FINAL = "F"
    EXCEPTION = "X"


class StatusFlags(IntFlag):
    """What was wrong or noteworthy at the meter.  Flags of `NEVER_MONEY` make the oracle refuse the record."""

    NONE = 0
    METER_ERROR = 1 << 0
    CLOCK_ADJUSTED = 1 << 1
    POWER_FAIL = 1 << 2
    CT_PT_CHANGED = 1 << 3
    TAMPER = 1 << 4
    ESTIMATED = 1 << 5
    REGISTER_RESET = 1 << 6
    TEST = 1 << 7


NEVER_MONEY = StatusFlags.METER_ERROR | StatusFlags.ESTIMATED | StatusFlags.REGISTER_RESET | StatusFlags.TEST


def encode_meter_id(meter_id: str) -> bytes:
    """16 zero-padded bytes.  Raises RecordError unless `meter_id` is 1 to 16 of A-Z, 0-9, '_' and '-'."""
    if not _METER_ID.fullmatch(meter_id):
        raise RecordError(f"meter id {meter_id!r}: 1 to 16 characters of A-Z, 0-9, '_' and '-'")
    return meter_id.encode().ljust(METER_ID_SIZE, b"\0")


def decode_meter_id(raw: bytes) -> str:
    """The name in 16 zero-padded bytes.  Raises RecordError on anything else."""
    meter_id = raw.rstrip(b"\0").decode("ascii", "replace")
    if len(raw) != METER_ID_SIZE or not _METER_ID.fullmatch(meter_id):
        raise RecordError(f"not a meter id: {raw.hex()}")
    return meter_id


def record_digest(encoded: bytes) -> bytes:
    """sha256 of the 96 bytes; MeterState.last_digest on chain."""
    return hashlib.sha256(encoded).digest()


@dataclass(frozen=True, slots=True)
class Record:
    """One closed slot of one meter, as it is signed.

    `domain` 8 bytes, `prev` 16 bytes, registers in mWh, `epoch` and `ts` in Unix seconds.
    """

    domain: bytes
    meter_id: str
    install_id: InstallId
    seq: Seq
    epoch: Slot
    ts: UnixTime
    export_mwh: Mwh
    import_mwh: Mwh
    prev: bytes
    reason: Reason = Reason.PERIODIC
    time_status: TimeStatus = TimeStatus.SYNCHRONISED
    status_flags: StatusFlags = StatusFlags.NONE

    def encode(self) -> bytes:
        """The 96 bytes that are signed.  Raises RecordError if a field does not fit."""
        if len(self.domain) != DOMAIN_SIZE or len(self.prev) != PREV_SIZE:
            raise RecordError("domain has 8 bytes and prev 16")
        try:
            return _LAYOUT.pack(
                MAGIC, VERSION, ord(self.time_status), self.status_flags, self.domain, encode_meter_id(self.meter_id),
                self.install_id, ord(self.reason), bytes(3), self.seq, self.epoch, self.ts,
                self.export_mwh, self.import_mwh, self.prev,
            )  # fmt: skip
        except struct.error as error:
            raise RecordError(f"a field does not fit the record: {error}") from error

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """The record in 96 bytes.  Raises RecordError unless `encode` would give the same bytes back."""
        if len(encoded) != RECORD_SIZE:
            raise RecordError(f"a record has {RECORD_SIZE} bytes, not {len(encoded)}")
        (magic, version, time_status, flags, domain, meter_id, install_id, reason, zero, seq, epoch, ts,
         export_mwh, import_mwh, prev) = _LAYOUT.unpack(encoded)  # fmt: skip
        if magic != MAGIC or version != VERSION or zero != bytes(3) or flags > max(StatusFlags) * 2 - 1:
            raise RecordError("not a GMR1 record of version 1")
        try:
            return cls(
                domain, decode_meter_id(meter_id), InstallId(install_id), Seq(seq), Slot(epoch), UnixTime(ts),
                Mwh(export_mwh), Mwh(import_mwh), prev, Reason(chr(reason)), TimeStatus(chr(time_status)),
                StatusFlags(flags),
            )  # fmt: skip
        except ValueError as error:
            raise RecordError(str(error)) from error
