"""A pseudo-terminal that stands for an RS-485 adapter: the master opens `path`, we hold the other end.

A pty carries no parity and no timing; both are modelled out of band.  What its far end can see is the speed that the
master has set, so a wrong speed is noticed.  We keep one descriptor of the master's side open, or reading ours would
fail with EIO whenever the master closes its port.
"""

import errno
import os
import termios
import tty
from pathlib import Path
from typing import Self

SPEEDS = {
    getattr(termios, f"B{baud}"): baud
    for baud in (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400)
    if hasattr(termios, f"B{baud}")
}
_GONE = {errno.EIO, errno.EBADF, errno.EAGAIN}
READ_BYTES = 4096


class PtyPort:
    """An open pty pair.  `link` is a by-id style symbolic link that points at it while it is plugged in."""

    def __init__(self, baud: int, link: Path | None = None) -> None:
        self.fd, self._far_fd = os.openpty()
        tty.setraw(self._far_fd)
        os.set_blocking(self.fd, False)
        self.path = os.ttyname(self._far_fd)
        self.link = link
        self._set_speed(baud)
        if link is not None:
            _point(link, self.path)

    def _set_speed(self, baud: int) -> None:
        speed = next((constant for constant, known in SPEEDS.items() if known == baud), None)
        if speed is not None:
            settings = termios.tcgetattr(self._far_fd)
            settings[4] = settings[5] = speed
            termios.tcsetattr(self._far_fd, termios.TCSANOW, settings)

    def baud(self) -> int | None:
        """The speed that the master has set; None if it has no name in termios."""
        return SPEEDS.get(termios.tcgetattr(self.fd)[5])

    def read(self) -> bytes:
        """What the master has written and we have not read yet; empty if nothing."""
        try:
            return os.read(self.fd, READ_BYTES)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            return b""

    def write(self, data: bytes) -> None:
        """Hand bytes to the master; what its full buffer does not take is lost, as on any adapter."""
        try:
            os.write(self.fd, data)
        except OSError as error:
            if error.errno not in _GONE:
                raise

    def close(self) -> None:
        """Pull the plug: the master's descriptor is dead from now on."""
        if self.link is not None and self.link.is_symlink() and str(self.link.readlink()) == self.path:
            self.link.unlink()
        os.close(self._far_fd)
        os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _point(link: Path, target: str) -> None:
    """Make or turn the link in one step, so that nobody ever finds it missing."""
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)
