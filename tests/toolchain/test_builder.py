"""What is built and what is not, with a cargo that hands out a prepared program: no Rust needed."""

import io
import json
import sys
from pathlib import Path

import pytest
from tests.toolchain.conftest import LAYOUT
from tests.toolchain.svm import Svm

from toolchain import llvm
from toolchain.build import Builder
from toolchain.cargo import BuildError
from toolchain.collect import ARCHIVE, bundle
from toolchain.pins import Compiler
from toolchain.progress import Progress
from toolchain.sysroot import libraries, place
from toolchain.workspace import read_workspace

CARGO = """#!{python}
import os, pathlib, sys
arguments = sys.argv[1:]
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as log:
    print(*arguments, file=log)
if (here / "fail").exists():
    print((here / "fail").read_text(), file=sys.stderr)
    sys.exit(101)
value = lambda flag: arguments[arguments.index(flag) + 1]
if arguments[0] == "build":
    out = pathlib.Path(value("--target-dir"), value("--target"), "release", value("--package") + ".so")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes((here / "bundle").read_bytes())
    print("   Compiling alpha v0.1.0", file=sys.stderr)
    if (here / "edit").exists():
        pathlib.Path((here / "edit").read_text()).write_text("// edited")
elif arguments[0] == "test":
    print((here / "idl").read_text())
"""
PROGRAM = "define i64 @entrypoint(ptr %input) {\n  ret i64 0\n}\n"
IDL = (
    "--- IDL begin address ---\n11111111111111111111111111111112\n--- IDL end address ---\n"
    '--- IDL begin program ---\n{"metadata": {}, "instructions": []}\n--- IDL end program ---\n'
)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with the pretended cargo, the bundle and the IDL that it hands out."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "cargo").write_text(CARGO.format(python=sys.executable))
    (folder / "cargo").chmod(0o755)
    (folder / "bundle").write_bytes(bundle([bytes(llvm.from_text(LAYOUT + PROGRAM).as_bitcode())]))
    (folder / "idl").write_text(IDL)
    return folder


def builder_of(tools: Path, builtins: bytes, release: str = "1") -> Builder:
    version = f"rustc {release}\nrelease: {release}\ncommit-hash: abcdef\nLLVM version: 22\n"
    compiler = Compiler(Path("/bin/false"), tools / "cargo", tools, version)
    cache = tools / "cache"
    root = place(compiler, cache)
    libraries(root).mkdir(parents=True, exist_ok=True)
    header = b"x".ljust(48) + str(len(builtins)).encode().ljust(10) + b"`\n"
    (libraries(root) / "libcompiler_builtins.rlib").write_bytes(ARCHIVE + header + builtins)
    (root / "done").touch()
    return Builder(compiler, cache, cache, Progress(io.StringIO(), lambda: 0.0, 0.0))


@pytest.fixture
def builder(tools: Path, no_builtins: bytes) -> Builder:
    return builder_of(tools, no_builtins)


def calls(tools: Path) -> list[str]:
    """The cargo commands so far; forgotten afterwards."""
    log = tools / "calls"
    commands = [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []
    log.unlink(missing_ok=True)
    return sorted(commands)


def test_a_program_and_its_idl_are_built(builder: Builder, tools: Path, workspace_root: Path, svm: Svm) -> None:
    (built,) = builder.build(read_workspace(workspace_root), ["alpha"])
    assert json.loads(built.idl)["address"] == built.program_id == "11111111111111111111111111111112"
    assert svm.call(svm.deploy(built.so), b"") == b""
    assert calls(tools) == ["build", "fetch", "test"]


def test_an_unchanged_program_calls_no_cargo(builder: Builder, tools: Path, workspace_root: Path) -> None:
    before = builder.build(read_workspace(workspace_root), ["alpha"])
    calls(tools)
    assert builder.build(read_workspace(workspace_root), ["alpha"]) == before
    assert calls(tools) == []


def test_a_changed_source_is_built_again(builder: Builder, tools: Path, workspace_root: Path) -> None:
    builder.build(read_workspace(workspace_root), ["alpha"])
    calls(tools)
    (workspace_root / "common/src/lib.rs").write_text("// changed\n")
    builder.build(read_workspace(workspace_root), ["alpha"])
    assert calls(tools) == ["build", "fetch", "test"]


def test_another_compiler_builds_again(builder: Builder, tools: Path, workspace_root: Path, no_builtins: bytes) -> None:
    builder.build(read_workspace(workspace_root), ["alpha"])
    calls(tools)
    builder_of(tools, no_builtins, release="2").build(read_workspace(workspace_root), ["alpha"])
    assert calls(tools) == ["build", "fetch", "test"]


@pytest.mark.parametrize("file", ["program.so", "idl.json", "record.json"])
@pytest.mark.parametrize("damage", [b"", b"torn"])
def test_a_damaged_cache_is_not_believed(
    builder: Builder, tools: Path, workspace_root: Path, file: str, damage: bytes
) -> None:
    before = builder.build(read_workspace(workspace_root), ["alpha"])
    (tools / "cache/built/alpha" / file).write_bytes(damage)
    assert builder.build(read_workspace(workspace_root), ["alpha"]) == before


def test_what_cargo_says_is_in_the_error(builder: Builder, tools: Path, workspace_root: Path) -> None:
    (tools / "fail").write_text("error[E0308]: mismatched types")
    with pytest.raises(BuildError, match="mismatched types"):
        builder.build(read_workspace(workspace_root), ["alpha"])


def test_a_lock_file_that_does_not_fit_comes_with_the_next_step(
    builder: Builder, tools: Path, workspace_root: Path
) -> None:
    (tools / "fail").write_text("cannot update the lock file because --locked was passed to prevent this")
    with pytest.raises(BuildError, match="cargo update --workspace"):
        builder.build(read_workspace(workspace_root), ["alpha"])


def test_the_lock_file_is_taken_as_it_is(builder: Builder, tools: Path, workspace_root: Path) -> None:
    builder.build(read_workspace(workspace_root), ["alpha"])
    assert all("--locked" in line for line in (tools / "calls").read_text().splitlines())


def test_sources_that_change_during_the_build_are_refused(builder: Builder, tools: Path, workspace_root: Path) -> None:
    (tools / "edit").write_text(str(workspace_root / "common/src/lib.rs"))
    with pytest.raises(BuildError, match="sources changed during the build"):
        builder.build(read_workspace(workspace_root), ["alpha"])


def test_a_program_without_an_entry_point_is_refused(builder: Builder, tools: Path, workspace_root: Path) -> None:
    (tools / "bundle").write_bytes(b"")
    with pytest.raises(BuildError, match="entrypoint"):
        builder.build(read_workspace(workspace_root), ["alpha"])
