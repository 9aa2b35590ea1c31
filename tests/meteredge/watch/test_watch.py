"""`meterbridge watch`: what it looks at, what its panels say, the screen by textual's pilot and on a real terminal."""

import asyncio
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from dataclasses import replace

import pytest
from tests.meteredge.cabinet import Cabinet
from tests.meteredge.doctor.test_examine import running, unreachable
from tests.meteredge.node import BASELINE_EXPORT, Node
from textual.widgets import Static

from meterbridge.__main__ import main
from meterchain.embedded import START
from meteredge.clock import SystemClock, VirtualClock
from meteredge.config import load
from meteredge.watch.panels import TITLES, panels
from meteredge.watch.screen import Watch
from meteredge.watch.snapshot import BRIDGE_WELL, Live, OnChain, Snapshot, answered_share
from meteredge.watch.source import NodeSource
from metersim.bus.line import Line
from metersim.bus.loop import SegmentPlan
from metersim.bus.running import in_thread as buses_in_thread
from metersim.meters.installation import Installation
from metersim.meters.meter import MeterPlan

NOON = 1_782_043_200.0
BUSY = Snapshot(
    meter_id="METER_001", at=NOON + 300, running=True, timezone="Asia/Bangkok", pid=42,
    live=Live(5_000_000, 7_000_000, -1_500.0, {"voltage": 231.4, "frequency": 50.01, "current": 6.5}),
    last_slot=int(NOON) - 900, bus={"requests": 200, "replies": 190, "no_reply": 10}, port="/dev/ttyUSB0",
    settings="9600 8N1", records={"final": 90, "closed": 2}, delivered_at=NOON,
    chain=OnChain("api.devnet.solana.com", NOON, 90, int(NOON), "active", 120.0),
)  # fmt: skip


def told(now: Snapshot, before: Snapshot | None = None) -> str:
    return "\n".join(f"{what} {much}" for lines in panels(now, before).values() for what, much in lines)


def test_the_panels_say_what_a_technician_looks_for() -> None:
    text = told(BUSY)
    parts = (
        "export 5.000 kWh", "-1,500 W (feeds in)", "voltage 231.4", "ends in 10:00", "waiting 2", "no reply 10",
        "200 questions, 95.00%", "18:45 Asia/Bangkok", "last record 90, 5 min ago", "120 days",
    )  # fmt: skip
    for part in parts:
        assert part in text, part


def test_the_bus_is_judged_by_what_happened_since_the_last_look() -> None:
    before = replace(BUSY, bus={"requests": 190, "replies": 185})
    assert "answered now 50%" in told(BUSY, before)
    assert answered_share({}, {}) is None


@pytest.mark.parametrize(("into_slot_s", "closing"), [(50.0, True), (300.0, False), (897.0, True)])
def test_the_countdown_says_when_slots_are_closed(into_slot_s: float, closing: bool) -> None:
    now = replace(BUSY, at=NOON + into_slot_s)
    assert ("being closed" in told(now)) is closing
    assert now.document()["closing"] is closing


def test_a_node_without_an_agent_shows_its_journal_and_what_to_do(cabinet: Cabinet) -> None:
    source = NodeSource(load(cabinet.config), VirtualClock(NOON), unreachable)
    now = source.look()
    source.close()
    assert not now.running
    assert any("start it" in problem for problem in now.problems)
    assert "no agent runs" in told(now)


def test_beside_an_agent_the_meter_is_read_through_it(enrolled: Cabinet, node: Node) -> None:
    with running(enrolled, node.chain):
        source = NodeSource(load(enrolled.config), SystemClock(), lambda _url: node.chain)
        now = source.look()
        source.close()
    assert now.running
    assert now.live is not None
    assert now.live.export_mwh == BASELINE_EXPORT
    assert now.chain is not None
    assert now.chain.status == "active"


