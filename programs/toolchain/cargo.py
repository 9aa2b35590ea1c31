"""Run cargo: programs to bitcode bundles, and the framework's IDL printer.

Everything a run depends on is given here (compiler, flags, one remap of the workspace's path), so that the same
sources give the same bytes in every directory.  Cargo.lock is taken as it is once it exists.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from toolchain import collect, target
from toolchain.pins import Compiler
from toolchain.progress import Progress

PROGRESS_INTERVAL_S = 10.0


class BuildError(Exception):
    """A tool said no; the message is what it said."""


@dataclass(frozen=True)
class Cargo:
    """One workspace, built into one cache."""

    compiler: Compiler
    root: Path
    cache: Path
    """Holds cargo's target directories: `sbf` for programs, `host` for IDLs."""
    sysroot: Path
    progress: Progress

    def fetch(self) -> None:
        """Get the dependencies; makes Cargo.lock if there is none.  Raises BuildError."""
        self._run(["fetch"], dict(os.environ), "dependencies")

    def bundle(self, crate: str) -> Path:
        """Compile a crate for the target; returns the file with its bitcode.  Raises BuildError."""
        out = self.cache / "sbf"
        environment = os.environ | {
            "RUSTC": str(self.compiler.rustc),
            "RUSTC_BOOTSTRAP": "1",
            "RUST_TARGET_PATH": str(self.sysroot),
            "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(self._flags()),
        }
        build = ["build", "--release", "--lib", "--package", crate, "--target", target.NAME, "--target-dir", str(out)]
        self._run(build, environment, f"{crate}: program")
        made = out / target.NAME / "release" / f"{crate}.so"
        if not made.exists():
            raise BuildError(f'{crate}: cargo made no {made.name}: Cargo.toml needs crate-type = ["cdylib", "lib"]')
        return made

    def print_idl(self, crate: str) -> str:
        """What the framework's tests print with the feature `idl-build`.  Raises BuildError."""
        environment = os.environ | {
            "RUSTC": str(self.compiler.rustc),
            "CARGO_ENCODED_RUSTFLAGS": "",
            "CARGO_PROFILE_DEV_DEBUG": "0",
            "CARGO_PROFILE_TEST_DEBUG": "0",
            "CARGO_INCREMENTAL": "0",
        }
        test = [
            "test",
            "--lib",
            "--package",
            crate,
            "--features",
            "idl-build",
            "--target-dir",
            str(self.cache / "host"),
        ]
        arguments = ["__anchor_private_print_idl", "--", "--show-output", "--test-threads=1"]
        return self._run(test + arguments, environment, f"{crate}: IDL")

    def _flags(self) -> list[str]:
        cargo_home = os.environ.get("CARGO_HOME") or str(Path.home() / ".cargo")
        return [
            "-Zunstable-options",
            f"--sysroot={self.sysroot}",
            f"-Clinker={self._collector()}",
            f"--remap-path-prefix={cargo_home}=/cargo",
            f"--remap-path-prefix={self.root}=/src",
        ]

    def _collector(self) -> Path:
        """The "linker": a script that runs collect.py with this Python."""
        self.cache.mkdir(parents=True, exist_ok=True)
        script = self.cache / "collect"
        text = (
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(Path(collect.__file__).resolve()))} "$@"\n'
        )
        if not script.exists() or script.read_text() != text:
            script.write_text(text)
            script.chmod(0o755)
        return script

    def _run(self, arguments: list[str], environment: dict[str, str], what: str) -> str:
        """What cargo prints on stdout; meanwhile a progress line now and then."""
        command, *options = arguments
        locked = ["--locked"] if (self.root / "Cargo.lock").exists() else []
        cargo: list[str | Path] = [self.compiler.cargo, command, *locked, *options]
        with tempfile.TemporaryFile("w+") as stdout:
            with subprocess.Popen(
                cargo, cwd=self.root, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True
            ) as process:
                messages = self._follow(process.stderr or (), what)
            stdout.seek(0)
            printed = stdout.read()
        if process.returncode:
            hint = ""
            if "--locked was passed" in messages:
                hint = "\nCargo.lock does not fit Cargo.toml: run `cargo update --workspace` in programs/ and commit it"
            raise BuildError(f"cargo {command} failed\n{messages}{printed}{hint}")
        return printed

    def _follow(self, lines: Iterable[str], what: str) -> str:
        """All of cargo's messages; says every few seconds how many crates are compiled."""
        messages, crates, said = [], 0, self.progress.monotonic()
        for line in lines:
            messages.append(line)
            crates += line.lstrip().startswith("Compiling ")
            if self.progress.monotonic() - said > PROGRESS_INTERVAL_S:
                said = self.progress.monotonic()
                self.progress.say(f"{what}: {crates} crates compiled")
        return "".join(messages)
