"""`agent run | once | status`: the process, on a simulated bus, with good and bad surroundings."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from solders.keypair import Keypair
from tests.meteredge.cabinet import KEY, Cabinet
from tests.meteredge.node import BASELINE_EXPORT, BASELINE_IMPORT, Node, closing, install_at

from meterbridge.__main__ import main
from meterchain.chain import Chain
from meteredge import bus, service, turns
from meteredge.bus_errors import PortBusy
from meteredge.clock import SystemClock
from meteredge.config import load
from meteredge.journal import Identity, Journal, State
from meteredge.once import run_once
from meteredge.port import RtuPort
from meteredge.signer import Signer
from meteredge.socket_client import AgentAbsent, AgentSocket
from meteredge.socket_protocol import Counts, Frames, Read, Release, Status
from metersim.bus.running import RunningBuses


def test_once_reads_the_meter_and_tells_that_the_chain_is_out_of_reach(
    cabinet: Cabinet, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["agent", "once", "--json", "--config", str(cabinet.config)]) == 3
    out, err = capsys.readouterr()
    (meter,) = json.loads(out)["meters"]
    assert (meter["export_mwh"], meter["import_mwh"]) == (BASELINE_EXPORT, BASELINE_IMPORT)
    assert "the chain cannot be reached" in err
    assert "Traceback" not in err


def test_final_signs_nothing_while_the_chain_never_told_where_to_begin(
    cabinet: Cabinet, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["agent", "final", "--json", "--config", str(cabinet.config)]) == 3
    assert "cannot be reached" in capsys.readouterr().err


def test_once_with_a_chain_tells_that_all_is_well(enrolled: Cabinet, node: Node) -> None:
    report = run_once(enrolled.config, lambda _url: node.chain)
    assert report.exit_code == 0
    assert report.document["meters"][0]["export_mwh"] == BASELINE_EXPORT


def test_once_for_people_is_a_table(cabinet: Cabinet, capsys: pytest.CaptureFixture[str]) -> None:
    main(["agent", "once", "--config", str(cabinet.config)])
    assert "5.000 kWh" in capsys.readouterr().out


def test_an_unplugged_port_is_told_with_the_next_step(cabinet: Cabinet, capsys: pytest.CaptureFixture[str]) -> None:
    cabinet.port = "/dev/serial/by-id/usb-none"
    assert main(["agent", "once", "--config", str(cabinet.config)]) == 3
    assert "/dev/serial/by-id/usb-none" in capsys.readouterr().err


def _missing_key(cabinet: Cabinet) -> None:
    (cabinet.folder / "meter.key").unlink()


def _open_key(cabinet: Cabinet) -> None:
    (cabinet.folder / "meter.key").chmod(0o644)


def _no_wallet(cabinet: Cabinet) -> None:
    (cabinet.folder / "relayer.json").write_text("[]")


def _corrupt_journal(cabinet: Cabinet) -> None:
    (cabinet.folder / "METER_001.journal").write_bytes(b"x" * 4_096)


def _unknown_key(cabinet: Cabinet) -> None:
    cabinet.more = "directori = 1"


@pytest.mark.parametrize(
    ("mishap", "code", "told"),
    [
        (_missing_key, 3, "the meter key is missing; put the file back"),
        (_open_key, 4, "chmod 600"),
        (_no_wallet, 4, "not a wallet"),
        (_corrupt_journal, 4, "the journal is damaged"),
        (_unknown_key, 2, "unknown key 'state.directori'; did you mean 'directory'?"),
    ],
)
@pytest.mark.parametrize("command", ["once", "run"])
def test_each_mishap_ends_in_one_line_and_its_exit_code(
    cabinet: Cabinet,
    capsys: pytest.CaptureFixture[str],
    mishap: Callable[[Cabinet], None],
    code: int,
    told: str,
    command: str,
) -> None:
    mishap(cabinet)
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        assert main(["agent", command, "--config", str(cabinet.config)]) == code
    finally:
        signal.signal(signal.SIGTERM, handlers[0])
        signal.signal(signal.SIGINT, handlers[1])
    err = capsys.readouterr().err
    assert told in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["run", "once"])
def test_a_node_whose_relay_is_configured_but_whose_mqtt_client_is_missing_says_how_to_get_it(
    cabinet: Cabinet, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cabinet.more = '[relay]\nbroker = "mqtts://broker.example"'
    path = cabinet.config
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("relayer =")))
    monkeypatch.delitem(sys.modules, "meterchain.relay.broker", raising=False)
    monkeypatch.setitem(sys.modules, "aiomqtt", None)
    assert main(["agent", command, "--config", str(path)]) == 2
    said = capsys.readouterr().err
    assert "[relay] needs aiomqtt: pip install 'meterbridge[relay]'" in said
    assert "Traceback" not in said
    assert not load(path).journal_path.exists(), "it is told before anything is made"


def test_an_unknown_profile_names_the_nearest(cabinet: Cabinet, capsys: pytest.CaptureFixture[str]) -> None:
    cabinet.profile = "sdm12"
    assert main(["agent", "once", "--config", str(cabinet.config)]) == 2
    assert "sdm120" in capsys.readouterr().err


def test_status_before_the_agent_ever_ran_is_empty_and_no_error(
    cabinet: Cabinet, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["agent", "status", "--json", "--config", str(cabinet.config)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["running"], document["meters"][0]["records"]) == (False, {})


def test_status_tells_what_is_stuck_and_why(cabinet: Cabinet, capsys: pytest.CaptureFixture[str]) -> None:
    config, signer = load(cabinet.config), Signer(SigningKey(KEY))
    journal = Journal.open(config.journal_path, Identity("METER_001", config.domain, bytes(signer.public_key)))
    journal.begin_install(install_at())
    for n in (1, 2):
        journal.mark(journal.append(closing(n), signer.sign_record), State.HELD, "Frozen")
    journal.close()
    assert main(["agent", "status", "--json", "--config", str(cabinet.config)]) == 0
    (meter,) = json.loads(capsys.readouterr().out)["meters"]
    assert (meter["records"]["held"], meter["codes"], meter["last_seq"]) == (2, {"Frozen": 2}, 2)
    assert main(["agent", "status", "--config", str(cabinet.config)]) == 0
    told = capsys.readouterr().out
    assert "2 held" in told
    assert "Frozen (2)" in told
    assert "not running" in told


def test_the_last_slot_is_told_in_the_time_of_the_site(cabinet: Cabinet, capsys: pytest.CaptureFixture[str]) -> None:
    config, signer = load(cabinet.config), Signer(SigningKey(KEY))
    journal = Journal.open(config.journal_path, Identity("METER_001", config.domain, bytes(signer.public_key)))
    journal.begin_install(install_at())
    row = journal.append(closing(1), signer.sign_record)
    journal.close()
    text = cabinet.config.read_text().replace('name = "tests"', 'name = "tests"\ntimezone = "Asia/Bangkok"')
    there = cabinet.folder / "bangkok.toml"
    there.write_text(text)
    assert main(["agent", "status", "--config", str(there)]) == 0
    at_utc = datetime.fromtimestamp(row.slot, UTC)
    assert f"{at_utc + timedelta(hours=7):%Y-%m-%d %H:%M} Asia/Bangkok" in capsys.readouterr().out


def test_status_of_a_corrupt_journal_is_refused(cabinet: Cabinet, capsys: pytest.CaptureFixture[str]) -> None:
    _corrupt_journal(cabinet)
    assert main(["agent", "status", "--config", str(cabinet.config)]) == 4
    assert "damaged" in capsys.readouterr().err


def test_a_second_agent_on_one_journal_is_busy(cabinet: Cabinet, capsys: pytest.CaptureFixture[str]) -> None:
    main(["agent", "once", "--config", str(cabinet.config)])
    config = load(cabinet.config)
    capsys.readouterr()
    key = bytes(Signer(SigningKey(KEY)).public_key)
    journal = Journal.open(config.journal_path, Identity("METER_001", config.domain, key))
    assert main(["agent", "once", "--config", str(cabinet.config)]) == 75
    assert "stop that one first" in capsys.readouterr().err
    journal.close()


def _wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    give_up = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        pause.wait(0.05)


RUNNING = """
import json, logging, sys, threading
from pathlib import Path
from meterbridge.__main__ import main
def tell():
    status = Path(sys.argv[2])
    while True:
        threading.Event().wait(0.1)
        if status.exists() and json.loads(status.read_text())["export_mwh"] is not None:
            break
    loaded = {name.split(".")[0] for name in sys.modules}
    heavy = {"typer", "rich", "click", "textual", "starlette"} & loaded
    lines = Path("/proc/self/status").read_text().splitlines()
    memory = next(line.split()[1] for line in lines if line.startswith("VmRSS"))
    chatty = logging.getLogger("httpx2").isEnabledFor(logging.INFO)
    print(json.dumps({"heavy": sorted(heavy), "rss_kb": int(memory), "chatty": chatty}), flush=True)
