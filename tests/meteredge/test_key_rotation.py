"""Another key for the same meter: made beside the old one, taken up when the registry shows it."""

import ast
import stat
from pathlib import Path

import pytest
from tests.meteredge.node import METER_ID, Node, agent_of

from meterchain import instructions
from meterchain.ed25519 import Signed
from meterchain.record import Record
from meterchain.units import InstallId
from meteredge import keys
from meteredge.agent import Agent
from meteredge.config import AgentConfig, load
from meteredge.journal import Journal, State
from meteredge.key_rotation import KeyBeside, make_next, settle_cut, waiting_beside
from meteredge.keys import KeyFileError, load_key
from meteredge.reconcile import DeliveryStopped
from meteredge.signer import Signer

EDGE = Path(keys.__file__).parent


@pytest.fixture
def key_file(node: Node, tmp_path: Path) -> Path:
    """The node's key, as a file."""
    path = tmp_path / "meter.key"
    path.write_bytes(bytes(node.signer._key))
    path.chmod(0o600)
    return path


@pytest.fixture
def config(key_file: Path, node: Node) -> AgentConfig:
    path = key_file.with_name("agent.toml")
    path.write_text(f"""
schema = 1
[site]
name = "tests"
domain = "{node.site.domain.hex()}"
[meter]
id = "{METER_ID}"
profile = "sdm120"
unit = 1
[bus]
port = "/dev/serial/by-id/none"
[key]
file = "{key_file}"
[chain]
rpc = "http://127.0.0.1:1"
relayer = "{key_file.parent}/relayer.json"
[state]
directory = "{key_file.parent}"
""")
    return load(path)


def begin(node: Node, key_file: Path) -> Agent:
    node.agent = agent_of(node, node.journal, next_key=KeyBeside(key_file))
    node.agent.deliver()
    return node.agent


def rotate_on_chain(node: Node, new: Signer) -> None:
    install = InstallId(1)
    proof = new.prove_possession(node.site.domain, METER_ID, node.owner.pubkey(), install)
    steps = instructions.rotate_meter_key(
        node.site.programs, node.authority.pubkey(), node.site.domain, METER_ID, node.owner.pubkey(), install,
        old_key=node.signer.public_key, possession=Signed(bytes(new.public_key), proof),
    )  # fmt: skip
    node.chain.send(steps, [node.authority])


def test_the_new_key_waits_beside_the_old_one_and_is_made_once(config: AgentConfig, key_file: Path) -> None:
    old = key_file.read_bytes()
    new = make_next(config)
    assert make_next(config).public_key == new.public_key
    assert key_file.read_bytes() == old
    assert stat.S_IMODE(waiting_beside(key_file).stat().st_mode) == 0o600


def test_until_the_registry_shows_the_new_key_the_old_one_signs(
    node: Node, key_file: Path, config: AgentConfig
) -> None:
    make_next(config)
    agent = begin(node, key_file)
    node.close_slots(2)
    assert agent.deliver().final == 2
    assert Signer(load_key(key_file)).public_key == node.signer.public_key


def test_the_agent_goes_on_with_the_new_key_and_no_energy_is_lost(
    node: Node, key_file: Path, config: AgentConfig
) -> None:
    agent, new = begin(node, key_file), make_next(config)
    node.close_slots(2)
    agent.deliver()
    node.close_slots(1)  # signed with the old key, and not delivered in time
    rotate_on_chain(node, new)
    node.close_slots(1)
    agent.deliver()
    node.close_slots(2)
    report = agent.deliver()
    assert (report.problem, agent.status().meter_key) == (None, str(new.public_key))
    assert agent.counts() | {State.FINAL: 4, State.REFUSED: 2} == agent.counts()
    assert agent.journal.codes() == {"KeyRotated": 2}
    assert node.state().cum_export_mwh == 6 * 250_000
    assert load_key(key_file) is not None
    assert Signer(load_key(key_file)).public_key == new.public_key
    assert not waiting_beside(key_file).exists()


