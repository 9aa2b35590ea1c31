"""The bridge's core on the simulated wire, in memory and on virtual time: what MicroPython runs, under CPython.

`Bench.read` is a plain master: it sends, waits, and believes what minimalmodbus believes (unit, function, length, CRC).
"""

import struct
from collections import deque
from collections.abc import Sequence

from bridge import diagnostic
from bridge.core import Bridge
from bridge.rtu import TICKS_MASK, with_crc

from metersim.bus.bank import RegisterBank
from metersim.bus.fault import Fault, Station
from metersim.bus.line import Line
from metersim.bus.wire import Wire

OWN = 247
LINE = Line()
WATCHDOG_S = 8.0
"""A bridge that hangs so long is reset."""
STEP_S = 0.000_05
"""What a step of the loop takes."""
WORDS = tuple((address * 2_654_435_761 >> 7) & 0xFFFF for address in range(400))
"""A meter in which no two places look alike."""


class NoValue(Exception):
    """The master got no answer that it believes."""


class Flash:
    """Two slots; `fails` lets reading or writing raise."""

    def __init__(self) -> None:
        self.slots = [b"", b""]
        self.fails = ""
        self.writes = 0

    def read(self, index: int) -> bytes:
        if self.fails == "read":
            raise OSError(5)
        return self.slots[index]

    def write(self, index: int, data: bytes) -> None:
        if self.fails == "write":
            raise OSError(28)
        self.writes += 1
        self.slots[index] = data


class Contacts:
    """The inputs: the service switch open, the door shut."""

    def __init__(self) -> None:
        self.service = False
        self.door_open = False
        self.pulses = 0

    def service_closed(self) -> bool:
        return self.service

    def tamper_open(self) -> bool:
        return self.door_open

    def new_pulses(self) -> int:
        pulses, self.pulses = self.pulses, 0
        return pulses

    def supply_mv(self) -> int:
        return 4_987

    def free_memory(self) -> int:
        return 80_000


class Bench:
    """A bridge, its wire and its master, on one clock.

    `usb_s` is what USB and the host take to hand over what the bridge has written: it cannot be called back meanwhile.
    """

    def __init__(
        self,
        *faults: Fault,
        line: Line = LINE,
        stations: Sequence[Station] = (),
        seed: int = 1,
        flash: Flash | None = None,
        reset_cause: int = diagnostic.RESET_POWER,
        usb_s: float = 0.0,
    ) -> None:
        self.now_s = 1_000.0
        self.usb_s = usb_s
        self.on_usb: deque[tuple[float, bytes]] = deque()
        self.simulated = Wire(line, stations or [RegisterBank(WORDS)], faults=faults, seed=seed)
        self.flash = flash or Flash()
        self.contacts = Contacts()
        self.to_bridge = bytearray()
        self.to_master = bytearray()
        self.sent: list[bytes] = []
        self.lines: list[tuple[int, int]] = []
        self.hangs_since: float | None = None
        self._switch_on(reset_cause)

    def _switch_on(self, cause: int) -> None:
        self.uart = _Uart(self)
        self.bridge = Bridge(_Usb(self), self.uart, self.contacts, self.flash, "e66141040325c2e0", cause, self.clock)

    def hang(self) -> None:
        """From now on nothing is done, until the watchdog resets the bridge."""
        self.hangs_since = self.now_s

    def clock(self) -> int:
        """Microseconds, as MicroPython has them."""
        return int(self.now_s * 1e6) & TICKS_MASK

    def let_pass(self, seconds: float, wanted: int = 0) -> None:
        """Run the loop; with `wanted` only until so many bytes are there for the master."""
        until = self.now_s + seconds
        while self.now_s < until and not (wanted and len(self.to_master) >= wanted):
            if self.hangs_since is not None:
                self.now_s = min(until, self.hangs_since + WATCHDOG_S)
                if self.now_s >= self.hangs_since + WATCHDOG_S:
                    self.hangs_since = None
                    self.to_bridge.clear()
                    self._switch_on(diagnostic.RESET_WATCHDOG)
                continue
            wait_s = self.bridge.step() / 1e6
            while self.on_usb and self.on_usb[0][0] <= self.now_s:
                self.to_master += self.on_usb.popleft()[1]
            wait_s = max(wait_s, self.uart.until_s - self.now_s)
            due = self.simulated.due()
            wake = min(self.now_s + wait_s, until, until if due is None else due)
            wake = min([wake, *(at_s for at_s, _ in self.on_usb)])
            self.now_s = max(wake, self.now_s + STEP_S)

    def ask(self, frame: bytes, timeout_s: float = 0.5, wanted: int = 256) -> bytes:
        """Send bytes over USB; what comes back within the time."""
        self.to_master.clear()
        self.to_bridge += frame
        self.let_pass(timeout_s, wanted)
        return bytes(self.to_master)

    def read(self, address: int, words: int, unit: int = 1, function: int = 3, timeout_s: float = 0.5) -> list[int]:
        """A read as any master does it.  Raises NoValue."""
        body = struct.pack(">BBHH", unit, function, address, words)
        length = 5 + 2 * words
        reply = self.ask(with_crc(body), timeout_s, length)[:length]
        good = len(reply) == length and with_crc(reply[:-2]) == reply
        if not good or reply[:3] != bytes((unit, function, 2 * words)):
            raise NoValue(reply.hex(" "))
        return list(struct.unpack(f">{words}H", reply[3:-2]))

    def write(self, address: int, value: int, unit: int = OWN) -> bytes:
        """Function 6; the reply."""
        return self.ask(with_crc(struct.pack(">BBHH", unit, 6, address, value)), 0.1, 8)

    def restart(self, reset_cause: int = diagnostic.RESET_POWER) -> "Bench":
        """Power off and on: what the flash holds is all that is left."""
        return Bench(flash=self.flash, reset_cause=reset_cause)


