"""From the bitcode that rustc left to an SBF executable.

    python -m toolchain.linker BUNDLE OUT.so --sysroot DIR [--arch v0|v3] [--keep-ir]

A process of its own for each program: LLVM's options belong to the process.  We ship v0.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from toolchain import llvm
from toolchain.collect import bitcode_of, unbundle
from toolchain.elf.link_v0 import link_v0
from toolchain.elf.link_v3 import link_v3
from toolchain.elf.relocatable import LinkError, read_object
from toolchain.lowering.pipeline import lower
from toolchain.sysroot import libraries

LINKERS = {"v0": link_v0, "v3": link_v3}


def compile_modules(modules: Sequence[bytes], builtins: bytes) -> tuple[str, bytes]:
    """Link bitcode modules and compile them; returns the lowered text and the relocatable object.

    `builtins` is the bitcode of compiler_builtins.  Raises LinkError if there is nothing to link.
    """
    if not modules:
        raise LinkError("no symbol `entrypoint`: is this crate a program?")
    program, *others = (llvm.from_bitcode(module) for module in modules)
    for other in others:
        llvm.link(program, other)
    lowered = lower(program, llvm.from_bitcode(builtins))
    return str(lowered), llvm.emit_object(lowered)


def main(arguments: list[str]) -> int:
    """Link one program; returns the exit code."""
    parser = argparse.ArgumentParser(prog="toolchain.linker")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sysroot", type=Path, required=True)
    parser.add_argument("--arch", choices=sorted(LINKERS), default="v0")
    parser.add_argument("--keep-ir", action="store_true", help="leave the lowered text and the object beside OUT")
    chosen = parser.parse_args(arguments)

    builtins = bitcode_of((libraries(chosen.sysroot) / "libcompiler_builtins.rlib").read_bytes())[0]
    try:
        text, image = compile_modules(unbundle(chosen.bundle.read_bytes()), builtins)
        if chosen.keep_ir:
            chosen.out.with_suffix(".ll").write_text(text)
            chosen.out.with_suffix(".o").write_bytes(image)
        chosen.out.write_bytes(LINKERS[chosen.arch](read_object(image)))
    except LinkError as error:
        print(f"sbf linker: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
