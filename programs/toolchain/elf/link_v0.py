"""Link for SBPF v0, what every cluster runs: dynamic symbols name the system calls, the loader relocates them.

0      ELF header, 4 program headers (text, data, dynamic part, PT_DYNAMIC)
       .text      file offset = address in the image; the VM sees it at 0x1_0000_0000 + offset
       .rodata    16-aligned
       .dynamic   16-aligned; DT_REL, DT_RELSZ, DT_RELENT, DT_SYMTAB, DT_STRTAB, DT_NULL
       .dynsym    one undefined symbol per system call
       .dynstr
       .rel.dyn   8-aligned; one R_BPF_64_32 per call site
       .shstrtab  then the section headers
"""

import struct
from dataclasses import dataclass

from toolchain.elf.header import HEADER_SIZE, PF_R, PF_W, PF_X, PT_DYNAMIC, PT_LOAD, SEGMENT_SIZE, file_header, segment
from toolchain.elf.instructions import CALL, CALLX
from toolchain.elf.relocatable import R_BPF_64_32, Code

IMAGE_ADDRESS = 0x1_0000_0000
SEGMENTS = 4
DYNAMIC_TAGS = 6
DT_NULL, DT_STRTAB, DT_SYMTAB, DT_REL, DT_RELSZ, DT_RELENT = 0, 5, 6, 17, 18, 19
SHT_PROGBITS, SHT_STRTAB, SHT_DYNAMIC, SHT_REL, SHT_DYNSYM = 1, 3, 6, 9, 11
STB_GLOBAL_NOTYPE = 0x10


@dataclass(frozen=True)
class _Section:
    name: str
    kind: int
    flags: int
    address: int
    body: bytes
    link: int = 0
    info: int = 0
    alignment: int = 8
    entry_size: int = 0


def link_v0(code: Code) -> bytes:
    """The executable for SBPF v0.  Uses `code` up: its text and data are patched."""
    _use_v0_calls(code)
    names = sorted({call.name for call in code.system_calls})
    dynstr, name_at = _string_table(names)
    dynsym = bytes(24) + b"".join(
        struct.pack("<IBBHQQ", name_at[name], STB_GLOBAL_NOTYPE, 0, 0, 0, 0) for name in names
    )

    text_at = HEADER_SIZE + SEGMENT_SIZE * SEGMENTS
    data_at = _align(text_at + len(code.text), 16)
    code.place_at(IMAGE_ADDRESS + text_at, IMAGE_ADDRESS + data_at)
    for call in code.system_calls:
        struct.pack_into("<i", code.text, call.offset + 4, -1)
    sites = sorted(code.system_calls, key=lambda call: call.offset)
    rel = b"".join(
        struct.pack("<QQ", text_at + call.offset, R_BPF_64_32 | (names.index(call.name) + 1) << 32) for call in sites
    )

    dynamic_at = _align(data_at + len(code.data), 16)
    dynsym_at = dynamic_at + 16 * DYNAMIC_TAGS
    dynstr_at = dynsym_at + len(dynsym)
    rel_at = _align(dynstr_at + len(dynstr), 8)
    end = rel_at + len(rel)
    dynamic = _dynamic(rel_at, len(rel), dynsym_at, dynstr_at)

    sections = [
        _Section("", 0, 0, 0, b"", alignment=0),
        _Section(".text", SHT_PROGBITS, 6, text_at, bytes(code.text)),
        _Section(".rodata", SHT_PROGBITS, 2, data_at, bytes(code.data), alignment=16),
        _Section(".dynamic", SHT_DYNAMIC, 3, dynamic_at, dynamic, link=5, entry_size=16),
        _Section(".dynsym", SHT_DYNSYM, 2, dynsym_at, dynsym, link=5, info=1, entry_size=24),
        _Section(".dynstr", SHT_STRTAB, 2, dynstr_at, dynstr, alignment=1),
        _Section(".rel.dyn", SHT_REL, 2, rel_at, rel, link=4, entry_size=16),
    ]
    names_table = b"".join(section.name.encode() + b"\0" for section in sections) + b".shstrtab\0"
    sections.append(_Section(".shstrtab", SHT_STRTAB, 0, 0, names_table, alignment=1))

    image, headers = bytearray(end), b""
    for section in sections:
        offset = section.address or (end if section.name else 0)
        image[offset : offset + len(section.body)] = section.body
        headers += _section_header(section, offset, names_table)
    image += bytes(-len(image) % 8)
    image[:text_at] = (
        file_header(
            segments=SEGMENTS, sections=len(sections), sections_at=len(image), entry=text_at + code.entry, flags=0
        )
        + segment(PT_LOAD, PF_R | PF_X, text_at, text_at, len(code.text), 0x1000)
        + segment(PT_LOAD, PF_R, data_at, data_at, len(code.data), 0x1000)
        + segment(PT_LOAD, PF_R | PF_W, dynamic_at, dynamic_at, end - dynamic_at, 0x1000)
        + segment(PT_DYNAMIC, PF_R | PF_W, dynamic_at, dynamic_at, len(dynamic), 8)
    )
    return bytes(image) + headers


def _use_v0_calls(code: Code) -> None:
    """LLVM names the register of a `callx` in dst and marks internal calls in src; v0 wants imm and nothing."""
    for offset, opcode in code.instructions():
        if opcode == CALLX:
            struct.pack_into("<i", code.text, offset + 4, code.text[offset + 1] & 15)
            code.text[offset + 1] = 0
        elif opcode == CALL:
            code.text[offset + 1] = 0


def _string_table(names: list[str]) -> tuple[bytes, dict[str, int]]:
    table, offsets = b"\0", {}
    for name in names:
        offsets[name] = len(table)
        table += name.encode() + b"\0"
    return table, offsets


def _dynamic(rel_at: int, rel_size: int, dynsym_at: int, dynstr_at: int) -> bytes:
    relocations = [(DT_REL, rel_at), (DT_RELSZ, rel_size), (DT_RELENT, 16)] if rel_size else []
    tags = [*relocations, (DT_SYMTAB, dynsym_at), (DT_STRTAB, dynstr_at), (DT_NULL, 0)]
    return b"".join(struct.pack("<QQ", *tag) for tag in tags).ljust(16 * DYNAMIC_TAGS, b"\0")


def _section_header(section: _Section, offset: int, names_table: bytes) -> bytes:
    return struct.pack(
        "<IIQQQQIIQQ",
        names_table.index(section.name.encode() + b"\0") if section.name else 0,
        section.kind,
        section.flags,
        section.address,
        offset,
        len(section.body),
        section.link,
        section.info,
        section.alignment,
        section.entry_size,
    )


def _align(offset: int, to: int) -> int:
    return -(-offset // to) * to