def test_a_journal_with_two_keys_opens_and_each_record_carries_its_own(
    node: Node, key_file: Path, config: AgentConfig, tmp_path: Path
) -> None:
    agent, new = begin(node, key_file), make_next(config)
    node.close_slots(2)
    agent.deliver()
    rotate_on_chain(node, new)
    agent.deliver()
    node.close_slots(1)
    identity = node.journal.identity
    node.journal.close()
    again = Journal.open(node.journal.path, identity)
    rows = again.last_rows(3)
    assert [again.key_of(row) == bytes(new.public_key) for row in rows] == [False, False, True]
    assert [Record.decode(row.record).seq for row in rows] == [1, 2, 3]
    again.close()


def test_a_fork_before_the_rotation_is_found_out_and_the_new_key_is_not_taken_up(
    node: Node, key_file: Path, config: AgentConfig, tmp_path: Path
) -> None:
    agent, new = begin(node, key_file), make_next(config)
    twin = node.another_agent(tmp_path / "twin.journal")
    twin.deliver()
    node.pass_slot()
    agent.close_due_slot()
    node.meter.export_mwh += 3_000
    twin.close_due_slot()
    twin.deliver()
    twin.journal.close()
    rotate_on_chain(node, new)
    with pytest.raises(DeliveryStopped, match="Fork"):
        agent.deliver()
    assert agent.counts()[State.FINAL] == 0
    assert waiting_beside(key_file).exists()


def test_a_key_that_the_registry_gave_to_another_node_stops_this_one(
    node: Node, key_file: Path, config: AgentConfig
) -> None:
    agent = begin(node, key_file)
    make_next(config)
    elsewhere = Signer(keys.create_key(key_file.with_name("elsewhere.key")))
    rotate_on_chain(node, elsewhere)
    with pytest.raises(Exception, match="WrongKey"):
        agent.deliver()
    assert Signer(load_key(key_file)).public_key == node.signer.public_key


def test_a_cut_between_journal_and_key_file_is_settled_at_the_next_start(
    node: Node, key_file: Path, config: AgentConfig
) -> None:
    new = make_next(config)
    journal = Journal.open(config.journal_path, node.journal.identity)
    journal.rotate(bytes(new.public_key), lambda: None)
    journal.close()
    settle_cut(config)
    assert Signer(load_key(key_file)).public_key == new.public_key
    settle_cut(config)
    assert Signer(load_key(key_file)).public_key == new.public_key


def test_a_waiting_key_that_others_may_read_is_told_and_not_taken(
    node: Node, key_file: Path, config: AgentConfig
) -> None:
    agent, new = begin(node, key_file), make_next(config)
    waiting_beside(key_file).chmod(0o644)
    rotate_on_chain(node, new)
    with pytest.raises(Exception, match="WrongKey"):
        agent.deliver()
    with pytest.raises(KeyFileError, match="others may read it"):
        settle_cut(config)


def test_without_a_key_there_is_nothing_to_rotate(config: AgentConfig, key_file: Path) -> None:
    key_file.unlink()
    with pytest.raises(KeyFileError, match="missing"):
        make_next(config)
    assert not waiting_beside(key_file).exists()


# -- no other key can ever be picked up


def _calls(path: Path) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}


LOOK_AT_KEYS = {"keys.py", "doctor/gather/node.py"}
"""The one that the agent's keys come from, and the doctor, which shows public halves."""


def test_keys_come_into_being_in_one_place() -> None:
    makers = {
        str(path.relative_to(EDGE))
        for path in EDGE.rglob("*.py")
        if any(call.startswith(("SigningKey", "Keypair", "nacl.")) for call in _calls(path))
    }
    assert makers == LOOK_AT_KEYS


def test_a_key_is_made_by_the_claim_and_by_nothing_that_runs() -> None:
    makers = {
        path.name
        for path in EDGE.rglob("*.py")
        if any(call.endswith(("create_key", "create_relayer", "make_next")) for call in _calls(path))
    }
    assert makers == {"claim.py", "key_rotation.py"}
