"""Artifacts, IDLs and the manifest that ties them to their sources."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from toolchain.artifacts import Artifacts, Built

ALPHA = Built("alpha", "11111111111111111111111111111112", "ab" * 32, {"rustc": "1"}, b"\x7fELF", '{"address": 1}\n')
BETA = replace(ALPHA, name="beta")


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    written = Artifacts(tmp_path)
    written.write([ALPHA, BETA], ["alpha", "beta"])
    return written


def test_what_was_written_does_not_differ(artifacts: Artifacts) -> None:
    assert artifacts.differences([ALPHA, BETA], ["alpha", "beta"]) == []
    assert artifacts.mismatches() == []


def test_the_manifest_names_id_size_hashes_and_tools(artifacts: Artifacts) -> None:
    entry = json.loads(artifacts.manifest.read_text())["programs"]["alpha"]
    assert entry["program_id"] == ALPHA.program_id
    assert entry["size"] == 4
    assert len(entry["sha256"]) == len(entry["idl_sha256"]) == 64
    assert entry["source_hash"] == ALPHA.source_hash
    assert entry["toolchain"] == {"rustc": "1"}
    assert entry["arch"] == "v0"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"so": b"other"}, "alpha.so is not what the sources build"),
        ({"idl": "{}\n"}, "alpha.json is not what the sources build"),
        ({"source_hash": "cd" * 32}, "the entry of alpha is not of this build"),
        ({"toolchain": {"rustc": "2"}}, "the entry of alpha is not of this build"),
    ],
)
def test_every_difference_is_named(artifacts: Artifacts, change: dict[str, object], said: str) -> None:
    differences = artifacts.differences([replace(ALPHA, **change)], ["alpha", "beta"])  # type: ignore[arg-type]
    assert any(said in line for line in differences)


def test_a_missing_file_is_a_difference(artifacts: Artifacts) -> None:
    artifacts.so("beta").unlink()
    assert any("beta.so is missing" in line for line in artifacts.differences([ALPHA, BETA], ["alpha", "beta"]))
    assert any("beta.so is missing" in line for line in artifacts.mismatches())


def test_a_touched_file_does_not_match_the_manifest(artifacts: Artifacts) -> None:
    artifacts.idl("alpha").write_text("{}")
    assert [line.rsplit("/", 1)[1] for line in artifacts.mismatches()] == ["alpha.json is not the file of the manifest"]


def test_a_program_that_is_gone_is_a_difference_and_goes_with_the_next_write(artifacts: Artifacts) -> None:
    assert len(artifacts.differences([ALPHA], ["alpha"])) == 3
    artifacts.write([ALPHA], ["alpha"])
    assert artifacts.differences([ALPHA], ["alpha"]) == []
    assert not artifacts.so("beta").exists()
    assert list(artifacts.entries()) == ["alpha"]


def test_writing_one_program_leaves_the_others(artifacts: Artifacts) -> None:
    artifacts.write([replace(ALPHA, so=b"new")], ["alpha", "beta"])
    assert artifacts.differences([replace(ALPHA, so=b"new"), BETA], ["alpha", "beta"]) == []
