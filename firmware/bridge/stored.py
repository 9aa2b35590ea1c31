"""What survives a power cut: settings, pulses, tamper events, watchdog resets.

Two slots are written in turn, so a cut while one is written leaves the other.  A slot:

    magic "MB" 2, layout 1, unit 1, baud / 100 2, format 2, late ms 2, mWh per pulse 2, pulses 8, tamper events 4,
    watchdog resets 2, writes 4, patience ms 2, crc 2        34 bytes, big-endian, CRC-16/MODBUS low byte first

Layout 1 had no patience and is still read: firmware is replaced, pulses stay.

The slot with more writes counts.  `save_due` keeps the flash from wearing out: at most one write in 56 pulses.
"""

import struct

from bridge.rtu import is_right, with_crc

SAVE_AT_REST = 56
SAVE_ALWAYS = 62
"""Unsaved pulses at which the state is saved: when the bus is at rest, and in any case.  So a power cut loses 64
at most.
"""
TAMPER_SAVE_S = 60
"""Tamper events are saved at once, but no more often than this."""

_MAGIC = b"MB"
_LAYOUT = 2
_FORMAT = ">2sBBHHHHQIHIH"
_FIRST_FORMAT = ">2sBBHHHHQIHI"
SLOT_BYTES = struct.calcsize(_FORMAT) + 2


class StorageError(Exception):
    """The flash did not take the state."""


class State:
    """The stored values; fresh ones are those of a new bridge."""

    def __init__(self) -> None:
        self.unit = 247
        self.baud_hundreds = 96
        self.line_format = 0
        self.late_ms = 1_000
        self.mwh_per_pulse = 1_000
        self.patience_ms = 0
        self.pulses = 0
        self.tamper_events = 0
        self.watchdog_resets = 0
        self.writes = 0

    def to_bytes(self) -> bytes:
        """A slot."""
        return with_crc(
            struct.pack(
                _FORMAT,
                _MAGIC,
                _LAYOUT,
                self.unit,
                self.baud_hundreds,
                self.line_format,
                self.late_ms,
                self.mwh_per_pulse,
                self.pulses,
                self.tamper_events & 0xFFFFFFFF,
                min(self.watchdog_resets, 0xFFFF),
                self.writes & 0xFFFFFFFF,
                self.patience_ms,
            )
        )


def from_bytes(slot: bytes):
    """The State in a slot, None if it holds none."""
    layout = _FIRST_FORMAT if slot[2:3] == b"\x01" else _FORMAT
    if len(slot) != struct.calcsize(layout) + 2 or not is_right(slot, len(slot)):
        return None
    fields = struct.unpack(layout, slot[:-2])
    if fields[0] != _MAGIC or fields[1] not in (1, _LAYOUT):
        return None
    state = State()
    state.unit, state.baud_hundreds, state.line_format, state.late_ms, state.mwh_per_pulse = fields[2:7]
    state.pulses, state.tamper_events, state.watchdog_resets, state.writes = fields[7:11]
    if layout == _FORMAT:
        state.patience_ms = fields[11]
    return state


class Store:
    """The two slots behind `slots`, which has read(index) → bytes (empty if none) and write(index, data)."""

    def __init__(self, slots) -> None:
        self._slots = slots

    def load(self) -> State:
        """The newest state, or a fresh one.  Raises StorageError if the flash cannot be read."""
        found = None
        for index in (0, 1):
            try:
                state = from_bytes(self._slots.read(index))
            except OSError as error:
                raise StorageError("flash: {}".format(error)) from error
            if state is not None and (found is None or state.writes > found.writes):
                found = state
        return found or State()

    def save(self, state: State) -> None:
        """Write the state into the older slot and read it back.  Raises StorageError."""
        state.writes += 1
        slot = state.to_bytes()
        index = state.writes & 1
        try:
            self._slots.write(index, slot)
            kept = self._slots.read(index) == slot
        except OSError as error:
            raise StorageError("flash: {}".format(error)) from error
        if not kept:
            raise StorageError("flash: slot {} reads back otherwise".format(index))


def save_due(unsaved_pulses: int, at_rest: bool) -> bool:
    """Whether the pulses that a power cut would lose are to be saved now."""
    return unsaved_pulses >= SAVE_ALWAYS or (at_rest and unsaved_pulses >= SAVE_AT_REST)
