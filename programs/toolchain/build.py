"""Build programs and their IDLs, as little as possible.

cargo compiles one program after the other; meanwhile the IDLs are printed (another target directory) and what is
compiled is linked (a process each).  What was built is kept in the cache with the hash of its sources, so that an
unchanged program costs no cargo at all.
"""

import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolchain import idl
from toolchain.artifacts import ARCH, Built, sha256
from toolchain.cargo import BuildError, Cargo
from toolchain.pins import Compiler
from toolchain.progress import Progress
from toolchain.sysroot import sysroot
from toolchain.workspace import Workspace, source_hash

PACKAGE_PARENT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Builder:
    """What all builds of one run share."""

    compiler: Compiler
    cache: Path
    """Everything that can be deleted: sysroot, cargo's target directories, what was built."""
    sysroot_cache: Path
    progress: Progress

    def build(self, workspace: Workspace, names: list[str]) -> list[Built]:
        """Build these programs of the workspace.  Raises BuildError with what a tool said, IdlError, WorkspaceError."""
        hashes = {name: source_hash(workspace, name) for name in names}
        found = self._all_kept(workspace, hashes)
        if len(found) == len(names):
            self.progress.say(f"unchanged: {', '.join(names)}")
        else:
            with alone(self.cache / "lock", self.progress):
                found = self._all_kept(workspace, hashes)  # another build may have made some meanwhile
                found |= self._build_changed(workspace, {n: h for n, h in hashes.items() if n not in found})
        return [found[name] for name in names]

    def _all_kept(self, workspace: Workspace, hashes: dict[str, str]) -> dict[str, Built]:
        kept = {name: self._kept(workspace, name, hash_) for name, hash_ in hashes.items()}
        return {name: built for name, built in kept.items() if built}

    def _build_changed(self, workspace: Workspace, hashes: dict[str, str]) -> dict[str, Built]:
        made = self._make(workspace, list(hashes)) if hashes else {}
        edited = [name for name, hash_ in hashes.items() if source_hash(workspace, name) != hash_]
        built = {
            name: self._keep(workspace, name, hash_, *made[name])
            for name, hash_ in hashes.items()
            if name not in edited
        }
        if edited:
            raise BuildError(f"{', '.join(edited)}: sources changed during the build, run it again")
        return built

    def _make(self, workspace: Workspace, names: list[str]) -> dict[str, tuple[bytes, str]]:
        root = sysroot(self.compiler, self.sysroot_cache, self.progress)
        cargo = Cargo(self.compiler, workspace.root, self.cache, root, self.progress)
        self.progress.say("dependencies")
        cargo.fetch()
        with ThreadPoolExecutor(1) as printers, ThreadPoolExecutor(1) as linkers:
            texts = {name: printers.submit(self._idl, cargo, name) for name in names}
            linked: dict[str, Future[bytes]] = {}
            try:
                for number, name in enumerate(names, 1):
                    self.progress.say(f"{name}: compiling ({number}/{len(names)})")
                    linked[name] = linkers.submit(self._link, root, name, cargo.bundle(name).read_bytes())
                return {name: (linked[name].result(), texts[name].result()) for name in names}
            except BaseException:
                printers.shutdown(wait=False, cancel_futures=True)
                raise

    def _idl(self, cargo: Cargo, name: str) -> str:
        text = idl.join(cargo.print_idl(name))
        self.progress.say(f"{name}: IDL done")
        return text

    def _link(self, root: Path, name: str, bundle: bytes) -> bytes:
        folder = self._folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        collected, out = folder / "bundle", folder / "linked.so"
        collected.write_bytes(bundle)
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "toolchain.linker",
            collected,
            out,
            "--sysroot",
            root,
            "--arch",
            ARCH,
        ]
        done = subprocess.run(command, cwd=PACKAGE_PARENT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BuildError(f"{name}: linking failed\n{done.stderr}")
        self.progress.say(f"{name}: program done, {out.stat().st_size} bytes")
        return out.read_bytes()

    def _folder(self, name: str) -> Path:
        return self.cache / "built" / name

    def _kept(self, workspace: Workspace, name: str, hash_: str) -> Built | None:
        """What the cache holds, if it was built from these sources by this compiler and nobody touched it."""
        folder = self._folder(name)
        try:
            record = json.loads((folder / "record.json").read_text())
            so, text = (folder / "program.so").read_bytes(), (folder / "idl.json").read_text()
        except (FileNotFoundError, ValueError):
            return None
        kept = Built(name, workspace.program_id(name), hash_, self.compiler.versions, so, text)
        return kept if record == self._record(kept) else None

    def _keep(self, workspace: Workspace, name: str, hash_: str, so: bytes, text: str) -> Built:
        built = Built(name, workspace.program_id(name), hash_, self.compiler.versions, so, text)
        folder = self._folder(name)
        (folder / "program.so").write_bytes(built.so)
        (folder / "idl.json").write_text(built.idl)
        (folder / "record.json").write_text(json.dumps(self._record(built)))
        return built

    def _record(self, built: Built) -> dict[str, object]:
        compiler = sha256(self.compiler.rustc_version.encode())
        return {"manifest": built.entry(), "compiler": compiler}


@contextmanager
def alone(lock: Path, progress: Progress) -> Iterator[None]:
    """One build at a time by this lock file: a second one says so and waits."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("waiting for another build to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
