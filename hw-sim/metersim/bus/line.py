"""Speed and character format of a serial line, and the times that Modbus RTU derives from them.

A character is a start bit, 8 data bits, an optional parity bit and 1 or 2 stop bits: 8N1 has 10 bits, 8E1, 8O1 and 8N2
have 11.  Frames are parted by 3.5 characters of silence, and no gap inside a frame may pass 1.5 characters; above
19,200 baud both are fixed, 1.75 ms and 0.75 ms (Modbus over Serial Line V1.02, 2.5.1.1).
"""

from dataclasses import dataclass

FORMATS = {"8N1": 10, "8E1": 11, "8O1": 11, "8N2": 11}
"""Bits of a character on the wire, by format."""

FIXED_ABOVE_BAUD = 19_200
FIXED_T35_S = 0.00175
FIXED_T15_S = 0.00075


class LineError(ValueError):
    """A speed or a character format that no line has."""


@dataclass(frozen=True, slots=True)
class Line:
    """How characters look on a wire.  Raises LineError for an unknown format or a speed below 1."""

    baud: int = 9_600
    character: str = "8N1"

    def __post_init__(self) -> None:
        if self.character not in FORMATS:
            raise LineError(f"character format {self.character!r}: one of {', '.join(FORMATS)}")
        if self.baud < 1:
            raise LineError(f"{self.baud} baud: a speed is at least 1, usual ones are 2400, 9600, 19200, 115200")

    @property
    def char_s(self) -> float:
        """Seconds that one character takes."""
        return FORMATS[self.character] / self.baud

    @property
    def t35_s(self) -> float:
        """Seconds of silence that part two frames."""
        return 3.5 * self.char_s if self.baud <= FIXED_ABOVE_BAUD else FIXED_T35_S

    @property
    def t15_s(self) -> float:
        """The longest gap inside a frame, seconds."""
        return 1.5 * self.char_s if self.baud <= FIXED_ABOVE_BAUD else FIXED_T15_S

    def transaction_s(self, request_bytes: int, reply_bytes: int, turnaround_s: float = 0.0) -> float:
        """Seconds from the first bit of a request to the last bit of its reply.

        A meter answers `turnaround_s` after the end of the request, and never before 3.5 characters of silence.
        """
        return (request_bytes + reply_bytes) * self.char_s + max(self.t35_s, turnaround_s)
