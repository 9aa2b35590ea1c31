"""The forwarder over the real programs: what each refusal does, and that nothing is lost on the way."""

from collections.abc import Callable

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from tests.meteredge.node import METER_ID, Node, closing

from meterchain import instructions
from meterchain.accounts import MeterStatus
from meterchain.chain import BadTransaction, BlockhashExpired, ChainUnreachable, TransactionFailed
from meterchain.programs import Programs
from meterchain.record import Reason, StatusFlags
from meterchain.units import Mwh, UnixTime
from meteredge.forwarder import DeliveryReport
from meteredge.journal import Row, State
from meteredge.ledger import ROWS_PER_TRANSACTION
from meteredge.reconcile import DeliveryStopped
from meteredge.refusals import NOT_FOR_RECORDS, VERDICTS, WHOLE_METER, Verdict, judge

ORACLE_PAUSED = 1 << 1


@pytest.fixture
def ready(node: Node) -> Node:
    """A node that has met the chain, with one record final."""
    node.agent.deliver()
    node.close_slots(1)
    assert node.agent.deliver().final == 1
    return node


def _sign(node: Node, **facts: object) -> Row:
    """Sign for the present slot whatever is asked, past the guards."""
    now = int(node.clock.utc())
    usual = {
        "slot": now // 900 * 900 - 900, "ts": now, "export_mwh": node.meter.export_mwh,
        "import_mwh": node.meter.import_mwh,
    }  # fmt: skip
    return node.journal.append(closing(1, **(usual | facts)), node.signer.sign_record)


def _authority(node: Node, instruction: Instruction) -> None:
    node.chain.send([instruction], [node.authority])


def _set(node: Node, program: str, kind: str, **facts: object) -> None:
    """Write an account as later instructions would."""
    idl = node.site.programs[program]
    site = node.site
    address = {"MeterState": site.meter_state(METER_ID), "OracleConfig": site.oracle, "Meter": site.meter(METER_ID)}[
        kind
    ]
    (info,) = node.chain.accounts([address])
    assert info is not None
    fields = idl.decode_account(kind, info.data) | facts
    node.chain.set_account(address, owner=idl.program_id, data=idl.encode_account(kind, fields))


def test_every_refusal_that_the_oracle_knows_has_a_verdict(built: Programs) -> None:
    errors = {name for name, _ in built["oracle"].errors.values()}
    assert errors == set(VERDICTS) | NOT_FOR_RECORDS
    assert set(VERDICTS) >= WHOLE_METER


SPECIFIED = {
    Verdict.RETRY: {"FutureReading", "Paused", "Inactive", "OwnerChangePending"},
    Verdict.REFUSE: {"ReadingTooOld", "EpochMisaligned", "ReadingTooFrequent", "BadRecord"},
    Verdict.HOLD: {"Implausible", "RegisterRegression", "MeterInactive", "InstallMismatch", "Frozen"},
    Verdict.STOP: {"Equivocation", "BrokenChain", "BadDomain", "MeterMismatch", "SignatureMismatch"},
}
"""What each refusal must lead to, whatever else the table has."""


def test_no_refusal_leads_elsewhere_than_is_specified_and_no_other_one_drops_a_record() -> None:
    assert {name: verdict for verdict, of in SPECIFIED.items() for name in of}.items() <= VERDICTS.items()
    assert {name for name, verdict in VERDICTS.items() if verdict is Verdict.REFUSE} == SPECIFIED[Verdict.REFUSE]


def test_an_unknown_refusal_is_held_not_dropped(ready: Node) -> None:
    row = _sign(ready, slot=closing(5).slot, ts=closing(5).ts)
    assert judge(TransactionFailed("SomethingNew", "?"), row) is Verdict.HOLD


@pytest.mark.parametrize(
    ("flags", "verdict"),
    [
        (StatusFlags.TEST, Verdict.REFUSE),
        (StatusFlags.METER_ERROR | StatusFlags.TAMPER, Verdict.REFUSE),
        (StatusFlags.NONE, Verdict.HOLD),
        (StatusFlags.TAMPER | StatusFlags.CLOCK_ADJUSTED, Verdict.HOLD),
    ],
)
def test_a_bad_record_is_given_up_only_where_its_flags_explain_it(
    ready: Node, flags: StatusFlags, verdict: Verdict
) -> None:
    row = _sign(ready, slot=closing(5).slot, ts=closing(5).ts, status_flags=flags)
    assert judge(TransactionFailed("BadRecord", "?"), row) is verdict


# -- retry: the record is good, the moment is not


def _pause(node: Node) -> Callable[[], None]:
    programs, authority = node.site.programs, node.authority.pubkey()
    _authority(node, instructions.emergency_pause(programs, authority, ORACLE_PAUSED, 1))
    return lambda: _authority(node, instructions.emergency_unpause(programs, authority, ORACLE_PAUSED))


