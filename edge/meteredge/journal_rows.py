"""What the journal keeps: installs, closings, signed rows, and the states that a row moves through."""

from dataclasses import dataclass
from enum import StrEnum

from meterchain.record import Reason, StatusFlags, TimeStatus
from meterchain.units import InstallId, Mwh, Seq, Slot, UnixTime
from meteredge.journal_schema import JournalError


class State(StrEnum):
    """Where a record is on its way."""

    CLOSED = "closed"
    SENT = "sent"
    FINAL = "final"
    REFUSED = "refused"
    HELD = "held"
    STOPPED = "stopped"


class SlotAlreadyClosed(JournalError):
    """There is a signed record of that slot and reason; it is never signed again."""


class UnknownInstall(JournalError):
    """The chain has not yet told this journal where the install begins."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose journal it is: one meter of one deployment, signed by one key (32 bytes)."""

    meter_id: str
    domain: bytes
    meter_key: bytes


@dataclass(frozen=True, slots=True)
class Install:
    """Where an install begins in this journal, and the limits that its readings must keep.

    `start_*` are the meter's baseline (seq 0), or what the chain held when this journal took over from a lost one.
    """

    install_id: InstallId
    start_seq: Seq
    start_digest: bytes
    start_export_mwh: Mwh
    start_import_mwh: Mwh
    start_ts: UnixTime
    start_slot: Slot
    max_export_w: int
    max_import_w: int
    register_modulus_mwh: int


@dataclass(frozen=True, slots=True)
class Closing:
    """What a slot's close found at the meter, before it is signed."""

    slot: Slot
    ts: UnixTime
    export_mwh: Mwh
    import_mwh: Mwh
    time_status: TimeStatus
    status_flags: StatusFlags = StatusFlags.NONE
    reason: Reason | None = None
    """None: B for the first record of an install, P for all others."""


@dataclass(frozen=True, slots=True)
class Row:
    """One signed record: exactly the bytes that are sent."""

    install_id: InstallId
    seq: Seq
    slot: Slot
    reason: Reason
    record: bytes
    signature: bytes
    state: State
    code: str | None = None


@dataclass(frozen=True, slots=True)
class LastSigned:
    """The registers (mWh) and times that the next record must follow; an install's start if it has no record yet."""

    seq: Seq
    slot: Slot
    ts: UnixTime
    export_mwh: Mwh
    import_mwh: Mwh
    digest: bytes

    @property
    def quantum_mwh(self) -> int:
        """1: a signed register is exact."""
        return 1


@dataclass(frozen=True, slots=True)
class Undated:
    """A reading taken while nobody knew the time; means something in its own boot alone (`dating`)."""

    boot_id: str
    monotonic_ms: int
    export_mwh: Mwh
    import_mwh: Mwh
    quantum_mwh: int
