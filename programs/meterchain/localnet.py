"""A whole Solana RPC on this machine, offline: Surfnet, from npm, pinned and checked by its hash.

    cache   $XDG_CACHE_HOME/meterbridge/surfnet-<version>/   the native module (15 MB to fetch, once)
    ports   RPC `port`, websocket `port + 1`, on 127.0.0.1

The package is a native module for node; `surfnet.cjs` beside this file starts it and puts fixed ports in front of the
random ones that it listens on.  Where there is no build of it, use `solana-test-validator`: everything here works with
any RPC.
"""

import base64
import hashlib
import os
import platform
import select
import shutil
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import IO, Literal

VERSION = "1.5.0"
PACKAGE = f"@solana/surfpool-linux-x64-gnu@{VERSION}"
INTEGRITY = "d+wUCBdzw7U4inKoe+Lj7XlH8Nmd6A00IZOsG3R61NQbqhRVp7zFpVCCzV00RvgAOsSedkI87I6B4ehAuyGPAg=="
"""sha512 of the package's tarball, base64, as the npm registry states it."""
DEFAULT_PORT = 8899
_MODULE = Path("package/surfpool-sdk.linux-x64-gnu.node")
_OTHERWISE = "Or run `solana-test-validator` and use its address."

BlockMode = Literal["clock", "transaction", "manual"]


class LocalnetError(Exception):
    """The local chain cannot be started; the message says what to install or change."""


@dataclass(frozen=True, slots=True)
class Localnet:
    """A running local chain."""

    url: str
    websocket: str
    process: subprocess.Popen[bytes]


def fetch(cache: Path | None = None) -> Path:
    """The native module, fetched and checked if it is not there yet.  Raises LocalnetError."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise LocalnetError(f"Surfnet {VERSION} is pinned for Linux on x86_64 only. {_OTHERWISE}")
    place = (cache or _cache()) / f"surfnet-{VERSION}"
    if (place / _MODULE.name).is_file():
        return place / _MODULE.name
    npm = shutil.which("npm")
    if npm is None:
        raise LocalnetError(
            f"npm is missing: install Node.js 18 or newer (Debian: apt install nodejs npm). {_OTHERWISE}"
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        fetched = Path(temporary)
        done = subprocess.run(
            [npm, "pack", "--silent", PACKAGE], cwd=fetched, capture_output=True, text=True, check=False
        )
        tarballs = list(fetched.glob("*.tgz"))
        if done.returncode or len(tarballs) != 1:
            raise LocalnetError(f"npm could not fetch {PACKAGE}: {done.stderr.strip()[-300:]} {_OTHERWISE}")
        check_integrity(tarballs[0].read_bytes())
        _unpack(tarballs[0], fetched / _MODULE.name)
        place.mkdir(exist_ok=True)
        (fetched / _MODULE.name).replace(place / _MODULE.name)
    return place / _MODULE.name


def _unpack(tarball: Path, to: Path) -> None:
    with tarfile.open(tarball) as archive:
        module = archive.extractfile(str(_MODULE))
        if module is None:
            raise LocalnetError(f"{PACKAGE} holds no {_MODULE}")
        with to.open("wb") as copy:
            shutil.copyfileobj(module, copy)


def check_integrity(tarball: bytes) -> None:
    """Raises LocalnetError unless these are the bytes that were pinned."""
    found = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    if found != INTEGRITY:
        raise LocalnetError(f"{PACKAGE} has sha512 {found}, pinned is {INTEGRITY}: nothing was installed")


@contextmanager
def run(
    *,
    port: int = DEFAULT_PORT,
    slot_ms: int = 400,
    blocks: BlockMode = "clock",
    cache: Path | None = None,
    start_timeout_s: float = 30.0,
) -> Iterator[Localnet]:
    """Start a fresh chain and stop it at the end of the block.  Raises LocalnetError."""
    node = shutil.which("node")
    if node is None:
        raise LocalnetError(
            f"node is missing: install Node.js 18 or newer (Debian: apt install nodejs npm). {_OTHERWISE}"
        )
    module = fetch(cache)
    for wanted in (port, port + 1):
        _require_free(wanted)
    with as_file(files("meterchain") / "surfnet.cjs") as script, tempfile.TemporaryFile() as errors:
        command = [node, str(script), str(module), str(port), str(slot_ms), blocks]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as process:
            try:
                _await_ready(process, start_timeout_s, errors)
                yield Localnet(f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port + 1}", process)
            finally:
                _stop(process)


def _await_ready(process: subprocess.Popen[bytes], timeout_s: float, errors: IO[bytes]) -> None:
    if process.stdout is None:
        raise LocalnetError("the local chain has no output to read")
    heard, _, _ = select.select([process.stdout], [], [], timeout_s)
    line = process.stdout.readline() if heard else b""
    if b"ready" not in line:
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip()[-500:]
        raise LocalnetError(f"Surfnet did not start in {timeout_s:.0f} s: {said or 'it said nothing'}. {_OTHERWISE}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalnetError(
                f"port {port} is in use: stop what listens there, or choose another with --port"
            ) from error


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "meterbridge"
