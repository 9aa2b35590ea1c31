"""The agent's steps over the real programs: what a day of a node looks like, good and bad."""

from pathlib import Path

import pytest
from tests.meteredge.node import BASELINE_EXPORT, METER_ID, Node, agent_of

from meterchain import instructions
from meterchain.accounts import MeterStatus
from meterchain.chain import ChainUnreachable
from meterchain.record import Reason, Record, StatusFlags, TimeStatus
from meterchain.units import Atoms
from meteredge.bus_errors import PortGone
from meteredge.journal import State, UnknownInstall
from meteredge.journal_schema import JournalUnwritable
from meteredge.reconcile import DeliveryStopped
from meteredge.slots import GuardBreached, SlotStaysOpen
from meteredge.timesource import ToldTime


def test_slots_become_final_records_and_tokens(node: Node) -> None:
    node.agent.deliver()
    node.close_slots(4)
    report = node.agent.deliver()
    assert (report.problem, report.sent, report.final) == (None, (1, 2, 3, 4), 4)
    state = node.state()
    assert (state.seq, state.gaps, state.cum_export_mwh, state.minted_mwh) == (4, 0, 1_000_000, 1_000_000)
    (account,) = node.chain.accounts([node.site.grid_account(node.owner.pubkey())])
    assert account is not None
    assert int.from_bytes(account.data[64:72], "little") == Atoms(1_000 * 1_000_000)


def test_each_slot_can_be_delivered_as_it_closes(node: Node) -> None:
    node.agent.deliver()
    for n in range(1, 6):
        node.close_slots(1)
        report = node.agent.deliver()
        assert (report.sent, report.final) == ((n,), 1)
    assert node.state().gaps == 0
    assert node.agent.counts()[State.FINAL] == 5


def test_nothing_is_closed_before_the_chain_has_told_where_to_begin(node: Node) -> None:
    node.pass_slot()
    with pytest.raises(UnknownInstall):
        node.agent.close_due_slot()
    node.agent.deliver()
    assert node.agent.close_due_slot() is not None


def test_a_slot_is_closed_once(node: Node) -> None:
    node.agent.deliver()
    node.close_slots(1)
    assert node.agent.close_due_slot() is None
    assert node.agent.seconds_to_close() == 900


def test_a_dead_rpc_delays_no_close_and_loses_nothing(node: Node) -> None:
    node.agent.deliver()
    node.chain.unreachable = ChainUnreachable("connection refused")
    for _ in range(10):
        node.close_slots(1)
        report = node.agent.deliver()
        assert "everything is kept" in (report.problem or "")
    assert node.agent.counts()[State.CLOSED] == 10
    node.chain.unreachable = None
    assert node.agent.deliver().final == 10
    assert node.state().gaps == 0


def test_an_unplugged_port_costs_the_slot_but_no_energy(node: Node) -> None:
    node.agent.deliver()
    node.close_slots(2)
    node.pass_slot()
    node.meter.fails = PortGone("/dev/ttyUSB0 is gone", "plug the adapter in again")
    with pytest.raises(PortGone):
        node.agent.close_due_slot()
    assert "plug the adapter in" in (node.agent.status().slot_problem or "")
    node.advance(200)
    assert node.agent.close_due_slot() is None
    node.meter.fails = None
    node.close_slots(1)
    assert node.agent.status().slot_problem is None
    node.agent.deliver()
    state = node.state()
    assert (state.seq, state.multi_epoch, state.cum_export_mwh) == (3, 1, 1_000_000)


def test_a_meter_that_comes_back_within_the_window_still_closes_the_slot(node: Node) -> None:
    node.agent.deliver()
    node.pass_slot()
    node.meter.fails = PortGone("/dev/ttyUSB0 is gone", "plug the adapter in again")
    for _ in range(10):
        with pytest.raises(PortGone):
            node.agent.close_due_slot()
        node.advance(10)
    node.meter.fails = None
    row = node.agent.close_due_slot()
    assert row is not None
    assert Record.decode(row.record).ts == row.slot + 1_000
    assert node.agent.deliver().final == 1


def test_a_guard_that_is_broken_leaves_the_slot_open_and_says_so(node: Node) -> None:
    node.agent.deliver()
    node.pass_slot()
    node.meter.export_mwh = BASELINE_EXPORT - 1
    with pytest.raises(GuardBreached):
        node.agent.close_due_slot()
    assert "fell" in (node.agent.status().slot_problem or "")
    assert node.journal.last_rows(1) == []


