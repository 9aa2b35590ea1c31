"""`python -m toolchain` where there is no pinned compiler, or wrong use."""

import subprocess
import sys
from pathlib import Path

import pytest

from toolchain.__main__ import main
from toolchain.artifacts import Artifacts, Built
from toolchain.pins import NoCompilerError, find_compiler
from toolchain.workspace import read_workspace, source_hash


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SBF_RUSTC", str(tmp_path / "nowhere/rustc"))


def write_artifacts(root: Path, hash_: str) -> None:
    built = Built("alpha", "11111111111111111111111111111112", hash_, {}, b"\x7fELF", "{}\n")
    Artifacts(root / "meterchain").write([built], ["alpha"])


@pytest.mark.usefixtures("no_compiler")
def test_without_the_compiler_the_exit_code_is_three_and_one_line_says_what_holds(
    workspace_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_artifacts(workspace_root, source_hash(read_workspace(workspace_root), "alpha"))
    assert main(["--root", str(workspace_root)]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "rustc 1.96.0 is not to be had" in line
    assert "apt-get install rustc-web" in line
    assert "What still holds: the 1 committed programs match their manifest, which names these sources." in line


@pytest.mark.usefixtures("no_compiler")
def test_without_the_compiler_a_stale_program_is_named(
    workspace_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_artifacts(workspace_root, "00" * 32)
    assert main(["--root", str(workspace_root), "--write"]) == 3
    assert "the sources changed since: alpha" in capsys.readouterr().err


@pytest.mark.usefixtures("no_compiler")
def test_without_the_compiler_a_touched_artifact_is_named(
    workspace_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_artifacts(workspace_root, "00" * 32)
    (workspace_root / "meterchain/artifacts/alpha.so").write_bytes(b"touched")
    assert main(["--root", str(workspace_root)]) == 3
    assert "alpha.so is not the file of the manifest" in capsys.readouterr().err


@pytest.mark.usefixtures("no_compiler")
def test_the_compiler_can_be_asked_for_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check-compiler"]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_another_release_of_the_compiler_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "rustc"
    fake.write_text("#!/bin/sh\nprintf 'rustc 1.99.0 (abc 2030-01-01)\\nrelease: 1.99.0\\n'\n")
    fake.chmod(0o755)
    source = tmp_path / "library"
    (source / "core/src").mkdir(parents=True)
    (source / "core/src/lib.rs").touch()
    monkeypatch.setenv("SBF_RUSTC", str(fake))
    monkeypatch.setenv("SBF_CARGO", str(fake))
    monkeypatch.setenv("SBF_RUST_SRC", str(source))
    with pytest.raises(NoCompilerError, match=r"rustc 1\.99\.0 .*pinned to 1\.96\.0"):
        find_compiler()


def test_a_crate_that_is_no_program_is_wrong_use(workspace_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(workspace_root), "--crate", "common"]) == 2
    assert "no program 'common'; there are alpha" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--keys", "k"], ["--out", "o"], ["--write", "--keys", "k", "--out", "o"]])
def test_options_that_contradict_each_other_are_wrong_use(options: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(options)
    assert stopped.value.code == 2


def test_the_command_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "toolchain", "--help"], capture_output=True, text=True, check=True)
    assert "--keys DIR" in done.stdout
