"""The SPL Token program that mainnet ran before p-token, for a second column of compute units.

It is not ours to keep in the repository.  The crate mollusk-svm-programs-token carries the bytes as they stood on
mainnet; `cargo info` fetches this one crate into cargo's own cache, and the bytes are held to their hash.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from meterchain.embedded import EmbeddedChain
from meterchain.tokens import TOKEN_PROGRAM

CRATE, VERSION = "mollusk-svm-programs-token", "0.0.15"
INSIDE = "src/elf/token.so"
SHA256 = "7b44674b9704fa7640fbebfac68389f338b500b8c2bc29175c27ed66838b5a3c"
_FETCH_S = 120


class NoOldToken(Exception):
    """The old program is not to be had here; the message says why."""


def chains() -> Callable[[], EmbeddedChain]:
    """What makes chains with the old program.  Raises NoOldToken."""
    elf = fetch()

    def make() -> EmbeddedChain:
        chain = EmbeddedChain()
        chain.set_program(TOKEN_PROGRAM, elf)
        return chain

    return make


def fetch() -> bytes:
    """The program's bytes, from cargo's cache or by cargo.  Raises NoOldToken."""
    path = _cached() or _fetched()
    elf = path.read_bytes()
    if hashlib.sha256(elf).hexdigest() != SHA256:
        raise NoOldToken(f"{path} is not the program that is expected")
    return elf


def _cached() -> Path | None:
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    return next(home.glob(f"registry/src/*/{CRATE}-{VERSION}/{INSIDE}"), None)


def _fetched() -> Path:
    cargo = shutil.which("cargo")
    if cargo is None:
        raise NoOldToken("cargo, which fetches it, is not installed")
    with tempfile.TemporaryDirectory() as folder:  # outside of a workspace, whose lock file it would ask
        words = [cargo, "info", "--quiet", f"{CRATE}@{VERSION}"]
        try:
            done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=_FETCH_S, check=False)
        except subprocess.TimeoutExpired:
            raise NoOldToken(f"cargo did not fetch {CRATE} {VERSION} in {_FETCH_S} s") from None
    path = _cached()
    if path is None:
        raise NoOldToken(f"cargo fetched no {CRATE} {VERSION}: {done.stderr.strip()[-200:] or 'it said nothing'}")
    return path
