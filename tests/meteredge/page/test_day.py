"""The day's curve: what moved between two records, and a picture that says it."""

import re
import xml.etree.ElementTree as ET
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.meteredge.node import closing, install_at

from meterchain.embedded import START
from meterchain.units import Mwh
from meteredge.journal import Journal
from meteredge.page.curve import day_curve
from meteredge.page.day import Stretch, last_day
from meteredge.signer import Signer

UTC = ZoneInfo("UTC")


def test_a_slot_is_what_the_registers_moved_within_it(journal: Journal, signer: Signer) -> None:
    rows = [journal.append(closing(n), signer.sign_record) for n in (1, 2, 4)]
    day = last_day(rows, START + 3_600)
    assert [(s.begin - START, s.end - START, s.export_mwh, s.import_mwh) for s in day] == [
        (900, 1_800, 10_000, 1_000),
        (1_800, 3_600, 20_000, 2_000),
    ]
    assert day[0].export_w == 40.0
    assert day[1].import_w == 4.0


def test_what_is_older_than_a_day_is_not_shown(journal: Journal, signer: Signer) -> None:
    rows = [journal.append(closing(n), signer.sign_record) for n in range(1, 5)]
    assert len(last_day(rows, START + 2_000 + 86_400)) == 2


def test_a_register_that_wrapped_and_a_new_install_leave_a_gap(journal: Journal, signer: Signer) -> None:
    rows = [journal.append(closing(1), signer.sign_record)]
    rows.append(journal.append(closing(2, export_mwh=Mwh(5)), signer.sign_record))
    journal.begin_install(install_at(install_id=2))
    rows.append(journal.append(closing(3), signer.sign_record))
    assert last_day(rows, START + 3_600) == ()


@given(
    st.lists(
        st.tuples(st.integers(-5_000, 86_400), st.integers(1, 4_000), st.integers(0, 10**9), st.integers(0, 10**9)),
        max_size=96,
    )
)
def test_any_day_is_well_formed_svg_whose_bars_stay_inside(day: list[tuple[int, int, int, int]]) -> None:
    stretches = [Stretch(begin, begin + length, out, into) for begin, length, out, into in day]
    picture = ET.fromstring(day_curve(stretches, 86_400.0, UTC))  # noqa: S314
    width, height = (float(n) for n in picture.attrib["viewBox"].split()[2:])
    for bar in picture.iter("{http://www.w3.org/2000/svg}rect"):
        x, y, wide, high = (float(bar.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert wide > 0
        assert high > 0
        assert x + wide <= width + 1
        assert y + high <= height


@pytest.mark.parametrize(
    ("now", "hours_of_labels"),
    [
        ("2026-03-29T12:00+00:00", [("12:00", 2), ("06:00", 8), ("00:00", 13), ("18:00", 19)]),  # 92 slots
        ("2026-10-25T12:00+00:00", [("12:00", 1), ("06:00", 7), ("00:00", 14), ("18:00", 20)]),  # 100
        ("2026-06-01T12:00+00:00", [("12:00", 2), ("06:00", 8), ("00:00", 14), ("18:00", 20)]),
    ],
)
def test_the_sites_clock_stands_at_the_right_place_on_days_of_92_96_and_100_slots(
    now: str, hours_of_labels: list[tuple[str, int]]
) -> None:
    text = day_curve([], datetime.fromisoformat(now).timestamp(), ZoneInfo("Europe/Berlin"))
    labels = re.findall(r'x="([0-9.]+)"[^>]*>(\d\d:\d\d)<', text)
    right, width = 632, 580
    assert [(label, round((right - float(x)) / width * 24)) for x, label in labels] == hours_of_labels


def test_the_picture_says_in_words_what_it_shows() -> None:
    text = day_curve([Stretch(0, 900, 1_500_000, 250_000)], 900.0, ZoneInfo("Asia/Bangkok"))
    assert "1.500 kWh exported, 0.250 kWh imported" in text
    assert "no two records yet" in day_curve([], 900.0, UTC)
