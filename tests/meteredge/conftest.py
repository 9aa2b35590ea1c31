"""Fixtures for the node: key, journal, chain, site; `node` has all of them."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from solders.keypair import Keypair
from tests.meteredge.cabinet import KEY, Cabinet, patient
from tests.meteredge.node import (
    BASELINE_EXPORT,
    BASELINE_IMPORT,
    DOMAIN,
    MAX_W,
    METER_ID,
    MemoryMeter,
    Node,
    WatchedChain,
    agent_of,
    install_at,
)

from meterchain.accounts import MeterKind, Role, UserType
from meterchain.ed25519 import Signed
from meterchain.embedded import START
from meterchain.instructions import MeterAssignment
from meterchain.programs import Programs
from meterchain.site import Site, SiteSettings, assign_meter, initialise, register_user
from meterchain.units import InstallId, UnixTime
from meteredge.clock import SystemClock, VirtualClock
from meteredge.doctor.gather import wire
from meteredge.journal import Identity, Journal
from meteredge.signer import Signer
from metersim.bus import running
from metersim.bus.line import Line
from metersim.bus.loop import SegmentPlan
from metersim.bus.running import RunningBuses
from metersim.meters.installation import Installation
from metersim.meters.meter import MeterPlan


@pytest.fixture
def signer() -> Signer:
    return Signer(SigningKey(b"meter key of the tests, 32 bytes"))


@pytest.fixture
def identity(signer: Signer) -> Identity:
    return Identity(METER_ID, DOMAIN, bytes(signer.public_key))


@pytest.fixture
def journal_path(tmp_path: Path) -> Path:
    return tmp_path / "METER_001.journal"


@pytest.fixture
def open_journal(journal_path: Path, identity: Identity) -> Iterator[Callable[[], Journal]]:
    """Opens the same journal again each time; closes what the test leaves open."""
    with ExitStack() as opened:

        def open_it() -> Journal:
            journal = Journal.open(journal_path, identity)
            opened.callback(journal.close)
            return journal

        yield open_it


@pytest.fixture
def journal(open_journal: Callable[[], Journal]) -> Journal:
    """An empty journal with install 1."""
    journal = open_journal()
    journal.begin_install(install_at())
    return journal


@pytest.fixture
def chain() -> WatchedChain:
    return WatchedChain()


@pytest.fixture
def site(deployed: WatchedChain, built: Programs, authority: Keypair) -> Site:
    return initialise(deployed, built, SiteSettings("tests"), authority)


@pytest.fixture
def node(
    chain: WatchedChain,
    site: Site,
    authority: Keypair,
    funded: Callable[[str], Keypair],
    signer: Signer,
    tmp_path: Path,
) -> Iterator[Node]:
    """A node whose meter was assigned at START and that has not spoken to the chain yet."""
    owner, relayer = funded("owner"), funded("relayer")
    register_user(chain, site, authority, owner.pubkey(), UserType.PROSUMER, Role.STUDENT)
    proof = signer.prove_possession(site.domain, METER_ID, owner.pubkey(), InstallId(1))
    assignment = MeterAssignment(
        METER_ID, owner.pubkey(), MeterKind.BIDIRECTIONAL, MAX_W, MAX_W, 1_000, BASELINE_EXPORT, BASELINE_IMPORT,
        serial="1234", model="SDM120", building="E12",
    )  # fmt: skip
    assign_meter(chain, site, authority, assignment, Signed(bytes(signer.public_key), proof))
    journal = Journal.open(tmp_path / "node.journal", Identity(METER_ID, site.domain, bytes(signer.public_key)))
    node = Node(
        chain, site, authority, relayer, owner, signer, VirtualClock(START), MemoryMeter(), journal, None  # type: ignore[arg-type]
    )  # fmt: skip
    node.agent = agent_of(node, journal)
    yield node
    node.journal.close()


@pytest.fixture
def buses(tmp_path: Path) -> Iterator[RunningBuses]:
    line = Line(9_600, "8N1")
    plan = MeterPlan(
        "sdm120", Installation(seed=1), line, since_utc=START, import_mwh=BASELINE_IMPORT, export_mwh=BASELINE_EXPORT,
        turnaround_s=0.01,
    )  # fmt: skip
    with running.in_thread([SegmentPlan(line, (plan,))]) as buses:
        buses.set_time(START)
        yield buses


@pytest.fixture
def cabinet(tmp_path: Path, buses: RunningBuses) -> Cabinet:
    for name, content in (("meter.key", KEY), ("relayer.json", str(list(bytes(Keypair()))).encode())):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    return Cabinet(tmp_path, buses.ports[0], profile=patient(tmp_path))


@pytest.fixture
def hasty(cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor asks once and listens a moment instead of seconds: for what is not about the wire."""
    cabinet.profile = "sdm120"
    monkeypatch.setattr(wire, "LISTEN_S", 0.05)
    monkeypatch.setattr(wire, "QUESTIONS", 1)


@pytest.fixture
def between_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's clock stands five minutes into a slot, and goes on: in a close the bus is the agent's alone."""
    began = time.monotonic()
    monkeypatch.setattr(SystemClock, "utc", lambda _self: START + 300 + time.monotonic() - began)


@pytest.fixture
def enrolled(cabinet: Cabinet, node: Node, between_closes: None) -> Cabinet:
    """The same, with the meter assigned on an embedded chain whose time is the host's."""
    node.chain.set_unix_time(UnixTime(int(SystemClock().utc())))
    relayer = cabinet.folder / "relayer.json"
    relayer.write_text(json.dumps(list(bytes(node.relayer))))
    cabinet.domain = node.site.domain.hex()
    return cabinet
