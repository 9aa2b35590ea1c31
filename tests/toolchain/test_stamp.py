"""Other ids in a copy of the sources."""

from pathlib import Path

import pytest
from solders.keypair import Keypair

from toolchain.stamp import stamp
from toolchain.workspace import WorkspaceError, read_workspace


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "alpha.json").write_text(Keypair.from_seed(bytes(32)).to_json())
    return folder


def test_every_declaration_of_the_copy_has_the_new_id(workspace_root: Path, keys: Path, tmp_path: Path) -> None:
    stamped = stamp(read_workspace(workspace_root), keys, tmp_path / "copy")
    assert stamped.program_id("alpha") == str(Keypair.from_seed(bytes(32)).pubkey())
    assert [path.name for path in stamped.declaring_files("alpha")] == ["lib.rs", "lib.rs"]


def test_the_sources_themselves_stay(workspace_root: Path, keys: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in workspace_root.rglob("*") if path.is_file()}
    stamp(read_workspace(workspace_root), keys, tmp_path / "copy")
    assert {path: path.read_bytes() for path in workspace_root.rglob("*") if path.is_file()} == before


def test_a_copy_of_before_is_replaced(workspace_root: Path, keys: Path, tmp_path: Path) -> None:
    (tmp_path / "copy/alpha/src").mkdir(parents=True)
    (tmp_path / "copy/alpha/src/old.rs").write_text("old")
    stamp(read_workspace(workspace_root), keys, tmp_path / "copy")
    assert not (tmp_path / "copy/alpha/src/old.rs").exists()


def test_a_missing_keypair_is_named(workspace_root: Path, keys: Path, tmp_path: Path) -> None:
    (keys / "alpha.json").unlink()
    with pytest.raises(WorkspaceError, match=r"alpha\.json is missing"):
        stamp(read_workspace(workspace_root), keys, tmp_path / "copy")


def test_a_file_that_is_no_keypair_is_named(workspace_root: Path, keys: Path, tmp_path: Path) -> None:
    (keys / "alpha.json").write_text("[1, 2, 3]")
    with pytest.raises(WorkspaceError, match=r"alpha\.json is no keypair file"):
        stamp(read_workspace(workspace_root), keys, tmp_path / "copy")


def test_an_id_that_is_written_elsewhere_is_refused(workspace_root: Path, keys: Path, tmp_path: Path) -> None:
    (workspace_root / "common/src/lib.rs").write_text('pub const ALPHA: &str = "11111111111111111111111111111112";\n')
    with pytest.raises(WorkspaceError, match="outside declare_id"):
        stamp(read_workspace(workspace_root), keys, tmp_path / "copy")
