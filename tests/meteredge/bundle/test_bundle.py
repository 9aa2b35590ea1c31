"""The whole archive: what is in it, what is not, and that its frames can be played."""

import json
import stat
import tarfile
from pathlib import Path

import pytest
from tests.meteredge.cabinet import KEY, Cabinet
from tests.meteredge.doctor.test_examine import running, unreachable
from tests.meteredge.node import Node, closing, install_at
from tests.meteredge.scan.bench import bench as wires

from meterbridge.__main__ import main
from meterchain import base58
from meteredge import frame_log
from meteredge.bundle.archive import BundleError, write_archive
from meteredge.bundle.contents import Entry, entries, read_systemd_log
from meteredge.clock import SystemClock
from meteredge.config import load
from meteredge.doctor.examine import Bench
from meteredge.doctor.sheet import sheet_from
from meteredge.journal import Identity, Journal, State
from meteredge.signer import Signer
from metersim.bus.memory_port import MemoryPort
from metersim.bus.wire import Wire
from metersim.stage.frames import stations_of

RPC = "http://127.0.0.1:1/v2/PLANTED-API-KEY?token=PLANTED-TOKEN"
PSK = "c0ffee" * 10 + "c0ff"


def collected(cabinet: Cabinet, log: str = "nothing happened\n") -> dict[str, Entry]:
    bus = wires(("sdm120", 1))
    bench = Bench(bus.clock, unreachable, cabinet.folder, open_port=bus.open)
    return {entry.name: entry for entry in entries(load(cabinet.config), bench, lambda: log)}


def test_secrets_that_were_planted_everywhere_are_nowhere_in_the_archive(cabinet: Cabinet, signer: Signer) -> None:
    cabinet.rpc = RPC
    cabinet.more = f"# wifi psk={PSK}"
    wallet = json.loads((cabinet.folder / "relayer.json").read_text())
    secrets = {
        "key": KEY.decode(), "key in hex": KEY.hex(), "key in base58": base58.encode(KEY),
        "wallet": json.dumps(wallet)[1:-1], "wallet in base58": base58.encode(bytes(wallet)),
        "api key": "PLANTED-API-KEY", "token": "PLANTED-TOKEN", "Wi-Fi": PSK, "password": "PLANTED-PASSWORD",
    }  # fmt: skip
    log = "\n".join(f"{name}: said {secret} aloud" for name, secret in secrets.items() if name != "password")
    log += f"\nGET {RPC} failed\nmqtt password=PLANTED-PASSWORD\n"
    config = load(cabinet.config)
    journal = Journal.open(config.journal_path, Identity("METER_001", config.domain, bytes(signer.public_key)))
    journal.begin_install(install_at())
    row = journal.append(closing(1), signer.sign_record)
    journal.mark(row, State.HELD, "Frozen")
    journal.close()
    found = collected(cabinet, log)
    path = cabinet.folder / "out.tar.gz"
    write_archive(path, list(found.values()), 0.0)
    with tarfile.open(path) as archive:
        texts = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]
    everything = b"\n".join(texts.values())
    assert "said" in found["log.txt"].text, "the log itself is there"
    for name, secret in secrets.items():
        assert secret.encode() not in everything, name
    assert row.signature.hex().encode() not in everything
    assert b"Frozen" in everything


def test_the_configuration_is_shown_by_the_marks_of_its_fields(cabinet: Cabinet) -> None:
    document = json.loads(collected(cabinet)["configuration.json"].text)
    assert document["chain"]["rpc"] == "(secret, not shown)"
    assert document["bus"]["port"] == cabinet.port


def test_every_part_is_there_and_can_be_read(cabinet: Cabinet) -> None:
    found = collected(cabinet)
    assert set(found) == {
        "README.txt", "configuration.json", "doctor.json", "status.json", "versions.json", "journal.json", "log.txt",
        "frames.jsonl",
    }  # fmt: skip
    sheet = sheet_from(json.loads(found["doctor.json"].text)["METER_001"])
    assert {check.name for check in sheet.problems} >= {"chain"}
    assert json.loads(found["journal.json"].text) == {"METER_001": {"there": False}}
    assert json.loads(found["status.json"].text)["running"] is False


def test_the_frames_can_be_played_to_a_master_that_asks_the_same(cabinet: Cabinet, tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_text(collected(cabinet)["frames.jsonl"].text)
    log = frame_log.read(path)
    question, answer = frame_log.pairs(log.frames)[0]
    assert answer is not None
    bus = wires()
    port = MemoryPort(Wire(bus.line, stations_of(log)), bus.clock)
    port.timeout = 1.0
    port.write(question.data)
    assert port.read(len(answer.data)) == answer.data


def test_beside_a_running_agent_the_frames_are_what_it_kept(enrolled: Cabinet, node: Node) -> None:
    with running(enrolled, node.chain):
        bench = Bench(SystemClock(), lambda _url: node.chain, patience_s=1)
        found = {entry.name: entry for entry in entries(load(enrolled.config), bench, lambda: "")}
    assert "last 15 minutes" in found["frames.jsonl"].about
    assert json.loads(found["status.json"].text)["meters"][0]["meter_id"] == "METER_001"
    assert len(found["frames.jsonl"].text.splitlines()) > 4


@pytest.mark.usefixtures("hasty")
def test_the_command_writes_for_its_owner_alone_and_never_over_a_file(
    cabinet: Cabinet, capsys: pytest.CaptureFixture[str]
) -> None:
    out = cabinet.folder / "support.tar.gz"
    assert main(["bundle", "--config", str(cabinet.config), "--out", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["bytes"] == out.stat().st_size
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with pytest.raises(BundleError, match="already"):
        write_archive(out, (), 0.0)


@pytest.mark.usefixtures("hasty")
def test_a_dry_run_lists_and_writes_nothing(cabinet: Cabinet, capsys: pytest.CaptureFixture[str]) -> None:
    out = cabinet.folder / "support.tar.gz"
    assert main(["bundle", "--dry-run", "--config", str(cabinet.config), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "frames.jsonl" in told
    assert "would write" in told
    assert not out.exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="--out"):
        write_archive(tmp_path / "nowhere" / "x.tar.gz", (), 0.0)


def test_a_machine_without_systemd_says_so_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "no journalctl" in read_systemd_log()
