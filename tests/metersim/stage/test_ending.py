"""metersim.stage.ending and cli: what people and machines read, and the exit code."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from solders.pubkey import Pubkey
from typer.testing import CliRunner

from meterchain.audit import Audit, Check, MeterLine
from meterchain.units import Atoms, Mwh
from metersim.stage import cli
from metersim.stage.demo import MeterResult, Options, Outcome, Sums
from metersim.stage.ending import tell
from metersim.stage.show import Show

LINE = MeterLine("METER_001", Pubkey.default(), Mwh(5), Mwh(3), Atoms(5_000), Atoms(3_000))
GOOD = Audit((LINE,), (Check("METER_001: minted atoms = 1,000 x credited export mWh", ok=True, detail="5000"),))
BAD = replace(
    GOOD, checks=(*GOOD.checks, Check("the supply is what was minted less what was burned", ok=False, detail="7"))
)
SUMS = Sums(4, 4, 0, 1_500_000, 250_000, 1_500_000_000, 250_000_000)


def outcome(audit: Audit, meters: int = 2) -> Outcome:
    results = tuple(
        MeterResult(f"METER_{n:03}", "dtsu666", "student", 98_765_430_000, 12_345_670_000, SUMS)
        for n in range(1, meters + 1)
    )
    return Outcome(Options(meters, 4, 7), "embedded", results, audit, (1_400, 1_450), 30_000, 12.345)


def told(what: Outcome) -> str:
    out = StringIO()
    tell(what, Console(file=out, width=80))
    return out.getvalue()


def test_the_table_fits_eighty_columns_and_is_not_cut() -> None:
    text = told(outcome(GOOD))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for part in (
        "METER_002",
        "98,765.430",
        "12,345.670",
        "1.500",
        "0.250",
        "audit ok: minted atoms = 1,000 x credited",
    ):
        assert part in text


def test_a_failed_audit_names_what_failed() -> None:
    text = told(outcome(BAD))
    assert "failed the supply is what was minted less what was burned: 7" in " ".join(text.split())
    assert "audit failed: 1 of 2 checks" in text


def test_the_document_has_the_fields_of_schema_1() -> None:
    document = outcome(GOOD, meters=1).document()
    numbers = {
        "signed": 4, "final": 4, "refused": 0, "export_mwh": 1_500_000, "import_mwh": 250_000,
        "minted_atoms": 1_500_000_000, "burned_atoms": 250_000_000,
    }  # fmt: skip
    assert document == {
        "schema": 1,
        "seed": 7,
        "chain": "embedded",
        "meters": [{"id": "METER_001", **numbers}],
        "totals": numbers,
        "epochs": [],
        "audit": {"ok": True, "checks": [{"name": GOOD.checks[0].name, "ok": True}]},
        "cu": {"submit_meter_data": {"n": 2, "max": 1_450}},
        "fees_lamports": 30_000,
        "wall_s": 12.345,
    }


def playing(audit: Audit) -> Callable[[Options, Show], Outcome]:
    return lambda _options, _show: outcome(audit)


@pytest.mark.parametrize(("audit", "code"), [(GOOD, 0), (BAD, 1)])
def test_the_exit_code_is_the_audits(monkeypatch: pytest.MonkeyPatch, audit: Audit, code: int) -> None:
    monkeypatch.setattr(cli, "play", playing(audit))
    result = CliRunner().invoke(cli.app, ["--json"])
    assert result.exit_code == code
    assert json.loads(result.stdout)["audit"]["ok"] is (code == 0)


def test_the_report_is_written_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cli, "play", playing(GOOD))
    assert CliRunner().invoke(cli.app, ["--json", "--report", str(tmp_path / "day.html")]).exit_code == 0
    assert "1 of 1 checks hold" in (tmp_path / "day.html").read_text("utf-8")
    assert CliRunner().invoke(cli.app, ["--report", str(tmp_path / "no" / "day.html")]).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [["--meters", "0"], ["--slots", "97"], ["--meters", "2", "--port", "/dev/null"], ["--meter", "sdm630"], ["--bad"]],
)
def test_wrong_use_is_exit_code_2(words: list[str]) -> None:
    assert CliRunner().invoke(cli.app, words).exit_code == 2
