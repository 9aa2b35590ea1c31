"""The status page over HTTP: what it shows of a real agent, what it never shows, what it refuses."""

import json
import re
import urllib.error
import urllib.request
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.meteredge.cabinet import KEY, Cabinet
from tests.meteredge.doctor.test_examine import running
from tests.meteredge.node import Node, closing, install_at
from tests.meteredge.page.conftest import Serve

from meterbridge.__main__ import main
from meteredge.clock import SystemClock, VirtualClock
from meteredge.config import AgentConfig, load
from meteredge.doctor.sheet import Line, Sheet
from meteredge.journal import Journal
from meteredge.page import html
from meteredge.page.metrics import exposition
from meteredge.page.running import DOCTOR_EVERY_S, Board
from meteredge.page.snapshot import MeterView, Snapshot, take
from meteredge.signer import Signer

NOON = 1_782_043_200.0
ON_THE_WIRE = Line("wire", "answers", "meter answers")
WELL = Sheet("METER_001", NOON, (ON_THE_WIRE.passed("within 40 ms"),))
ILL = Sheet("METER_001", NOON, (ON_THE_WIRE.failed("nothing <came> back", "swap A & B"),))
BUSY = Snapshot(
    made_at=NOON, site="engineering", timezone="Asia/Bangkok", agent={"written_at": NOON - 3},
    counts={"requests": 9, "no_reply": 1},
    meters=(
        MeterView(
            "METER_001",
            {"export_mwh": 5_000_000, "import_mwh": 7_000_000, "power_w": -1_500.0, "last_slot": 1_782_042_300,
             "time_status": "S"},
            {"final": 90, "closed": 2}, (), None, WELL,
        ),
    ),
)  # fmt: skip


