"""A whole examination: on a port of our own in memory, beside a running agent, and as the command."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.meteredge.cabinet import Cabinet
from tests.meteredge.node import Node, closing, install_at
from tests.meteredge.scan.bench import Bench as Wires
from tests.meteredge.scan.bench import bench as wires
from tests.meteredge.scan.bench import plan

from meterbridge.__main__ import main
from meterchain.chain import Chain, ChainUnreachable
from meteredge import service
from meteredge.clock import SystemClock
from meteredge.config import load
from meteredge.doctor.examine import Bench, examine
from meteredge.doctor.sheet import Check, Sheet, Verdict
from meteredge.journal import Identity, Journal
from meteredge.signer import Signer
from metersim.bus.fault import Fault
from metersim.bus.faults import BitFlip, Echo, LeadZero, Silence, SwappedPair
from metersim.bus.intruders import SameAddress, SecondMaster
from metersim.bus.line import Line

FAIL, WARN, PASS, OUT = Verdict.FAIL, Verdict.WARN, Verdict.PASS, Verdict.NOT_APPLICABLE


def unreachable(_url: str) -> Chain:
    raise ChainUnreachable("no answer from 127.0.0.1: check the network and the address")


def without_wires() -> Bench:
    """For what is not about the wire: an empty bus."""
    bus = wires()
    return Bench(bus.clock, unreachable, open_port=bus.open)


def lines(sheet: Sheet) -> dict[str, Check]:
    return {check.name: check for check in sheet.checks}


@pytest.fixture
def examined(cabinet: Cabinet) -> Callable[[Wires], dict[str, Check]]:
    """The sheet of a node whose bus is this one; no agent runs, the chain is out of reach."""

    def examine_it(bus: Wires) -> dict[str, Check]:
        config = load(cabinet.config)
        bench = Bench(bus.clock, unreachable, cabinet.folder, open_port=bus.open)
        return lines(examine(config, bench))

    return examine_it


Examined = Callable[[Wires], dict[str, Check]]


def test_a_good_wire_and_its_meter(examined: Examined) -> None:
    found = examined(wires(("sdm120", 1)))
    assert found["wiring"].fact == "5 of 5 questions answered (9600 8N1)"
    assert {found[name].verdict for name in ("wiring", "echo", "bias", "second_master", "meter", "serial")} == {PASS}
    assert "10000001" in found["serial"].fact


@pytest.mark.parametrize(
    ("faults", "name", "verdict", "says"),
    [
        ((Silence(),), "wiring", FAIL, "the meter's power"),
        ((SwappedPair(),), "wiring", FAIL, "swap A and B"),
        ((Echo(),), "echo", WARN, "hears itself"),
        ((LeadZero(),), "bias", WARN, "bias resistors"),
        ((BitFlip(0.9),), "wiring", FAIL, "damaged"),
        ((SecondMaster(0.5),), "second_master", FAIL, "somebody else asks"),
        ((SameAddress(plan("sdm120", 1, Line(), "20000002", seed=9)),), "wiring", FAIL, "two devices have one address"),
    ],
    ids=["silent", "swapped", "echo", "no bias", "noise", "second master", "two devices"],
)
def test_what_is_wrong_with_the_wire_is_named(
    examined: Examined, faults: tuple[Fault, ...], name: str, verdict: Verdict, says: str
) -> None:
    check = examined(wires(("sdm120", 1), faults=faults))[name]
    assert (check.verdict, says in f"{check.fact} {check.next_step}") == (verdict, True), check


def test_a_meter_at_another_speed_is_found_there(examined: Examined) -> None:
    check = examined(wires(("sdm120", 1), baud=2_400))["wiring"]
    assert check.verdict is FAIL
    assert "answers at 2400 8N1" in check.fact


def test_another_model_is_no_sdm120(examined: Examined) -> None:
    found = examined(wires(("eastron-sdm630", 1)))
    assert found["wiring"].verdict is PASS
    assert found["meter"].verdict is FAIL


def test_a_port_that_is_not_there_is_one_failure_and_no_guesses(cabinet: Cabinet) -> None:
    cabinet.port = str(cabinet.folder / "nowhere")
    found = lines(examine(load(cabinet.config), Bench(wires().clock, unreachable)))
    assert found["port"].verdict is FAIL
    assert {found[name].verdict for name in ("wiring", "echo", "meter", "serial", "permissions")} == {OUT}


def test_the_chain_is_looked_at_as_it_is(enrolled: Cabinet, node: Node) -> None:
    bus = wires(("sdm120", 1))
    bus.clock.set_utc(node.chain.clock().unix_s)
    bench = Bench(bus.clock, lambda _url: node.chain, open_port=bus.open)
    found = lines(examine(load(enrolled.config), bench))
    assert {
        found[name].verdict for name in ("chain", "site", "registration", "deliveries", "fees", "key_registry")
    } == {PASS}
    assert found["serial"].verdict is FAIL  # the registry has another one
    assert "the registry has 1234" in found["serial"].fact


@contextmanager
def running(cabinet: Cabinet, chain: Chain) -> Iterator[None]:
    """An agent beside which the test works."""
    stop = threading.Event()
    agent = threading.Thread(target=service.run, args=(load(cabinet.config), stop, lambda _url: chain))
    agent.start()
    try:
        deadline = 300
        while deadline and not _reads(cabinet):
            stop.wait(0.1)
            deadline -= 1
        yield
    finally:
        stop.set()
        agent.join(30)


def _reads(cabinet: Cabinet) -> bool:
    try:
        return json.loads(load(cabinet.config).status_path.read_text())["export_mwh"] is not None
    except (OSError, ValueError):
        return False


def test_beside_a_running_agent_the_doctor_asks_it_and_leaves_the_port_alone(enrolled: Cabinet, node: Node) -> None:
    with running(enrolled, node.chain):
        sheet = examine(load(enrolled.config), Bench(SystemClock(), lambda _url: node.chain, patience_s=1))
    found = lines(sheet)
    assert "the agent has it" in found["port"].fact
    assert [found[name] for name in ("port", "owner", "wiring", "key") if found[name].verdict is not PASS] == []
    assert "the registry has SDM120" in found["meter"].fact
    assert found["agent"].fact.startswith("running")


def test_a_scan_beside_a_running_agent_is_told_to_borrow_the_port(
    enrolled: Cabinet, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(enrolled, node.chain):
        assert main(["scan", "--quick", "--config", str(enrolled.config)]) == 75
    assert "--take-port" in capsys.readouterr().err


@pytest.mark.usefixtures("hasty")
def test_the_command_prints_a_sheet_and_its_exit_code_is_the_worst_line(
    cabinet: Cabinet, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--json", "--config", str(cabinet.config)]) == 1
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["worst"] == "fail"
    assert {"chain"} <= {line["name"] for line in document["checks"] if line["verdict"] == "fail"}
    assert "asking the chain" in err


@pytest.mark.usefixtures("hasty")
def test_secrets_never_stand_on_the_sheet(cabinet: Cabinet, capsys: pytest.CaptureFixture[str]) -> None:
    cabinet.rpc = "http://127.0.0.1:1/v1/SECRET-API-KEY?token=ALSO-SECRET"
    main(["doctor", "--config", str(cabinet.config)])
    told = "".join(capsys.readouterr())
    assert "wiring" in told
    assert "SECRET" not in told
    assert (cabinet.folder / "meter.key").read_bytes().hex() not in told


def test_an_exposed_key_is_a_failure(cabinet: Cabinet) -> None:
    (cabinet.folder / "meter.key").chmod(0o644)
    check = lines(examine(load(cabinet.config), without_wires()))["key"]
    assert (check.verdict, "chmod 600" in str(check.next_step)) == (FAIL, True)


def test_records_that_wait_are_counted(cabinet: Cabinet, signer: Signer) -> None:
    config = load(cabinet.config)
    journal = Journal.open(config.journal_path, Identity("METER_001", config.domain, bytes(signer.public_key)))
    journal.begin_install(replace(install_at()))
    journal.append(closing(1), signer.sign_record)
    journal.close()
    check = lines(examine(config, without_wires()))["journal"]
    assert check.fact == "1 records, 1 waiting"


def test_a_credential_is_not_looked_for_on_the_disk(cabinet: Cabinet, tmp_path: Path) -> None:
    text = cabinet.config.read_text().replace(f'file = "{tmp_path}/meter.key"', 'credential = "meter.key"')
    (tmp_path / "other.toml").write_text(text)
    check = lines(examine(load(tmp_path / "other.toml"), without_wires()))["key"]
    assert check.verdict is OUT


def test_the_bridge_is_asked_for_its_own_registers(cabinet: Cabinet) -> None:
    cabinet.more = "[bridge]\nunit = 247"
    bus = wires(("sdm120", 1), ("meterbridge-bridge", 247))
    found = lines(examine(load(cabinet.config), Bench(bus.clock, unreachable, cabinet.folder, open_port=bus.open)))
    assert "firmware" in found["bridge"].fact
    assert found["supply"].fact == "bridge 5.00 V"


def test_a_bridge_that_does_not_answer_is_a_failure(cabinet: Cabinet) -> None:
    cabinet.more = "[bridge]\nunit = 247"
    bus = wires(("sdm120", 1))
    found = lines(examine(load(cabinet.config), Bench(bus.clock, unreachable, cabinet.folder, open_port=bus.open)))
    assert found["bridge"].verdict is FAIL
    assert found["meter"].verdict is PASS


def test_an_agent_that_cannot_be_understood_is_one_warning_and_the_port_is_left_alone(cabinet: Cabinet) -> None:
    config = load(cabinet.config)
    config.socket_path.parent.mkdir()

    class Stranger(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(b'{"v": 99}\n')

    with socketserver.ThreadingUnixStreamServer(str(config.socket_path), Stranger) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        found = lines(examine(config, without_wires()))
        server.shutdown()
        serving.join()
    assert found["agent"].verdict is WARN
    assert "version" in found["agent"].fact
    assert {found[name].verdict for name in ("wiring", "meter", "echo")} == {OUT}
