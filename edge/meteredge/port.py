"""The serial port, held by one process, on which nothing but reading can be asked.

`RtuPort` is a `serial.Serial` with five differences: it finds its device by path or by USB id anew at each opening, it
takes the port for itself (TIOCEXCL and a lock), it keeps every frame off the wire that could change a meter, an
unplugged adapter raises PortGone and closes at once, and waiting costs one poll and one read.
"""

import errno
import fcntl
import os
import re
import select
import stat
import termios
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn, Protocol

import serial
from serial.tools import list_ports

from meteredge.bus_errors import (
    BusError,
    PortBusy,
    PortDenied,
    PortGone,
    PortMissing,
    PortUnfit,
    RequestRefused,
)
from meteredge.clock import Clock

FRAMINGS = ("8N1", "8E1", "8O1", "8N2", "8E2", "8O2")
"""Data bits, parity, stop bits."""

READ_HOLDING, READ_INPUT, READ_FILE, ENCAPSULATED = 0x03, 0x04, 0x14, 0x2B
READ_DEVICE_ID = 0x0E
"""The MEI type of function code 0x2B that reads; its other types may do more."""
HIGHEST_UNIT = 0xF8
"""247 ends the unit ids of Modbus; 248 is the general address of PZEM meters, which answer it alone on a bus."""

_USB_ID = re.compile(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(.+))?")
_GONE = (errno.ENODEV, errno.EIO, errno.ENXIO, errno.EBADF)
_PTY_MAJORS = range(136, 144)
_WRITE_TIMEOUT_S = 2.0


class UsbPort(Protocol):
    """What is asked of an entry of pyserial's port list."""

    device: str
    vid: int | None
    pid: int | None
    serial_number: str | None


def check_framing(framing: str) -> str:
    """The framing, if it is one.  Raises PortUnfit."""
    if framing not in FRAMINGS:
        raise PortUnfit(f"{framing!r} is no framing", f"use one of {', '.join(FRAMINGS)}")
    return framing


def resolve(spec: str, usb_ports: Iterable[UsbPort] | None = None) -> str:
    """The device path that `spec` names now.

    `spec` is a path (best /dev/serial/by-id/… or by-path/…) or VID:PID or VID:PID:SERIAL in hexadecimal.
    Raises PortMissing if there is none, or more than one.
    """
    match = _USB_ID.fullmatch(spec)
    if match is None:
        return spec
    vid, pid, number = int(match[1], 16), int(match[2], 16), match[3]
    ports = list(list_ports.comports() if usb_ports is None else usb_ports)
    found = sorted(p.device for p in ports if (p.vid, p.pid) == (vid, pid) and number in (None, p.serial_number))
    if len(found) == 1:
        return found[0]
    if found:
        raise PortMissing(
            f"{spec} names {len(found)} ports: {', '.join(found)}",
            "add the serial number as VID:PID:SERIAL, or use /dev/serial/by-path/… for adapters without one",
        )
    there = ", ".join(sorted(p.device for p in ports)) or "none"
    raise PortMissing(f"no USB adapter {spec} is plugged in", f"plug it in or correct `port`; ports there now: {there}")


def refuse_unless_reading(frame: bytes, *, history: bool = False) -> None:
    """Let only requests pass that read: 0x03, 0x04, 0x2B/0x0E, and 0x14 where `history` allows it; never to unit 0.

    Raises RequestRefused.  Any master on a bus can zero some meters, so nothing else leaves this process.
    """
    if len(frame) < 4:
        raise RequestRefused(f"{len(frame)} bytes are no request", "this is a fault of the program: report it")
    unit, code = frame[0], frame[1]
    if not 1 <= unit <= HIGHEST_UNIT:
        raise RequestRefused(f"unit {unit} is no single meter", "unit ids go from 1 to 247")
    reads = (
        (code in (READ_HOLDING, READ_INPUT) and len(frame) == 8)
        or (code == ENCAPSULATED and frame[2] == READ_DEVICE_ID)
        or (code == READ_FILE and history)
    )
    if not reads:
        raise RequestRefused(
            f"function code 0x{code:02X} could change a meter, it was not sent",
            "this is a fault of the program: report it",
        )


