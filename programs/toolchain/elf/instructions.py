"""The few facts of BPF byte code that linking needs.  An instruction is 8 bytes, `lddw` is 16.

0      1          2      4      8
opcode dst | src  offset imm
"""

from collections.abc import Iterator

LDDW = 0x18
"""Load a 64-bit constant: low half in bytes 4..8, high half in bytes 12..16."""
CALL = 0x85
CALLX = 0x8D
"""Call through a register."""


def instructions(text: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """Offset and opcode of every instruction."""
    offset = 0
    while offset < len(text):
        opcode = text[offset]
        yield offset, opcode
        offset += 16 if opcode == LDDW else 8
