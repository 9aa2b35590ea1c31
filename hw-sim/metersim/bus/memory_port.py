"""The wire in memory, behind the methods of `serial.Serial`, on a clock that is passed in: no pty, no waiting.

Long fault tests read ten thousand times in seconds: with a virtual clock, waiting for a byte moves the clock to the
moment at which the byte's stop bit ends.  While a fault of the wire unplugs the adapter, every call fails as it does on
Linux; plugged in again, the port has another number.
"""

import errno
from typing import Protocol

from metersim.bus.line import Line
from metersim.bus.wire import Wire

BUFFER_BYTES = 4_095
"""What a kernel keeps of characters that nobody reads; more are lost."""


class Ticking(Protocol):
    """The clock that port and master share."""

    def monotonic(self) -> float:
        """Seconds since some fixed instant."""

    def sleep(self, seconds: float) -> None:
        """Let seconds pass."""


class MemoryPort:
    """A master's port on `wire`, set to `line`; where that differs from the wire's, nobody understands."""

    def __init__(self, wire: Wire, clock: Ticking, line: Line | None = None) -> None:
        wire.master_line = line or wire.line
        self.port = "memory"
        self.baudrate = wire.master_line.baud
        self.bytesize = 8
        self.parity = wire.master_line.character[1]
        self.stopbits = int(wire.master_line.character[2])
        self.timeout: float | None = 0.0
        self.is_open = True
        self.framing_errors = 0
        """Characters without a stop bit, as a driver counts them."""
        self._wire = wire
        self._clock = clock
        self._arrived = bytearray()
        self._pulled_out = False
        self._number = 1

    @property
    def in_waiting(self) -> int:
        """Bytes that have arrived by now."""
        self._take()
        return len(self._arrived)

    def write(self, data: bytes) -> int:
        """Start to send."""
        self._take()
        if not self.is_open:
            raise OSError(errno.EBADF, f"{self.port} is closed")
        self._wire.transmit(self._clock.monotonic(), data)
        return len(data)

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes; the clock moves until they are there or `timeout` seconds have passed."""
        deadline = self._clock.monotonic() + (self.timeout or 0.0)
        self._take()
        while len(self._arrived) < size:
            due = self._wire.due()
            until = deadline if due is None else min(due, deadline)
            self._clock.sleep(until - self._clock.monotonic())
            self._take()
            if until >= deadline:
                break
        data = bytes(self._arrived[:size])
        del self._arrived[:size]
        return data

    def reset_input_buffer(self) -> None:
        """Drop what has arrived."""
        self._take()
        self._arrived.clear()

    def reset_output_buffer(self) -> None:
        """Nothing waits to be sent: the wire has it."""

    def open(self) -> None:
        """Open it, under the next number if it was unplugged meanwhile.  Raises FileNotFoundError while it is out."""
        if not self._wire.plugged:
            self._pulled_out = True
            raise FileNotFoundError(errno.ENOENT, f"{self.port} is not there")
        if self._pulled_out:
            self._number += 1
            self.port = f"memory {self._number}"
        self._pulled_out = False
        self.is_open = True

    def close(self) -> None:
        """Close it; characters that arrive meanwhile are lost."""
        self.is_open = False

    def _take(self) -> None:
        symbols = self._wire.advance(self._clock.monotonic())
        self.framing_errors += sum([symbol.damaged for symbol in symbols])
        arrived = bytes([symbol.value for symbol in symbols])
        if not self._wire.plugged:
            self._arrived.clear()
            self._pulled_out = True
            if self.is_open:
                raise OSError(errno.EIO, f"{self.port} is gone")
        elif self.is_open:
            self._arrived += arrived[: BUFFER_BYTES - len(self._arrived)]