class RtuPort(serial.Serial):
    """An open serial port for Modbus RTU.  `spec` as for `resolve`; `history` lets function code 0x14 through."""

    def __init__(
        self, spec: str, baud: int, framing: str, clock: Clock, *, history: bool = False, open_now: bool = True
    ) -> None:
        """Open the port, unless that is left to its bus.  Raises PortMissing, PortDenied, PortBusy, PortUnfit."""
        check_framing(framing)
        self.spec = spec
        self._clock = clock
        self._history = history
        self._poll = select.poll()
        super().__init__(
            port=None,
            baudrate=baud,
            parity=framing[1],
            stopbits=int(framing[2]),
            timeout=0.5,
            write_timeout=_WRITE_TIMEOUT_S,
            exclusive=True,
        )
        self.port = spec
        if open_now:
            self.open()

    def open(self) -> None:
        """Find the device anew and take it.  Raises PortMissing, PortDenied, PortBusy, PortUnfit."""
        self.port = resolve(self.spec)
        try:
            super().open()
            # The lock of pyserial is advisory; this keeps out programs that do not ask for it (but not root's).
            fcntl.ioctl(self._descriptor(), termios.TIOCEXCL)
        except (OSError, termios.error, ValueError) as error:
            super().close()
            raise self._cannot_open(error) from error
        self._poll = select.poll()
        self._poll.register(self._descriptor(), select.POLLIN)

    def close(self) -> None:
        """Give the port back.  Never raises: what is gone need not be given back."""
        if self.is_open and self.fd is not None:
            # A pseudo-terminal outlives us while the other side holds it, and would stay exclusive.
            with suppress(OSError):
                fcntl.ioctl(self.fd, termios.TIOCNXCL)
        with suppress(OSError):
            super().close()

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes: returns when they are there or `timeout` seconds have passed.  Raises PortGone."""
        descriptor = self._descriptor()
        data = b""
        try:
            if not self._timeout:
                return self._read_now(descriptor, size)
            deadline = self._clock.monotonic() + self._timeout
            while len(data) < size:
                left = deadline - self._clock.monotonic()
                if not self._poll.poll(max(0.0, left * 1000)):
                    break
                chunk = os.read(descriptor, size - len(data))
                if not chunk:
                    self._gone("it reports data and has none")
                data += chunk
        except OSError as error:
            self._gone(str(error))
        return data

    @staticmethod
    def _read_now(descriptor: int, size: int) -> bytes:
        with suppress(BlockingIOError):
            return os.read(descriptor, size)
        return b""

    def write(self, data: Any, /) -> int:  # noqa: ANN401  (pyserial takes any buffer)
        """Send one request.  Raises RequestRefused if it is not one that reads, PortGone."""
        frame = bytes(data)
        refuse_unless_reading(frame, history=self._history)
        try:
            # A request is far smaller than any port's buffer: what does not fit now never will.
            sent = os.write(self._descriptor(), frame)
        except OSError as error:
            self._gone(str(error))
        if sent < len(frame):
            self._gone(f"it took {sent} bytes of {len(frame)}")
        return sent

    @property
    def in_waiting(self) -> int:
        """Bytes that have arrived and are not read yet.  Raises PortGone."""
        try:
            return super().in_waiting
        except OSError as error:
            self._gone(str(error))

    def reset_input_buffer(self) -> None:
        """Drop what has arrived.  Raises PortGone."""
        try:
            super().reset_input_buffer()
        except (OSError, termios.error) as error:
            self._gone(str(error))

    def reset_output_buffer(self) -> None:
        """Drop what has not been sent.  Raises PortGone."""
        try:
            super().reset_output_buffer()
        except (OSError, termios.error) as error:
            self._gone(str(error))

    @property
    def timeout(self) -> float | None:
        """Seconds that `read` waits."""
        return self._timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        # pyserial sets the whole port up again for this; here the time-out never leaves the process.
        self._timeout = seconds

    def _reconfigure_port(self, force_update: bool = False) -> None:
        try:
            super()._reconfigure_port(force_update)  # type: ignore[misc]
        except termios.error as error:
            # A pseudo-terminal cannot carry parity; the C library says EINVAL when nothing else was to change.
            if error.args[0] != errno.EINVAL or not _is_pty(self._descriptor()):
                raise

    def _descriptor(self) -> int:
        if self.fd is None:
            self._gone("it is closed")
        return self.fd

    def _gone(self, why: str) -> NoReturn:
        where = self.port or self.spec
        # An open descriptor of a dead device makes the kernel give the next number to the same adapter.
        self.close()
        raise PortGone(
            f"{where} is gone ({why})", f"plug the adapter in again; {self.spec} is looked for at the next try"
        )

    def _cannot_open(self, error: Exception) -> BusError:
        where, code = self.port or self.spec, _errno_of(error)
        if code == errno.ENOENT:
            return PortMissing(
                f"{where} does not exist", "plug the adapter in, or correct `port`: see /dev/serial/by-id"
            )
        if code in (errno.EACCES, errno.EPERM):
            return PortDenied(f"no permission to open {where}", "add the user to the group dialout and log in again")
        if code in (errno.EBUSY, errno.EAGAIN):
            return PortBusy(
                f"another process has {where} open", "stop it, or ask it for its readings; one owner per port"
            )
        if code in _GONE:
            return PortGone(f"{where} went away while it was opened", "plug the adapter in again")
        settings = f"{self.baudrate} {8}{self.parity}{self.stopbits}"
        return PortUnfit(
            f"{where} is no serial port that takes {settings} ({error})", "correct `port`, `baud` or `framing`"
        )


def _errno_of(error: BaseException) -> int | None:
    """The number of an OSError, of a termios.error, or of the error that pyserial wrapped."""
    if isinstance(error, termios.error):
        return error.args[0] if error.args else None
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    return _errno_of(error.__context__) if error.__context__ is not None else None


def _is_pty(descriptor: int) -> bool:
    mode = os.fstat(descriptor)
    return stat.S_ISCHR(mode.st_mode) and os.major(mode.st_rdev) in _PTY_MAJORS
