"""The cargo workspace as the builder sees it: which crates are programs, what their builds read, what ids they have."""

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = re.compile(r"^#\[program\]", re.M)
DECLARED_ID = re.compile(r'declare_id!\(\s*"([1-9A-HJ-NP-Za-km-z]+)"\s*\)')
WORKSPACE_FILES = ("Cargo.toml", "Cargo.lock", ".cargo/config.toml")


class WorkspaceError(Exception):
    """The workspace is not as the builder needs it; the message names the file."""


@dataclass(frozen=True)
class Crate:
    """A member of the workspace."""

    name: str
    folder: Path
    path_dependencies: tuple[str, ...]
    """Names of other members that it is built from (not those of its tests)."""

    @property
    def is_program(self) -> bool:
        """True if src/lib.rs has a `#[program]` module."""
        library = self.folder / "src/lib.rs"
        return library.exists() and PROGRAM.search(library.read_text()) is not None

    def files(self) -> list[Path]:
        """What the build reads of this crate: Cargo.toml, build.rs and all of src/."""
        here = [path for path in (self.folder / "Cargo.toml", self.folder / "build.rs") if path.exists()]
        return here + [path for path in (self.folder / "src").rglob("*") if path.is_file()]


@dataclass(frozen=True)
class Workspace:
    """A folder with a workspace Cargo.toml and its member crates by name."""

    root: Path
    crates: dict[str, Crate]

    @property
    def lock(self) -> Path:
        """Cargo.lock, which may not exist yet."""
        return self.root / "Cargo.lock"

    def programs(self) -> list[str]:
        """Names of the crates that are programs, in the order of `members`."""
        return [name for name, crate in self.crates.items() if crate.is_program]

    def built_from(self, name: str) -> list[Crate]:
        """The crate and all members below it, sorted by name."""
        found: dict[str, Crate] = {}
        waiting = [name]
        while waiting:
            crate = self.crates[waiting.pop()]
            if crate.name not in found:
                found[crate.name] = crate
                waiting += crate.path_dependencies
        return [found[key] for key in sorted(found)]

    def program_id(self, name: str) -> str:
        """The id (base58) that the program declares.  Raises WorkspaceError if its files declare none or two."""
        ids: set[str] = {id_ for path in self.declaring_files(name) for id_ in DECLARED_ID.findall(path.read_text())}
        if len(ids) != 1:
            raise WorkspaceError(f"{name}: one declare_id! is needed, found {sorted(ids) or 'none'}")
        return ids.pop()

    def declaring_files(self, name: str) -> list[Path]:
        """The Rust files in which the program's id stands: its own crate's and its interface's."""
        folder = self.crates[name].folder
        rust = [path for part in ("src", "interface/src") for path in sorted((folder / part).rglob("*.rs"))]
        return [path for path in rust if DECLARED_ID.search(path.read_text())]


def read_workspace(root: Path) -> Workspace:
    """Read the workspace at `root`.  Raises WorkspaceError naming a member whose Cargo.toml is missing or broken."""
    top = _read_toml(root / "Cargo.toml")
    shared = top.get("workspace", {}).get("dependencies", {})
    shared_paths = {key: value["path"] for key, value in shared.items() if isinstance(value, dict) and "path" in value}
    manifests = {member: _read_toml(root / member / "Cargo.toml") for member in top["workspace"]["members"]}
    by_folder = {(root / member).resolve(): manifest["package"]["name"] for member, manifest in manifests.items()}

    crates = {}
    for member, manifest in manifests.items():
        folder = (root / member).resolve()
        dependencies: dict[str, Any] = manifest.get("dependencies", {}) | manifest.get("build-dependencies", {})
        folders = []
        for key, value in dependencies.items():
            if isinstance(value, dict) and value.get("workspace") and key in shared_paths:
                folders.append((root / shared_paths[key]).resolve())
            elif isinstance(value, dict) and "path" in value:
                folders.append((folder / value["path"]).resolve())
        name = manifest["package"]["name"]
        outside = [str(path) for path in folders if path not in by_folder]
        if outside:
            raise WorkspaceError(f"{name} depends on {outside[0]}, which is no member of the workspace")
        crates[name] = Crate(name, folder, tuple(by_folder[path] for path in folders))
    return Workspace(root, crates)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise WorkspaceError(f"{path} is missing: the workspace names it as a member") from error
    except tomllib.TOMLDecodeError as error:
        raise WorkspaceError(f"{path}: {error}") from error


def toolchain_files() -> list[Path]:
    """The builder's own sources."""
    return sorted(Path(__file__).resolve().parent.rglob("*.py"))


def source_hash(workspace: Workspace, name: str) -> str:
    """SHA-256 over all that the build of one program reads from the tree, paths included, the builder itself too."""
    digest = hashlib.sha256()
    top = [workspace.root / file for file in WORKSPACE_FILES if (workspace.root / file).exists()]
    crates = [path for crate in workspace.built_from(name) for path in crate.files()]
    named = [(path.resolve().relative_to(workspace.root).as_posix(), path) for path in top + crates]
    builder = Path(__file__).resolve().parent
    named += [(f"toolchain/{path.relative_to(builder).as_posix()}", path) for path in toolchain_files()]
    for label, path in sorted(named):
        body = path.read_bytes()
        digest.update(f"{label}\0{len(body)}\0".encode() + body)
    return digest.hexdigest()
