"""The bridge's own registers: read by functions 3 and 4 at its own unit id, settings written by 6 and 16.

docs/bridge.md has the map for people, the profile `meterbridge-bridge` has it for programs.  Registers from 0:

    marker 0x4D42 1, map version 1, firmware version ascii 4, serial number ascii 8, uptime s 2, reset cause 1,
    watchdog resets 1, supply mV 1, flags 1, then of 2 each: requests, usb errors, sent, replies, crc errors, no reply,
    drops, held off, late, unasked, collisions, echoes, leading zeros, own; pulses 4, flash writes 2, tamper events 2,
    tamper age s 2 (0xFFFFFFFF: none since the start), free memory 2

Settings from 0x100, 1 each: unit, baud / 100, format (0 8N1, 1 8E1, 2 8O1, 3 8N2), late ms, mWh per pulse, patience ms.
"""

import struct

from bridge import rtu

MARKER = 0x4D42
MAP_VERSION = 1
SETTINGS_AT = 0x100
NEVER = 0xFFFFFFFF

SERVICE_CLOSED, TAMPER_OPEN, STORAGE_FAILED = 1, 2, 4

RESET_POWER, RESET_WATCHDOG, RESET_OTHER = 0, 1, 2

_FORMAT = ">HH8s16sIHHHH14IQIIII"
REGISTERS = struct.calcsize(_FORMAT) // 2
SETTINGS = 6
MAX_WORDS = 125


class Refused(Exception):
    """A request that gets a Modbus exception; `code` says which."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def image(core) -> bytes:
    """The measured registers as they are now."""
    c, state = core.counters, core.state
    return struct.pack(
        _FORMAT,
        MARKER,
        MAP_VERSION,
        core.version.encode(),
        core.serial.encode(),
        core.uptime_s,
        core.reset_cause,
        min(state.watchdog_resets, 0xFFFF),
        min(core.inputs.supply_mv(), 0xFFFF),
        core.flags(),
        c.requests & NEVER,
        c.usb_errors & NEVER,
        c.sent & NEVER,
        c.replies & NEVER,
        c.crc_errors & NEVER,
        c.no_reply & NEVER,
        c.drops & NEVER,
        c.held_off & NEVER,
        c.late & NEVER,
        c.unasked & NEVER,
        c.collisions & NEVER,
        c.echoes & NEVER,
        c.leading_zeros & NEVER,
        c.own & NEVER,
        state.pulses,
        state.writes & NEVER,
        state.tamper_events & NEVER,
        core.tamper_age_s(),
        core.inputs.free_memory(),
    )


def settings(state) -> list:
    """The words of the settings."""
    return [
        state.unit,
        state.baud_hundreds,
        state.line_format,
        state.late_ms,
        state.mwh_per_pulse,
        state.patience_ms,
    ]


def check(words: list) -> bool:
    """Whether these settings can be."""
    unit, baud_hundreds, line_format, late_ms, mwh_per_pulse, patience_ms = words
    return (
        1 <= unit <= 247
        and 100 * baud_hundreds in rtu.BAUDS
        and line_format < len(rtu.FORMATS)
        and 50 <= late_ms <= 10_000
        and mwh_per_pulse >= 1
        and (patience_ms == 0 or 20 <= patience_ms <= 10_000)
    )


def answer(core, frame: bytes) -> bytes:
    """The reply to a request for the bridge's own unit."""
    function = frame[1]
    try:
        if function in (rtu.READ_HOLDING, rtu.READ_INPUT):
            body = _read(core, frame)
        elif function == rtu.WRITE_ONE:
            _write(core, frame[2] << 8 | frame[3], [frame[4] << 8 | frame[5]])
            body = frame[1:6]
        elif function == rtu.WRITE_SEVERAL:
            _write(core, frame[2] << 8 | frame[3], _words(frame))
            body = frame[1:6]
        else:
            raise Refused(rtu.ILLEGAL_FUNCTION)
    except Refused as refused:
        body = bytes((function | 0x80, refused.code))
    return rtu.with_crc(frame[:1] + body)


def _read(core, frame: bytes) -> bytes:
    start, count = frame[2] << 8 | frame[3], frame[4] << 8 | frame[5]
    if not 1 <= count <= MAX_WORDS:
        raise Refused(rtu.ILLEGAL_VALUE)
    if start + count <= REGISTERS:
        words = image(core)[2 * start : 2 * (start + count)]
    elif start >= SETTINGS_AT and start + count <= SETTINGS_AT + SETTINGS:
        all_words = settings(core.state)[start - SETTINGS_AT : start - SETTINGS_AT + count]
        words = struct.pack(">{}H".format(count), *all_words)
    else:
        raise Refused(rtu.ILLEGAL_ADDRESS)
    return bytes((frame[1], 2 * count)) + words


def _words(frame: bytes) -> list:
    count = frame[4] << 8 | frame[5]
    if frame[6] != 2 * count or not count:
        raise Refused(rtu.ILLEGAL_VALUE)
    return list(struct.unpack(">{}H".format(count), frame[7:-2]))


def _write(core, start: int, words: list) -> None:
    if start < SETTINGS_AT or start + len(words) > SETTINGS_AT + SETTINGS:
        raise Refused(rtu.ILLEGAL_ADDRESS)
    wanted = settings(core.state)
    wanted[start - SETTINGS_AT : start - SETTINGS_AT + len(words)] = words
    if not check(wanted):
        raise Refused(rtu.ILLEGAL_VALUE)
    if not core.change_settings(wanted):
        raise Refused(rtu.DEVICE_FAILURE)
