"""The 64-byte ELF header and the 56-byte program header, as SBF has them."""

import struct

HEADER_SIZE, SEGMENT_SIZE, SECTION_SIZE = 64, 56, 64
ET_DYN, EM_BPF = 3, 247
PT_LOAD, PT_DYNAMIC = 1, 2
PF_X, PF_W, PF_R = 1, 2, 4


def file_header(*, segments: int, sections: int, sections_at: int, entry: int, flags: int) -> bytes:
    """The ELF header; the section names are the last section.  `flags` is the SBPF version."""
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)  # 64 bits, little-endian, version 1
    return struct.pack(
        "<16sHHIQQQIHHHHHH",
        identity,
        ET_DYN,
        EM_BPF,
        1,
        entry,
        HEADER_SIZE,
        sections_at,
        flags,
        HEADER_SIZE,
        SEGMENT_SIZE,
        segments,
        SECTION_SIZE,
        sections,
        max(sections - 1, 0),
    )


def segment(kind: int, flags: int, offset: int, address: int, size: int, alignment: int) -> bytes:
    """One program header; a segment is as large in memory as in the file."""
    return struct.pack("<IIQQQQQQ", kind, flags, offset, address, address, size, size, alignment)