def test_a_full_disk_keeps_the_slot_open_until_there_is_room(node: Node) -> None:
    node.agent.deliver()
    pages = node.journal._connection.execute("PRAGMA page_count").fetchone()[0]
    node.journal._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    stored = _close_until_full(node)
    with pytest.raises(JournalUnwritable, match=r"no room to write.*slot stays open"):
        node.agent.close_due_slot()
    assert "Free some disk space" in (node.agent.status().slot_problem or "")
    node.journal._connection.execute("PRAGMA max_page_count = 1000000")
    node.advance(60)
    assert node.agent.close_due_slot() is not None
    assert node.agent.deliver().final == stored + 1
    assert node.state().gaps == 0


def _close_until_full(node: Node) -> int:
    for stored in range(20):
        try:
            node.close_slots(1)
        except JournalUnwritable:
            return stored
    raise AssertionError("the disk was never full")


def test_a_clock_that_was_set_is_flagged_in_the_next_record(node: Node) -> None:
    node.agent.deliver()
    node.close_slots(1)
    node.pass_slot()
    node.clock.set_utc(node.clock.utc() + 5)
    row = node.agent.close_due_slot()
    assert row is not None
    assert Record.decode(row.record).status_flags is StatusFlags.CLOCK_ADJUSTED
    node.advance(0)
    assert node.agent.deliver().final == 2


def test_a_clock_that_jumps_back_over_a_slot_signs_nothing_twice(node: Node) -> None:
    node.agent.deliver()
    node.close_slots(2)
    node.clock.set_utc(node.clock.utc() - 900)
    assert node.agent.close_due_slot() is None
    node.clock.set_utc(node.clock.utc() - 86_400)
    assert node.agent.close_due_slot() is None
    assert node.agent.seconds_to_close() > 0
    assert len(node.journal.last_rows(10)) == 2


def test_the_first_record_of_all_begins_and_a_restart_goes_on(node: Node, tmp_path: Path) -> None:
    node.agent.deliver()
    node.close_slots(2)
    node.agent.deliver()
    assert [row.reason for row in node.journal.last_rows(2)] == [Reason.BEGIN, Reason.PERIODIC]
    assert node.agent.status().last_slot == node.journal.last_rows(1)[0].slot


def test_once_stopped_nothing_is_signed_or_sent_any_more(node: Node, tmp_path: Path) -> None:
    node.agent.deliver()
    node.close_slots(1)
    node.agent.deliver()
    other = node.another_agent(tmp_path / "other.journal")
    other.deliver()
    node.pass_slot()
    other.close_due_slot()
    other.deliver()
    with pytest.raises(DeliveryStopped, match="another node signs with the same key"):
        node.agent.deliver()
    reads = node.meter.reads
    with pytest.raises(DeliveryStopped):
        node.agent.close_due_slot()
    assert node.meter.reads == reads
    assert "Fork" in (node.agent.status().stopped or "")
    other.journal.close()


# -- the final record


def test_the_final_record_comes_a_minute_after_the_last_one_and_is_taken_in_maintenance(node: Node) -> None:
    node.agent.deliver()
    node.close_slots(2)
    node.agent.deliver()
    with pytest.raises(SlotStaysOpen, match=r"60 s after the last one; try again in 60 s"):
        node.agent.sign_final()
    node.advance(61)
    node.meter.export_mwh += 5_000
    ask = instructions.set_meter_status(node.site.programs, node.authority.pubkey(), METER_ID, MeterStatus.MAINTENANCE)
    node.chain.send([ask], [node.authority])
    row = node.agent.sign_final()
    assert (row.reason, Record.decode(row.record).ts) == (Reason.FINAL, node.clock.utc())
    assert node.agent.deliver().final == 1
    assert node.state().cum_export_mwh == node.meter.export_mwh - BASELINE_EXPORT


def test_what_the_chain_vouches_for_is_shown_as_soon_as_it_was_asked(node: Node) -> None:
    agent = agent_of(node, node.journal, time_source=ToldTime(TimeStatus.UNKNOWN))
    assert agent.status().time_status is TimeStatus.UNKNOWN
    agent.deliver()
    assert agent.status().time_status is TimeStatus.INFORMATIVE
    node.advance(61)
    row = agent.sign_final()
    assert (agent.status().last_slot, Record.decode(row.record).time_status) == (row.slot, TimeStatus.INFORMATIVE)


def test_the_final_record_has_the_guards_of_the_others(node: Node) -> None:
    node.agent.deliver()
    node.close_slots(1)
    node.advance(61)
    node.meter.export_mwh = BASELINE_EXPORT - 1
    with pytest.raises(GuardBreached, match="fell"):
        node.agent.sign_final()
    assert len(node.journal.last_rows(5)) == 1
