"""Each test is in one tier: what a tier cannot run is deselected by marker, nothing is skipped or expected to fail."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    pattern = re.compile(r"pytest\.(?:mark\.)?(?:skip|xfail|importorskip)")
    assert [str(path.relative_to(ROOT)) for path in SOURCES if pattern.search(path.read_text())] == []


def test_only_the_known_tiers_are_marked() -> None:
    known = {"ci", "soak", "parametrize", "usefixtures", "filterwarnings"}
    used = {mark for path in SOURCES for mark in re.findall(r"pytest\.mark\.(\w+)", path.read_text())}
    assert used <= known