threading.Thread(target=tell, daemon=True).start()
sys.exit(main(["agent", "run", "--config", sys.argv[1]]))
"""


def _heard(manager: socket.socket) -> str:
    try:
        return manager.recv(4_096).decode()
    except BlockingIOError:
        return ""


def test_a_running_agent_is_small_reads_without_a_chain_and_leaves_at_sigterm(
    cabinet: Cabinet, capsys: pytest.CaptureFixture[str]
) -> None:
    status_file = cabinet.folder / "run" / "METER_001.json"
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(cabinet.folder / "notify"))
    agent = subprocess.Popen(
        [sys.executable, "-c", RUNNING, str(cabinet.config), str(status_file)],
        env={**os.environ, "NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "60000000"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert agent.stdout is not None
        told = json.loads(agent.stdout.readline())
        assert told["heavy"] == []
        assert told["rss_kb"] <= 80_000
        assert not told["chatty"], "libraries that log requests log the RPC's address, and addresses hold keys"
        assert main(["agent", "status", "--json", "--config", str(cabinet.config)]) == 0
        document = json.loads(capsys.readouterr().out)
        assert (document["running"], document["pid"]) == (True, agent.pid)
        assert document["meters"][0]["export_mwh"] == BASELINE_EXPORT
        _wait_for(lambda: "cannot be reached" in (json.loads(status_file.read_text())["delivery_problem"] or ""))
        with AgentSocket(load(cabinet.config).socket_path) as asked:
            status = asked.ask(Status())
            assert (status["pid"], status["version"]) == (agent.pid, version("meterbridge"))
            assert asked.ask(Counts())["replies"] >= 1
            assert {frame.dir for frame in asked.ask(Frames()).frames} == {"tx", "rx"}
        os.kill(agent.pid, signal.SIGTERM)
        _, err = agent.communicate(timeout=30)
    finally:
        agent.kill()
        agent.communicate()
    assert agent.returncode == 0
    with manager:
        manager.setblocking(False)
        said = list(iter(lambda: _heard(manager), ""))
    assert said[0] == "READY=1"
    assert said.count("WATCHDOG=1") >= 1
    assert any(line.startswith("STATUS=METER_001: ") for line in said)
    assert said[-1] == "STOPPING=1"
    assert "Traceback" not in err
    assert "METER_001: stopped" in err
    assert not status_file.exists()
    with AgentSocket(load(cabinet.config).socket_path) as asked, pytest.raises(AgentAbsent):
        asked.ask(Status())


def test_an_agent_whose_adapter_is_unplugged_still_delivers_and_reads_again_when_it_is_back(
    enrolled: Cabinet, node: Node, buses: RunningBuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "REOPEN_S", 0.1)
    monkeypatch.setattr(turns, "BACKOFF_STEP_S", 0.1)
    link = enrolled.folder / "port"
    enrolled.port = str(link)
    stop = threading.Event()
    connect: Callable[[str], Chain] = lambda _url: node.chain  # noqa: E731
    agent = threading.Thread(target=service.run, args=(load(enrolled.config), stop, connect))
    agent.start()
    status_file = enrolled.folder / "run" / "METER_001.json"
    try:
        _wait_for(lambda: bool(node.chain.accounts([node.site.meter_state("METER_001")])[0]))
        assert json.loads(status_file.read_text())["export_mwh"] is None
        link.symlink_to(buses.ports[0])
        _wait_for(lambda: status_file.exists() and json.loads(status_file.read_text())["export_mwh"] is not None)
    finally:
        stop.set()
        agent.join(30)
    assert not agent.is_alive()


def test_an_agent_that_contradicts_the_chain_stops_by_itself_with_exit_code_4(enrolled: Cabinet, node: Node) -> None:
    enrolled.domain = "ffffffffffffffff"
    connect: Callable[[str], Chain] = lambda _url: node.chain  # noqa: E731
    assert service.run(load(enrolled.config), threading.Event(), connect) == 4


# --- several meters on one port


@pytest.fixture
def two(tmp_path: Path, buses: RunningBuses) -> Path:
    """A configuration of two meters on one bus; the second one does not answer."""
    cabinet = Cabinet(tmp_path, buses.ports[0])
    for name, content in (
        ("METER_001.key", KEY),
        ("METER_002.key", KEY[::-1]),
        ("relayer.json", str(list(bytes(Keypair()))).encode()),
    ):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    text = cabinet.config.read_text()
    before, rest = text.split("[meter]", 1)
    rest = rest[rest.index("[bus]") : rest.index("[key]")] + rest[rest.index("[chain]") :]
    meters = "".join(
        f"""[[meter]]