def get(url: str) -> tuple[int, dict[str, str], str]:
    """Status, headers, body; an error is an answer too."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


def board_of(cabinet: Cabinet, sheet: Sheet = WELL) -> Board:
    return Board(load(cabinet.config), VirtualClock(NOON + 300), lambda _config: sheet)


def test_beside_an_agent_it_shows_what_the_agent_reads_and_signs(
    enrolled: Cabinet, node: Node, serve: Serve, journal_path: Path
) -> None:
    with running(enrolled, node.chain):
        config = load(enrolled.config)
        seen = take(config, NOON, {})
        board = board_of(enrolled)
        board.clock = VirtualClock(float(seen.agent["written_at"]))
        address = serve(board)
        status, headers, page = get(address + "/")
        health = get(address + "/healthz")
        metrics = get(address + "/metrics")
    assert status == 200
    assert "All is well." in page
    assert "METER_001" in page
    assert headers["content-security-policy"] == html.policy()
    assert (health[0], json.loads(health[2])) == (200, {"healthy": True, "problems": []})
    names = {family.name for family in text_string_to_metric_families(metrics[2])}
    assert {"meterbridge_up", "meterbridge_healthy", "meterbridge_bus"} <= names


def test_people_see_the_time_of_their_site() -> None:
    shown = html.main(BUSY)
    assert "2026-06-21 19:00:00 Asia/Bangkok" in shown, "NOON"
    assert "<b>18:45</b><span>last slot signed" in shown


def test_without_an_agent_it_says_so_and_is_not_healthy(cabinet: Cabinet, serve: Serve) -> None:
    address = serve(board_of(cabinet))
    status, _, body = get(address + "/healthz")
    assert status == 503
    assert "start it" in json.loads(body)["problems"][0]
    assert "Something is wrong." in get(address + "/")[2]
    assert "meterbridge_up 0.0" in get(address + "/metrics")[2]


def test_nothing_secret_is_on_it(cabinet: Cabinet, serve: Serve) -> None:
    cabinet.rpc = "https://rpc.example.org/v1/SECRETAPIKEY"
    address = serve(board_of(cabinet))
    wallet = (cabinet.folder / "relayer.json").read_text()
    for path in ("/", "/status.json", "/metrics", "/healthz"):
        text = get(address + path)[2]
        assert "SECRETAPIKEY" not in text
        assert KEY.decode() not in text
        assert wallet not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_it_takes_no_orders(cabinet: Cabinet, serve: Serve, method: str) -> None:
    request = urllib.request.Request(serve(board_of(cabinet)) + "/", b"x", method=method)  # noqa: S310
    with pytest.raises(urllib.error.HTTPError, match="405") as refused:
        urllib.request.urlopen(request, timeout=10)  # noqa: S310
    refused.value.close()


def test_each_new_snapshot_is_pushed(cabinet: Cabinet, serve: Serve) -> None:
    board = board_of(cabinet)
    with urllib.request.urlopen(serve(board) + "/events", timeout=10) as events:  # noqa: S310
        assert events.headers["content-type"].startswith("text/event-stream")
        first = json.loads(events.readline().decode().removeprefix("data: "))
        board.clock.advance(61)  # type: ignore[attr-defined]
        board.look()
        assert events.readline() == b"\n"
        second = json.loads(events.readline().decode().removeprefix("data: "))
    assert "12:05:00 UTC" in first
    assert "12:06:01 UTC" in second


def test_the_doctor_comes_every_five_minutes_and_not_while_a_slot_is_closed(cabinet: Cabinet) -> None:
    visits: list[float] = []
    clock = VirtualClock(NOON + 50)

    def examine(_config: AgentConfig) -> Sheet:
        visits.append(clock.utc() - NOON)
        return WELL

    board = Board(load(cabinet.config), clock, examine)
    for _ in range(int(2 * DOCTOR_EVERY_S / 5)):
        board.examine_when_due()
        clock.advance(5)
    assert visits == [110.0, 410.0]


def test_whoever_asks_now_gets_the_doctor_while_a_slot_is_closed_too(cabinet: Cabinet) -> None:
    board = board_of(cabinet)
    board.clock = clock = VirtualClock(NOON + 50)
    board.examine_when_due()
    assert board.look().meters[0].sheet is None
    board.examine_now()
    assert board.look().meters[0].sheet is WELL
    clock.advance(DOCTOR_EVERY_S - 1)
    board.examine = lambda _config: ILL
    board.examine_when_due()
    assert board.look().meters[0].sheet is WELL


def test_what_comes_from_outside_cannot_write_the_page() -> None:
    ill = replace(
        BUSY, meters=(replace(BUSY.meters[0], sheet=ILL, said={"slot_problem": "<script>alert(1)</script>"}),)
    )
    page = html.page(ill)
    assert "<script>alert" not in page
    assert "nothing &lt;came&gt; back" in page
    assert "swap A &amp; B" in page
    assert len(re.findall("<script>", page)) == 1


def test_a_failure_that_the_doctor_found_is_the_nodes_health() -> None:
    assert BUSY.problems == ()
    ill = replace(BUSY, meters=(replace(BUSY.meters[0], sheet=ILL),))
    assert ill.problems == ("meter answers: nothing <came> back",)
    old = replace(BUSY, agent={"written_at": NOON - 700})
    assert "11 minutes" in old.problems[0]


def test_the_day_is_read_from_the_journal(cabinet: Cabinet, open_journal, signer: Signer) -> None:  # noqa: ANN001
    journal: Journal = open_journal()
    journal.close()
    config = load(cabinet.config)
    assert config.journal_path.name == "METER_001.journal"
    opened = Journal.open(config.journal_path, journal.identity)
    try:
        opened.begin_install(install_at())
        rows = [opened.append(closing(n), signer.sign_record) for n in (1, 2)]
        seen = take(config, rows[-1].slot + 900.0, {})
    finally:
        opened.close()
    assert [s.export_mwh for s in seen.meters[0].day] == [10_000]
    assert seen.meters[0].records["closed"] == 2


def test_a_broken_journal_is_told_and_the_rest_is_shown(cabinet: Cabinet) -> None:
    config = load(cabinet.config)
    config.journal_path.write_bytes(b"not a journal" * 1_000)
    seen = take(config, NOON, {})
    assert seen.meters[0].journal_problem
    assert "METER_001" in html.page(seen)


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    board = json.loads(files("meteredge.page").joinpath("grafana.json").read_text("utf-8"))
    asked = set(re.findall(r"meterbridge_\w+", json.dumps(board)))
    text = exposition(replace(BUSY, meters=(replace(BUSY.meters[0], sheet=ILL),))).decode()
    there = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    assert asked
    assert asked <= there


@pytest.mark.parametrize("into_slot_s", [0, 109, 110, 300, 896])
def test_the_command_writes_the_page_once_with_the_sheet_at_any_time(
    cabinet: Cabinet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, into_slot_s: int
) -> None:
    monkeypatch.setattr(SystemClock, "utc", lambda _self: NOON + into_slot_s)
    assert main(["page", "show", "--json", "--config", str(cabinet.config)]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["healthy"]) == (1, False)
    sheet = document["meters"][0]["sheet"]
    assert any("does not open the port" in json.dumps(check) for check in sheet["checks"])


def test_an_address_that_is_none_is_wrong_use(cabinet: Cabinet, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["page", "run", "--listen", "8080", "--config", str(cabinet.config)]) == 2
    assert "HOST:PORT" in capsys.readouterr().err
