"""What the builder is pinned to, and where it looks for it.

The lowering reads LLVM's text, so rustc and llvmlite must be these (both hold LLVM 22.1).  After a change of either
run the differential fuzz (tests/toolchain/test_fuzz.py), rebuild, and commit the artifacts with the new pins.

Environment: SBF_RUSTC, SBF_CARGO, SBF_RUST_SRC name other places.  rustup's cargo may come first in PATH, so PATH is
not asked.
"""

import os
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

RUSTC_RELEASE = "1.96.0"
LLVMLITE = "0.50.0"
APT = "apt-get install rustc-web cargo-web rust-web-src"
PIP = f"pip install llvmlite=={LLVMLITE}"


class NoCompilerError(Exception):
    """The pinned compiler is not to be had; the message is one line: what is missing and how to get it."""


@dataclass(frozen=True)
class Compiler:
    """The pinned tools, found."""

    rustc: Path
    cargo: Path
    rust_src: Path
    """The standard library's source: the folder that holds `core`, `alloc`, `std`, `vendor`."""
    rustc_version: str
    """All that `rustc -vV` says."""

    @property
    def versions(self) -> dict[str, str]:
        """What the manifest records: release and commit of rustc, its LLVM, llvmlite."""
        fields = dict(line.split(": ", 1) for line in self.rustc_version.splitlines() if ": " in line)
        return {
            "rustc": f"{fields['release']} ({fields['commit-hash'][:9]})",
            "llvm": fields["LLVM version"],
            "llvmlite": LLVMLITE,
        }


def find_compiler() -> Compiler:
    """The pinned compiler of this machine.  Raises NoCompilerError."""
    rustc = Path(os.environ.get("SBF_RUSTC", "/usr/bin/rustc"))
    cargo = Path(os.environ.get("SBF_CARGO", "/usr/bin/cargo"))
    rust_src = Path(os.environ.get("SBF_RUST_SRC", "/usr/lib/rustlib/src/rust/library"))
    for path in (rustc, cargo):
        if not os.access(path, os.X_OK):
            raise NoCompilerError(f"rustc {RUSTC_RELEASE} is not to be had: no {path} ({APT})")
    if not (rust_src / "core/src/lib.rs").exists():
        raise NoCompilerError(f"the source of Rust's standard library is not to be had: no {rust_src} ({APT})")
    said = subprocess.run([rustc, "-vV"], capture_output=True, text=True, check=True).stdout
    if f"\nrelease: {RUSTC_RELEASE}\n" not in said:
        raise NoCompilerError(f"{rustc} is {said.splitlines()[0]}, the builder is pinned to {RUSTC_RELEASE} ({APT})")
    try:
        llvmlite = metadata.version("llvmlite")
    except metadata.PackageNotFoundError:
        llvmlite = "not installed"
    if llvmlite != LLVMLITE:
        raise NoCompilerError(f"llvmlite is {llvmlite}, the builder is pinned to {LLVMLITE} ({PIP})")
    return Compiler(rustc, cargo, rust_src, said)
