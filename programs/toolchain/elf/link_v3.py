"""Link for SBPF v3: no sections, system calls by the hash of their name.  For the day when clusters run it; we ship v0.

0   ELF header, a program header for the data (if there is any) and one for the text; then data, then text
"""

import struct

from toolchain.elf.header import HEADER_SIZE, PF_R, PF_X, PT_LOAD, SEGMENT_SIZE, file_header, segment
from toolchain.elf.instructions import CALL
from toolchain.elf.murmur3 import murmur3
from toolchain.elf.relocatable import Code

DATA_ADDRESS = 0
TEXT_ADDRESS = 0x1_0000_0000
INTERNAL_CALL = 0x10
"""src = 1 in the register byte of a call."""


def link_v3(code: Code) -> bytes:
    """The executable for SBPF v3.  Uses `code` up: its text and data are patched."""
    code.place_at(TEXT_ADDRESS, DATA_ADDRESS)
    for offset, opcode in code.instructions():
        if opcode == CALL:
            code.text[offset + 1] = INTERNAL_CALL
    for call in code.system_calls:
        code.text[call.offset + 1] = 0
        struct.pack_into("<I", code.text, call.offset + 4, murmur3(call.name.encode()))

    parts = [
        (flags, address, body)
        for flags, address, body in (
            (PF_R, DATA_ADDRESS, bytes(code.data)),
            (PF_X, TEXT_ADDRESS, bytes(code.text)),
        )
        if body
    ]
    offset, segments = HEADER_SIZE + SEGMENT_SIZE * len(parts), b""
    for flags, address, body in parts:
        segments += segment(PT_LOAD, flags, offset, address, len(body), 0)
        offset += len(body)
    header = file_header(segments=len(parts), sections=0, sections_at=0, entry=TEXT_ADDRESS + code.entry, flags=3)
    return header + segments + b"".join(body for _, _, body in parts)
