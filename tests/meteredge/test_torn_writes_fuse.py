"""The same power cuts beneath a real kernel: a file system in user space that drops, tears and reorders.

Here a commit goes through write(2) and fsync(2) as it does in the field, and nothing of SQLite is replaced.  Besides,
real disks that are full or became read-only.
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.meteredge.node import closing, install_at
from tests.meteredge.torn.lives import NAME, Life
from tests.meteredge.torn.medium import POWER

from meteredge.journal import Identity, Journal
from meteredge.journal_schema import JournalUnwritable
from meteredge.signer import Signer

pytestmark = pytest.mark.ci
CUTS = 100
ROOT = Path(__file__).parents[2]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An empty disk without power."""
    folder = tmp_path / "disk"
    folder.mkdir()
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.meteredge.torn.fuse_disk", str(folder)], cwd=ROOT, stderr=subprocess.PIPE
    )
    assert server.stderr is not None
    try:
        while not folder.is_mount():
            with suppress(subprocess.TimeoutExpired):
                server.wait(0.02)
            assert server.returncode is None, server.stderr.read().decode()
        yield folder
        subprocess.run(["fusermount3", "-u", "-z", folder], check=True)
        server.wait(10)
    finally:
        server.kill()
        server.wait()
        server.stderr.close()


def turn_on(disk: Path, seed: int, changes: int) -> None:
    os.setxattr(disk, POWER, b"%d %d" % (seed, changes))


def harm_on(disk: Path, life: Life, cuts: int) -> Iterator[str]:
    """One journal on one disk over `cuts` cuts."""
    for number in range(cuts):
        chance = random.Random(number)
        turn_on(disk, number, chance.randrange(chance.choice((30, 300))))
        life.live(disk, chance)
        assert os.getxattr(disk, POWER) == b"0"
        turn_on(disk, number, 1_000_000)
        yield from (f"cut {number}: {sentence}" for sentence in life.harm_of(disk))


def test_beneath_a_real_kernel_a_journal_loses_no_acknowledged_record_over_100_power_cuts(
    disk: Path, identity: Identity, signer: Signer
) -> None:
    life = Life(identity, signer)
    assert list(harm_on(disk, life, CUTS)) == []
    assert len(life.acknowledged) > CUTS


@pytest.mark.parametrize("pragma", ["synchronous = NORMAL", "journal_mode = DELETE"])
def test_beneath_a_real_kernel_the_same_cuts_find_a_journal_that_is_kept_less_safely(
    disk: Path, identity: Identity, signer: Signer, pragma: str
) -> None:
    harm = harm_on(disk, Life(identity, signer, (pragma,)), CUTS)
    assert any("acknowledged and is lost" in sentence for sentence in harm)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def append_until_refused(journal: Journal, signer: Signer) -> str:
    """Append records until the disk refuses one; what is then said."""
    last = journal.last_signed()
    assert last is not None
    for n in range(last.seq + 1, last.seq + 1_000):
        try:
            journal.append(closing(n), signer.sign_record)
        except JournalUnwritable as refused:
            return str(refused)
    raise AssertionError("the disk took everything")


def test_a_disk_that_is_full_says_so_loses_nothing_and_goes_on_when_there_is_room(
    small_disk: Path, identity: Identity, signer: Signer
) -> None:
    journal = Journal.open(small_disk / NAME, identity)
    journal.begin_install(install_at())
    (small_disk / "logs").write_bytes(bytes(32_768))
    assert "Free some disk space" in append_until_refused(journal, signer)
    stored = journal.last_rows(1_000)
    (small_disk / "logs").unlink()
    assert journal.append(closing(len(stored) + 1), signer.sign_record).seq == len(stored) + 1
    journal.close()
    again = Journal.open(small_disk / NAME, identity)
    assert again.last_rows(1_000)[:-1] == stored
    again.close()


def test_a_disk_that_became_read_only_says_so_loses_nothing_and_goes_on_when_it_is_cured(
    small_disk: Path, identity: Identity, signer: Signer
) -> None:
    journal = Journal.open(small_disk / NAME, identity)
    journal.begin_install(install_at())
    row = journal.append(closing(1), signer.sign_record)
    journal.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(JournalUnwritable, match="Read-only file system"):
        Journal.open(small_disk / NAME, identity)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    again = Journal.open(small_disk / NAME, identity)
    assert again.last_rows(5) == [row]
    again.close()
