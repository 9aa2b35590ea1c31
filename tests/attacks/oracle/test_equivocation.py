"""Attacks on freezing and on what ends it (threats.md O2b, O7, O24): each beside the same report or cure unharmed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.oracle.department import command, move, new_key, rebase, replace_device, rotate
from tests.attacks.oracle.plant import Node, Plant, bent
from tests.attacks.oracle.test_signatures import HERE, precompile

from meterchain import instructions as ix
from meterchain.accounts import MeterStatus
from meterchain.chain import Receipt
from meterchain.ed25519 import Elsewhere, verify_elsewhere
from meterchain.instructions import SignedRecord
from meterchain.record import Reason, Record, StatusFlags, record_digest
from meterchain.units import InstallId, Mwh, Seq, UnixTime

Evidence = tuple[SignedRecord, SignedRecord]
FIRST, SECOND, SIZE = 9, 105, 96


def contradiction(node: Node, **changes: Any) -> Evidence:  # noqa: ANN401
    """Two signed stories of the slot that comes next."""
    one = node.next(export=10)
    other = replace(one, export_mwh=Mwh(one.export_mwh + 1), **changes)
    return node.sign(one.encode()), node.sign(other.encode())


def accusing(plant: Plant, evidence: Evidence, by: Keypair | None = None) -> list[Instruction]:
    return ix.report_equivocation(plant.built, (by or plant.relayer).pubkey(), *evidence, position=0)


def report(plant: Plant, evidence: Evidence) -> Receipt:
    return plant.chain.send(accusing(plant, evidence), [plant.relayer])


def clearing(plant: Plant, node: Node, by: Keypair | None = None) -> Instruction:
    return ix.clear_freeze(plant.built, (by or plant.authority).pubkey(), node.meter_id)


def a_second_later(plant: Plant) -> None:
    plant.chain.set_unix_time(UnixTime(plant.chain.clock().unix_s + 1))


# --- O7: what freezes ---


def test_two_stories_of_one_record_freeze_the_meter(plant: Plant, node: Node, other: Node, stranger: Keypair) -> None:
    plant.deliver(node.next(export=250), other.next(export=250))
    thief = replace(node.next(export=5), prev=bytes(16))
    good = node.next(export=10)
    plant.deliver(good)
    assert plant.refusal(plant.submission(thief)) == "Equivocation"
    evidence = (node.sign(good.encode()), node.sign(thief.encode()))
    receipt = plant.chain.send(accusing(plant, evidence, stranger), [stranger])
    now = plant.chain.clock().unix_s
    assert plant.events("oracle", receipt)["EquivocationProved"].fields == {
        "meter": plant.site.meter(node.meter_id),
        "seq": good.seq,
        "at": now,
        "meter_no": 1,
        "install_id": 1,
        "first_digest": record_digest(good.encode()),
        "second_digest": record_digest(thief.encode()),
    }
    state = plant.state(node)
    assert (state.frozen, state.frozen_at) == (True, now)
    assert plant.refused(node.next(export=10)) == "Frozen"
    assert plant.refusal([plant.processing(node)]) == "Frozen"
    plant.deliver(other.next(export=10))
    plant.process(other)
    assert (plant.account(node.owner).amount, plant.account(other.owner).amount) == (0, 260_000)


def test_evidence_that_nobody_delivered_freezes_too(plant: Plant, node: Node) -> None:
    report(plant, contradiction(node))
    assert plant.refused(node.next(export=10)) == "Frozen"


def test_a_pause_and_a_switched_off_oracle_stop_no_report(plant: Plant, node: Node) -> None:
    command(plant, ix.set_active(plant.built, plant.authority.pubkey(), active=False))
    plant.pause(0x3F)
    report(plant, contradiction(node))
    assert plant.state(node).frozen


@pytest.mark.parametrize("status", [MeterStatus.MAINTENANCE, MeterStatus.COMPROMISED, MeterStatus.DECOMMISSIONED])
def test_a_meter_out_of_service_is_frozen_too(plant: Plant, node: Node, status: MeterStatus) -> None:
    plant.deliver(node.next(export=250))
    move(plant, node, status)
    report(plant, contradiction(node))
    assert plant.refusal([plant.processing(node)]) in {"Frozen", "MeterInactive"}


# --- O7: what does not ---


def test_what_is_no_contradiction_freezes_nothing(plant: Plant, node: Node) -> None:
    one, other = contradiction(node)
    later = node.sign(node.next(export=10, seq=Seq(2)).encode())
    for pair in ((one, one), (one, later), (later, other)):
        assert plant.refusal(accusing(plant, pair)) == "NoContradiction"
    report(plant, (one, other))


def test_records_of_two_meters_or_installs_or_sites_contradict_nothing(plant: Plant, node: Node, other: Node) -> None:
    one, two = contradiction(node)
    theirs = other.sign(replace(other.next(export=10), seq=Seq(1)).encode())
    elsewhere = node.sign(node.next(export=11, domain=b"othersit").encode())
    older = node.sign(node.next(export=11, install_id=InstallId(0)).encode())
    newer = node.sign(node.next(export=11, install_id=InstallId(2)).encode())
    false = {
        "MeterMismatch": [(one, theirs), (theirs, one)],
        "BadDomain": [(one, elsewhere), (elsewhere, one)],
        "InstallMismatch": [(one, older), (newer, one), (newer, newer)],
    }
    for name, pairs in false.items():
        for pair in pairs:
            attack = ix.report_equivocation(plant.built, plant.relayer.pubkey(), *pair, position=0)
            metas = ix.report_equivocation(plant.built, plant.relayer.pubkey(), one, two, position=0)[1].accounts
            ours = Instruction(attack[1].program_id, attack[1].data, metas)
            assert plant.refusal([attack[0], ours]) == name
    report(plant, (one, two))


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (0, b"X"),
        (4, b"\2"),
        (5, b"Z"),
        (6, b"\0\1"),
        (6, b"\x80\0"),
        (6, b"\1\0"),
        (36, b"Q"),
        (37, b"\1"),
        (40, bytes(8)),
    ],
)
def test_what_could_never_be_paid_is_no_evidence(plant: Plant, node: Node, offset: int, value: bytes) -> None:
    record = node.next(export=10)
    odd = node.sign(bent(record, offset, value))
    for pair in ((odd, node.sign(record.encode())), (node.sign(record.encode()), odd)):
        ed, ours = ix.report_equivocation(plant.built, plant.relayer.pubkey(), *pair, position=0)
        assert plant.refusal([ed, ours]) == "BadRecord"
    report(plant, contradiction(node))


def test_a_record_that_notes_something_and_one_that_does_not_contradict_each_other(plant: Plant, node: Node) -> None:
    report(plant, contradiction(node, status_flags=StatusFlags.TAMPER, reason=Reason.EXCEPTION))
    assert plant.state(node).frozen


def test_nobody_else_signs_a_meters_contradictions(plant: Plant, node: Node, other: Node) -> None:
    one, two = contradiction(node)
    for thief in (other.key, Keypair()):
        forged = node.sign(two.encoded, thief)
        for pair in ((one, forged), (forged, one)):
            assert plant.refusal(accusing(plant, pair)) == "SignatureMismatch"
    report(plant, (one, two))


def test_a_meter_is_not_frozen_by_another_ones_accounts(plant: Plant, node: Node, other: Node) -> None:
    ed, ours = accusing(plant, contradiction(node))
    state = plant.site.meter_state(other.meter_id)
    for accounts, name in (
        ({"meter": plant.site.meter(other.meter_id), "meter_state": state}, "MeterMismatch"),
        ({"meter_state": state}, "MeterMismatch"),
        ({"meter_state": plant.site.oracle}, "ConstraintDuplicateMutableAccount"),
        ({"meter": plant.site.governance}, "IllegalOwner"),
        ({"config": plant.site.governance}, "IllegalOwner"),
    ):
        assert plant.refusal([ed, plant.swap("oracle", "report_equivocation", ours, **accounts)]) == name
    bare = [
        AccountMeta(meta.pubkey, meta.is_signer, is_writable=False) if meta.is_writable else meta
        for meta in ours.accounts
    ]
    assert plant.refusal([ed, Instruction(ours.program_id, ours.data, bare)]) == "ConstraintMut"
    plant.chain.send([ed, ours], [plant.relayer])


# --- O1, O2, O2b for reports ---


def test_without_both_signatures_before_it_a_report_is_refused(plant: Plant, node: Node) -> None:
    one, two = contradiction(node)
    ed, ours = accusing(plant, (one, two))
    assert plant.refusal([ours]) == "SignatureMissing"
    assert plant.refusal([ours, ed]) == "SignatureMissing"
    single = verify_elsewhere([one.signed], [Elsewhere(1, FIRST, SIZE)])
    assert plant.refusal([single, ours]) == "SignatureMissing"
    swapped = verify_elsewhere([two.signed, one.signed], [Elsewhere(1, at, SIZE) for at in (SECOND, FIRST)])
    assert plant.refusal([swapped, ours]) == "SignatureMismatch"
    plant.chain.send([ed, ours], [plant.relayer])


def test_one_signature_twice_proves_one_record_only(plant: Plant, node: Node) -> None:
    one, two = contradiction(node)
    _, ours = accusing(plant, (one, node.sign(two.encoded, Keypair())))
    twice = verify_elsewhere([one.signed, one.signed], [Elsewhere(1, FIRST, SIZE)] * 2)
    assert plant.refusal([twice, ours]) == "SignatureMismatch"
    report(plant, (one, two))


def test_signatures_over_copies_elsewhere_are_refused(plant: Plant, node: Node) -> None:
    """The signed bytes lie in the precompile's data; ours are others."""
    one, two = contradiction(node)
    forged = bent(Record.decode(two.encoded), 64, (10**9).to_bytes(8, "little"))
    _, ours = accusing(plant, (one, SignedRecord(forged, two.signed)))
    key = one.signed.public_key
    at = 2 + 28
    tail = key + one.signed.signature + two.signed.signature + two.encoded
    ed = precompile(
        [
            (at + 32, HERE, at, HERE, FIRST, SIZE, 1),
            (at + 96, HERE, at, HERE, at + 160, SIZE, HERE),
        ],
        tail,
    )
    assert plant.refusal([ed, ours]) == "SignatureMismatch"
    report(plant, (one, two))


