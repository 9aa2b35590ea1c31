"""Read the ET_REL object that LLVM's BPF back end emits: one text, one read-only data, and what is still open in them.

Calls inside the text are resolved here, since they are relative.  System calls and absolute addresses stay open until
a linker (link_v0, link_v3) decides where things lie.
"""

import struct
from dataclasses import dataclass, field

from toolchain.elf.instructions import instructions

SHT_SYMTAB, SHT_NOBITS, SHT_REL = 2, 8, 9
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
R_BPF_64_64, R_BPF_64_ABS64, R_BPF_64_32 = 1, 2, 10
ENTRYPOINT = "entrypoint"
UNWIND_TABLES = ".eh_frame"
"""Left out: a program never unwinds."""
NULL_GUARD = 8
"""Data starts 8 bytes in, so that no static has offset 0: in v3 its address would be the null pointer."""


class LinkError(Exception):
    """The object cannot become a program; the message names the symbol or section and, where known, the cause."""


@dataclass(frozen=True)
class Place:
    """An offset (bytes) in the text or in the data."""

    in_text: bool
    offset: int


@dataclass(frozen=True)
class SystemCall:
    """A call instruction at `offset` of the text that asks the VM for `name`."""

    offset: int
    name: str


@dataclass(frozen=True)
class AddressOf:
    """The address of `target` has to be written at `at`: into a `lddw` of the text, or as a 64-bit word of the data."""

    at: Place
    target: Place


@dataclass
class Code:
    """A program whose parts have no address yet."""

    text: bytearray = field(default_factory=bytearray)
    data: bytearray = field(default_factory=bytearray)
    entry: int = 0
    """Offset of the entry point in `text`."""
    system_calls: list[SystemCall] = field(default_factory=list)
    addresses: list[AddressOf] = field(default_factory=list)

    def place_at(self, text_address: int, data_address: int) -> None:
        """Fill in every absolute address, now that the VM addresses of text and data are known."""
        for open_address in self.addresses:
            target, at = open_address.target, open_address.at
            address = (text_address if target.in_text else data_address) + target.offset
            if at.in_text:
                struct.pack_into("<I", self.text, at.offset + 4, address & 0xFFFF_FFFF)
                struct.pack_into("<I", self.text, at.offset + 12, address >> 32)
            else:
                struct.pack_into("<Q", self.data, at.offset, address)

    def instructions(self) -> list[tuple[int, int]]:
        """Offset and opcode of every instruction, as a list: the caller may patch the text meanwhile."""
        return list(instructions(self.text))


@dataclass(frozen=True)
class _Section:
    index: int
    name: str
    kind: int
    flags: int
    link: int
    info: int
    alignment: int
    size: int
    body: bytes


@dataclass(frozen=True)
class _Symbol:
    name: str
    section: int
    value: int


def read_object(image: bytes) -> Code:
    """Read a relocatable BPF object.

    Raises LinkError: no entry point, an undefined symbol that is no system call, writable data, an unknown relocation.
    """
    sections = _sections(image)
    symbols = _symbols(sections)
    code = Code()
    places = _lay_out(sections, code)
    code.entry = _entry(symbols, places)
    for section in sections:
        if section.kind == SHT_REL and section.info in places:
            _relocate(code, section.body, places[section.info], symbols, places)
    return code


def _sections(image: bytes) -> list[_Section]:
    (table_at,) = struct.unpack_from("<Q", image, 40)
    entry_size, count, names_index = struct.unpack_from("<HHH", image, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", image, table_at + i * entry_size) for i in range(count)]
    names = image[headers[names_index][4] :]
    return [
        _Section(
            index=index,
            name=_c_string(names, name_at),
            kind=kind,
            flags=flags,
            link=link,
            info=info,
            alignment=alignment,
            size=size,
            body=b"" if kind == SHT_NOBITS else image[offset : offset + size],
        )
        for index, (name_at, kind, flags, _, offset, size, link, info, alignment, _) in enumerate(headers)
    ]


def _symbols(sections: list[_Section]) -> list[_Symbol]:
    table = next(section for section in sections if section.kind == SHT_SYMTAB)
    names = sections[table.link].body
    return [
        _Symbol(_c_string(names, name_at), section, value)
        for name_at, _, _, section, value, _ in struct.iter_unpack("<IBBHQQ", table.body)
    ]


def _c_string(table: bytes, offset: int) -> str:
    return table[offset : table.index(b"\0", offset)].decode()


def _lay_out(sections: list[_Section], code: Code) -> dict[int, Place]:
    """Join the sections that are loaded, in file order; returns where each begins."""
    places: dict[int, Place] = {}
    code.data += bytes(NULL_GUARD)
    for section in sections:
        if not section.flags & SHF_ALLOC or not section.size or section.name == UNWIND_TABLES:
            continue
        in_text = bool(section.flags & SHF_EXECINSTR)
        if section.flags & SHF_WRITE and not in_text and not section.name.startswith(".data.rel.ro"):
            raise LinkError(
                f"writable data ({section.name}, {section.size} bytes): a program may have no mutable statics"
            )
        target = code.text if in_text else code.data
        target += bytes(-len(target) % max(8, section.alignment))
        places[section.index] = Place(in_text, len(target))
        target += section.body
    code.data += bytes(-len(code.data) % 8)
    if len(code.data) == NULL_GUARD:
        code.data.clear()
    return places


def _entry(symbols: list[_Symbol], places: dict[int, Place]) -> int:
    for symbol in symbols:
        if symbol.name == ENTRYPOINT and symbol.section in places:
            return places[symbol.section].offset + symbol.value
    raise LinkError(f"no symbol `{ENTRYPOINT}`: is this crate a program?")


def _relocate(code: Code, relocations: bytes, base: Place, symbols: list[_Symbol], places: dict[int, Place]) -> None:
    buffer = code.text if base.in_text else code.data
    for offset, info in struct.iter_unpack("<QQ", relocations):
        kind, symbol = info & 0xFFFF_FFFF, symbols[info >> 32]
        at, section = base.offset + offset, places.get(symbol.section)
        if kind == R_BPF_64_32:
            if section is None:
                code.system_calls.append(SystemCall(at, _system_call(symbol.name)))
                continue
            (immediate,) = struct.unpack_from("<i", buffer, at + 4)
            target = section.offset + symbol.value + (immediate + 1) * 8
            struct.pack_into("<i", buffer, at + 4, (target - at) // 8 - 1)
        elif kind in (R_BPF_64_64, R_BPF_64_ABS64):
            if section is None:
                raise LinkError(f"undefined symbol {symbol.name}")
            (addend,) = (
                struct.unpack_from("<I", buffer, at + 4) if base.in_text else struct.unpack_from("<Q", buffer, at)
            )
            target_place = Place(section.in_text, section.offset + symbol.value + addend)
            code.addresses.append(AddressOf(Place(base.in_text, at), target_place))
        else:
            raise LinkError(f"relocation of type {kind} against {symbol.name}: the linker knows 1, 2 and 10 only")


def _system_call(name: str) -> str:
    if name == "abort" or name.startswith("sol_"):
        return name
    why = ": std asks for an operating system, which a program has not" if name.startswith("sys_") else ""
    raise LinkError(f"undefined symbol {name}{why}")