@pytest.mark.parametrize(
    ("age_s", "says"),
    [(5_000, BRIDGE_WELL), (60, "the tamper contact opened 60 s ago, 3 times in all")],
)
def test_beside_an_agent_the_bridge_is_read_through_it(enrolled: Cabinet, node: Node, age_s: int, says: str) -> None:
    line = Line(9_600, "8N1")
    settings = {"uptime": 90_000, "tamper_events": 3, "tamper_age": age_s}
    meter = MeterPlan("sdm120", Installation(1), line, since_utc=START)
    bridge = MeterPlan("bridge", Installation(1), line, unit=247, since_utc=START, settings=settings)
    with buses_in_thread([SegmentPlan(line, (meter, bridge))]) as buses:
        buses.set_time(START)
        enrolled.port, enrolled.more = buses.ports[0], "[bridge]\nunit = 247"
        with running(enrolled, node.chain):
            source = NodeSource(load(enrolled.config), SystemClock(), lambda _url: node.chain)
            now = source.look()
            source.close()
    assert now.bridge == says
    assert ("bridge", says) in panels(now, None)["bus"]
    assert (says in now.problems) is (says != BRIDGE_WELL)


def test_json_is_a_document_a_look(cabinet: Cabinet, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--json", "--count", "2", "--every", "0.5", "--config", str(cabinet.config)]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["meter_id"], first["schema"], first["running"]) == ("METER_001", 1, False)
    assert second["at"] > first["at"]


def test_without_the_part_that_draws_it_says_how_to_get_it(
    cabinet: Cabinet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "textual"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "meteredge.watch.screen")
    monkeypatch.setitem(sys.modules, "textual", None)
    monkeypatch.setitem(sys.modules, "textual.app", None)
    assert main(["watch", "--config", str(cabinet.config)]) == 2
    assert "pip install 'meterbridge[technician]'" in capsys.readouterr().err


# --- the screen


class Looks:
    """A node that is looked at; each look is another minute."""

    def __init__(self) -> None:
        self.number = 0

    def look(self) -> Snapshot:
        self.number += 1
        problems = ("the meter is silent; look at its wires",) if self.number == 2 else ()
        return replace(BUSY, at=NOON + 60 * self.number, problems=problems)


async def _shown(app: Watch, name: str) -> str:
    from rich.console import Console

    console = Console(width=100)
    with console.capture() as captured:
        console.print(app.query_one(f"#{name}", Static).content)
    return captured.get()


async def _drive() -> list[str]:
    looks = Looks()
    app = Watch("METER_001", looks.look, every_s=3_600)
    seen = []
    async with app.run_test(size=(100, 40)) as pilot:
        for _ in range(3):
            await app.workers.wait_for_complete()
            await pilot.pause()
            seen.append(await _shown(app, "slot"))
            seen.append(str(app.query_one("#problems").display))
            await pilot.press("space")
        for name in TITLES:
            assert (await _shown(app, name)).strip() not in ("", "…"), name
        await pilot.press("p")
        assert app.sub_title == "paused"
        await app.workers.wait_for_complete()
        await pilot.press("q")
    assert app.return_code == 0
    return seen


def test_the_screen_shows_each_look_and_leaves_at_q() -> None:
    first, quiet, second, problem, third, quiet_again = asyncio.run(_drive())
    assert "14:00" in first
    assert "13:00" in second
    assert "12:00" in third
    assert (quiet, problem, quiet_again) == ("False", "True", "False")


def test_it_runs_on_a_real_terminal_and_leaves_it_as_it_was(cabinet: Cabinet) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 110, 0, 0))
    before = termios.tcgetattr(theirs)
    environment = os.environ | {"TERM": "xterm-256color"}
    command = [sys.executable, "-m", "meterbridge", "watch", "--config", str(cabinet.config)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True)
    seen = bytearray()
    shown = threading.Event()

    def listen() -> None:
        while True:
            try:
                heard = os.read(ours, 65_536)
            except OSError:
                return
            if not heard:
                return
            seen.extend(heard)
            if b"no agent runs" in re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", bytes(seen)):
                shown.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        assert shown.wait(60), bytes(seen[-2_000:])
        os.write(ours, b"q")
        assert process.wait(30) == 0
        assert termios.tcgetattr(theirs)[:4] == before[:4]
    finally:
        process.kill()
        process.wait()
        os.close(theirs)
        os.close(ours)
        listener.join(5)
    assert b"\x1b[?1049l" in seen, "the other screen was left"
