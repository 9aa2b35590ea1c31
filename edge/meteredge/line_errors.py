"""What a serial port's receiver counted: characters without a stop bit, wrong parity, breaks.

Linux counts them since the port's driver was loaded (TIOCGICOUNT); pseudo-terminals do not.  A port object that is no
device counts by itself, in an attribute `framing_errors`.
"""

import fcntl
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass

TIOCGICOUNT = 0x545D
_COUNTS = struct.Struct("20i")
"""struct serial_icounter_struct: cts dsr rng dcd rx tx frame overrun parity brk buf_overrun, and nine unused."""
_FRAME, _OVERRUN, _PARITY, _BREAK = 6, 7, 8, 9


@dataclass(frozen=True, slots=True)
class LineErrors:
    """Counts since some fixed moment; differences tell."""

    framing: int = 0
    """Characters without a stop bit, breaks among them."""
    parity: int = 0
    overrun: int = 0

    def since(self, before: "LineErrors") -> "LineErrors":
        """What was added."""
        return LineErrors(
            self.framing - before.framing, self.parity - before.parity, self.overrun - before.overrun
        )  # fmt: skip


def line_errors(port: object) -> LineErrors | None:
    """The counts of an open port; None where nobody counts."""
    if (own := getattr(port, "framing_errors", None)) is not None:
        return LineErrors(int(own))
    descriptor = getattr(port, "fd", None)
    if not isinstance(descriptor, int) or not sys.platform.startswith("linux"):
        return None
    with suppress(OSError):
        counts = _COUNTS.unpack(fcntl.ioctl(descriptor, TIOCGICOUNT, bytes(_COUNTS.size)))
        return LineErrors(counts[_FRAME] + counts[_BREAK], counts[_PARITY], counts[_OVERRUN])
    return None