def test_a_foreign_program_cannot_show_signed_bytes_and_report_others(
    plant: Plant, node: Node, relay: Callable[..., Instruction]
) -> None:
    """It puts two genuine records where ours would be, and hands us a forged one with the honest one."""
    plant.deliver(node.next(export=10))
    first, second = node.sign(node.next(export=10).encode()), node.sign(node.next(export=10, seq=Seq(3)).encode())
    honest = Record.decode(first.encoded)
    forged = SignedRecord(replace(honest, export_mwh=Mwh(honest.export_mwh + 1)).encode(), first.signed)
    _, theft = accusing(plant, (first, forged))
    shown = [Elsewhere(1, 13 + SIZE * k, SIZE) for k in range(2)]
    ed = verify_elsewhere([first.signed, second.signed], shown)
    assert plant.refusal([ed, relay(theft, [first.encoded, second.encoded])]) == "NotTopLevel"
    one, two = contradiction(node)
    ed = verify_elsewhere([one.signed, two.signed], shown)
    _, true = accusing(plant, (one, two))
    assert plant.refusal([ed, relay(true, [one.encoded, two.encoded])]) == "NotTopLevel"
    assert not plant.state(node).frozen
    report(plant, (one, two))


def test_no_instruction_data_make_a_report_panic(plant: Plant, node: Node) -> None:
    ed, ours = accusing(plant, contradiction(node))
    data = bytes(ours.data)
    for cut in (8, 9, 57, 105, 200):
        assert plant.refusal([Instruction(ours.program_id, data[:cut], ours.accounts)]) == "InvalidInstructionData"
    for index in (1, 2, 255):  # where our own instruction stands, and beyond
        other = Instruction(ours.program_id, data[:8] + bytes([index]) + data[9:], ours.accounts)
        assert plant.refusal([ed, other]) == "SignatureMissing"
    unsigned = [AccountMeta(meta.pubkey, is_signer=False, is_writable=meta.is_writable) for meta in ours.accounts]
    stranger = Instruction(ours.program_id, data, unsigned)
    swapped = plant.swap("oracle", "report_equivocation", stranger, reporter=Pubkey.new_unique())
    assert plant.refusal([ed, swapped]) == "MissingRequiredSignature"
    plant.chain.send([ed, ours], [plant.relayer])


