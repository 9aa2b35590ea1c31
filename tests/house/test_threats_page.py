"""docs/threats.md names tests that exist, and each threat once."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "threats.md").read_text("utf-8")
ROW = re.compile(r"^\| ([A-Z]\d+b?) \| .+ \| (.+) \|$", re.M)
NAMED = re.compile(r"`([\w/]+\.py)::(\*|\w+)`")
HELD = {found[1]: NAMED.findall(found[2]) for found in ROW.finditer(PAGE)}


@cache
def defined_in(file: str) -> frozenset[str]:
    """Test functions, also those of state machines (which hypothesis collects as `TestCase`)."""
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ) | frozenset(
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.startswith("Test")
    )


def test_the_page_has_every_row_once() -> None:
    ids = [found[1] for found in ROW.finditer(PAGE)]
    assert len(ids) == len(set(ids)) == PAGE.count("\n| ") - PAGE.count("\n| id |")
    assert len(ids) > 80


@pytest.mark.parametrize("threat", HELD)
def test_a_threat_is_held_by_tests_that_exist(threat: str) -> None:
    assert HELD[threat], f"nothing holds {threat}"
    for file, name in HELD[threat]:
        found = defined_in(file)
        assert name in found or (name == "*" and found), f"{threat}: {file}::{name}"
