"""Whole builds of a real program: the same bytes elsewhere, nothing done twice, other ids."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from solders.keypair import Keypair

from toolchain.artifacts import Artifacts
from toolchain.workspace import read_workspace

ROOT = Path(__file__).parents[2] / "programs"
COMMITTED = Artifacts(ROOT / "meterchain")
PROGRAM = "governance"

pytestmark = pytest.mark.ci


def toolchain(*options: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "toolchain", "--crate", PROGRAM, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def stamped(keys: Path, out: Path) -> Artifacts:
    done = toolchain("--keys", keys, "--out", out)
    assert done.returncode == 0, done.stderr
    return Artifacts(out)


def test_an_unchanged_program_costs_about_a_second() -> None:
    first = toolchain()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    second = toolchain()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 3, "seconds of CPU, since others are at work, too"
    assert second.returncode == first.returncode
    assert f"unchanged: {PROGRAM}" in second.stderr


def test_another_directory_and_cold_caches_give_the_same_bytes(tmp_path: Path) -> None:
    """The development ids stamped once more: a copy of the sources, with target directories of its own."""
    out = stamped(ROOT / "keys", tmp_path / "out")
    assert out.so(PROGRAM).read_bytes() == COMMITTED.so(PROGRAM).read_bytes()
    assert out.idl(PROGRAM).read_bytes() == COMMITTED.idl(PROGRAM).read_bytes()


def test_other_keys_give_a_program_with_other_ids_and_leave_the_committed_one(tmp_path: Path) -> None:
    before = COMMITTED.so(PROGRAM).read_bytes()
    keys, names = tmp_path / "keys", read_workspace(ROOT).programs()
    keys.mkdir()
    new = {name: Keypair.from_seed(bytes([index]) * 32) for index, name in enumerate(names, 1)}
    for name, keypair in new.items():
        (keys / f"{name}.json").write_text(keypair.to_json())
    out = stamped(keys, tmp_path / "out")
    so, id_ = out.so(PROGRAM).read_bytes(), new[PROGRAM].pubkey()
    old = Keypair.from_json((ROOT / f"keys/{PROGRAM}.json").read_text()).pubkey()
    assert json.loads(out.idl(PROGRAM).read_text())["address"] == str(id_)
    assert out.entries()[PROGRAM]["program_id"] == str(id_)
    assert bytes(old) not in so
    assert COMMITTED.so(PROGRAM).read_bytes() == before
