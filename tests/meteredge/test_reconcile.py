"""The journal against the chain: behind, ahead, forked, another site, another key, a new install."""

from pathlib import Path

import pytest
from nacl.signing import SigningKey
from tests.meteredge.node import BASELINE_EXPORT, METER_ID, Node, agent_of

from meterchain.accounts import MeterKind
from meterchain.chain import ChainUnreachable
from meterchain.record import Reason
from meteredge.journal import Identity, Journal, State
from meteredge.ledger import Ledger, View
from meteredge.reconcile import DeliveryStopped, NotSettledYet, take_up
from meteredge.signer import Signer


def _set_meter(node: Node, **facts: object) -> None:
    """Write the registry's account as an authority's later instructions would."""
    idl = node.site.programs["registry"]
    address = node.site.meter(METER_ID)
    (info,) = node.chain.accounts([address])
    assert info is not None
    fields = idl.decode_account("Meter", info.data) | facts
    node.chain.set_account(address, owner=idl.program_id, data=idl.encode_account("Meter", fields))


def _view(node: Node) -> View:
    view = Ledger(node.chain, node.site.programs, node.relayer, METER_ID, node.signer.public_key).look("finalized")
    assert view is not None
    return view


def test_behind_the_gap_is_sent_in_order(node: Node) -> None:
    node.agent.deliver()
    node.close_slots(9)
    assert node.agent.deliver().sent == tuple(range(1, 10))
    assert (node.state().seq, node.state().gaps) == (9, 0)


def test_a_lost_sd_card_goes_on_from_what_the_chain_holds(node: Node, tmp_path: Path) -> None:
    node.agent.deliver()
    node.close_slots(3)
    node.agent.deliver()
    fresh = node.another_agent(tmp_path / "fresh.journal")
    fresh.deliver()
    node.pass_slot()
    row = fresh.close_due_slot()
    assert row is not None
    assert (row.seq, row.reason) == (4, Reason.PERIODIC)
    assert fresh.deliver().final == 1
    state = node.state()
    assert (state.seq, state.gaps, state.cum_export_mwh) == (4, 0, 1_000_000)
    fresh.journal.close()


def test_a_lost_card_does_not_sign_the_last_slot_again(node: Node, tmp_path: Path) -> None:
    node.agent.deliver()
    node.close_slots(2)
    node.agent.deliver()
    node.advance(70)
    fresh = node.another_agent(tmp_path / "fresh.journal")
    fresh.deliver()
    assert fresh.close_due_slot() is None
    fresh.journal.close()


def test_a_chain_that_moves_on_before_a_new_journal_signs_moves_its_start(node: Node, tmp_path: Path) -> None:
    node.agent.deliver()
    node.close_slots(1)
    fresh = node.another_agent(tmp_path / "fresh.journal")
    fresh.deliver()
    node.agent.deliver()  # what the old card had sent lands late
    assert fresh.deliver().problem is None
    node.pass_slot()
    row = fresh.close_due_slot()
    assert row is not None
    assert row.seq == 2
    assert fresh.deliver().final == 1
    fresh.journal.close()


def test_a_new_journal_does_not_begin_while_the_chain_is_changing(node: Node) -> None:
    node.agent.deliver()
    finalized = _view(node)
    node.close_slots(1)
    node.agent.deliver()
    confirmed = _view(node)
    fresh = Journal.open(node.journal.path.with_name("fresh.journal"), node.journal.identity)
    with pytest.raises(NotSettledYet):
        take_up(fresh, finalized, confirmed)
    assert fresh.install() is None
    assert take_up(fresh, confirmed, confirmed).start_seq == 1
    fresh.close()


def test_two_nodes_with_one_key_are_found_out(node: Node, tmp_path: Path) -> None:
    node.agent.deliver()
    node.close_slots(1)
    node.agent.deliver()
    twin = node.another_agent(tmp_path / "twin.journal")
    twin.deliver()
    node.pass_slot()
    node.agent.close_due_slot()
    node.meter.export_mwh += 3_000
    twin.close_due_slot()
    twin.deliver()
    with pytest.raises(DeliveryStopped) as stopped:
        node.agent.deliver()
    assert stopped.value.code == "Fork"
    assert node.agent.counts()[State.CLOSED] == 1
    twin.journal.close()


@pytest.mark.parametrize("told_by", ["confirmed", "finalized"])
def test_a_fork_that_one_commitment_alone_shows_is_found_out_before_anything_is_sent_or_final(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told_by: str
) -> None:
    node.agent.deliver()
    node.close_slots(1)
    node.agent.deliver()
    before, twin = _view(node), node.another_agent(tmp_path / "twin.journal")
    twin.deliver()
    node.pass_slot()
    node.agent.close_due_slot()
    node.meter.export_mwh += 3_000
    twin.close_due_slot()
    twin.deliver()
    twin.journal.close()
    real = Ledger.look
    monkeypatch.setattr(Ledger, "look", lambda self, at: real(self, at) if at == told_by else before)
    sent = len(node.chain.sent)
    with pytest.raises(DeliveryStopped, match="Fork"):
        node.agent.deliver()
    assert len(node.chain.sent) == sent
    assert node.agent.counts()[State.FINAL] == 1


