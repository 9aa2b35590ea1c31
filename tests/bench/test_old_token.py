"""The second column is measured over the program that mainnet ran, byte for byte, or not at all."""

import os
from pathlib import Path

import pytest
from tests.bench import compute, old_token
from tests.bench.old_token import CRATE, INSIDE, VERSION, NoOldToken


def test_other_bytes_are_not_taken_for_the_old_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = tmp_path / "registry/src/index" / f"{CRATE}-{VERSION}" / INSIDE
    place.parent.mkdir(parents=True)
    place.write_bytes(b"\x7fELF and something else")
    monkeypatch.setenv("CARGO_HOME", str(tmp_path))
    with pytest.raises(NoOldToken, match="not the program"):
        old_token.fetch()


def test_without_cargo_the_column_is_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CARGO_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(NoOldToken, match="not installed"):
        old_token.chains()


@pytest.mark.ci
def test_the_old_program_costs_more_where_tokens_move_and_nothing_elsewhere() -> None:
    now, then = compute.measure(), compute.measure(old_token.chains())
    assert then["submit_1"] == now["submit_1"]
    assert 3_000 < then["process_mint"] - now["process_mint"] < 6_000
    assert 6_000 < then["process_mint_burn"] - now["process_mint_burn"] < 12_000
