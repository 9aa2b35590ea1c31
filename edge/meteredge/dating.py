"""Readings that were taken before the time was known, and which of them close a slot once it is.

A reading is kept every KEEP_EVERY_S, so that each slot's window of 110 s has one.  Afterwards the slots are closed one
by one with the first reading in their window, as records of time status R.  A reading that breaks guard 5 closes
nothing; neither does one that the chain would find too old.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from meterchain.record import TimeStatus
from meterchain.units import SLOT_S, Slot, UnixTime, slot_of
from meteredge.guards import Rated, signed_breach
from meteredge.journal import Closing, LastSigned, Undated
from meteredge.slots import CLOSE_WITHIN_S, MIN_INTERVAL_S

KEEP_EVERY_S = 60.0
KEEP_MOST = 7 * 1_440
"""A week of readings: what is older is too old for the chain (MAX_READING_AGE_SECS)."""


@dataclass(frozen=True, slots=True)
class Dated:
    """A kept reading that closes a slot."""

    closing: Closing
    undated: Undated


def first_dated(kept: Sequence[Undated], offset_s: float, now: float, last: LastSigned, rated: Rated) -> Dated | None:
    """The first of `kept` (in the order in which they were taken) that closes a slot after `last`, None if none does.

    `offset_s` is UTC minus the monotonic count, `now` UTC: nothing is dated into the future.
    """
    for reading in kept:
        ts = UnixTime(int(reading.monotonic_ms / 1_000 + offset_s))
        slot = Slot(slot_of(ts) - SLOT_S)
        in_window = ts - (slot + SLOT_S) <= CLOSE_WITHIN_S and ts <= now
        if not in_window or slot <= last.slot or ts - last.ts < MIN_INTERVAL_S:
            continue
        if signed_breach(last, reading, ts - last.ts, rated) is None:
            closing = Closing(slot, ts, reading.export_mwh, reading.import_mwh, TimeStatus.RELATIVE)
            return Dated(closing, reading)
    return None
