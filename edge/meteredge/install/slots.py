"""The two places that meterbridge can run from, /opt/meterbridge/a and b, and the link `current` to one of them.

A slot is an environment made from a folder of wheels, offline where pip is among them.  It counts as made once its file
`.made-from` (the digest of those wheels) is on the disk; before that, a power cut leaves a slot that nobody uses.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from meterchain.durable import sync_folder, write_new
from meteredge.install.changes import CURRENT, SLOTS
from meteredge.install.errors import InstallFailed
from meteredge.install.host import Host

MADE_FROM = ".made-from"
BUILD_S = 1_800.0
"""A Zero 2 W takes some minutes to unpack and compile."""


def slot_in_use(host: Host) -> str | None:
    """What `current` points to, None if there is no such link."""
    link = host.at(CURRENT)
    return str(link.readlink()) if link.is_symlink() else None


def slot_to_make(host: Host) -> str:
    """The slot that may be thrown away: never the one in use."""
    return "b" if slot_in_use(host) == "a" else "a"


def digest_of(wheels: Path) -> str:
    """What tells one folder of wheels from another; install.sh computes the same.  Raises InstallFailed."""
    found = sorted(wheels.glob("*.whl"), key=lambda path: os.fsencode(path.name))
    if not any(path.name.startswith("meterbridge-") for path in found):
        raise InstallFailed(f"{wheels}: there is no meterbridge-*.whl in it")
    digest = hashlib.sha256()
    for path in found:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def made_from(host: Host, slot: str) -> str | None:
    """The digest of the wheels that a slot was made from, None if it is not whole."""
    try:
        return (host.at(SLOTS) / slot / MADE_FROM).read_text("ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def make_slot(folder: Path, wheels: Path, digest: str) -> None:
    """Make an environment in `folder` from the wheels, in place of what is there.  Raises InstallFailed."""
    pip = next(wheels.glob("pip-*.whl"), None)
    wanted = sorted(str(path) for path in wheels.glob("*.whl" if pip else "meterbridge-*.whl") if path != pip)
    python = Path(sys.base_prefix) / "bin" / "python3"
    if folder.exists():
        (folder / MADE_FROM).unlink(missing_ok=True)
        shutil.rmtree(folder)
    _run([str(python), "-m", "venv", *(["--without-pip"] if pip else []), str(folder)])
    installer = [str(pip / "pip")] if pip else ["-m", "pip"]
    offline = ["--no-index"] if pip else []
    _run([str(folder / "bin" / "python"), *installer, "install", "--quiet", "--disable-pip-version-check",
          "--no-cache-dir", *offline, "--find-links", str(wheels), *wanted])  # fmt: skip
    os.sync()  # thousands of files: all of them are on the disk before the slot counts as made
    write_new(folder / MADE_FROM, f"{digest}\n".encode())
    sync_folder(folder)


def _run(words: Sequence[str]) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=BUILD_S, check=False, cwd="/")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallFailed(f"{words[0]} cannot be run: {error}") from error
    if done.returncode:
        raise InstallFailed(f"`{' '.join(words[:4])} …` failed: {done.stderr.strip()[-600:]}")
