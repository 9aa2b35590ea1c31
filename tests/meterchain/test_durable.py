"""Files that outlive a power cut: what is on the medium, in which order, and what a full disk leaves."""

import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from meterchain.durable import new_file, write_new, write_once, write_whole

BIG = 65_536
WRITERS: list[Callable[[Path, bytes], None]] = [write_new, write_once, write_whole]


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, bytes]]]:
    """What was synced, a file or the folder, and what the folder held then."""
    seen: list[tuple[str, dict[str, bytes]]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        what = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        seen.append((what, {path.name: path.read_bytes() for path in tmp_path.iterdir()}))

    monkeypatch.setattr(os, "fsync", fsync)
    return seen


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process grows further: what a full disk says, by another number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_replaces_a_file_is_synced_before_it_has_the_name_and_the_name_after(
    tmp_path: Path, synced: list[tuple[str, dict[str, bytes]]]
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    write_whole(tmp_path / "a", b"new")
    assert synced == [("file", {"a": b"old", "a.new": b"new"}), ("folder", {"a": b"new"})]


def test_a_secret_is_synced_before_it_has_its_name_and_its_name_after(
    tmp_path: Path, synced: list[tuple[str, dict[str, bytes]]]
) -> None:
    write_once(tmp_path / "key", b"seed")
    (first, before), last = synced
    assert first == "file"
    assert "key" not in before
    assert list(before.values()) == [b"seed"]
    assert last == ("folder", {"key": b"seed"})


@pytest.mark.parametrize("write", [write_new, write_once])
def test_a_new_file_is_its_owners_alone_and_takes_nobodys_place(
    tmp_path: Path, write: Callable[[Path, bytes], None]
) -> None:
    write(tmp_path / "key", b"seed")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("key", "link"):
        with pytest.raises(FileExistsError):
            write(tmp_path / name, b"other")
    assert (tmp_path / "key").read_bytes() == b"seed"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "link"]


@pytest.mark.parametrize("write", WRITERS)
def test_a_disk_without_room_is_told_and_left_as_it_was(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    with room_for(BIG - 1), pytest.raises(OSError, match="too large"):
        write(tmp_path / "a", bytes(BIG))
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "a", bytes(BIG))


def test_a_file_that_cannot_be_replaced_stays(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"old")
    with room_for(BIG - 1), pytest.raises(OSError, match="too large"):
        write_whole(tmp_path / "a", bytes(BIG))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


def test_what_a_cut_left_of_a_draft_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "a.new").write_bytes(b"half of something longer")
    write_whole(tmp_path / "a", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"new"}


def test_a_file_whose_writer_gives_up_is_not_there(tmp_path: Path) -> None:
    def give_up() -> None:
        with new_file(tmp_path / "a") as file:
            file.write(b"begun")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up()
    assert list(tmp_path.iterdir()) == []
