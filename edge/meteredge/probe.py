"""One question to a unit, and everything that comes back: for finding faults, never for reading energy.

The bus (`meteredge.bus`) throws away what is no right answer; here that is what matters.  A probe listens for the whole
time that a meter may take, also after an answer: a second device on the same address may be slower than the first.
"""

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from meteredge.clock import Clock
from meteredge.line_errors import line_errors
from meteredge.port import READ_HOLDING, READ_INPUT
from meteredge.transceiver import character_s, crc_is_right, crc_of, is_exception, silent_s

REQUEST_BYTES = 8
_QUIET_S = 0.05
_MOST_BYTES = 1_024
_MOST_NOISE_S = 2.0
"""A bus that goes on talking for so long after the time for an answer is not waited for."""


class ProbePort(Protocol):
    """What is asked of an open port."""

    port: str
    baudrate: int
    parity: str
    bytesize: int
    stopbits: float
    timeout: float | None

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes within `timeout`."""

    def write(self, data: bytes) -> int:
        """Send."""

    def close(self) -> None:
        """Give it back."""


class Outcome(StrEnum):
    """What a question led to."""

    SILENT = "silent"
    ANSWERED = "answered"
    EXCEPTION = "exception"
    """A valid refusal: a device is there."""
    DOUBLED = "two answers"
    """Two whole frames of one unit came."""
    DAMAGED = "damaged"
    """Bytes, but no whole frame."""
    OTHER = "another frame"
    """A whole frame that answers another question or comes from another unit."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A question and what came back."""

    unit: int
    fc: int
    address: int
    words: int
    outcome: Outcome
    raw: bytes = b""
    """All that came, the adapter's echo and stray zeros taken off."""
    exception: int | None = None
    values: tuple[int, ...] = ()
    """The words of an answer."""
    answered_by: int | None = None
    """The unit id of the first whole frame."""
    first_byte_s: float | None = None
    """From the end of the request."""
    echo: bool = False
    leading_zeros: int = 0
    unasked: bytes = b""
    """What had arrived before the question."""
    framing_errors: int | None = None
    """Characters without a stop bit since the port was last looked at; None where nobody counts."""

    @property
    def looks_like_two(self) -> bool:
        """A damaged answer with a right beginning, or longer than one: what two devices at once look like."""
        right = bytes((self.unit, self.fc, 2 * self.words))
        return self.outcome is Outcome.DAMAGED and (len(self.raw) > 5 + 2 * self.words or self.raw[:3] == right)


def request(unit: int, fc: int, address: int, words: int) -> bytes:
    """The eight bytes that ask for registers."""
    body = struct.pack(">BBHH", unit, fc, address, words)
    return body + crc_of(body)


def is_question(frame: bytes) -> bool:
    """Whether bytes are a whole request for registers (or a write of one), as a master sends it."""
    return len(frame) == REQUEST_BYTES and 1 <= frame[1] <= READ_INPUT + 2 and crc_is_right(frame)


def questions_in(data: bytes) -> tuple[bytes, ...]:
    """Whole requests somewhere in what was overheard."""
    found, at = [], 0
    while at + REQUEST_BYTES <= len(data):
        piece = data[at : at + REQUEST_BYTES]
        if is_question(piece):
            found.append(piece)
            at += REQUEST_BYTES
        else:
            at += 1
    return tuple(found)


def listen(port: ProbePort, clock: Clock, seconds: float) -> bytes:
    """What comes without a question."""
    heard, end = b"", clock.monotonic() + seconds
    while (left := end - clock.monotonic()) > 0 and len(heard) < _MOST_BYTES:
        port.timeout = left
        heard += port.read(_MOST_BYTES - len(heard))
    return heard


def ask(
    port: ProbePort,
    clock: Clock,
    unit: int,
    *,
    fc: int = READ_INPUT,
    address: int = 0,
    words: int = 2,
    response_s: float,
    gap_s: float = 0.0,
) -> Probe:
    """Ask once.  Takes `response_s` after the request, and longer only while bytes keep coming.

    Raises BusError as the port does.
    """
    question = request(unit, fc, address, words)
    clock.sleep(max(silent_s(port), gap_s))  # type: ignore[arg-type]
    port.timeout = 0.0
    unasked = port.read(_MOST_BYTES)
    errors = line_errors(port)
    port.write(question)
    sent_at = clock.monotonic() + len(question) * character_s(port)  # type: ignore[arg-type]
    raw, first_at = _gather(port, clock, question, sent_at + response_s)
    after = line_errors(port)
    told = _told_apart(question, raw)
    return Probe(
        **told,  # type: ignore[arg-type]
        first_byte_s=None if first_at is None else max(0.0, first_at - sent_at),
        unasked=unasked,
        framing_errors=None if errors is None or after is None else after.since(errors).framing,
    )


def _gather(port: ProbePort, clock: Clock, question: bytes, until: float) -> tuple[bytes, float | None]:
    """All bytes up to `until`, and on until it is quiet; when the first came that is not the question's echo."""
    data, first_at = b"", None
    while len(data) < _MOST_BYTES:
        now = clock.monotonic()
        left = until - now
        if left <= 0 and (first_at is None or now > until + _MOST_NOISE_S):
            break
        port.timeout = max(left, _QUIET_S if first_at is not None else 0.0)
        wanted = 1 if first_at is None else _MOST_BYTES - len(data)
        more = port.read(wanted)
        if not more:
            break
        data += more
        if first_at is None and data != question[: len(data)]:
            first_at = clock.monotonic()
    return data, first_at


def _told_apart(question: bytes, raw: bytes) -> dict[str, object]:
    unit, fc = question[0], question[1]
    address, words = struct.unpack(">HH", question[2:6])
    echo = raw[: len(question)] == question
    rest = raw[len(question) :] if echo else raw
    zeros = _leading_zeros(rest)
    rest = rest[zeros:]
    told: dict[str, object] = {
        "unit": unit, "fc": fc, "address": address, "words": words, "raw": rest, "echo": echo, "leading_zeros": zeros,
    }  # fmt: skip
    size = frame_length(rest)
    if not rest:
        return told | {"outcome": Outcome.SILENT}
    if size == 0:
        return told | {"outcome": Outcome.DAMAGED}
    first, more = rest[:size], rest[size:].lstrip(b"\0")
    told["answered_by"] = first[0]
    if frame_length(more) and more[0] == first[0]:
        return told | {"outcome": Outcome.DOUBLED}
    if first[0] != unit or first[1] & 0x7F != fc:
        return told | {"outcome": Outcome.OTHER}
    if is_exception(first):
        return told | {"outcome": Outcome.EXCEPTION, "exception": first[2]}
    if size != 5 + 2 * words:
        return told | {"outcome": Outcome.OTHER}
    return told | {"outcome": Outcome.ANSWERED, "values": struct.unpack(f">{words}H", first[3:-2])}


def _leading_zeros(data: bytes) -> int:
    """Stray zeros before a whole frame, or a lone zero: a floating line, or a break that is received as one."""
    zeros = len(data) - len(data.lstrip(b"\0"))
    if zeros and (zeros == len(data) or (frame_length(data) == 0 and frame_length(data[zeros:]))):
        return zeros
    return 0


def frame_length(data: bytes) -> int:
    """The length of the whole reply at the start of `data`; 0 if there is none."""
    if is_exception(data[:5]):
        return 5
    if len(data) < 5 or data[1] not in (READ_HOLDING, READ_INPUT):
        return 0
    size = 5 + data[2]
    return size if len(data) >= size and crc_is_right(data[:size]) else 0
