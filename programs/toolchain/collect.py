"""What rustc calls as its linker: keeps the bitcode of the program, so that the builder can link it when cargo is done.

    collect.py -o OUT [rustc's arguments: objects, archives, flags]

OUT is a bundle: per module 8 bytes of length (little-endian) and the bitcode.  It is empty for a dependency that is a
cdylib itself (solana-zk-sdk, under anchor-spl) and no program.  This file runs as a script, with nothing of the
builder importable.
"""

import sys
from pathlib import Path

ARCHIVE, HEADER_SIZE, BITCODE = b"!<arch>\n", 60, b"BC\xc0\xde"
ENTRYPOINT = b"entrypoint"


def archive_members(data: bytes) -> list[bytes]:
    """The members of an `ar` archive; another file is its own only member.

    A member has a 60-byte header, with its size in decimal at 48..58, and is padded to an even size.
    """
    if not data.startswith(ARCHIVE):
        return [data]
    found, position = [], len(ARCHIVE)
    while position + HEADER_SIZE <= len(data):
        size = int(data[position + 48 : position + 58])
        position += HEADER_SIZE
        found.append(data[position : position + size])
        position += size + (size & 1)
    return found


def bitcode_of(data: bytes) -> list[bytes]:
    """The bitcode modules of an object or an archive."""
    return [member for member in archive_members(data) if member.startswith(BITCODE)]


def bundle(modules: list[bytes]) -> bytes:
    """Pack modules into one file."""
    return b"".join(len(module).to_bytes(8, "little") + module for module in modules)


def unbundle(data: bytes) -> list[bytes]:
    """The modules of a bundle."""
    modules, position = [], 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 8], "little")
        modules.append(data[position + 8 : position + 8 + size])
        position += 8 + size
    return modules


def main(arguments: list[str]) -> None:
    """Collect the inputs of one link."""
    out = Path(arguments[arguments.index("-o") + 1])
    inputs = [Path(argument) for argument in arguments if argument.endswith((".o", ".rlib", ".a"))]
    objects = [path.read_bytes() for path in inputs if path.suffix == ".o"]
    is_program = any(ENTRYPOINT in body for body in objects)
    out.write_bytes(bundle([m for path in inputs for m in bitcode_of(path.read_bytes())] if is_program else []))


if __name__ == "__main__":
    main(sys.argv[1:])
