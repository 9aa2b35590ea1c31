"""What the builder knows of the workspace, and what the source hash covers."""

import tomllib
from pathlib import Path

import pytest

from toolchain.workspace import WorkspaceError, read_workspace, source_hash


def test_a_program_is_a_crate_with_a_program_module(workspace_root: Path) -> None:
    assert read_workspace(workspace_root).programs() == ["alpha"]


def test_a_program_is_built_from_its_path_dependencies(workspace_root: Path) -> None:
    names = [crate.name for crate in read_workspace(workspace_root).built_from("alpha")]
    assert names == ["alpha", "alpha_interface", "common"]


def test_the_id_is_read_from_the_sources(workspace_root: Path) -> None:
    assert read_workspace(workspace_root).program_id("alpha") == "11111111111111111111111111111112"


def test_two_ids_of_one_program_are_an_error(workspace_root: Path) -> None:
    (workspace_root / "alpha/interface/src/lib.rs").write_text('declare_id!("11111111111111111111111111111113");\n')
    with pytest.raises(WorkspaceError, match="one declare_id"):
        read_workspace(workspace_root).program_id("alpha")


def test_a_member_that_is_not_there_is_named(workspace_root: Path) -> None:
    (workspace_root / "common/Cargo.toml").unlink()
    with pytest.raises(WorkspaceError, match=r"common/Cargo\.toml is missing"):
        read_workspace(workspace_root)


def test_a_dependency_outside_of_the_workspace_is_refused(workspace_root: Path) -> None:
    manifest = workspace_root / "common/Cargo.toml"
    manifest.write_text(manifest.read_text() + '[dependencies]\nelse = { path = "../../else" }\n')
    with pytest.raises(WorkspaceError, match="no member of the workspace"):
        read_workspace(workspace_root)


@pytest.mark.parametrize(
    "file",
    [
        "Cargo.toml",
        "Cargo.lock",
        "alpha/Cargo.toml",
        "alpha/src/lib.rs",
        "alpha/src/instructions/go.rs",
        "alpha/interface/src/lib.rs",
        "common/src/lib.rs",
    ],
)
def test_every_file_that_the_build_reads_changes_the_hash(workspace_root: Path, file: str) -> None:
    before = source_hash(read_workspace(workspace_root), "alpha")
    (workspace_root / file).write_text((workspace_root / file).read_text() + "\n")
    assert source_hash(read_workspace(workspace_root), "alpha") != before


def test_a_file_that_changes_its_place_changes_the_hash(workspace_root: Path) -> None:
    before = source_hash(read_workspace(workspace_root), "alpha")
    (workspace_root / "alpha/src/instructions/go.rs").rename(workspace_root / "alpha/src/instructions/gone.rs")
    assert source_hash(read_workspace(workspace_root), "alpha") != before


def test_the_hash_is_the_same_in_another_folder(workspace_root: Path, tmp_path: Path) -> None:
    before = source_hash(read_workspace(workspace_root), "alpha")
    workspace_root.rename(tmp_path / "elsewhere")
    assert source_hash(read_workspace(tmp_path / "elsewhere"), "alpha") == before


def test_what_is_no_source_does_not_change_the_hash(workspace_root: Path) -> None:
    before = source_hash(read_workspace(workspace_root), "alpha")
    (workspace_root / "alpha/tests").mkdir()
    (workspace_root / "alpha/tests/some.rs").write_text("// a test\n")
    (workspace_root / "target").mkdir()
    (workspace_root / "target/x").write_text("x")
    assert source_hash(read_workspace(workspace_root), "alpha") == before


def test_the_official_tools_are_told_of_every_program_and_its_id() -> None:
    root = Path(__file__).parents[2] / "programs"
    anchor, workspace = tomllib.loads((root / "Anchor.toml").read_text()), read_workspace(root)
    assert anchor["workspace"]["members"] == workspace.programs()
    assert anchor["programs"]["localnet"] == {name: workspace.program_id(name) for name in workspace.programs()}
