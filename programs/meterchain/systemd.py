"""What systemd wants to hear of a service of Type=notify: sd_notify(3), in a few lines of our own.

Without systemd ($NOTIFY_SOCKET not set) nothing is said and nothing fails.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

ABSTRACT = "@"
_STATUS_BYTES = 400


class Systemd:
    """The service manager that started us, if one did."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._status = ""
        self.watchdog_s: float | None = None
        """The watchdog barks after so long without `alive`; None if there is none."""
        usec, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
        if usec.isdigit() and int(usec) > 0 and pid in {"", str(os.getpid())}:
            self.watchdog_s = int(usec) / 1e6

    def ready(self) -> None:
        """We serve: the port may still be missing, which is shown and no reason not to deliver."""
        self._say("READY=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        if self.watchdog_s is not None:
            self._say("WATCHDOG=1")

    def status(self, text: str) -> None:
        """The line that `systemctl status` shows; said when it is another one."""
        line = " ".join(text.split())[:_STATUS_BYTES]
        if line != self._status:
            self._status = line
            self._say(f"STATUS={line}")

    def stopping(self) -> None:
        """We were told to stop, and do."""
        self._say("STOPPING=1")

    def _say(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith(ABSTRACT) else self._address
        # A service manager that cannot be reached is no reason to stop measuring.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.sendto(state.encode(), address)
