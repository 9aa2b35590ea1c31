"""The sheet: its order, its worst line, its exit code, its document."""

import json
import subprocess
import sys

import pytest

from meteredge.doctor.sheet import Check, Line, Sheet, Verdict, sheet_from

LINE = Line("port", "port", "port")
GOOD, DOUBTFUL, BAD = LINE.passed("is open"), LINE.warned("is slow", "look"), LINE.failed("is gone", "plug it in")
LEFT_OUT = LINE.left_out("there is none")


@pytest.mark.parametrize(
    ("checks", "worst", "code", "strict"),
    [
        ((), Verdict.PASS, 0, 0),
        ((GOOD, LEFT_OUT), Verdict.PASS, 0, 0),
        ((DOUBTFUL, GOOD), Verdict.WARN, 0, 1),
        ((GOOD, BAD, DOUBTFUL), Verdict.FAIL, 1, 1),
    ],
)
def test_the_exit_code_is_the_worst_line(checks: tuple[Check, ...], worst: Verdict, code: int, strict: int) -> None:
    sheet = Sheet("METER_001", 0.0, checks)
    assert (sheet.worst, sheet.exit_code(), sheet.exit_code(strict=True)) == (worst, code, strict)


def test_problems_come_with_the_worst_first() -> None:
    assert Sheet(None, 0.0, (DOUBTFUL, GOOD, BAD)).problems == (BAD, DOUBTFUL)


def test_sections_stand_in_the_order_of_the_line_from_the_terminals_to_the_chain() -> None:
    disk = Line("host", "disk", "disk").passed("room")
    assert [name for name, _ in Sheet(None, 0.0, (disk, GOOD)).sections()] == ["port", "host"]


def test_a_sheet_survives_json() -> None:
    sheet = Sheet("METER_001", 12.5, (GOOD, DOUBTFUL, BAD, LEFT_OUT))
    assert sheet_from(json.loads(json.dumps(sheet.document()))) == sheet


@pytest.mark.parametrize("document", [{}, {"schema": 2}, {"schema": 1, "checks": [{"verdict": "fine"}]}])
def test_what_is_no_sheet_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"sheet|schema|Verdict"):
        sheet_from(document)


@pytest.mark.parametrize(("verdict", "step"), [(Verdict.FAIL, None), (Verdict.WARN, ""), (Verdict.PASS, "do it")])
def test_what_is_wrong_has_a_next_step_and_nothing_else_has(verdict: Verdict, step: str | None) -> None:
    with pytest.raises(ValueError, match="next step"):
        Check("port", "port", "port", verdict, "a fact", step)


def test_the_sheet_and_its_checks_load_nothing_that_draws() -> None:
    code = "import sys, meteredge.doctor.checks; print({'typer', 'rich', 'textual', 'starlette'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
