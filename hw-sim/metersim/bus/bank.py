"""A register bank: the plainest station there is, fixed words behind functions 3 and 4.  For tests of a bus."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from metersim.bus import rtu
from metersim.bus.fault import Request

MAX_WORDS = 125
_READ = struct.Struct(">HH")


def read_registers(pdu: bytes, words_at: Callable[[int, int, int], tuple[int, ...] | int]) -> bytes | None:
    """Answer a request of function 3 or 4.

    `words_at(function, address, count)` gives the words or an exception code.  Other functions get exception 1, a count
    that no frame can carry exception 3 (Modbus Application Protocol V1.1b3, 6.3 and 6.4), a request of another length
    silence, as does an exception that another meter with this address has sent.
    """
    function = pdu[0]
    if function & 0x80:
        return None
    if function not in (3, 4):
        return rtu.exception(function, rtu.ILLEGAL_FUNCTION)
    if len(pdu) != 1 + _READ.size:
        return None
    address, count = _READ.unpack_from(pdu, 1)
    if not 1 <= count <= MAX_WORDS:
        return rtu.exception(function, rtu.ILLEGAL_VALUE)
    words = words_at(function, address, count)
    if isinstance(words, int):
        return rtu.exception(function, words)
    return bytes([function, 2 * count]) + struct.pack(f">{count}H", *words)


@dataclass(frozen=True, slots=True)
class RegisterBank:
    """Holds `words` from address 0, the same behind functions 3 and 4; it is its own plan."""

    words: tuple[int, ...]
    unit: int = 1
    turnaround_s: float = 0.0

    def build(self) -> Self:
        """Itself."""
        return self

    def answer(self, request: Request) -> bytes | None:
        """The words asked for, or exception 2 where there are none."""
        return read_registers(request.pdu, self._words_at)

    def _words_at(self, _function: int, address: int, count: int) -> tuple[int, ...] | int:
        words = self.words[address : address + count]
        return words if len(words) == count else rtu.ILLEGAL_ADDRESS
