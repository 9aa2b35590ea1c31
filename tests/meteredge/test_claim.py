"""What a node hands to its operator: a claim that assigns its meter, and records that verify."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.meteredge.cabinet import Cabinet
from tests.meteredge.doctor.test_examine import running
from tests.meteredge.node import BASELINE_EXPORT, BASELINE_IMPORT, Node, closing, install_at

from meterbridge.__main__ import main
from meterchain.claim import ClaimError, read_claim
from meterchain.embedded import START
from meterchain.record import Record
from meterchain.units import InstallId, Mwh
from meteredge import meter_port
from meteredge.bus import Bus
from meteredge.claim import MixedPhases, SecondMasterHeard, make_claim, make_wanted, want_claim
from meteredge.clock import Clock, SystemClock, VirtualClock
from meteredge.config import AgentConfig, ConfigError, load
from meteredge.journal import Identity, Journal
from meteredge.keys import KeyFileError, create_key, load_key
from meteredge.reader import Reading
from meteredge.signer import Signer
from meteredge.socket_protocol import Request
from meteredge.socket_server import SocketServer
from metersim.bus.intruders import SecondMaster
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.wire import Wire

OWNER = Keypair.from_seed(bytes(31) + b"\5").pubkey()
FIRST = InstallId(1)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(f"""
schema = 1
[site]
name = "tests"
domain = "0011223344556677"
[meter]
id = "METER_001"
profile = "sdm120"
unit = 1
[bus]
port = "/dev/serial/by-id/none"
[key]
file = "{tmp_path}/meter.key"
[chain]
rpc = "http://127.0.0.1:1"
relayer = "{tmp_path}/relayer.json"
[state]
directory = "{tmp_path}"
runtime = "{tmp_path}"
""")
    return path


def answers(serial: str | None = "10000001") -> Callable[[AgentConfig, Clock], Reading]:
    return lambda _config, _clock: Reading(Mwh(5_000_000), Mwh(7_000_000), 1_000, None, serial, 0.0, {})


def test_a_claim_proves_the_key_and_carries_the_registers_and_no_secret(config: Path, tmp_path: Path) -> None:
    clock = VirtualClock(START)
    made = make_claim(config, OWNER, clock, install_id=FIRST, new_key=True, read=answers())
    (tmp_path / "claim.json").write_text(made.model_dump_json(by_alias=True))
    claim = read_claim(tmp_path / "claim.json")
    assert claim == made
    assert stat.S_IMODE((tmp_path / "meter.key").stat().st_mode) == 0o600
    key = load_key(tmp_path / "meter.key")
    assert claim.public_key == str(Pubkey(bytes(key.verify_key)))
    assert bytes(key).hex() not in (tmp_path / "claim.json").read_text()
    assert (claim.owner, claim.domain, claim.install_id) == (str(OWNER), "0011223344556677", 1)
    assert (claim.model, claim.serial, claim.resolution_mwh) == ("eastron-sdm120", "10000001", 1_000)
    assert (claim.baseline_export_mwh, claim.baseline_import_mwh) == (5_000_000, 7_000_000)
    again = make_claim(config, OWNER, clock, install_id=FIRST, new_key=True, read=answers())
    assert again == made, "the key that is there is kept"


def test_no_key_is_made_unless_it_was_asked_for(config: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="missing"):
        make_claim(config, OWNER, VirtualClock(START), install_id=FIRST, read=answers())
    assert not (tmp_path / "meter.key").exists()


def test_a_folder_in_the_key_s_place_is_named(config: Path, tmp_path: Path) -> None:
    (tmp_path / "meter.key").mkdir()
    with pytest.raises(KeyFileError, match="must be a plain file"):
        make_claim(config, OWNER, VirtualClock(START), install_id=FIRST, read=answers())


def test_a_meter_without_a_serial_number_on_the_wire_needs_its_label(config: Path) -> None:
    clock = VirtualClock(START)
    with pytest.raises(ConfigError, match="--label NUMBER"):
        make_claim(config, OWNER, clock, install_id=FIRST, new_key=True, read=answers(None))
    made = make_claim(config, OWNER, clock, label="77", install_id=FIRST, new_key=True, read=answers(None))
    assert made.serial == "label:77"


def test_a_claim_of_a_second_install_does_not_pass_for_the_first(config: Path, tmp_path: Path) -> None:
    made = make_claim(config, OWNER, VirtualClock(START), install_id=InstallId(2), new_key=True, read=answers())
    path = tmp_path / "claim.json"
    path.write_text(made.model_dump_json(by_alias=True).replace('"install_id":2', '"install_id":1'))
    with pytest.raises(ClaimError, match="proves nothing"):
        read_claim(path)


def test_a_claim_that_was_ordered_is_for_the_install_that_was_ordered(config: Path, tmp_path: Path) -> None:
    assert make_wanted(config, VirtualClock(START), answers()) is None
    create_key(tmp_path / "meter.key")
    for install in (1, 3):
        want_claim(tmp_path, OWNER, None, install)
        path = make_wanted(config, VirtualClock(START), answers())
        assert path is not None
        assert read_claim(path).install_id == install


def test_a_claim_tells_how_the_meter_was_read(config: Path) -> None:
    read = Reading(Mwh(1), Mwh(2), 1_000, None, "10000001", 0.0, {"voltage": 230.0})
    made = make_claim(config, OWNER, VirtualClock(START), install_id=FIRST, new_key=True, read=lambda *_: read)
    assert made.node is not None
    assert (made.node.port, made.node.unit, made.node.read_at) == ("/dev/serial/by-id/none", 1, START)
    assert (made.node.key_level, made.node.settings) == ("file", {}), "a voltage is no setting"


def of_three_phases(config: Path, profile: str, *, site: str = "", meter: str = "") -> None:
    text = config.read_text().replace('"sdm120"', f'"{profile}"')
    text = text.replace("domain = ", f"{site}\ndomain = ").replace("unit = 1", f"unit = 1\n{meter}")
    config.write_text(text)


VECTOR, PER_PHASE = 'phase_accounting = "vector"', 'phase_accounting = "per_phase"'


@pytest.mark.parametrize(
    ("profile", "meter", "site", "told"),
    [
        ("em24", "", VECTOR, None),
        ("em24", "", "", None),
        ("sdm630", VECTOR, VECTOR, None),
        ("sdm630", "", VECTOR, "nobody has found out how SDM630"),
    ],
)
def test_a_meter_that_adds_its_phases_as_the_site_does_is_claimed_and_a_doubt_is_told(
    config: Path, profile: str, meter: str, site: str, told: str | None
) -> None:
    of_three_phases(config, profile, site=site, meter=meter)
    said: list[str] = []
    clock = VirtualClock(START)
    make_claim(config, OWNER, clock, label="7", install_id=FIRST, new_key=True, read=answers(), tell=said.append)
    assert bool(said) == bool(told)
    assert not told or told in said[0]


@pytest.mark.parametrize(("profile", "meter"), [("em24", ""), ("sdm630", VECTOR)])
def test_a_meter_that_adds_its_phases_otherwise_than_its_site_is_not_claimed(
    config: Path, profile: str, meter: str
) -> None:
    of_three_phases(config, profile, site=PER_PHASE, meter=meter)
    with pytest.raises(MixedPhases, match="as vector, the site as per_phase"):
        make_claim(config, OWNER, VirtualClock(START), install_id=FIRST, new_key=True, read=answers())
    assert not (config.parent / "meter.key").exists(), "nothing was made for it"


def test_beside_a_running_agent_the_meter_is_read_through_it(enrolled: Cabinet, node: Node) -> None:
    with running(enrolled, node.chain):
        made = make_claim(enrolled.config, OWNER, SystemClock(), install_id=FIRST, rotate=True)
    assert (made.serial, made.baseline_export_mwh, made.baseline_import_mwh) == (
        "10000001", BASELINE_EXPORT, BASELINE_IMPORT,
    )  # fmt: skip


def test_an_agent_that_hears_a_second_master_makes_no_claim(cabinet: Cabinet) -> None:
    status = {"bus": {"second_master": "somebody else asks on this bus, 3 times", "baud": 9_600, "framing": "8N1"}}

    class Answers:
        def answer(self, _request: Request, _client: int) -> dict[str, object]:
            return status

        def has_loan(self, _client: int) -> bool:
            return False

        def hung_up(self, _client: int) -> None:
            pass

    socket = load(cabinet.config).socket_path
    socket.parent.mkdir()
    server = SocketServer(socket, Answers())
    try:
        with pytest.raises(SecondMasterHeard, match="3 times; until then it is not enrolled"):
            make_claim(cabinet.config, OWNER, SystemClock(), install_id=FIRST)
    finally:
        server.close()


def test_a_second_master_on_a_port_that_no_agent_has_makes_no_claim(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VirtualClock(START)
    wire = Wire(Line(9_600), [], faults=(SecondMaster(every_s=1.0, unit=9),), seed=1)
    bus = Bus(MemoryPort(wire, clock), clock)
    monkeypatch.setattr(meter_port, "bus_of", lambda _config, _clock: bus)
    with pytest.raises(SecondMasterHeard, match="a meter that shares its bus is not enrolled"):
        make_claim(config, OWNER, clock, install_id=FIRST, new_key=True)
    assert not (config.parent / "meter.key").exists(), "nothing was made for it"
    assert not bus.port.is_open


def test_the_command_says_what_is_wrong_with_owner_and_port(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", "claim", "--owner", "alice", "--config", str(config)]) == 2
    assert "no address" in capsys.readouterr().err
    assert main(["agent", "claim", "--owner", str(OWNER), "--config", str(config)]) == 3
    assert "/dev/serial/by-id/none" in capsys.readouterr().err


def test_a_record_is_printed_as_it_was_signed(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", "record", "--config", str(config)]) == 4
    assert "no journal yet" in capsys.readouterr().err
    signer = Signer(create_key(tmp_path / "meter.key"))
    identity = Identity("METER_001", load(config).domain, bytes(signer.public_key))
    journal = Journal.open(load(config).journal_path, identity)
    journal.begin_install(install_at())
    rows = [journal.append(closing(n), signer.sign_record) for n in (1, 2)]
    for words, row in (([], rows[1]), (["--seq", "1"], rows[0])):
        assert main(["agent", "record", "--config", str(config), *words]) == 0
        document = json.loads(capsys.readouterr().out)
        assert bytes.fromhex(document["record"]) == row.record
        assert bytes.fromhex(document["signature"]) == row.signature
        assert Record.decode(row.record).seq == document["seq"]
    journal.close()
    assert main(["agent", "record", "--config", str(config), "--seq", "3"]) == 4
    assert "no record 3" in capsys.readouterr().err
