"""What a slot costs the medium: key `agent.bytes_per_slot` of build/bench.json, and what reaches a block device.

    python -m tests.bench.journal        as root: the journal on ext4 on a loop device

A slot here is all that a journal writes for it: the commit that closes it, the one that marks it final, its share of
checkpoints and of the last close.  `bytes_per_slot` counts what is handed to write(2).  A block device gets whole
blocks, the file system's own journal among them; that is counted where a file system can be mounted.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from nacl.signing import SigningKey
from tests.meteredge.node import DOMAIN, METER_ID, closing, install_at

from meteredge.journal import Identity, Journal
from meteredge.signer import Signer

LIMITS: Mapping[str, float] = {"agent.bytes_per_slot": 3_000}
WORDS = {"agent.bytes_per_slot": "the journal: bytes handed to write() for a slot, states and checkpoints included"}
SLOTS = 2_000
SECTOR = 512
IMAGE_MB = 256
BLOCK = 4_096
"""As mkfs.ext4 takes it for cards of half a gigabyte and more."""
RAM_DISK = "/dev/shm"  # noqa: S108
"""What is handed to write(2) is the same on any file system, and a sync costs nothing on this one."""


def measure() -> dict[str, float]:
    """The number by key: bytes handed to write(2) for a slot."""
    with tempfile.TemporaryDirectory(dir=RAM_DISK) as folder:
        return {"bytes_per_slot": round(per_slot(Path(folder), handed_to_write))}


def per_slot(folder: Path, counter: Callable[[], int]) -> float:
    """How far `counter` rises for a slot, over SLOTS of them, with a journal in `folder`."""
    signer = Signer(SigningKey(b"meter key of the tests, 32 bytes"))
    journal = Journal.open(folder / "bench.journal", Identity(METER_ID, DOMAIN, bytes(signer.public_key)))
    journal.begin_install(install_at())
    before = counter()
    for n in range(1, SLOTS + 1):
        row = journal.append(closing(n), signer.sign_record)
        journal.note_sent(row.install_id, row.seq)
        journal.mark_final(row.install_id, row.seq)
    journal.close()
    return (counter() - before) / SLOTS


def handed_to_write() -> int:
    """Bytes that this process has handed to write(2) and its kin so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


def on_a_block_device() -> float:
    """Bytes for a slot that reach a loop device with ext4 (blocks of 4 KiB, mounted noatime).  Needs root."""
    with tempfile.TemporaryDirectory() as folder:
        image, mount = Path(folder, "image"), Path(folder, "mount")
        mount.mkdir()
        with image.open("wb") as file:
            file.truncate(IMAGE_MB << 20)
        _run("mkfs.ext4", "-q", "-F", "-b", str(BLOCK), image)
        device = _run("losetup", "--find", "--show", image).strip()
        try:
            _run("mount", "-o", "noatime", device, mount)
            try:
                stat = Path("/sys/block", Path(device).name, "stat")

                def reached() -> int:
                    os.sync()
                    return int(stat.read_text().split()[6]) * SECTOR

                time.sleep(12)  # ext4 lays out its inode tables lazily: that is not ours
                return per_slot(mount, reached)
            finally:
                _run("umount", mount)
        finally:
            _run("losetup", "--detach", device)


def _run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    json.dump({**measure(), "block_device_bytes_per_slot": round(on_a_block_device())}, sys.stdout)