id = "METER_00{n}"
profile = "sdm120"
unit = {n}
key = {{ file = "{tmp_path}/METER_00{n}.key" }}
"""
        for n in (1, 2)
    )
    cabinet.config.write_text(before + meters + rest)
    return tmp_path / "agent.toml"


def test_a_dead_meter_beside_a_living_one_starves_nobody_and_both_are_shown(
    two: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    config, stop = load(two), threading.Event()
    agent = threading.Thread(target=service.run, args=(config, stop))
    agent.start()

    def reads_of_the_living_and_trouble_of_the_dead() -> tuple[int, str]:
        try:
            with AgentSocket(config.socket_path) as asked:
                living, dead = asked.ask(Status())["meters"]
                replies = asked.ask(Counts())["replies"]
        except AgentAbsent:
            return 0, ""
        return replies if living["export_mwh"] else 0, dead["read_problem"] or ""

    try:
        _wait_for(lambda: reads_of_the_living_and_trouble_of_the_dead()[0] >= 6)
        assert "unit 2" in reads_of_the_living_and_trouble_of_the_dead()[1]
        assert main(["agent", "status", "--json", "--config", str(two)]) == 0
        document = json.loads(capsys.readouterr().out)
        assert [meter["meter_id"] for meter in document["meters"]] == ["METER_001", "METER_002"]
        assert document["meters"][0]["export_mwh"] == BASELINE_EXPORT
        assert document["meters"][1]["export_mwh"] is None
        assert document["bus"]["counts"]["no_reply"] >= 1
        assert main(["agent", "status", "--config", str(two)]) == 0
        assert "did not answer" in " ".join(capsys.readouterr().out.split())
    finally:
        stop.set()
        agent.join(30)
    told = [record.message for record in caplog.records if "did not answer" in record.message]
    assert len(told) == 1, "one line an event"


def test_each_of_several_meters_must_be_named_where_one_is_meant(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", "record", "--config", str(two)]) == 2
    assert "name one of them: --meter METER_001, METER_002" in capsys.readouterr().err
    assert main(["agent", "record", "--meter", "METER_002", "--config", str(two)]) == 4
    assert "METER_002.journal" in capsys.readouterr().err


def test_a_second_agent_in_the_same_runtime_folder_is_busy(
    cabinet: Cabinet, capsys: pytest.CaptureFixture[str]
) -> None:
    (cabinet.folder / "run").mkdir()
    with (cabinet.folder / "run" / "agent.sock.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
        try:
            assert main(["agent", "run", "--config", str(cabinet.config)]) == 75
        finally:
            signal.signal(signal.SIGTERM, handlers[0])
            signal.signal(signal.SIGINT, handlers[1])
    assert "another agent runs here; stop it first" in capsys.readouterr().err


@pytest.mark.usefixtures("between_closes")
def test_a_borrowed_port_can_be_opened_and_comes_back_when_its_borrower_hangs_up(cabinet: Cabinet) -> None:
    config, stop = load(cabinet.config), threading.Event()
    agent = threading.Thread(target=service.run, args=(config, stop))
    agent.start()

    def replies() -> int:
        with AgentSocket(config.socket_path) as asked:
            return asked.ask(Counts())["replies"]

    try:
        _wait_for(lambda: config.socket_path.exists() and replies() > 0)
        with pytest.raises(PortBusy):
            RtuPort(cabinet.port, 9_600, "8N1", SystemClock())
        with AgentSocket(config.socket_path) as borrower:
            assert len(borrower.ask(Read(1, 4, 0, 2))) == 2
            loan = borrower.ask(Release(60))
            assert (loan.port, loan.baud, loan.format, loan.seconds) == (cabinet.port, 9_600, "8N1", 60)
            RtuPort(loan.port, loan.baud, loan.format, SystemClock()).close()
        before = replies()
        _wait_for(lambda: replies() > before)
        with pytest.raises(PortBusy):
            RtuPort(cabinet.port, 9_600, "8N1", SystemClock())
    finally:
        stop.set()
        agent.join(30)
