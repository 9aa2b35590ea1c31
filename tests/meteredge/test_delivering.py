"""The delivering thread's pauses: how soon what is looked for next."""

from tests.meteredge.node import METER_ID, Node

from meterchain.chain import ChainUnreachable
from meteredge.delivering import DELIVER_AGAIN_MOST_S, IDLE_S, NOT_ENROLLED_S, Deliverer
from meteredge.told import Told


def deliverer(node: Node) -> Deliverer:
    return Deliverer(METER_ID, node.agent, Told(node.clock), lambda: None)


def step(each: Deliverer, node: Node) -> float:
    """One delivery; how long it is paused then."""
    each.step(node.clock)
    return each.next_at - node.clock.monotonic()


def test_a_node_that_waits_for_its_enrolment_learns_of_it_within_half_a_minute(node: Node) -> None:
    each = deliverer(node)
    there, node.agent._forwarder._ledger.look = node.agent._forwarder._ledger.look, lambda _commitment: None  # type: ignore[method-assign]
    assert step(each, node) == NOT_ENROLLED_S
    node.agent._forwarder._ledger.look = there  # type: ignore[method-assign]
    assert step(each, node) == IDLE_S
    assert node.journal.install() is not None


def test_what_was_sent_is_looked_for_again_in_seconds_and_what_is_final_in_a_slot(node: Node) -> None:
    each = deliverer(node)
    step(each, node)
    node.close_slots(1)
    assert step(each, node) == IDLE_S, "the embedded chain is final at once"
    assert node.journal.undelivered() == 0


def test_a_chain_that_is_away_is_asked_ever_less_often_but_at_least_every_five_minutes(node: Node) -> None:
    each = deliverer(node)
    step(each, node)
    node.close_slots(1)
    node.chain.unreachable = ChainUnreachable("no route")
    assert [step(each, node) for _ in range(9)] == [5, 10, 20, 40, 80, 160, 300, 300, DELIVER_AGAIN_MOST_S]
    node.chain.unreachable = None
    step(each, node)
    assert (each.failures, node.journal.undelivered()) == (0, 0)
