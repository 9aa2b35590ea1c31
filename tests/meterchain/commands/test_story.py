"""The operator's year in a minute, over HTTP: a local chain, a site, a user, a meter on a wire, an audit."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.free_ports import free_port

from meterbridge.__main__ import main
from meterchain.record import Record
from meterchain.rpc import RpcChain
from meterchain.units import InstallId, Lamports, Mwh, Seq, Slot, UnixTime
from meterchain.wallets import create_wallet
from meteredge.keys import load_key
from meteredge.signer import Signer
from metersim.bus import running
from metersim.bus.line import Line
from metersim.bus.loop import SegmentPlan
from metersim.meters.installation import Installation
from metersim.meters.meter import MeterPlan

pytestmark = pytest.mark.ci
SINCE = 1_767_225_600

Tell = Callable[..., dict[str, object]]


@pytest.fixture
def port() -> int:
    """Where the local chain listens."""
    return free_port(neighbours=1)


@pytest.fixture
def localnet(port: int) -> Iterator[str]:
    """What `meterbridge localnet` starts."""
    command = [sys.executable, "-m", "meterbridge", "localnet", "--port", str(port), "--slot-ms", "20", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["rpc"]
        process.terminate()


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """`tell("site", "status", …)`: run the command with --json; its document.  It must end with `code`."""

    def run(*words: object, code: int = 0) -> dict[str, object]:
        ended = main([str(word) for word in words])
        said = capsys.readouterr()
        assert ended == code, said.err
        document = json.loads(said.out) if said.out else {"said": said.err}
        assert isinstance(document, dict)
        return document

    return run


@pytest.fixture
def cabinet(tmp_path: Path, port: int) -> Iterator[Path]:
    """A node's configuration without its domain, beside a simulated meter on a wire."""
    line = Line(9_600, "8N1")
    plan = MeterPlan("sdm120", Installation(seed=1), line, since_utc=SINCE, turnaround_s=0.01)
    with running.in_thread([SegmentPlan(line, (plan,))]) as buses:
        buses.set_time(SINCE + 3_600)
        path = tmp_path / "agent.toml"
        path.write_text(f"""
schema = 1
[site]
name = "engineering"
domain = "DOMAIN"
[meter]
id = "METER_001"
profile = "sdm120"
unit = 1
[bus]
port = "{buses.ports[0]}"
baud = 9600
[key]
file = "{tmp_path}/meter.key"
[chain]
rpc = "http://127.0.0.1:{port}"
relayer = "{tmp_path}/relayer.json"
[state]
directory = "{tmp_path}"
runtime = "{tmp_path}"
""")
        yield path


def test_a_site_from_nothing_to_an_audit_that_holds(localnet: str, tell: Tell, cabinet: Path, tmp_path: Path) -> None:
    chain, department = ("--rpc", localnet, "--json"), tmp_path / "department.json"
    by = ("--authority", department, *chain)
    create_wallet(department)

    told = tell("site", "deploy", "--airdrop", 20, "--dry-run", *by)
    deployed = tell("site", "deploy", "--airdrop", 20, *by)
    assert told["spent_lamports"] == deployed["spent_lamports"]
    assert tell("site", "verify", *chain)["ok"]
    assert tell("audit", *chain, code=4)["said"]

    rehearsed = tell("site", "init", "--name", "engineering", "--dry-run", *by)
    site = tell("site", "init", "--name", "engineering", *by)
    assert rehearsed["domain"] == site["domain"]
    assert tell("site", "init", "--name", "engineering", *by)["sent"] == []

    owner = Keypair()
    (tmp_path / "owner.json").touch(mode=0o600)
    (tmp_path / "owner.json").write_text(owner.to_json())
    tell("user", "register", owner.pubkey(), "--location", "Building 4", *by)
    cabinet.write_text(cabinet.read_text().replace("DOMAIN", str(site["domain"])))
    claim = tell("agent", "claim", "--owner", owner.pubkey(), "--new-key", "--config", cabinet)
    (tmp_path / "claim.json").write_text(json.dumps(claim))
    rated = ("--max-export-w", 5_000, "--max-import-w", 10_000)
    rehearsed = tell("meter", "assign", tmp_path / "claim.json", *rated, "--dry-run", *by)
    assigned = tell("meter", "assign", tmp_path / "claim.json", *rated, *by)
    assert len(rehearsed["sent"]) == len(assigned["sent"]) == 2  # type: ignore[arg-type]
    assert (assigned["status"], assigned["serial"]) == ("active", claim["serial"])

    poor = tell("user", "approve", "--kwh", 100, "--owner", tmp_path / "owner.json", *chain, code=4)
    assert poor["said"], "the owner has no money for the fee yet"
    rpc = RpcChain(localnet)
    rpc.airdrop(owner.pubkey(), Lamports(10**9))
    rpc.close()
    for more, total in ((100, 100), (50, 150)):
        approved = tell("user", "approve", "--kwh", more, "--owner", tmp_path / "owner.json", *chain)
        assert approved["approved_atoms"] == total * 10**9
    tell("site", "params", "MAX_METERS_PER_USER=12", *by)
    assert tell("site", "pause", "order-entry", *by)["paused"] == ["order-entry"]
    assert tell("site", "unpause", "all", *by)["paused"] == []
    tell("user", "status", owner.pubkey(), "suspended", *by)
    tell("user", "status", owner.pubkey(), "active", *by)

    state = tell("site", "status", *chain)
    assert (state["users"], state["meters"], state["active_meters"]) == (1, 1, 1)
    assert tell("audit", "--settled", *chain)["ok"]

    tell("meter", "show", "METER_001", "--save", tmp_path / "account.json", *chain)
    record = tmp_path / "record.json"
    record.write_text(json.dumps(signed_offline(load_key(tmp_path / "meter.key"), claim)))
    asked = (record, "--account", tmp_path / "account.json", "--domain", site["domain"])
    assert tell("verify", *asked, "--json")["ok"]


def signed_offline(key: object, claim: dict[str, object]) -> dict[str, str]:
    """A record as the node would sign it at the end of its first slot."""
    record = Record(
        bytes.fromhex(str(claim["domain"])), "METER_001", InstallId(1), Seq(1), Slot(SINCE), UnixTime(SINCE + 900),
        Mwh(1), Mwh(2), bytes(16),
    ).encode()  # fmt: skip
    signer = Signer(key)  # type: ignore[arg-type]
    return {"record": record.hex(), "signature": signer.sign_record(record).hex()}