# --- O24: what ends it ---


def test_a_new_key_ends_a_freeze_and_the_old_evidence_begins_none(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=250))
    evidence = contradiction(node)
    report(plant, evidence)
    frozen_at = plant.state(node).frozen_at
    assert plant.refusal([clearing(plant, node)], plant.authority) == "Frozen"
    a_second_later(plant)
    rotate(plant, node, new_key("good"))
    assert plant.refused(node.next(export=10)) == "Frozen"
    receipt = plant.chain.send([clearing(plant, node)], [plant.authority])
    event = plant.events("oracle", receipt)["FreezeCleared"].fields
    assert (event["frozen_at"], event["at"]) == (frozen_at, plant.chain.clock().unix_s)
    assert (plant.state(node).frozen, plant.state(node).frozen_at) == (False, 0)
    assert plant.refusal(accusing(plant, evidence)) == "SignatureMismatch"
    plant.deliver(node.next(export=10))
    plant.process(node)
    assert plant.account(node.owner).amount == 260_000


@pytest.mark.parametrize("renew", [rebase, lambda plant, node: _replaced(plant, node)], ids=["rebase", "replace"])
def test_a_new_install_ends_a_freeze_and_the_old_evidence_begins_none(
    plant: Plant, node: Node, renew: Callable[[Plant, Node], None]
) -> None:
    plant.deliver(node.next(export=250))
    evidence = contradiction(node)
    report(plant, evidence)
    renew(plant, node)
    assert plant.refused(node.next(export=10)) == "Frozen"
    command(plant, clearing(plant, node))
    assert plant.refusal(accusing(plant, evidence)) == "InstallMismatch"
    plant.deliver(node.next(export=10))
    assert plant.refusal(accusing(plant, evidence)) in {"InstallMismatch", "SignatureMismatch"}
    plant.process(node)
    assert plant.account(node.owner).amount == 260_000
    report(plant, contradiction(node))  # new evidence does
    assert plant.refusal([clearing(plant, node)], plant.authority) == "Frozen"


