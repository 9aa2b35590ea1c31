"""Closing slots: when a slot may be closed, and what must be true of the readings that close it.

A slot of 900 s is closed by a reading taken between its end and 110 s later (the chain takes epoch + 895 to + 1,020).
Whoever comes later has missed it: nothing is made up, the next slot's registers carry the energy.  The next close is
computed from the clock each time it is asked for, so a clock that jumps costs a slot at most, never a wrong record.
"""

from typing import Protocol

from meterchain.record import Reason, StatusFlags, TimeStatus
from meterchain.units import SLOT_S, Slot, UnixTime, slot_of
from meteredge.guards import Breach, Rated, pair_breach, signed_breach
from meteredge.journal import Closing, Install, LastSigned
from meteredge.nodetime import NodeTime
from meteredge.reader import Reading

CLOSE_WITHIN_S = 110
"""A close is begun no later than this after the slot's end."""
LATEST_AFTER_END_S = 120
"""The chain's limit for a periodic record: epoch + 1,020."""
MIN_INTERVAL_S = 60
"""The chain's default for the least time between two records (MIN_READING_INTERVAL_SECS)."""
JUMP_S = 2.0
"""UTC minus the monotonic count may change by so much between two looks; more is a clock that was set."""


class SlotStaysOpen(Exception):
    """Nothing was signed, and the message says why.  The close may be tried again while the slot's window lasts."""


class GuardBreached(SlotStaysOpen):
    """The readings break guard 4 or 5."""

    def __init__(self, breach: Breach) -> None:
        super().__init__(str(breach))
        self.breach = breach


class MeterReader(Protocol):
    """What closing a slot needs of `reader.Reader`."""

    def read(self) -> Reading:
        """One reading.  Raises BusError."""


def due_slot(now: float, last: LastSigned) -> Slot | None:
    """The slot that can be closed at `now` and was not, or None."""
    slot = Slot(slot_of(now) - SLOT_S)
    end = slot + SLOT_S
    too_late = now - end > CLOSE_WITHIN_S
    return None if too_late or slot <= last.slot or int(now) - last.ts < MIN_INTERVAL_S else slot


def seconds_to_close(now: float, last: LastSigned) -> float:
    """From `now` to the next instant at which a slot can be closed; 0 if one can now."""
    if due_slot(now, last) is not None:
        return 0.0
    end = slot_of(now)
    waits_for_interval = last.slot < end - SLOT_S and now < last.ts + MIN_INTERVAL_S <= end + CLOSE_WITHIN_S
    return (last.ts + MIN_INTERVAL_S if waits_for_interval else end + SLOT_S) - now


def read_closing(
    slot: Slot, reader: MeterReader, time: NodeTime, install: Install, last: LastSigned
) -> tuple[Closing, Reading]:
    """Read the meter twice and judge: what is to be signed for `slot`, and the reading behind it.

    Raises SlotStaysOpen (GuardBreached among them) and the reader's BusError; then nothing may be signed.
    """
    begun = time.now()
    rated = rated_of(install)
    reading = read_pair(reader, rated)
    now = time.now()
    if begun is None or now is None:
        raise SlotStaysOpen("nobody vouches for the date any more; nothing is signed until somebody does")
    if abs(now.offset_s - begun.offset_s) > JUMP_S:
        raise SlotStaysOpen("the host's clock was set while the meter was read; the slot is read again")
    ts = UnixTime(int(now.utc))
    if not slot + SLOT_S <= ts <= slot + SLOT_S + LATEST_AFTER_END_S:
        raise SlotStaysOpen(
            f"the reading came at {ts}, outside the window of slot {slot}; the next slot carries its energy"
        )
    breach = signed_breach(last, reading, ts - last.ts, rated)
    if breach:
        raise GuardBreached(breach)
    vouched = begun.status is now.status is TimeStatus.SYNCHRONISED
    status = TimeStatus.SYNCHRONISED if vouched else TimeStatus.INFORMATIVE
    return Closing(slot, ts, reading.export_mwh, reading.import_mwh, status, StatusFlags.NONE), reading


def read_final(reader: MeterReader, time: NodeTime, install: Install, last: LastSigned) -> Closing:
    """Read the meter for the last time: the final record (F) of an install, within the running slot.

    Raises SlotStaysOpen (too soon after the last record, or the time is unknown), GuardBreached, BusError.
    """
    rated = rated_of(install)
    reading, now = read_pair(reader, rated), time.now()
    if now is None:
        raise SlotStaysOpen("nobody vouches for the date; nothing is signed until somebody does")
    ts = UnixTime(int(now.utc))
    if ts - last.ts < MIN_INTERVAL_S:
        left_s = last.ts + MIN_INTERVAL_S - ts
        raise SlotStaysOpen(f"the final record comes {MIN_INTERVAL_S} s after the last one; try again in {left_s} s")
    breach = signed_breach(last, reading, ts - last.ts, rated)
    if breach:
        raise GuardBreached(breach)
    slot = Slot(slot_of(ts))
    return Closing(slot, ts, reading.export_mwh, reading.import_mwh, now.status, reason=Reason.FINAL)


def read_pair(reader: MeterReader, rated: Rated) -> Reading:
    """The second of two readings that agree (guard 4).  Raises GuardBreached and the reader's BusError."""
    first = reader.read()
    second = reader.read()
    breach = pair_breach(first, second, second.at_monotonic - first.at_monotonic, rated)
    if breach:
        raise GuardBreached(breach)
    return second


def rated_of(install: Install) -> Rated:
    """What the installation can carry, as the guards want it."""
    return Rated(install.max_export_w, install.max_import_w, install.register_modulus_mwh)
