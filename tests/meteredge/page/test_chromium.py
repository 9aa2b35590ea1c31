"""The page in a real Chromium with a phone's screen: it fits, it is live, and it asks nobody else for anything."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.meteredge.cabinet import Cabinet
from tests.meteredge.page.browser import Browser, chromium
from tests.meteredge.page.conftest import Serve
from tests.meteredge.page.test_page import BUSY, NOON, board_of

from meteredge.clock import VirtualClock
from meteredge.doctor.sheet import Line, Sheet
from meteredge.page.day import DAY_S, Stretch
from meteredge.page.running import Board

pytestmark = pytest.mark.ci

SHEET = Sheet(
    "METER_001",
    NOON,
    (
        Line("port", "there", "adapter").passed("/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A1B2C3D4-if00-port0"),
        Line("port", "latency", "latency timer").warned(
            "the adapter holds bytes back for 16 ms", "install the udev rule: meterbridge agent install"
        ),
        Line("wire", "answers", "meter answers").passed("unit 1 at 9600 baud 8N1, within 40 ms"),
        Line("meter", "serial", "serial number").passed("10000001, as registered"),
        Line("time", "synchronised", "clock").passed("synchronised, 0.01 s from the chain's"),
        Line("key", "file", "meter key").passed("mode 0600, the registry has its public half"),
        Line("chain", "record", "last record on chain").passed("record 92, 5 min ago"),
        Line("journal", "depth", "records waiting").passed("2, the oldest for 5 min"),
    ),
)


def _sunny_day() -> tuple[Stretch, ...]:
    """96 slots: a household's load, sun from six to six."""
    day = []
    for slot in range(96):
        begin = int(NOON) - DAY_S + 900 * slot
        hour = (begin / 3_600 + 7) % 24  # Bangkok
        sun_w = 4_200 * max(0.0, math.sin((hour - 6) / 12 * math.pi))
        load_w = 350 + 900 * (18 < hour < 22) + 40 * (slot % 5)
        net_wh = (sun_w - load_w) / 4
        day.append(Stretch(begin, begin + 900, round(max(net_wh, 0) * 1_000), round(max(-net_wh, 0) * 1_000)))
    return tuple(day)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with chromium(tmp_path / "profile") as opened:
        yield opened


@pytest.fixture
def board(cabinet: Cabinet) -> Board:
    """A node on a sunny day, as its page shows it."""
    board = board_of(cabinet)
    board._snapshot = replace(BUSY, meters=(replace(BUSY.meters[0], day=_sunny_day(), sheet=SHEET),))
    return board


def test_a_phone_shows_the_sheet_and_the_day_and_follows_the_node(
    browser: Browser, board: Board, serve: Serve, tmp_path: Path
) -> None:
    browser.open(serve(board))
    assert browser.wait_for("document.getElementById('live').textContent==='live'"), browser.messages()
    assert browser.run("return document.querySelectorAll('svg rect').length") >= 96
    assert browser.run("return document.querySelectorAll('li').length") == len(SHEET.checks)
    assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth"), "nothing sticks out"
    browser.screenshot(tmp_path / "page.png")
    board.clock = VirtualClock(NOON + 60)
    board.look()  # the cabinet's agent does not run: the page must tell within a second or two
    assert browser.wait_for("document.querySelector('.state.bad')")
    assert browser.messages() == []


def test_it_asks_nobody_else_and_runs_no_other_script(browser: Browser, board: Board, serve: Serve) -> None:
    address = serve(board)
    browser.open(address)
    assert browser.wait_for("document.getElementById('live').textContent==='live'")
    asked = browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(name.startswith((address, "data:")) for name in asked), asked
    browser.run(
        "const s=document.createElement('script');s.textContent='window.broken=1';document.body.appendChild(s);"
        "document.querySelector('main').innerHTML='<img src=x onerror=\"window.broken=2\">'"
    )
    assert browser.run("return window.broken === undefined")
    assert any("Content Security Policy" in message for message in browser.messages()), "the attempt was seen"
