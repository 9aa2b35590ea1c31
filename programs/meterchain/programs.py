"""Our five programs as package data: what was built and how it is called.

    artifacts/<program>.so, artifacts/manifest.json      idl/<program>.json      keys/<program>.json (development ids)

Program ids come from the IDLs, never from a literal: `make programs KEYS=... OUT=...` builds for other ids, and
`load(directory)` reads what it wrote.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain.idl import Idl

NAMES = ("governance", "registry", "oracle", "energy_token", "trading")


class ArtifactError(Exception):
    """A program, its IDL or the manifest is missing or does not match."""


@dataclass(frozen=True)
class Programs:
    """A set of built programs: IDLs by program name, and where their bytes lie."""

    idls: Mapping[str, Idl]
    artifacts: Traversable

    def __getitem__(self, name: str) -> Idl:
        try:
            return self.idls[name]
        except KeyError:
            raise ArtifactError(
                f"no IDL of {name!r} here; build it with `make programs CRATE={name} WRITE=1`"
            ) from None

    def __contains__(self, name: str) -> bool:
        return name in self.idls

    def __iter__(self) -> Iterator[str]:
        return iter(self.idls)

    def id(self, name: str) -> Pubkey:
        """The address of program `name`."""
        return self[name].program_id

    @property
    def by_id(self) -> dict[Pubkey, Idl]:
        """The IDLs by program address."""
        return {idl.program_id: idl for idl in self.idls.values()}

    def binary(self, name: str) -> bytes:
        """The ELF of program `name`, checked against the manifest where there is one.  Raises ArtifactError."""
        source = self.artifacts / f"{name}.so"
        if not source.is_file():
            raise ArtifactError(f"{name}.so is not here; build it with `make programs CRATE={name} WRITE=1`")
        content = source.read_bytes()
        stated = self.manifest().get("programs", {}).get(name, {}).get("sha256")
        if stated not in (None, hashlib.sha256(content).hexdigest()):
            raise ArtifactError(f"{name}.so is not the one the manifest names; run `make programs WRITE=1`")
        return content

    def manifest(self) -> dict[str, Any]:
        """What the builder wrote beside the programs, or {} before its first run."""
        source = self.artifacts / "manifest.json"
        return dict(json.loads(source.read_text("utf-8"))) if source.is_file() else {}


def load(root: Traversable | None = None) -> Programs:
    """The programs under `root` (which holds `idl/` and `artifacts/`); by default those of this package."""
    root = root or files("meterchain")
    found = {name: root / "idl" / f"{name}.json" for name in NAMES}
    idls = {name: Idl.parse(source.read_text("utf-8")) for name, source in found.items() if source.is_file()}
    return Programs(idls, root / "artifacts")


def development_key(name: str) -> Keypair:
    """The well-known keypair behind the committed id of program `name`: anybody has it: for local chains only."""
    return Keypair.from_json((files("meterchain") / "keys" / f"{name}.json").read_text("utf-8"))
