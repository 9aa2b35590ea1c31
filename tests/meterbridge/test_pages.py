"""`meterbridge docs`: the pages, offline."""

import json

import pytest

from meterbridge.__main__ import main
from meterbridge.pages import NoSuchPage, read_page, topics


def test_every_page_is_listed_with_its_heading(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs"]) == 0
    listed = capsys.readouterr().out
    assert {"README", "operator", "technician"} <= set(topics())
    assert all(name in listed for name in topics())


def test_a_page_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs", "README"]) == 0
    assert "Documentation" in capsys.readouterr().out


def test_a_page_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs", "README", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["topic"] == "README"


def test_a_page_that_is_not_there_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs", "operater"]) == 2
    assert capsys.readouterr().err == "meterbridge: no page 'operater'; did you mean 'operator'?\n"
    with pytest.raises(NoSuchPage, match="lists them"):
        read_page("zzzz")
