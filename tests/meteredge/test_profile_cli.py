"""`meterbridge profile`: models for people and machines, a new one from a file alone."""

import json
import re
from pathlib import Path

import pytest

from meterbridge.__main__ import main
from meteredge.profiles import load, names

PAGE = Path(__file__).parents[2] / "docs" / "profiles.md"


def test_the_list_names_every_model_and_what_is_not_confirmed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["profile"] for row in rows] == list(names())
    assert all(row["not_confirmed"] == list(load(row["profile"]).warnings()) for row in rows)
    assert main(["profile", "list"]) == 0
    assert "eastron-sdm630" in capsys.readouterr().out


def test_a_model_is_shown_with_its_requests_and_its_doubts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "show", "dtsu666", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [ask["for"] for ask in shown["requests"]][:3] == ["witness", "energy", "witness"]
    assert any("scale_by is unconfirmed" in line for line in shown["not_confirmed"])
    assert main(["profile", "show", "dtsu666"]) == 0
    told = capsys.readouterr().out
    assert "function 3, 2 words at 0x101E" in told
    assert all(line in told for line in shown["not_confirmed"])


def test_the_page_s_new_meter_is_shown_from_its_file_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = next(text for text in re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL) if "Acme" in text)
    path = tmp_path / "acme-em1.toml"
    path.write_text(example)
    assert main(["profile", "show", str(path)]) == 0
    assert capsys.readouterr().out.startswith("acme-em1: Acme EM1, single")


def test_what_is_no_profile_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "show", "sdm999"]) == 2
    assert "sdm999" in capsys.readouterr().err
