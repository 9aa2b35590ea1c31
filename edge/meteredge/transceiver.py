"""One question and its answer on the wire: when to send, how to wait cheaply, what the adapter adds to the answer.

Bytes are awaited with one wake-up at the first byte of the answer and one at its expected end; taken one at a time they
would cost five times the processor time.  Nothing here judges an answer: that is the bus's part (`meteredge.bus`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import serial

from meteredge.bus_errors import NoisyBus
from meteredge.clock import Clock

OnFrame = Callable[[float, str, bytes], None]
"""Sees all traffic: (seconds of the bus's clock, "tx" | "rx" | "unasked", bytes)."""

QUIET_S = 0.05
"""A bus on which nothing arrives for so long is quiet."""
NOISE_LIMIT_S = 5.0
"""A bus that does not get quiet within this time is reported."""

_FIXED_T35_S = 0.00175
_FIXED_T35_ABOVE_BAUD = 19_200
_LATENCY_S = 0.02
"""What a USB adapter may add before the first byte (its latency timer is 16 ms by default)."""
_GRACE_S = 0.2
"""A gap inside a reply that adapters and a busy host may make; the CRC tells whether the pieces belong together."""
_WAKE_MARGIN_S = 0.000_2
_GAP_MARGIN_S = 0.000_02
_EXCEPTION_BYTES = 5


@dataclass
class Statistics:
    """Counts since the bus was opened.  `kind` of each error is the name of its count."""

    requests: int = 0
    replies: int = 0
    no_reply: int = 0
    corrupt_reply: int = 0
    wrong_reply: int = 0
    device_exception: int = 0
    noisy_bus: int = 0
    port_gone: int = 0
    reopened: int = 0
    settled: int = 0
    """Times that the bus was left silent and drained."""
    unasked_bytes: int = 0
    """Bytes that came without a question: late replies, noise, or another master."""
    foreign_questions: int = 0
    """Whole questions on the wire that we did not send: a second master's."""
    echoes: int = 0
    leading_zeros: int = 0


def character_s(port: serial.Serial) -> float:
    """Seconds that one byte takes on the wire: start, data, parity and stop bits."""
    bits = 1 + port.bytesize + (port.parity != serial.PARITY_NONE) + port.stopbits
    return float(bits / port.baudrate)


def silent_s(port: serial.Serial) -> float:
    """t3.5 of Modbus over Serial Line V1.02: 3.5 characters, 1.75 ms above 19,200 baud."""
    return _FIXED_T35_S if port.baudrate > _FIXED_T35_ABOVE_BAUD else 3.5 * character_s(port)


def crc_of(data: bytes) -> bytes:
    """The two bytes of CRC-16/MODBUS that end a frame, as they go on the wire."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
    return register.to_bytes(2, "little")


def crc_is_right(frame: bytes) -> bool:
    """Whether the frame's last two bytes are the CRC of the others."""
    return len(frame) >= 4 and frame[-2:] == crc_of(frame[:-2])


def is_exception(data: Sequence[int]) -> bool:
    """Whether the bytes are a whole exception reply."""
    return len(data) == _EXCEPTION_BYTES and data[1] >= 0x80 and crc_is_right(bytes(data))


class Transceiver:
    """Sends a request and returns what came back.  Not thread-safe: one bus owns it."""

    def __init__(self, port: serial.Serial, clock: Clock, on_frame: OnFrame | None = None) -> None:
        self.statistics = Statistics()
        self._port = port
        self._clock = clock
        self._on_frame = on_frame
        self._echo = False
        self._last_activity = clock.monotonic()

    def exchange(self, request: bytes, expected: int, response_s: float, gap_s: float) -> bytes:
        """Send after the gap and return the reply, echo and one leading zero taken off; empty if none came.

        `expected` is the length of a full reply, `response_s` the longest time to its first byte.  Raises NoisyBus, and
        PortGone or OSError as the port does.
        """
        gap = max(silent_s(self._port), gap_s) + _GAP_MARGIN_S
        self._clock.sleep(self._last_activity + gap - self._clock.monotonic())
        if self._drain():
            self.wait_for_quiet()
        self.statistics.requests += 1
        self._tell("tx", request)
        character = character_s(self._port)
        self._port.write(request)
        first_s = len(request) * character + response_s + _LATENCY_S
        echo = len(request) if self._echo else 0
        data = self._gather(echo + expected, first_s, character)
        data = self._without_echo(data, request, expected, response_s)
        data = self._without_leading_zero(data, expected, response_s)
        self._tell("rx", data)
        return data

    def wait_for_quiet(self) -> None:
        """Drain until nothing has come for QUIET_S.  Raises NoisyBus after NOISE_LIMIT_S."""
        limit = self._clock.monotonic() + NOISE_LIMIT_S
        self._drain()
        self._port.timeout = QUIET_S
        while noise := self._port.read(256):
            self._unasked(noise)
            if self._clock.monotonic() > limit:
                raise NoisyBus(
                    f"{self._port.port} is never quiet: bytes come without a question",
                    "look for a second master (inverters often are) or a broken transceiver",
                )

    def _drain(self) -> int:
        """Take what has arrived without a question; how many bytes that was."""
        if waiting := self._port.in_waiting:
            self._port.timeout = 0
            self._unasked(self._port.read(waiting))
        return waiting

    def _unasked(self, data: bytes) -> None:
        self.statistics.unasked_bytes += len(data)
        self._last_activity = self._clock.monotonic()
        self._tell("unasked", data)

    def _gather(self, wanted: int, first_s: float, character: float) -> bytes:
        """Up to `wanted` bytes: wait for the first, sleep to the expected end of the others, then read."""
        self._port.timeout = first_s
        data = self._port.read(1)
        first_at = self._last_activity = self._clock.monotonic()
        if not data or wanted == 1:
            return data
        missing = wanted - 1 - self._port.in_waiting
        if missing > 0:
            self._clock.sleep(missing * character + _WAKE_MARGIN_S)
        self._port.timeout = 0
        data += self._port.read(wanted - 1)
        if len(data) == wanted:
            # The wire was free as soon as the last byte had passed, however late we woke up.
            self._last_activity = min(self._clock.monotonic(), first_at + (wanted - 1) * character)
            return data
        self._port.timeout = _GRACE_S
        # An exception is shorter than what was asked for: do not wait for bytes that nobody sends.
        while len(data) < wanted and not is_exception(data) and (chunk := self._port.read(wanted - len(data))):
            data += chunk
        self._last_activity = self._clock.monotonic()
        return data

    def _without_echo(self, data: bytes, request: bytes, expected: int, response_s: float) -> bytes:
        """The reply behind the adapter's copy of our own request, if there is such a copy."""
        size, character = len(request), character_s(self._port)
        if not data or data[:size] != request[: len(data)] or (len(data) == expected and crc_is_right(data)):
            self._echo = False
            return data
        if len(data) < size:
            data += self._gather(size - len(data), _GRACE_S, character)
        if data[:size] != request:
            return data
        self._echo = True
        self.statistics.echoes += 1
        self._last_activity = self._clock.monotonic()
        data = data[size:]
        if len(data) < expected and not is_exception(data):
            first_s = _GRACE_S if data else response_s
            data += self._gather(expected - len(data), first_s, character)
        return data

    def _without_leading_zero(self, data: bytes, expected: int, response_s: float) -> bytes:
        """A line without bias leaves a stray 0x00 before a reply: taken off only if the rest is a right frame."""
        if data[:1] != b"\0":
            return data
        if data == b"\0":
            # It came when the line was let go, long before the meter answers.
            data += self._gather(expected, response_s, character_s(self._port))
        if len(data) == expected and not is_exception(data[1:]):
            self._port.timeout = _GRACE_S
            data += self._port.read(1)
            self._last_activity = self._clock.monotonic()
        if not crc_is_right(data[1:]):
            return data
        self.statistics.leading_zeros += 1
        return data[1:]

    def _tell(self, direction: str, data: bytes) -> None:
        if self._on_frame is not None:
            self._on_frame(self._clock.monotonic(), direction, data)