def _replaced(plant: Plant, node: Node) -> None:
    move(plant, node, MeterStatus.MAINTENANCE)
    replace_device(plant, node, new_key("good"))


def test_a_frozen_meter_out_of_service_is_cleared_and_paid_at_once_though_its_key_stays(
    plant: Plant, node: Node, stranger: Keypair
) -> None:
    """Neither key nor install can change any more, and the evidence would freeze it again: so both in one go."""
    plant.deliver(node.next(export=250))
    evidence = contradiction(node)
    report(plant, evidence)
    move(plant, node, MeterStatus.MAINTENANCE)
    a_second_later(plant)
    assert plant.refusal([clearing(plant, node)], plant.authority) == "Frozen"
    move(plant, node, MeterStatus.DECOMMISSIONED)
    assert plant.refusal([clearing(plant, node, stranger)], stranger) == "Unauthorized"
    command(plant, clearing(plant, node), plant.processing(node))
    assert plant.account(node.owner).amount == 250_000
    assert plant.refused(node.next(export=10)) == "MeterInactive"
    report(plant, evidence)
    assert plant.refusal([plant.processing(node)]) == "Frozen"


def test_a_key_that_was_rotated_before_or_just_then_ends_no_freeze(plant: Plant, node: Node) -> None:
    rotate(plant, node, new_key("first"))
    report(plant, contradiction(node))
    assert plant.refusal([clearing(plant, node)], plant.authority) == "Frozen"
    a_second_later(plant)
    rotate(plant, node, new_key("second"))
    command(plant, clearing(plant, node))


def test_a_frozen_meter_is_not_frozen_again_so_that_its_time_stands(plant: Plant, node: Node) -> None:
    report(plant, contradiction(node))
    frozen_at = plant.state(node).frozen_at
    a_second_later(plant)
    again = contradiction(node, import_mwh=Mwh(9_999))
    assert plant.refusal(accusing(plant, again)) == "Frozen"
    assert plant.state(node).frozen_at == frozen_at
    rotate(plant, node, new_key("good"))
    command(plant, clearing(plant, node))


def test_an_install_that_has_no_record_yet_is_not_reported(plant: Plant, node: Node) -> None:
    """Nothing was credited to it; from its first record on the same evidence counts."""
    plant.deliver(node.next(export=250))
    rebase(plant, node)
    evidence = contradiction(node)
    assert plant.refusal(accusing(plant, evidence)) == "InstallMismatch"
    plant.deliver(Record.decode(evidence[0].encoded))
    report(plant, evidence)


def test_nobody_but_the_department_clears(plant: Plant, node: Node, other: Node, stranger: Keypair) -> None:
    assert plant.refusal([clearing(plant, node)], plant.authority) == "NotFrozen"
    report(plant, contradiction(node))
    a_second_later(plant)
    rotate(plant, node, new_key("good"))
    for who in (stranger, node.owner):
        assert plant.refusal([clearing(plant, node, who)], who) == "Unauthorized"
    good = clearing(plant, node)
    rotate(plant, other, new_key("other"))
    theirs = plant.swap("oracle", "clear_freeze", good, meter=plant.site.meter(other.meter_id))
    assert plant.refusal([theirs], plant.authority) == "MeterMismatch"
    governance = Pubkey.new_unique()
    (info,) = plant.chain.accounts([plant.site.governance])
    assert info is not None
    plant.chain.set_account(governance, owner=info.owner, data=info.data)
    swapped = plant.swap("oracle", "clear_freeze", good, governance=governance)
    assert plant.refusal([swapped], plant.authority) == "ConstraintAddress"
    plant.pause(0x3F)
    command(plant, good)
