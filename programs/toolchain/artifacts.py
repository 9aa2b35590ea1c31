"""What a build leaves: programs, IDLs, and a manifest that says what they were built from.

    artifacts/<p>.so
    artifacts/manifest.json   {"schema": 1, "programs": {"<p>": {
                                 "program_id": base58, "size": bytes, "sha256": of the .so, "idl_sha256": of the .json,
                                 "source_hash": see workspace.py, "toolchain": {"rustc": …, …}, "arch": "v0"}}}
    idl/<p>.json

The committed ones lie in programs/meterchain/, package data of `meterchain`.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = 1
ARCH = "v0"
"""The SBPF version that we ship: every cluster runs it."""


@dataclass(frozen=True)
class Built:
    """One program as it came out of a build."""

    name: str
    program_id: str
    source_hash: str
    toolchain: dict[str, str]
    so: bytes
    idl: str

    def entry(self) -> dict[str, Any]:
        """Its entry in the manifest."""
        return {
            "program_id": self.program_id,
            "size": len(self.so),
            "sha256": sha256(self.so),
            "idl_sha256": sha256(self.idl.encode()),
            "source_hash": self.source_hash,
            "toolchain": self.toolchain,
            "arch": ARCH,
        }


def sha256(body: bytes) -> str:
    """The hash in hex."""
    return hashlib.sha256(body).hexdigest()


@dataclass(frozen=True)
class Artifacts:
    """A folder with `artifacts/` and `idl/`."""

    folder: Path

    def so(self, name: str) -> Path:
        """The program's file."""
        return self.folder / "artifacts" / f"{name}.so"

    def idl(self, name: str) -> Path:
        """The IDL's file."""
        return self.folder / "idl" / f"{name}.json"

    @property
    def manifest(self) -> Path:
        """The manifest's file."""
        return self.folder / "artifacts/manifest.json"

    def entries(self) -> dict[str, Any]:
        """The manifest's entries by program; empty if there is no manifest yet."""
        if not self.manifest.exists():
            return {}
        entries: dict[str, Any] = json.loads(self.manifest.read_text())["programs"]
        return entries

    def write(self, built: list[Built], known: list[str]) -> None:
        """Replace the built programs; of programs that are not `known` any more nothing stays."""
        for file in (self.manifest, self.idl("x")):
            file.parent.mkdir(parents=True, exist_ok=True)
        entries = {name: entry for name, entry in self.entries().items() if name in known}
        for program in built:
            self.so(program.name).write_bytes(program.so)
            self.idl(program.name).write_text(program.idl)
            entries[program.name] = program.entry()
        for stale in self._not_of(known):
            stale.unlink()
        text = json.dumps({"schema": SCHEMA, "programs": dict(sorted(entries.items()))}, indent=1)
        self.manifest.write_text(text + "\n")

    def differences(self, built: list[Built], known: list[str]) -> list[str]:
        """What here is not as it was built, one line each; empty if all bytes are the same."""
        entries = self.entries()
        lines = []
        for program in built:
            lines += _compare(self.so(program.name), program.so) + _compare(
                self.idl(program.name), program.idl.encode()
            )
            if entries.get(program.name) != program.entry():
                lines.append(f"{self.manifest}: the entry of {program.name} is not of this build")
        lines += [f"{path}: there is no such program" for path in self._not_of(known)]
        lines += [f"{self.manifest}: there is no program {name}" for name in entries if name not in known]
        return lines

    def mismatches(self) -> list[str]:
        """Files that are not those of the manifest, one line each.  Needs neither sources nor compiler."""
        lines = []
        for name, entry in self.entries().items():
            for path, expected in ((self.so(name), entry["sha256"]), (self.idl(name), entry["idl_sha256"])):
                if not path.exists():
                    lines.append(f"{path} is missing")
                elif sha256(path.read_bytes()) != expected:
                    lines.append(f"{path} is not the file of the manifest")
        return lines + [f"{path} is not in the manifest" for path in self._not_of(list(self.entries()))]

    def _not_of(self, known: list[str]) -> list[Path]:
        files = [*self.folder.glob("artifacts/*.so"), *self.folder.glob("idl/*.json")]
        return sorted(path for path in files if path.stem not in known)


def _compare(path: Path, body: bytes) -> list[str]:
    if not path.exists():
        return [f"{path} is missing"]
    if path.read_bytes() != body:
        return [f"{path} is not what the sources build"]
    return []
