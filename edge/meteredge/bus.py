"""One RS-485 bus: who asks, when, and which answers are believed.

An RTU reply repeats the unit id and the function code, but not the address that was asked for.  A late reply to one
question is therefore a well-formed answer to the next one.  What this file does about it:

- the time that a meter may take comes from its profile, not from a default;
- after a time-out or a damaged reply nothing is sent for 500 ms, and then the bus is drained until it is quiet;
- a request of the same shape as the one before, for another address, waits for quiet in the same way.  (Whoever plans
  requests lets successive ones differ in length, so that this costs nothing: `meteredge.plan`.)

One lock: any number of threads may ask, one request is on the wire.  minimalmodbus frames requests and checks replies;
`meteredge.transceiver` carries the bytes.
"""

import struct
import termios
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NoReturn

import minimalmodbus
import serial

from meteredge.bus_errors import (
    EXCEPTION_NAMES,
    BusError,
    CorruptReply,
    DeviceException,
    NoReply,
    PortGone,
    PortLent,
    RequestRefused,
    WrongReply,
)
from meteredge.clock import Clock
from meteredge.port import HIGHEST_UNIT, refuse_unless_reading
from meteredge.profiles import Profile
from meteredge.second_master import SecondMaster
from meteredge.transceiver import OnFrame, Transceiver, crc_is_right, is_exception

SILENCE_S = 0.5
"""How long nothing is sent after a time-out or a damaged reply."""
REOPEN_S = 1.0
"""Pause before a port that is gone is looked for again; grows by as much each time."""
REOPEN_MAX_S = 8.0
"""Within a slot's close every meter is tried at least every 10 s."""
KEPT_REQUESTS = 256
"""Frames of questions that are kept; a scan asks far more, once each."""


@dataclass(frozen=True)
class Timing:
    """What a meter asks of its master, seconds."""

    response_s: float = 0.5
    """Longest time from the end of a request to the first byte of the reply."""
    gap_s: float = 0.0
    """Silence before a request; never less than 3.5 characters."""


def timing_of(profile: Profile) -> Timing:
    """The timing that a profile asks for."""
    return Timing(profile.response_ms.max / 1000, profile.min_gap_ms / 1000)


class _Frames(minimalmodbus.Instrument):  # type: ignore[misc]
    """minimalmodbus makes and checks frames, and never touches the port: `exchange` carries them."""

    def __init__(self, port: serial.Serial, exchange: Callable[[bytes, int], bytes]) -> None:
        super().__init__(port, 1)
        self._exchange = exchange
        self._requests: dict[tuple[int, int, int, int], bytes] = {}

    def read(self, fc: int, address: int, words: int) -> tuple[int, ...]:
        """The words of a reply whose CRC, unit, function code and length are right.  Raises ModbusException."""
        reply = self._exchange(self._request(fc, address, words), 5 + 2 * words)
        payload: bytes = minimalmodbus._extract_payload(reply, self.address, self.mode, fc)  # noqa: SLF001
        if len(payload) != 1 + 2 * words or payload[0] != 2 * words:
            raise minimalmodbus.InvalidResponseError(f"{len(payload)} bytes for {words} words")
        return struct.unpack(f">{words}H", payload[1:])

    def _request(self, fc: int, address: int, words: int) -> bytes:
        """The frame of a question.  The same few are asked for years, so that each is made once."""
        question = (self.address, fc, address, words)
        known = self._requests.get(question)
        if known is None:
            if len(self._requests) >= KEPT_REQUESTS:
                self._requests.clear()
            fields = struct.pack(">HH", address, words)
            known = minimalmodbus._embed_payload(self.address, self.mode, fc, fields)  # noqa: SLF001
            self._requests[question] = known
        return known


