"""The committed programs: complete, consistent with their manifest, their ids those of the development keys."""

import shutil
from pathlib import Path

import pytest

from meterchain import programs
from meterchain.programs import ArtifactError, Programs

PACKAGE = Path(programs.__file__).parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in ("idl", "artifacts"):
        shutil.copytree(PACKAGE / folder, tmp_path / folder)
    return tmp_path


def test_every_program_has_bytes_an_idl_and_a_place_in_the_manifest(built: Programs) -> None:
    assert {"governance", "registry", "oracle", "energy_token"} <= set(built)
    for name in built:
        assert built.binary(name)[:4] == b"\x7fELF"
        assert built.manifest()["programs"][name]["program_id"] == str(built.id(name))
        assert built.id(name) == programs.development_key(name).pubkey()
        assert built.by_id[built.id(name)] is built[name]


def test_bytes_that_are_not_the_manifest_s_are_refused(copy: Path) -> None:
    (copy / "artifacts/oracle.so").write_bytes(b"\x7fELF, but another")
    with pytest.raises(ArtifactError, match="make programs WRITE=1"):
        programs.load(copy).binary("oracle")


def test_a_program_that_was_not_built_says_how_to_build_it(copy: Path) -> None:
    (copy / "artifacts/oracle.so").unlink()
    (copy / "idl/registry.json").unlink()
    found = programs.load(copy)
    assert "registry" not in found
    with pytest.raises(ArtifactError, match="CRATE=oracle"):
        found.binary("oracle")
    with pytest.raises(ArtifactError, match="CRATE=registry"):
        found.id("registry")
