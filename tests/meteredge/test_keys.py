"""Key files: whole or not there, private or refused, and never made by accident."""

import json
import os
import stat
from pathlib import Path

import pytest
from solders.keypair import Keypair

from meteredge.keys import (
    KeyFileError,
    KeyMissing,
    create_key,
    load_credential,
    load_key,
    load_relayer,
    replace_key,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "meter.key"


def test_a_key_made_here_is_the_key_that_is_read(path: Path) -> None:
    made = create_key(path)
    assert bytes(load_key(path)) == bytes(made)
    assert len(path.read_bytes()) == 32


def test_a_new_key_is_readable_by_its_owner_alone_and_leaves_nothing_else_behind(path: Path) -> None:
    create_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["meter.key"]


def test_a_key_is_never_overwritten(path: Path) -> None:
    first = create_key(path)
    with pytest.raises(KeyFileError, match="there is a key already"):
        create_key(path)
    assert bytes(load_key(path)) == bytes(first)


def test_a_key_that_somebody_else_made_in_the_meantime_is_never_overwritten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def overtaken(draft: Path, target: Path) -> None:
        path.write_bytes(b"the other one's")
        link(draft, target)

    monkeypatch.setattr(os, "link", overtaken)
    with pytest.raises(KeyFileError, match="there is a key already"):
        create_key(path)
    assert path.read_bytes() == b"the other one's"
    assert [entry.name for entry in path.parent.iterdir()] == ["meter.key"]


@pytest.fixture
def acts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is synced and what is named, in its order."""
    seen: list[str] = []
    sync, link, replace = os.fsync, os.link, os.replace

    def synced(descriptor: int) -> None:
        seen.append("sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        sync(descriptor)

    def linked(source: Path, target: Path) -> None:
        seen.append(f"name {target.name}")
        link(source, target)

    def replaced(source: Path, target: Path) -> None:
        seen.append(f"name {Path(target).name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "link", linked)
    monkeypatch.setattr(os, "replace", replaced)
    return seen


def test_a_key_is_on_the_medium_before_it_has_its_name_and_so_is_the_name_afterwards(
    path: Path, acts: list[str]
) -> None:
    create_key(path)
    assert acts == ["sync file", "name meter.key", "sync folder"]
    waiting = path.with_name("meter.key.next")
    create_key(waiting)
    acts.clear()
    replace_key(waiting, path)
    assert acts == ["name meter.key", "sync folder"]


def test_a_key_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_key(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(KeyFileError, match="belongs to user"):
        load_key(path)


def test_a_dangling_link_is_not_a_free_place(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="there is a key already"):
        create_key(path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_key_is_an_error_and_makes_no_new_identity(path: Path) -> None:
    with pytest.raises(KeyMissing, match="is missing; put the file back"):
        load_key(path)
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o644, 0o604, 0o700, 0o620])
def test_a_key_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    create_key(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_key(path)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_key_of_another_size_is_refused(path: Path, size: int) -> None:
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=f"has {size} bytes instead of 32"):
        load_key(path)


def test_a_link_in_place_of_the_key_is_refused(path: Path, tmp_path: Path) -> None:
    create_key(tmp_path / "other.key")
    path.symlink_to(tmp_path / "other.key")
    with pytest.raises(KeyFileError, match="cannot be read"):
        load_key(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="nothing was made"):
        create_key(tmp_path / "none" / "meter.key")


def test_a_systemd_credential_is_read_from_its_directory(tmp_path: Path) -> None:
    made = create_key(tmp_path / "meter.key")
    (tmp_path / "meter.key").chmod(0o440)  # an access list for our user shows so
    assert bytes(load_credential("meter.key", {"CREDENTIALS_DIRECTORY": str(tmp_path)})) == bytes(made)


def test_a_credential_without_systemd_is_an_error_not_a_search(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="CREDENTIALS_DIRECTORY is not set"):
        load_credential("meter.key", {})


@pytest.mark.parametrize("name", ["../meter.key", "a/b", "..", ""])
def test_a_credential_name_cannot_leave_its_directory(name: str, tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="not the name of a systemd credential"):
        load_credential(name, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_a_credential_that_anybody_may_read_is_refused(tmp_path: Path) -> None:
    create_key(tmp_path / "meter.key")
    (tmp_path / "meter.key").chmod(0o444)
    with pytest.raises(KeyFileError, match="mode 0444"):
        load_credential("meter.key", {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_a_wallet_of_solana_keygen_is_read(tmp_path: Path) -> None:
    wallet = Keypair()
    file = tmp_path / "relayer.json"
    file.write_text(json.dumps(list(bytes(wallet))))
    file.chmod(0o600)
    assert load_relayer(file) == wallet


@pytest.mark.parametrize("text", ["", "[]", "{}", "[1, 2]", json.dumps([1] * 64), json.dumps([999] * 64), '"abc"'])
def test_what_is_no_wallet_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "relayer.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(KeyFileError, match="not a wallet"):
        load_relayer(file)