class Bus:
    """A bus behind a port with the methods of `serial.Serial`; one that is not open is opened by the first question.

    `on_frame` sees all traffic.  Methods raise BusError.
    """

    def __init__(self, port: serial.Serial, clock: Clock, on_frame: OnFrame | None = None) -> None:
        self.port = port
        self._on_frame = on_frame
        self._strangers = SecondMaster()
        self._wire = Transceiver(port, clock, self._overhear)
        self.statistics = self._wire.statistics
        self._clock = clock
        self._lock = threading.Lock()
        self._frames: _Frames | None = None  # minimalmodbus wants to see an open port
        self._timing = Timing()
        self._unit = 0
        self._raw = b""
        self._last_shape: tuple[int, int, int, int] | None = None
        # Whoever had the port before us may have left a question behind whose answer is still to come.
        self._settle_after: float | None = clock.monotonic() + SILENCE_S
        self._was_open = port.is_open
        self._reopen_after = 0.0
        self._reopen_tries = 0
        self._closed_because = f"{port.port} is gone", "plug the adapter in"
        self._lent_until: float | None = None

    def read_block(self, unit: int, fc: int, address: int, words: int, timing: Timing = Timing()) -> tuple[int, ...]:
        """The words at `address` (0-based) of a unit, by function code 3 or 4.

        Raises NoReply, CorruptReply, WrongReply, DeviceException, NoisyBus, PortGone, PortLent and the errors of
        opening a port.
        """
        if not 1 <= unit <= HIGHEST_UNIT:
            raise RequestRefused(f"unit {unit} is no single meter", "unit ids go from 1 to 247")
        with self._lock:
            self._timing = timing
            self._unit = unit
            shape = (unit, fc, words, address)
            if self._last_shape is not None and self._last_shape != shape and self._last_shape[:3] == shape[:3]:
                self._hold_silence()
            self._last_shape = shape
            where = f"unit {unit} on {self.port.port} ({self._settings()})"
            self._raw = b""
            try:
                self._open_again()
                reply = self._frames_of(unit).read(fc, address, words)
            except minimalmodbus.ModbusException as error:
                self._explain(error, where, f"{words} registers at 0x{address:04X} by function code {fc}")
            except (serial.SerialException, OSError, termios.error) as error:
                self._lost(error)
            except BusError as error:
                self._count(error)
                raise
            self.statistics.replies += 1
            return reply

    def distrust(self) -> None:
        """Keep silence and drain before the next request: what was read does not fit what was asked."""
        with self._lock:
            self._hold_silence()

    def open_early(self) -> None:
        """Open the port if it can be had, so that its first silence passes while others still get ready."""
        with self._lock:
            try:
                self._open_again()
            except (BusError, serial.SerialException, OSError, termios.error):
                self._reopen_after = 0.0  # the first question tries again, and tells why it cannot

    def lend(self, seconds: float) -> None:
        """Close the port for somebody else, after the request that is on the wire; questions meanwhile raise PortLent.

        It is ours again after `seconds`, or at `take_back`.
        """
        with self._lock:
            self.port.close()
            self._lent_until = self._clock.monotonic() + seconds

    def take_back(self) -> None:
        """The loan is over: the next question opens the port."""
        with self._lock:
            self._lent_until, self._reopen_after, self._reopen_tries = None, 0.0, 0

    def lent_s(self) -> float:
        """For how long the port is still lent; 0 if it is ours."""
        until = self._lent_until
        return 0.0 if until is None else max(0.0, until - self._clock.monotonic())

    def second_master(self) -> str | None:
        """What a person should know of somebody else's questions on this bus; None while there were none."""
        return self._strangers.told()

    def listen(self, seconds: float) -> int:
        """Say nothing for so long, and count the questions of others.  Raises NoisyBus, and the errors of the port."""
        with self._lock:
            before = self.statistics.foreign_questions
            end = self._clock.monotonic() + seconds
            try:
                self._open_again()
                while self._clock.monotonic() < end:
                    self._wire.wait_for_quiet()
            except (serial.SerialException, OSError, termios.error) as error:
                self._lost(error)
            self._hold_silence()
            return self.statistics.foreign_questions - before

    def close(self) -> None:
        """Give the port back, after the request that is on the wire."""
        with self._lock:
            self.port.close()

    def counts(self) -> dict[str, int]:
        """The statistics by name."""
        return asdict(self.statistics)

    # What follows runs under the lock.

    def _lost(self, error: Exception) -> NoReturn:
        self.port.close()
        gone = PortGone(f"{self.port.port} failed ({error})", "plug the adapter in again; it is looked for")
        self._count(gone)
        raise gone from error

    def _overhear(self, at: float, direction: str, data: bytes) -> None:
        if direction == "tx":
            self._strangers.asked(at, data)
        elif direction == "unasked":
            self._not_for_us(at, data)
        if self._on_frame is not None:
            self._on_frame(at, direction, data)

    def _not_for_us(self, at: float, data: bytes) -> None:
        self._strangers.came(at, data)
        self.statistics.foreign_questions = self._strangers.heard

    def _frames_of(self, unit: int) -> _Frames:
        if self._frames is None:
            self._frames = _Frames(self.port, self._exchange)
        self._frames.address = unit
        return self._frames

    def _exchange(self, request: bytes, expected: int) -> bytes:
        """What minimalmodbus has instead of a port."""
        refuse_unless_reading(request)
        self._settle()
        self._raw = self._wire.exchange(request, expected, self._timing.response_s, self._timing.gap_s)
        return self._raw

    def _explain(self, error: Exception, where: str, what: str) -> NoReturn:
        """Raise what minimalmodbus found as an error of ours, and keep silence where a late reply may still come."""
        raw = self._raw
        if is_exception(raw) and raw[0] == self._unit and raw[1] & 0x7F == self._last_code():
            name = EXCEPTION_NAMES.get(raw[2], "an unknown code")
            refused = DeviceException(
                f"{where} answers exception {raw[2]} ({name}) to {what}",
                "the meter is there, but has no such registers: check that `profile` is its model",
                raw[2],
            )
            self._count(refused)
            raise refused from error
        self._hold_silence()
        self._not_for_us(self._clock.monotonic(), raw)
        failure: BusError
        if not raw:
            failure = NoReply(
                f"{where} did not answer within {self._timing.response_s * 1000:.0f} ms",
                "check unit id, baud and parity against the meter's menu, then power and the wires A and B",
            )
        elif crc_is_right(raw):
            failure = WrongReply(
                f"{where} was asked for {what}, and a reply to something else came ({raw.hex(' ')})",
                "the bus is drained and asked again; if it stays so, two masters or two meters share it",
                raw,
            )
        else:
            failure = CorruptReply(
                f"{where}: the reply is damaged ({len(raw)} bytes: {raw[:24].hex(' ')})",
                "if every reply is, baud or parity is wrong; if some are, check termination, bias and the common wire",
                raw,
            )
        self._count(failure)
        raise failure from error

    def _last_code(self) -> int:
        return self._last_shape[1] if self._last_shape is not None else 0

    def _count(self, error: BusError) -> None:
        if hasattr(self.statistics, error.kind):
            setattr(self.statistics, error.kind, getattr(self.statistics, error.kind) + 1)

    def _hold_silence(self) -> None:
        self._settle_after = self._clock.monotonic() + SILENCE_S

    def _settle(self) -> None:
        """After a failure: wait out the silence, then drain until nothing has come for QUIET_S."""
        if self._settle_after is None:
            return
        self._clock.sleep(self._settle_after - self._clock.monotonic())
        self.statistics.settled += 1
        self._wire.wait_for_quiet()
        self._settle_after = None

    def _open_again(self) -> None:
        """Have the port open.  Raises PortLent, PortGone between two tries, and the errors of opening it."""
        now = self._clock.monotonic()
        if self._lent_until is not None and now < self._lent_until:
            raise PortLent(
                f"{self.port.port} is lent to another program", f"it comes back in {self._lent_until - now:.0f} s"
            )
        self._lent_until = None
        if self.port.is_open:
            return
        if now < self._reopen_after:
            fact, next_step = self._closed_because
            raise PortGone(fact, f"{next_step}; it is looked for again in {self._reopen_after - now:.0f} s")
        self._reopen_tries += 1
        self._reopen_after = now + min(REOPEN_S * self._reopen_tries, REOPEN_MAX_S)
        try:
            self.port.open()
        except BusError as error:
            self._closed_because = error.fact, error.next_step
            raise
        self._reopen_tries = 0
        self._reopen_after = 0.0
        self._closed_because = f"{self.port.port} is gone", "plug the adapter in"
        self.statistics.reopened += self._was_open
        self._was_open = True
        self._hold_silence()

    def _settings(self) -> str:
        port = self.port
        return f"{port.baudrate} baud {port.bytesize}{port.parity}{port.stopbits}"