def test_an_old_journal_that_was_restored_is_found_out(node: Node, tmp_path: Path) -> None:
    node.agent.deliver()
    node.close_slots(1)
    node.agent.deliver()
    node.journal.close()
    old = tmp_path / "old.journal"
    old.write_bytes(node.journal.path.read_bytes())
    agent = agent_of(node, Journal.open(node.journal.path, node.journal.identity))
    node.pass_slot()
    agent.close_due_slot()
    agent.deliver()
    agent.journal.close()
    restored = node.another_agent(old)
    with pytest.raises(DeliveryStopped, match="old journal was restored"):
        restored.deliver()
    restored.journal.close()


def test_the_wrong_key_is_told_before_anything_is_signed(node: Node, tmp_path: Path) -> None:
    stranger = Signer(SigningKey(b"a key that was never registered!"))
    node.signer = stranger
    journal = Journal.open(
        tmp_path / "stranger.journal", Identity(METER_ID, node.site.domain, bytes(stranger.public_key))
    )
    agent = agent_of(node, journal)
    with pytest.raises(DeliveryStopped, match=r"WrongKey.*put the node's own key back"):
        agent.deliver()
    assert journal.install() is None
    journal.close()


def test_a_node_of_another_site_is_told_before_anything_is_signed(node: Node, tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "elsewhere.journal", Identity(METER_ID, bytes(8), bytes(node.signer.public_key)))
    agent = agent_of(node, journal)
    with pytest.raises(DeliveryStopped, match=r"BadDomain.*check \[chain\] rpc and \[site\] domain"):
        agent.deliver()
    journal.close()


def test_a_meter_that_nobody_assigned_is_waited_for(node: Node) -> None:
    ledger = Ledger(node.chain, node.site.programs, node.relayer, "METER_999", node.signer.public_key)
    assert ledger.look("finalized") is None
    node.agent._forwarder._ledger = ledger
    report = node.agent.deliver()
    assert "no meter METER_999" in (report.problem or "")
    assert "assign it" in (report.problem or "")


def test_a_rebased_meter_begins_a_new_install_and_the_old_rows_are_held(node: Node) -> None:
    node.agent.deliver()
    node.close_slots(1)
    node.agent.deliver()
    node.chain.unreachable = ChainUnreachable("down")
    node.close_slots(1)
    node.chain.unreachable = None
    now = int(node.clock.utc())
    node.meter.export_mwh = 10
    _set_meter(node, install_id=2, baseline_export_mwh=10, baseline_import_mwh=node.meter.import_mwh, baseline_ts=now)
    node.agent.deliver()
    node.close_slots(1)
    assert node.agent.deliver().problem is None
    assert node.journal.counts()[State.HELD] == 1
    newest = node.journal.last_rows(1)[0]
    assert (newest.install_id, newest.seq, newest.reason, newest.state) == (2, 1, Reason.BEGIN, State.FINAL)


def test_a_chain_with_an_older_install_is_another_chain(node: Node) -> None:
    node.agent.deliver()
    _set_meter(node, install_id=2)
    node.agent.deliver()
    _set_meter(node, install_id=1)
    with pytest.raises(DeliveryStopped, match="InstallMismatch"):
        node.agent.deliver()


def test_new_limits_are_taken_over_and_the_start_stays(node: Node) -> None:
    node.agent.deliver()
    node.close_slots(1)
    node.agent.deliver()
    _set_meter(node, max_export_w=5_000)
    node.agent.deliver()
    install = node.journal.install()
    assert install is not None
    assert (install.max_export_w, install.start_seq, install.start_export_mwh) == (5_000, 0, BASELINE_EXPORT)


@pytest.mark.parametrize("kind", list(MeterKind))
def test_a_direction_that_is_not_credited_is_bounded_by_the_other(node: Node, kind: MeterKind) -> None:
    _set_meter(
        node, kind=int(kind), max_export_w=0 if kind is MeterKind.CONSUMPTION_ONLY else 8_000, max_import_w=4_000
    )
    node.agent.deliver()
    install = node.journal.install()
    assert install is not None
    bounds = {
        MeterKind.BIDIRECTIONAL: (8_000, 4_000),
        MeterKind.GENERATION_ONLY: (8_000, 8_000),
        MeterKind.CONSUMPTION_ONLY: (4_000, 4_000),
    }
    assert (install.max_export_w, install.max_import_w) == bounds[kind]


def test_finalized_state_alone_makes_a_record_final(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.agent.deliver()
    early = node.agent._forwarder._ledger.look("finalized")
    node.close_slots(2)
    real = Ledger.look
    monkeypatch.setattr(
        Ledger, "look", lambda self, commitment: early if commitment == "finalized" else real(self, commitment)
    )
    assert node.agent.deliver().final == 0
    assert node.agent.counts()[State.SENT] == 2
    assert node.agent.deliver().sent == ()
    monkeypatch.setattr(Ledger, "look", real)
    assert node.agent.deliver().final == 2