def _switch_off(node: Node) -> Callable[[], None]:
    _set(node, "oracle", "OracleConfig", active=0)
    return lambda: _set(node, "oracle", "OracleConfig", active=1)


def _chain_is_late(node: Node) -> Callable[[], None]:
    node.chain.set_unix_time(UnixTime(int(node.clock.utc()) - 31))
    return lambda: node.chain.set_unix_time(UnixTime(int(node.clock.utc())))


def _new_owner(node: Node) -> Callable[[], None]:
    old = node.meter_account().owner
    _set(node, "registry", "Meter", owner=Keypair().pubkey())
    return lambda: _set(node, "registry", "Meter", owner=old)


@pytest.mark.parametrize(
    ("hindrance", "name"),
    [
        (_pause, "Paused"),
        (_switch_off, "Inactive"),
        (_chain_is_late, "FutureReading"),
        (_new_owner, "OwnerChangePending"),
    ],
)
def test_a_record_whose_moment_has_not_come_is_sent_again(
    ready: Node, hindrance: Callable[[Node], Callable[[], None]], name: str
) -> None:
    ready.close_slots(1)
    relieve = hindrance(ready)
    report = ready.agent.deliver()
    assert (report.verdict, report.final) == (Verdict.RETRY, 0)
    assert name in (report.problem or "")
    assert "sent again by itself" in (report.problem or "")
    assert ready.journal.last_rows(1)[0].state is State.CLOSED
    relieve()
    assert ready.agent.deliver().final == 1


# -- refuse: go on with a gap, the registers carry the energy


def _too_old(node: Node) -> None:
    _sign(node)
    node.advance(8 * 86_400 - node.clock.utc() % 900)


def _flagged_as_test(node: Node) -> None:
    _sign(node, status_flags=StatusFlags.TEST)


def _too_soon_after_the_last(node: Node) -> None:
    last = node.journal.last_signed()
    assert last is not None
    _sign(node, slot=last.slot, ts=last.ts + 10, reason=Reason.FINAL)


def _outside_its_slot(node: Node) -> None:
    _sign(node, ts=int(node.clock.utc()) - 10)


@pytest.mark.parametrize(
    ("mishap", "name"),
    [
        (_too_old, "ReadingTooOld"),
        (_flagged_as_test, "BadRecord"),
        (_too_soon_after_the_last, "ReadingTooFrequent"),
        (_outside_its_slot, "EpochMisaligned"),
    ],
)
def test_a_record_that_the_chain_will_never_take_is_a_gap_that_costs_no_energy(
    ready: Node, mishap: Callable[[Node], None], name: str
) -> None:
    ready.pass_slot()
    mishap(ready)
    ready.close_slots(1)
    report = ready.agent.deliver()
    assert (report.refused, report.problem) == (((2, name),), None)
    assert [(row.state, row.code) for row in ready.journal.last_rows(2)] == [
        (State.REFUSED, name),
        (State.FINAL, None),
    ]
    state = ready.state()
    assert (state.seq, state.gaps, state.cum_export_mwh) == (3, 1, 750_000)


def test_a_batch_with_one_bad_record_is_split(ready: Node) -> None:
    for n in range(4):
        ready.pass_slot()
        _sign(ready, status_flags=StatusFlags.TEST if n == 1 else StatusFlags.NONE)
    report = ready.agent.deliver()
    assert (report.sent, report.refused, report.final) == ((2, 4, 5), ((3, "BadRecord"),), 3)


