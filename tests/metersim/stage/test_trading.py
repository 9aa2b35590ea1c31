"""metersim.stage.trading and report: owners trade what was measured, and the page shows it."""

import re
from html.parser import HTMLParser
from io import StringIO
from itertools import pairwise

import pytest
from rich.console import Console

from metersim.stage.demo import Options, Outcome, play
from metersim.stage.ending import tell
from metersim.stage.report import page
from metersim.stage.show import Silent


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """Six meters, three slots: some have a surplus, some a need."""
    return play(Options(meters=6, slots=3, seed=1), Silent())


def test_every_slot_is_followed_by_an_epoch_that_is_settled(outcome: Outcome) -> None:
    epochs = [each.epoch for each in outcome.epochs]
    assert len(epochs) == 3
    assert [later - earlier for earlier, later in pairwise(epochs)] == [900, 900]
    assert sum(each.volume_wh for each in outcome.epochs) > 0
    assert all(each.settled and 0 < each.orders <= 6 for each in outcome.epochs)


def test_each_epoch_cleared_where_its_curves_cross(outcome: Outcome) -> None:
    assert outcome.market is not None
    for each in outcome.epochs:
        found = each.curve.crossing
        assert (each.entry.volume_lots, each.entry.tick) == ((found.volume, found.tick) if found else (0, 0))


def test_the_audit_holds_over_both_tokens(outcome: Outcome) -> None:
    assert outcome.audit.ok, [check for check in outcome.audit.checks if not check.ok]
    names = " ".join(check.name for check in outcome.audit.checks)
    assert "the money vault holds what is owed" in names
    assert "the GRID vault holds what is owed" in names


def test_no_more_is_sold_than_the_meters_minted(outcome: Outcome) -> None:
    sold = sum(each.volume_wh for each in outcome.epochs) * 1_000_000
    assert 0 < sold <= outcome.totals.minted_atoms


def test_the_table_of_epochs_fits_eighty_columns(outcome: Outcome) -> None:
    out = StringIO()
    tell(outcome, Console(file=out, width=80))
    assert "baht/kWh" in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 80
    assert "…" not in out.getvalue()


class Page(HTMLParser):
    """Counts what is on a page, and what it wants from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.wanted: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.wanted += [value or "" for name, value in attrs if name in {"src", "href"}]


def test_the_report_is_one_page_that_needs_nothing_else(outcome: Outcome) -> None:
    text, seen = page(outcome), Page()
    seen.feed(text)
    assert seen.wanted == []
    assert "url(" not in text
    assert seen.tags.count("svg") == 1 + len(outcome.epochs), "the day, and each epoch"
    assert "script" not in seen.tags
    assert re.search(r"(\d+) of \1 checks hold", text)
    for meter in outcome.meters:
        assert meter.meter_id in text
