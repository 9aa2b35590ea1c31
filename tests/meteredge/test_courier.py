"""A node without SOL: what is due is published, the chain alone tells what became of it, a relay can only delay."""

from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.meteredge.node import METER_ID, Node
from tests.meteredge.test_config import GOOD

from meterchain import instructions
from meterchain.accounts import MeterStatus
from meterchain.chain import BadTransaction
from meterchain.relay import window
from meterchain.relay.delivery import Relay
from meterchain.relay.tables import Tables
from meterchain.relay.unreachable import BrokerUnreachable
from meterchain.units import Lamports
from meteredge.agent import Agent
from meteredge.config import ConfigError, parse
from meteredge.courier import AGAIN_S, STUCK_S, Courier
from meteredge.journal import State
from meteredge.ledger import Ledger
from meteredge.reconcile import DeliveryStopped
from meteredge.refusals import Verdict
from meteredge.timesource import ToldTime


class Post:
    """What a node publishes, on its way to a relay that the test lets work."""

    def __init__(self, node: Node) -> None:
        payer = Keypair()
        node.chain.airdrop(payer.pubkey(), Lamports(10**10))
        self.relay = Relay(
            node.chain, node.site.programs, node.site.domain, payer, Tables(node.chain, payer), settle_every=1
        )
        self.letters: list[bytes] = []
        self.fails: Exception | None = None

    def publish(self, message: bytes) -> None:
        if self.fails:
            raise self.fails
        self.letters.append(message)

    def work(self) -> dict[str, list[int]]:
        """The relay takes what was published; what it delivered."""
        letters, self.letters = self.letters, []
        return self.relay.turn([window.decode(letter) for letter in letters]).delivered


@pytest.fixture
def post(node: Node) -> Post:
    return Post(node)


@pytest.fixture
def agent(node: Node, post: Post) -> Agent:
    """The node's agent, without a wallet."""
    node.agent = Agent(
        reader=node.meter,
        clock=node.clock,
        time_source=ToldTime(),
        boot_id="a boot",
        journal=node.journal,
        signer=node.signer,
        ledger=Ledger(node.chain, node.site.programs, None, METER_ID, node.signer.public_key),
        courier=Courier(post.publish, node.clock),
    )
    node.agent.deliver()
    return node.agent


def test_a_node_without_a_wallet_gets_its_records_final_and_its_owner_paid(
    node: Node, agent: Agent, post: Post
) -> None:
    node.close_slots(3)
    assert agent.deliver().sent == (1, 2, 3)
    assert [row.state for row in node.journal.last_rows(3)] == [State.SENT] * 3
    assert post.work() == {METER_ID: [1, 2, 3]}
    assert agent.deliver().final == 3
    assert node.state().minted_mwh == node.state().cum_export_mwh > 0


def test_the_relays_word_counts_for_nothing(node: Node, agent: Agent, post: Post) -> None:
    node.close_slots(1)
    agent.deliver()
    post.letters.clear()
    for _ in range(3):
        assert agent.deliver().final == 0, "published, and on no chain"
    assert node.journal.counts()[State.FINAL] == 0


def test_the_same_records_are_published_again_once_a_minute(node: Node, agent: Agent, post: Post) -> None:
    node.close_slots(1)
    for _ in range(3):
        agent.deliver()
    assert len(post.letters) == 1
    node.advance(AGAIN_S)
    agent.deliver()
    assert len(post.letters) == 2
    assert post.letters[0] == post.letters[1]


def test_a_new_record_is_published_at_once_with_those_before_it(node: Node, agent: Agent, post: Post) -> None:
    node.close_slots(1)
    agent.deliver()
    node.close_slots(1)
    agent.deliver()
    assert [row.record.seq for row in window.decode(post.letters[-1]).rows] == [1, 2]


def test_a_broker_that_is_away_is_told_and_nothing_is_lost(node: Node, agent: Agent, post: Post) -> None:
    node.close_slots(1)
    post.fails = BrokerUnreachable("mqtts://broker: no answer")
    report = agent.deliver()
    assert report.verdict is Verdict.RETRY
    assert "mqtts://broker: no answer" in str(report.problem)
    post.fails = None
    agent.deliver()
    assert post.work() == {METER_ID: [1]}


def test_a_relay_that_does_nothing_is_named_once_the_chain_says_that_it_would_take_the_record(
    node: Node, agent: Agent
) -> None:
    node.close_slots(1)
    assert agent.deliver().problem is None
    node.advance(STUCK_S)
    report = agent.deliver()
    assert report.verdict is Verdict.RETRY
    assert "look after the relay" in str(report.problem)
    assert node.journal.last_rows(1)[0].state is State.SENT


def _authority(node: Node, **status: MeterStatus) -> None:
    wanted = instructions.set_meter_status(node.site.programs, node.authority.pubkey(), METER_ID, status["to"])
    node.chain.send([wanted], [node.authority])


def test_what_the_chain_would_refuse_is_held_as_if_the_node_had_sent_it(node: Node, agent: Agent, post: Post) -> None:
    node.close_slots(1)
    _authority(node, to=MeterStatus.MAINTENANCE)
    agent.deliver()
    assert post.work() == {}
    node.advance(STUCK_S)
    report = agent.deliver()
    assert (report.verdict, node.journal.last_rows(1)[0].state) == (Verdict.HOLD, State.HELD)
    assert "MeterInactive" in str(report.problem)
    _authority(node, to=MeterStatus.ACTIVE)
    agent.deliver()
    node.advance(AGAIN_S)
    agent.deliver()
    assert post.work() == {METER_ID: [1]}
    assert agent.deliver().final == 1


def test_a_record_that_the_chain_will_never_take_is_a_gap(node: Node, agent: Agent, post: Post) -> None:
    node.close_slots(1)
    agent.deliver()
    node.advance(8 * 86_400)  # the relay was away for longer than readings live, and than the broker keeps a message
    post.letters.clear()
    node.close_slots(1)
    report = agent.deliver()
    assert [seq for seq, _ in report.refused] == [1]
    assert post.work() == {METER_ID: [2]}
    assert agent.deliver().final == 1


def test_a_fork_stops_a_relayed_node_too(node: Node, agent: Agent, post: Post, tmp_path: Path) -> None:
    other = node.another_agent(tmp_path / "other.journal")
    other.deliver()
    node.close_slots(1)
    node.meter.export_mwh += 5
    assert other.close_due_slot() is not None
    other.deliver()
    other.journal.close()
    with pytest.raises(DeliveryStopped, match="Fork"):
        agent.deliver()


def test_without_a_wallet_nothing_can_be_sent(node: Node) -> None:
    ledger = Ledger(node.chain, node.site.programs, None, METER_ID, node.signer.public_key)
    with pytest.raises(BadTransaction, match="a relay delivers for it"):
        ledger.open_state(0)


RELAY = '[relay]\nbroker = "mqtts://mqtt.example.org"\n'


def test_a_configuration_names_a_wallet_or_a_relay_but_not_both() -> None:
    assert parse(GOOD, "agent.toml").relay is None
    relayed = GOOD.replace('relayer = "/var/lib/meterbridge/relayer.json"\n', "") + RELAY
    found = parse(relayed, "agent.toml").relay
    assert found is not None
    assert found.broker == "mqtts://mqtt.example.org"
    with pytest.raises(ConfigError, match="take `relayer` out"):
        parse(GOOD + RELAY, "agent.toml")
