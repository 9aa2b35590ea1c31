"""Wallet files: private to their owner, or not used at all."""

import stat
from pathlib import Path

import pytest

from meterchain.wallets import WalletError, WalletMissing, create_wallet, load_wallet


def test_a_new_wallet_is_private_and_reads_back(tmp_path: Path) -> None:
    made = create_wallet(tmp_path / "w.json")
    assert stat.S_IMODE((tmp_path / "w.json").stat().st_mode) == 0o600
    assert load_wallet(tmp_path / "w.json", "x") == made


def test_a_wallet_is_never_overwritten(tmp_path: Path) -> None:
    made = create_wallet(tmp_path / "w.json")
    with pytest.raises(WalletError, match="stays"):
        create_wallet(tmp_path / "w.json")
    assert load_wallet(tmp_path / "w.json", "x") == made


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622, 0o700])
def test_a_wallet_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    create_wallet(tmp_path / "w.json")
    (tmp_path / "w.json").chmod(mode)
    with pytest.raises(WalletError, match=r"the wallet of the owner has mode .*chmod 600"):
        load_wallet(tmp_path / "w.json", "the owner")


def test_a_link_and_a_folder_are_refused_and_a_missing_one_says_how_to_make_it(tmp_path: Path) -> None:
    create_wallet(tmp_path / "w.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "w.json")
    with pytest.raises(WalletError, match="link is refused"):
        load_wallet(tmp_path / "link.json", "x")
    with pytest.raises(WalletError, match="plain file"):
        load_wallet(tmp_path, "x")
    with pytest.raises(WalletMissing, match="meterbridge site wallet"):
        load_wallet(tmp_path / "none.json", "x")


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", str([0] * 64), str([256] * 64), "[" + "1," * 63 + '"a"]'])
def test_a_file_that_is_no_wallet_is_told_without_quoting_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "w.json"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(WalletError, match="not a wallet"):
        load_wallet(path, "x")