class _Usb:
    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def read(self) -> bytes:
        data = bytes(self._bench.to_bridge)
        self._bench.to_bridge.clear()
        return data

    def write(self, data: bytes) -> None:
        self._bench.on_usb.append((self._bench.now_s + self._bench.usb_s, data))


class _Uart:
    """The bridge's side of the wire."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.until_s = 0.0

    def set_line(self, baud: int, line_format: int) -> None:
        self._bench.lines.append((baud, line_format))
        character = ("8N1", "8E1", "8O1", "8N2")[line_format]
        self._bench.simulated.master_line = Line(baud, character)

    def read(self) -> bytes:
        return bytes(symbol.value for symbol in self._bench.simulated.advance(self._bench.now_s))

    def send(self, frame: bytes) -> None:
        bench = self._bench
        bench.sent.append(bytes(frame))
        bench.simulated.transmit(bench.now_s, bytes(frame))
        self.until_s = bench.now_s + len(frame) * bench.simulated.master_line.char_s

    def sending(self) -> bool:
        return self._bench.now_s < self.until_s


class BenchPort:
    """The USB side as a `serial.Serial`, and the clock of whoever holds it: waiting lets the bench run."""

    def __init__(self, bench: Bench) -> None:
        self.port, self.is_open = "bench", True
        self.baudrate, self.bytesize, self.parity, self.stopbits = 9_600, 8, "N", 1
        self.timeout: float | None = 0.0
        self._bench = bench

    @property
    def in_waiting(self) -> int:
        return len(self._bench.to_master)

    def write(self, data: bytes) -> int:
        self._bench.to_bridge += data
        return len(data)

    def read(self, size: int = 1) -> bytes:
        self._bench.let_pass(self.timeout or 0.0, size)
        data = bytes(self._bench.to_master[:size])
        del self._bench.to_master[:size]
        return data

    def reset_input_buffer(self) -> None:
        self._bench.to_master.clear()

    def reset_output_buffer(self) -> None:
        self._bench.to_bridge.clear()

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def monotonic(self) -> float:
        return self._bench.now_s

    def utc(self) -> float:
        return self._bench.now_s

    def sleep(self, seconds: float) -> None:
        self._bench.let_pass(seconds)
