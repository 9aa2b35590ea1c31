"""Rust's standard library for the target, compiled once (about 40 s) from the distribution's source.

std gets its zkvm back end, one thread and no operating system: enough for crates that only name std's types.  A call
that needs an operating system is an undefined symbol at the link, which names it.
"""

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from toolchain import target
from toolchain.pins import Compiler
from toolchain.progress import Progress


@dataclass(frozen=True)
class _Crate:
    name: str
    source: str
    """Folder with src/lib.rs, or a file; `vendor/x` is the vendored crate x of whatever version."""
    edition: str
    flags: tuple[str, ...] = ()
    externs: tuple[str, ...] = ()


def _features(*names: str) -> tuple[str, ...]:
    return tuple(flag for name in names for flag in ("--cfg", f'feature="{name}"'))


_OF_STD = _features("rustc-dep-of-std")
_CRATES = (
    _Crate("core", "core", "2024"),
    _Crate("compiler_builtins", "compiler-builtins/compiler-builtins", "2024", _features("compiler-builtins")),
    _Crate("alloc", "alloc", "2024"),
    _Crate("cfg_if", "vendor/cfg-if", "2018", _OF_STD),
    _Crate("rustc_std_workspace_core", "rustc-std-workspace-core/lib.rs", "2024", (), ("core",)),
    _Crate("rustc_std_workspace_alloc", "rustc-std-workspace-alloc/lib.rs", "2024", (), ("alloc",)),
    _Crate("libc", "vendor/libc", "2021", _OF_STD),
    _Crate("rustc_demangle", "vendor/rustc-demangle", "2018", _OF_STD),
    _Crate(
        "hashbrown", "vendor/hashbrown", "2021", _OF_STD + _features("nightly", "core", "alloc", "rustc-internal-api")
    ),
    _Crate("unwind", "unwind", "2024", (), ("libc",)),
    _Crate("std_detect", "std_detect", "2024"),
    _Crate("panic_abort", "panic_abort", "2024", (), ("libc",)),
    _Crate(
        "std",
        "std",
        "2024",
        ("--cfg", 'target_os="zkvm"', "--cfg", 'target_arch="riscv64"', "-Aexplicit_builtin_cfgs_in_flags"),
        ("alloc", "cfg_if", "core", "hashbrown", "libc", "panic_abort", "rustc_demangle", "std_detect", "unwind"),
    ),
)


def libraries(root: Path) -> Path:
    """Where a sysroot keeps its .rlib files."""
    return root / "lib/rustlib" / target.NAME / "lib"


def place(compiler: Compiler, cache: Path) -> Path:
    """Where the sysroot of this compiler and target lies; it may not be made yet."""
    key = hashlib.sha256((target.specification() + compiler.rustc_version).encode()).hexdigest()[:12]
    return cache / f"sysroot-{key}"


def sysroot(compiler: Compiler, cache: Path, progress: Progress) -> Path:
    """The sysroot in `cache`, made if this compiler and target have none yet."""
    root = place(compiler, cache)
    done = root / "done"
    if done.exists():
        return root
    libraries(root).mkdir(parents=True, exist_ok=True)
    (root / f"{target.NAME}.json").write_text(target.specification())
    for number, crate in enumerate(_CRATES, 1):
        progress.say(f"standard library, once: {crate.name} ({number}/{len(_CRATES)})")
        _compile(compiler, root, crate)
    done.touch()
    return root


def _compile(compiler: Compiler, root: Path, crate: _Crate) -> None:
    out = libraries(root)
    environment = os.environ | {"RUSTC_BOOTSTRAP": "1", "RUST_TARGET_PATH": str(root), "STD_ENV_ARCH": "bpf"}
    command: list[str | Path] = [compiler.rustc, _source(compiler.rust_src, crate.source)]
    command += ["--crate-name", crate.name, "--edition", crate.edition, "--crate-type", "rlib"]
    command += ["--target", target.NAME, "-Zunstable-options", "--sysroot", root, "-L", out, "--out-dir", out]
    command += ["-Copt-level=3", "-Cpanic=abort", "-Ccodegen-units=1", "-Cdebuginfo=0", "-Cmetadata=sbf"]
    command += ["--cap-lints", "allow", f"--remap-path-prefix={compiler.rust_src}=/rust/library"]
    command += ["-Zforce-unstable-if-unmarked", *crate.flags]
    for extern in crate.externs:
        command += ["--extern", f"{extern}={out}/lib{extern}.rlib"]
    subprocess.run(command, env=environment, check=True)


def _source(rust_src: Path, source: str) -> Path:
    if source.endswith(".rs"):
        return rust_src / source
    folder = rust_src / source
    if folder.parent.name == "vendor":
        folder = next(folder.parent.glob(f"{folder.name}-[0-9]*"))
    return folder / "src/lib.rs"
