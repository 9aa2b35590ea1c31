"""A real mosquitto with TLS, passwords and access lists, as docs/relay.md has it: relays share, none is trusted."""

import gc
import getpass
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.free_ports import free_port
from tests.meterchain.conftest import NewMeter, Signer
from tests.meterchain.relay.conftest import NewRelay, next_record
from typer.testing import CliRunner

from meterchain.commands import relay as command
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import SignedRecord
from meterchain.relay import window
from meterchain.relay.broker import Broker, broker_at, publish
from meterchain.relay.delivery import Relay, Turn
from meterchain.relay.running import Intake, listening, run
from meterchain.relay.unreachable import BrokerUnreachable
from meterchain.site import Site
from meterchain.units import Lamports

pytestmark = pytest.mark.ci
PATIENCE_S = 20.0
PASSWORD = "a password"  # noqa: S105
NAMES = ("relay", *(f"METER_{n:03}" for n in range(1, 7)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate, passwords and access list of the broker, and each name's password file."""
    made = tmp_path_factory.mktemp("mosquitto")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", f"{made}/server.key", "-out", f"{made}/server.pem"]
    subprocess.run(["openssl", "req", "-x509", "-days", "2", *key, *files, *subject], check=True, capture_output=True)
    (made / "passwords").touch()
    for name in NAMES:
        subprocess.run(["mosquitto_passwd", "-b", f"{made}/passwords", name, PASSWORD], check=True, capture_output=True)
    own = made / "own.password"
    own.write_text(PASSWORD)
    own.chmod(0o600)
    return made


@pytest.fixture
def port(folder: Path, site: Site) -> Iterator[int]:
    """A broker of this site; its port."""
    free = free_port()
    records = f"meterbridge/{site.domain.hex()}/records"
    (folder / "acl").write_text(f"pattern write {records}/%u\nuser relay\ntopic read {records}/#\n")
    (folder / "conf").write_text(
        f"user {getpass.getuser()}\nlistener {free} 127.0.0.1\n"
        f"cafile {folder}/server.pem\ncertfile {folder}/server.pem\nkeyfile {folder}/server.key\n"
        f"allow_anonymous false\npassword_file {folder}/passwords\nacl_file {folder}/acl\n"
    )
    mosquitto = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    assert mosquitto, "apt-get install mosquitto"
    with subprocess.Popen([mosquitto, "-c", f"{folder}/conf"], stderr=subprocess.DEVNULL) as process:
        until(lambda: _answers(free))
        yield free
        process.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(done: Callable[[], bool]) -> None:
    """Wait for other threads and processes."""
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end, "it did not happen"
        threading.Event().wait(0.02)


def known_as(name: str, port: int, folder: Path) -> Broker:
    """The broker, as one who is called `name` there sees it."""
    return broker_at(
        f"mqtts://localhost:{port}",
        username=name,
        password_file=folder / "own.password",
        ca_file=folder / "server.pem",
    )


def send(meter: Signer, records: Sequence[SignedRecord], port: int, folder: Path) -> None:
    """Publish as the meter's node does."""
    message = window.encode([(record.encoded, record.signed.signature) for record in records])
    name = meter.assignment.meter_id
    publish(known_as(name, port, folder), meter.site.domain, name, message)


@contextmanager
def at_work(relay: Relay, port: int, folder: Path, name: str) -> Iterator[list[Turn]]:
    """A relay that runs in threads of its own; its turns."""
    intake, stop = Intake(relay.domain), threading.Event()
    turns: list[Turn] = []
    with listening(known_as("relay", port, folder), intake, "relays", name):
        thread = threading.Thread(target=run, args=(relay, intake, stop, turns.append))
        thread.start()
        try:
            until(lambda: intake.problem is None)
            yield turns
        finally:
            stop.set()
            thread.join()


def test_two_relays_share_the_meters_of_a_site(
    new_relay: NewRelay, new_meter: NewMeter, port: int, folder: Path
) -> None:
    meters = [new_meter(name) for name in NAMES[1:]]
    with ExitStack() as stack:
        turns = [stack.enter_context(at_work(new_relay(name), port, folder, name)) for name in ("one", "two")]
        for meter in meters:
            send(meter, [next_record(meter)], port, folder)
        until(lambda: all(meter.state().seq == 1 for meter in meters))
    shares = [{meter for turn in each for meter in turn.delivered} for each in turns]
    assert shares[0] | shares[1] == set(NAMES[1:])
    assert shares[0], "the broker deals to both"
    assert shares[1], "the broker deals to both"


def test_when_one_relay_dies_the_other_has_all_the_work(
    new_relay: NewRelay, new_meter: NewMeter, port: int, folder: Path
) -> None:
    meters = [new_meter(name) for name in NAMES[1:4]]
    with at_work(new_relay("survivor"), port, folder, "survivor"):
        with at_work(new_relay("mortal"), port, folder, "mortal"):
            pass
        for meter in meters:
            send(meter, [next_record(meter), next_record(meter)], port, folder)
        until(lambda: all(meter.state().seq == 2 for meter in meters))


def test_a_node_cannot_speak_for_another_and_a_wrong_password_not_at_all(
    new_relay: NewRelay, new_meter: NewMeter, port: int, folder: Path, tmp_path: Path
) -> None:
    meter, other = new_meter("METER_001"), new_meter("METER_002")
    record = next_record(meter)
    message = window.encode([(record.encoded, record.signed.signature)])
    wrong = replace(known_as("METER_001", port, folder), password="another")  # noqa: S106
    with pytest.raises(BrokerUnreachable, match="localhost"):
        publish(wrong, meter.site.domain, "METER_001", message)
    with at_work(new_relay("one"), port, folder, "one") as turns:
        publish(known_as("METER_002", port, folder), meter.site.domain, "METER_001", message)
        send(other, [next_record(other)], port, folder)
        until(lambda: other.state().seq == 1)
        assert meter.state().seq == 0, "the broker dropped it"
        send(meter, [record], port, folder)
        until(lambda: meter.state().seq == 1)
    assert sum(turn.not_ours for turn in turns) == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves its socket to gc
def test_without_the_brokers_certificate_nothing_is_said(meter: Signer, port: int, folder: Path) -> None:
    stranger = replace(known_as("METER_001", port, folder), ca_file=None)
    record = next_record(meter)
    with pytest.raises((BrokerUnreachable, ssl.SSLError), match=r"(?i)certificate"):
        publish(stranger, meter.site.domain, "METER_001", window.encode([(record.encoded, record.signed.signature)]))
    gc.collect()


def test_the_command_delivers_until_sigterm(
    meter: Signer, chain: EmbeddedChain, port: int, folder: Path, tmp_path: Path
) -> None:
    payer = tmp_path / "relay.json"
    wallet = Keypair()
    payer.write_text(wallet.to_json())
    payer.chmod(0o600)
    chain.airdrop(wallet.pubkey(), Lamports(10**10))
    records = [next_record(meter) for _ in range(4)]

    def publish_then_stop() -> None:
        try:
            while not meter.state().minted_mwh:  # whatever was published before the relay listened is lost
                send(meter, records, port, folder)
                threading.Event().wait(0.3)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    node = threading.Thread(target=publish_then_stop)
    arguments = [
        "run", "--payer", str(payer), "--broker", f"mqtts://localhost:{port}", "--username", "relay",
        "--password-file", str(folder / "own.password"), "--ca-file", str(folder / "server.pem"),
        "--state", str(tmp_path / "state"), "--listen", "127.0.0.1:0",
    ]  # fmt: skip
    node.start()
    outcome = CliRunner().invoke(command.app, arguments, obj=lambda _url, _programs: chain)
    node.join()
    assert outcome.exit_code == 0, outcome.output
    assert "4 records of 1 meters in" in outcome.output, "and then it minted, or the node would be publishing still"
    assert (tmp_path / "state" / "tables.json").exists()
