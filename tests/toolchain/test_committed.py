"""The committed programs: they are those of the manifest, of these sources, and the loader takes them."""

from pathlib import Path

import pytest
from tests.toolchain.svm import Svm

from toolchain.artifacts import Artifacts
from toolchain.workspace import read_workspace, source_hash

ROOT = Path(__file__).parents[2] / "programs"
COMMITTED = Artifacts(ROOT / "meterchain")
PROGRAMS = read_workspace(ROOT).programs()


def test_every_file_is_the_one_of_the_manifest() -> None:
    assert COMMITTED.mismatches() == []


def test_every_program_of_the_workspace_is_in_the_manifest() -> None:
    assert sorted(COMMITTED.entries()) == sorted(PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_artifact_was_built_from_these_sources(program: str) -> None:
    stated = COMMITTED.entries()[program]["source_hash"]
    assert stated == source_hash(read_workspace(ROOT), program), "the sources changed: make programs WRITE=1"


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_manifest_states_the_id_of_the_sources(program: str) -> None:
    assert COMMITTED.entries()[program]["program_id"] == read_workspace(ROOT).program_id(program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_upgradeable_loader_accepts_the_program(program: str, svm: Svm) -> None:
    svm.deploy(COMMITTED.so(program).read_bytes())