def test_a_week_of_refused_records_does_not_bury_the_good_ones(ready: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meteredge.forwarder.MOST_ROWS_A_STEP", 4)
    for _ in range(9):
        ready.pass_slot()
        _sign(ready, status_flags=StatusFlags.TEST)
    ready.close_slots(1)
    reports = [ready.agent.deliver() for _ in range(3)]
    assert [len(report.refused) for report in reports] == [4, 4, 1]
    assert reports[-1].final == 1
    assert ready.journal.undelivered() == 0


# -- hold: alarm, and nothing is dropped


def _frozen(node: Node) -> Callable[[], None]:
    _sign(node)
    _set(node, "oracle", "MeterState", flags=1)
    return lambda: _set(node, "oracle", "MeterState", flags=0)


def _in_maintenance(node: Node) -> Callable[[], None]:
    _sign(node)
    programs, authority = node.site.programs, node.authority.pubkey()
    _authority(node, instructions.set_meter_status(programs, authority, METER_ID, MeterStatus.MAINTENANCE))
    return lambda: _authority(node, instructions.set_meter_status(programs, authority, METER_ID, MeterStatus.ACTIVE))


def _more_than_it_can_be(node: Node) -> Callable[[], None]:
    _sign(node, export_mwh=Mwh(node.meter.export_mwh + 30_000_000))
    return lambda: _set(node, "registry", "Meter", max_export_w=1_000_000)


def _fallen_register(node: Node) -> Callable[[], None]:
    _sign(node, export_mwh=Mwh(10))
    return lambda: _set(node, "oracle", "MeterState", export_reg_mwh=0)


@pytest.mark.parametrize(
    ("trouble", "name"),
    [
        (_frozen, "Frozen"),
        (_in_maintenance, "MeterInactive"),
        (_more_than_it_can_be, "Implausible"),
        (_fallen_register, "RegisterRegression"),
    ],
)
def test_a_meter_in_trouble_is_held_with_an_alarm_until_it_is_cured(
    ready: Node, trouble: Callable[[Node], Callable[[], None]], name: str
) -> None:
    ready.pass_slot()
    cure = trouble(ready)
    report = ready.agent.deliver()
    assert report.verdict is Verdict.HOLD
    assert name in (report.problem or "")
    assert (ready.journal.last_rows(1)[0].state, ready.journal.last_rows(1)[0].code) == (State.HELD, name)
    assert ready.agent.deliver().verdict is Verdict.HOLD
    cure()
    assert ready.agent.deliver().final == 1
    assert ready.journal.undelivered() == 0


def test_a_relayer_without_money_is_told_so(node: Node) -> None:
    node.agent.deliver()
    node.close_slots(1)
    node.relayer = Keypair()
    node.agent._forwarder._ledger._relayer = node.relayer
    report = node.agent.deliver()
    assert "fund it first" in (report.problem or "")
    assert node.journal.undelivered() == 1


# -- stop


def test_a_wrong_signature_stops_the_node_and_the_record_stays(ready: Node) -> None:
    ready.pass_slot()
    now = int(ready.clock.utc())
    ready.journal.append(closing(1, slot=now - 900, ts=now), lambda _encoded: bytes(64))
    with pytest.raises(DeliveryStopped, match="call the operator"):
        ready.agent.deliver()
    assert ready.journal.last_rows(1)[0].state is State.STOPPED


def test_a_key_that_was_replaced_on_chain_stops_the_node(ready: Node) -> None:
    ready.close_slots(1)
    _set(ready, "registry", "Meter", meter_key=Keypair().pubkey())
    with pytest.raises(DeliveryStopped, match="WrongKey"):
        ready.agent.deliver()
    assert ready.journal.undelivered() == 1


def test_a_signature_of_another_key_is_a_signature_mismatch_for_the_chain(ready: Node) -> None:
    """Past our own check, the oracle's own word for it stops the node too."""
    ready.close_slots(1)
    ledger = ready.agent._forwarder._ledger
    row = ready.journal.last_rows(1)[0]
    _set(ready, "registry", "Meter", meter_key=Keypair().pubkey())
    with pytest.raises(TransactionFailed) as refused:
        ledger.submit([row], 1)
    assert refused.value.name == "SignatureMismatch"
    assert judge(refused.value, row) is Verdict.STOP


def test_a_record_of_another_site_is_bad_for_the_chain(ready: Node) -> None:
    ready.close_slots(1)
    row = ready.journal.last_rows(1)[0]
    _set(ready, "oracle", "OracleConfig", domain=bytes(8))
    with pytest.raises(TransactionFailed) as refused:
        ready.agent._forwarder._ledger.submit([row], 1)
    assert (refused.value.name, judge(refused.value, row)) == ("BadDomain", Verdict.STOP)
    with pytest.raises(DeliveryStopped, match="BadDomain"):
        ready.agent.deliver()


def test_two_records_of_one_number_stop_the_node(ready: Node) -> None:
    ready.close_slots(1)
    row = ready.journal.last_rows(1)[0]
    ready.agent.deliver()
    _set(ready, "oracle", "MeterState", last_digest=bytes(32))
    with pytest.raises(TransactionFailed) as refused:
        ready.agent._forwarder._ledger.submit([row], 1)
    assert (refused.value.name, judge(refused.value, row)) == ("Equivocation", Verdict.STOP)


def test_a_record_that_follows_another_story_is_a_broken_chain(ready: Node) -> None:
    ready.agent.deliver()
    ready.close_slots(1)
    row = ready.journal.last_rows(1)[0]
    _set(ready, "oracle", "MeterState", last_digest=bytes(range(32)))
    with pytest.raises(TransactionFailed) as refused:
        ready.agent._forwarder._ledger.submit([row], 1)
    assert (refused.value.name, judge(refused.value, row)) == ("BrokenChain", Verdict.STOP)
    with pytest.raises(DeliveryStopped, match="Fork"):
        ready.agent.deliver()


# -- transactions


def test_a_replayed_record_changes_nothing(ready: Node) -> None:
    before = ready.state()
    ready.agent._forwarder._ledger.submit([ready.journal.last_rows(1)[0]], 1)
    after = ready.state()
    assert (after.seq, after.cum_export_mwh, after.readings) == (before.seq, before.cum_export_mwh, before.readings)


def test_a_record_below_the_chains_is_looked_up_again_not_stopped(ready: Node) -> None:
    ready.close_slots(2)
    ready.agent.deliver()
    first = ready.journal.rows_after(ready.journal.last_rows(1)[0].install_id, 0, 1)[0]
    with pytest.raises(TransactionFailed) as refused:
        ready.agent._forwarder._ledger.submit([first], 1)
    assert (refused.value.name, judge(refused.value, first)) == ("StaleSequence", Verdict.RETRY)


def test_an_answer_that_is_lost_is_looked_up_before_anything_is_sent_again(ready: Node) -> None:
    ready.close_slots(3)
    ready.chain.after_send = [ChainUnreachable("connection reset")]
    assert ready.agent.deliver().verdict is Verdict.RETRY
    sent = len(ready.chain.sent)
    report = ready.agent.deliver()
    assert (report.sent, report.final) == ((), 3)
    assert "submit" not in [sent.instruction for sent in report.transactions]
    assert ready.state().readings == 4
    assert len(ready.chain.sent) - sent <= 1  # minting alone


def test_an_expired_blockhash_is_tried_again_at_once(ready: Node) -> None:
    ready.close_slots(1)
    ready.chain.before_send = [BlockhashExpired("too old"), BlockhashExpired("too old")]
    assert ready.agent.deliver().final == 1


def test_blockhashes_that_keep_expiring_are_left_for_later(ready: Node) -> None:
    ready.close_slots(1)
    ready.chain.before_send = [BlockhashExpired("too old")] * 3
    report = ready.agent.deliver()
    assert (report.verdict, report.sent) == (Verdict.RETRY, ())
    assert ready.agent.deliver().final == 1


def test_no_two_transactions_carry_the_same_salt(ready: Node) -> None:
    for _ in range(3):
        ready.close_slots(1)
        ready.agent.deliver()
    prices = [
        bytes(instruction.data) for sent in ready.chain.sent for instruction in sent if instruction.data[:1] == b"\x03"
    ]
    assert len(prices) == len(set(prices)) >= 6


def test_four_records_of_a_meter_fit_a_transaction_and_five_do_not(ready: Node) -> None:
    ready.close_slots(5)
    rows = ready.journal.last_rows(5)
    ledger = ready.agent._forwarder._ledger
    with pytest.raises(BadTransaction, match="limit"):
        ledger.submit(rows, 1)
    ledger.submit(rows[:ROWS_PER_TRANSACTION], 1)
    assert ready.state().seq == 5


def test_the_meters_account_on_chain_is_opened_once(node: Node) -> None:
    first = node.agent.deliver()
    assert [sent.instruction for sent in first.transactions] == ["init_meter_state"]
    assert node.agent.deliver().transactions == ()


def test_minting_goes_by_the_cadence_and_reports_what_it_cost(node: Node) -> None:
    node.agent._forwarder._settle_every = 4
    node.agent.deliver()
    reports: list[DeliveryReport] = []
    for _ in range(8):
        node.close_slots(1)
        reports.append(node.agent.deliver())
    minted = [[sent.instruction for sent in report.transactions].count("process_energy_data") for report in reports]
    assert minted == [0, 0, 0, 1, 0, 0, 0, 1]
    assert node.state().minted_mwh == node.state().cum_export_mwh == 2_000_000
    assert all(report.fees_lamports > 0 for report in reports)


def test_a_refused_minting_holds_no_record_up(ready: Node) -> None:
    programs, authority = ready.site.programs, ready.authority.pubkey()
    _set(ready, "registry", "Meter", status=int(MeterStatus.ACTIVE))
    _authority(ready, instructions.set_user_status(programs, authority, ready.owner.pubkey(), status=1))  # type: ignore[arg-type]
    ready.close_slots(1)
    report = ready.agent.deliver()
    assert report.final == 1
    assert "minting was refused" in (report.problem or "")


def test_import_is_burned_only_with_the_owners_approval(ready: Node) -> None:
    ready.close_slots(1)
    ready.agent.deliver()
    assert ready.state().burned_mwh == 0
    approval = instructions.approve_consumption(ready.site.programs, ready.owner.pubkey(), amount=15_000_000)  # type: ignore[arg-type]
    ready.chain.send([approval], [ready.owner])
    ready.close_slots(1)
    ready.agent.deliver()
    assert ready.state().burned_mwh == 15_000
