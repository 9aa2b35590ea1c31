"""Attacks on sync_owner (threats.md R11, R14): each beside the same call unharmed.

Whatever state a meter is in when it changes hands, one of two ways is open: the old owner is paid and anybody may go
on, or the department gives up what he was owed.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.oracle.department import command, move, new_key, reassign, rebase, replace_device, rotate
from tests.attacks.oracle.plant import Node, Plant
from tests.attacks.oracle.test_equivocation import a_second_later, clearing, contradiction, report

from meterchain import instructions as ix
from meterchain.accounts import MeterStatus, UserStatus
from meterchain.chain import Receipt
from meterchain.units import Atoms

MINT_CAP = 16


def syncing(plant: Plant, node: Node, who: Keypair, *, forfeit: bool = False) -> Instruction:
    return ix.sync_owner(plant.built, who.pubkey(), node.meter_id, forfeit=forfeit)


def sync(plant: Plant, node: Node, who: Keypair, *, forfeit: bool = False) -> Receipt:
    return plant.chain.send([syncing(plant, node, who, forfeit=forfeit)], [who])


def as_owned_by(node: Node, owner: Keypair) -> Node:
    """The same node; what it measures is for `owner`."""
    return replace(node, owner=owner)


# --- R11 ---


def test_the_old_owner_is_paid_then_anybody_brings_the_new_one(
    plant: Plant, node: Node, alice: Keypair, bob: Keypair, stranger: Keypair
) -> None:
    plant.deliver(node.next(export=250, import_=40))
    reassign(plant, node, bob)
    assert plant.refused(node.next(export=10)) == "OwnerChangePending"
    assert plant.refusal([syncing(plant, node, stranger)], stranger) == "AccrualPending"
    plant.process(node)
    receipt = sync(plant, node, stranger)
    events = plant.events("oracle", receipt)
    assert set(events) == {"ImportWrittenOff", "OwnerSynced"}
    assert events["ImportWrittenOff"].fields == {
        "import_mwh": 40, "owner": alice.pubkey(), "meter_no": 1, "reason": 1,
    }  # fmt: skip
    assert events["OwnerSynced"].fields == {
        "meter": plant.site.meter(node.meter_id),
        "old_owner": alice.pubkey(),
        "new_owner": bob.pubkey(),
        "meter_no": 1,
    }
    plant.deliver(node.next(export=7))
    assert plant.refusal([plant.processing(node)]) == "MeterMismatch"
    plant.process(as_owned_by(node, bob))
    assert (plant.account(alice).amount, plant.account(bob).amount) == (250_000, 7_000)


def test_payment_and_handover_go_in_one_transaction(plant: Plant, node: Node, bob: Keypair) -> None:
    plant.deliver(node.next(export=250))
    reassign(plant, node, bob)
    plant.chain.send([plant.processing(node), syncing(plant, node, plant.relayer)], [plant.relayer])
    assert plant.state(node).owner == bob.pubkey()


def test_what_the_old_owner_imported_burns_nothing_of_the_new_one(plant: Plant, node: Node, bob: Keypair) -> None:
    plant.deliver(node.next(import_=400))
    reassign(plant, node, bob)
    sync(plant, node, plant.relayer)
    plant.chain.send([ix.approve_consumption(plant.built, bob.pubkey(), Atoms(10**12))], [bob])
    plant.deliver(node.next(export=1_000, import_=30))
    plant.process(as_owned_by(node, bob))
    state = plant.state(node)
    assert (state.burned_mwh, state.written_off_import_mwh, plant.account(bob).amount) == (30, 400, 970_000)


def test_a_cap_delays_the_handover_and_loses_nothing(plant: Plant, node: Node, alice: Keypair, bob: Keypair) -> None:
    plant.set_param(MINT_CAP, 100)
    plant.deliver(node.next(export=250))
    reassign(plant, node, bob)
    for _ in range(2):
        plant.process(node)
        assert plant.refusal([syncing(plant, node, bob)], bob) == "AccrualPending"
        plant.chain.advance(900)
    plant.process(node)
    sync(plant, node, bob)
    assert plant.account(alice).amount == 250_000


def test_a_meter_that_was_given_to_nobody_else_is_not_synced(plant: Plant, node: Node, bob: Keypair) -> None:
    """Or its owner would write off his import whenever he likes."""
    plant.deliver(node.next(import_=400))
    for who, forfeit in ((node.owner, False), (plant.authority, False), (plant.authority, True)):
        assert plant.refusal([syncing(plant, node, who, forfeit=forfeit)], who) == "OwnerUnchanged"
    reassign(plant, node, bob)
    sync(plant, node, node.owner)
    assert plant.refusal([syncing(plant, node, node.owner)], node.owner) == "OwnerUnchanged"
    assert plant.state(node).written_off_import_mwh == 400


def test_a_meter_that_comes_back_before_anybody_noticed_needs_nothing(
    plant: Plant, node: Node, alice: Keypair, bob: Keypair
) -> None:
    plant.deliver(node.next(export=250, import_=40))
    reassign(plant, node, bob)
    reassign(plant, node, alice)
    assert plant.refusal([syncing(plant, node, alice)], alice) == "OwnerUnchanged"
    plant.deliver(node.next(export=10))
    plant.process(node)
    assert plant.account(alice).amount == 260_000


# --- the forfeit ---


def test_only_the_department_gives_up_what_an_owner_is_owed(
    plant: Plant, node: Node, alice: Keypair, bob: Keypair, stranger: Keypair
) -> None:
    plant.deliver(node.next(export=250))
    reassign(plant, node, bob)
    for thief in (stranger, bob, plant.relayer):
        assert plant.refusal([syncing(plant, node, thief, forfeit=True)], thief) == "Unauthorized"
    assert plant.refusal([syncing(plant, node, plant.authority)], plant.authority) == "AccrualPending"
    good = syncing(plant, node, plant.authority, forfeit=True)
    wrong = Instruction(good.program_id, bytes(good.data)[:8] + b"\2", good.accounts)
    assert plant.refusal([wrong], plant.authority) == "InvalidArgument"
    receipt = plant.chain.send([good], [plant.authority])
    forfeited = plant.events("oracle", receipt)["AccrualForfeited"].fields
    assert (forfeited["export_mwh"], forfeited["owner"]) == (250, alice.pubkey())
    plant.deliver(node.next(export=7))
    plant.process(as_owned_by(node, bob))
    assert (plant.account(alice).amount, plant.account(bob).amount) == (0, 7_000)


def test_a_governance_of_ones_own_makes_nobody_the_department(plant: Plant, node: Node, bob: Keypair) -> None:
    plant.deliver(node.next(export=250))
    reassign(plant, node, bob)
    fake = Pubkey.new_unique()
    plant.patch(
        "governance", "GovernanceConfig", plant.site.governance, {"engineering_authority": bob.pubkey()}, at=fake
    )
    call = plant.swap("oracle", "sync_owner", syncing(plant, node, bob, forfeit=True), governance=fake)
    assert plant.refusal([call], bob) == "ConstraintAddress"
    sync(plant, node, plant.authority, forfeit=True)


def test_no_state_is_given_another_meters_owner(plant: Plant, node: Node, other: Node, bob: Keypair) -> None:
    plant.deliver(node.next(export=250), other.next(export=250))
    plant.process(node)
    theirs = plant.site.meter(other.meter_id)
    call = plant.swap("oracle", "sync_owner", syncing(plant, node, bob), meter=theirs)
    assert plant.refusal([call], bob) == "MeterMismatch"
    forged = Pubkey.new_unique()
    plant.patch("registry", "Meter", plant.site.meter(node.meter_id), {"owner": bob.pubkey()}, at=forged)
    call = plant.swap("oracle", "sync_owner", syncing(plant, node, bob), meter=forged)
    assert plant.refusal([call], bob) == "MeterMismatch"
    reassign(plant, node, bob)
    sync(plant, node, bob)


def test_a_pause_stops_no_handover(plant: Plant, node: Node, bob: Keypair) -> None:
    reassign(plant, node, bob)
    plant.pause(0x3F)
    sync(plant, node, bob)


# --- no state without an exit ---


def _suspended(plant: Plant, node: Node) -> None:
    suspend = ix.set_user_status(plant.built, plant.authority.pubkey(), node.owner.pubkey(), UserStatus.SUSPENDED)
    command(plant, suspend)


def _compromised(plant: Plant, node: Node) -> None:
    move(plant, node, MeterStatus.COMPROMISED)


def _frozen(plant: Plant, node: Node) -> None:
    report(plant, contradiction(node))


BLOCKED: dict[str, tuple[Callable[[Plant, Node], None], str]] = {
    "his user is suspended": (_suspended, "UserInactive"),
    "the install is compromised": (_compromised, "MeterInactive"),
    "the meter is frozen": (_frozen, "Frozen"),
}


@pytest.mark.parametrize("why", BLOCKED)
def test_where_the_old_owner_cannot_be_paid_the_department_goes_on_without(
    plant: Plant, node: Node, alice: Keypair, bob: Keypair, why: str
) -> None:
    block, name = BLOCKED[why]
    plant.deliver(node.next(export=250, import_=40))
    block(plant, node)
    reassign(plant, node, bob)
    assert plant.refusal([plant.processing(node)]) == name
    assert plant.refusal([syncing(plant, node, bob)], bob) == "AccrualPending"
    receipt = sync(plant, node, plant.authority, forfeit=True)
    assert {"AccrualForfeited", "ImportWrittenOff", "OwnerSynced"} == set(plant.events("oracle", receipt))
    if why == "the install is compromised":
        replace_device(plant, node, new_key("good"))
    if why == "the meter is frozen":
        assert plant.refused(node.next(export=7)) == "Frozen"
        a_second_later(plant)
        rotate(plant, node, new_key("good"))
        command(plant, clearing(plant, node))
    plant.deliver(node.next(export=7))
    plant.process(as_owned_by(node, bob))
    assert (plant.account(alice).amount, plant.account(bob).amount) == (0, 7_000)


def test_a_compromised_meter_that_was_given_away_and_replaced_goes_on(
    plant: Plant, node: Node, alice: Keypair, bob: Keypair, stranger: Keypair
) -> None:
    """Submitting is refused for the owner, processing for the install: only the handover leads on."""
    plant.deliver(node.next(export=250, import_=40))
    move(plant, node, MeterStatus.COMPROMISED)
    reassign(plant, node, bob)
    replace_device(plant, node, new_key("good"))
    assert plant.refused(node.next(export=7)) == "OwnerChangePending"
    for owner in (alice, bob):
        expected = "InstallMismatch" if owner is alice else "MeterMismatch"
        assert plant.refusal([plant.processing(as_owned_by(node, owner))]) in {expected, "InstallMismatch"}
    assert plant.refusal([syncing(plant, node, stranger)], stranger) == "AccrualPending"
    receipt = sync(plant, node, plant.authority, forfeit=True)
    assert plant.events("oracle", receipt)["AccrualForfeited"].fields["owner"] == alice.pubkey()
    assert plant.refusal([plant.processing(as_owned_by(node, bob))]) == "InstallMismatch"
    plant.deliver(node.next(export=7, import_=3))
    plant.process(as_owned_by(node, bob))
    assert (plant.account(alice).amount, plant.account(bob).amount) == (0, 7_000)
    state = plant.state(node)
    assert (state.install_id, state.written_off_import_mwh, state.cum_import_mwh) == (2, 40, 43)


def test_the_same_with_nothing_owed_needs_no_department(
    plant: Plant, node: Node, bob: Keypair, stranger: Keypair
) -> None:
    plant.deliver(node.next(export=250, import_=40))
    plant.process(node)
    move(plant, node, MeterStatus.COMPROMISED)
    reassign(plant, node, bob)
    replace_device(plant, node, new_key("good"))
    sync(plant, node, stranger)
    receipt = plant.deliver(node.next(export=7))
    assert plant.events("oracle", receipt)["AccrualForfeited"].fields["export_mwh"] == 0
    plant.process(as_owned_by(node, bob))
    assert plant.account(bob).amount == 7_000


def test_an_owner_who_changes_with_the_install_is_paid_for_the_old_one(
    plant: Plant, node: Node, alice: Keypair, bob: Keypair
) -> None:
    plant.deliver(node.next(export=250))
    rebase(plant, node)
    reassign(plant, node, bob)
    plant.process(node)
    sync(plant, node, plant.relayer)
    plant.deliver(node.next(export=7))
    plant.process(as_owned_by(node, bob))
    assert (plant.account(alice).amount, plant.account(bob).amount) == (250_000, 7_000)


def test_a_frozen_meter_with_nothing_owed_stays_frozen_for_its_new_owner(
    plant: Plant, node: Node, bob: Keypair, stranger: Keypair
) -> None:
    report(plant, contradiction(node))
    reassign(plant, node, bob)
    sync(plant, node, stranger)
    assert plant.refused(node.next(export=7)) == "Frozen"
    a_second_later(plant)
    rotate(plant, node, new_key("good"))
    command(plant, clearing(plant, node))
    plant.deliver(node.next(export=7))
