"""Attacks on close_billing and on what is written off (threats.md O26): each beside the same call unharmed."""

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.oracle.department import command, move, new_key, replace_device
from tests.attacks.oracle.plant import Node, Plant

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.accounts import MeterStatus
from meterchain.chain import Receipt
from meterchain.units import Atoms

BILLED, OWNER_CHANGED, COMPROMISED = range(3)


def approve(plant: Plant, node: Node, atoms: int = 10**12) -> None:
    plant.chain.send([ix.approve_consumption(plant.built, node.owner.pubkey(), Atoms(atoms))], [node.owner])


def close(plant: Plant, node: Node) -> Receipt:
    bill = ix.close_billing(plant.built, plant.authority.pubkey(), node.meter_id)
    return plant.chain.send([bill], [plant.authority])


def test_import_that_was_billed_is_never_burned_and_later_import_is(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=1_000, import_=300))
    plant.process(node)
    receipt = close(plant, node)
    (event,) = plant.built["oracle"].events(receipt)
    assert (event.name, event.fields) == (
        "ImportWrittenOff",
        {"import_mwh": 300, "owner": node.owner.pubkey(), "meter_no": 1, "reason": BILLED},
    )
    approve(plant, node)
    plant.process(node)
    assert (plant.state(node).burned_mwh, plant.account(node.owner).amount) == (0, 1_000_000)
    plant.deliver(node.next(import_=50))
    plant.process(node)
    state = plant.state(node)
    assert (state.burned_mwh, state.written_off_import_mwh, state.cum_import_mwh) == (50, 300, 350)


def test_what_was_burned_is_not_billed_again(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=1_000, import_=300))
    approve(plant, node, 100_000)
    plant.process(node)
    assert plant.state(node).burned_mwh == 100
    assert plant.events("oracle", close(plant, node))["ImportWrittenOff"].fields["import_mwh"] == 200
    assert plant.events("oracle", close(plant, node))["ImportWrittenOff"].fields["import_mwh"] == 0
    state = plant.state(node)
    assert (state.burned_mwh, state.written_off_import_mwh) == (100, 200)


def test_a_bill_takes_no_export(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=1_000, import_=300))
    close(plant, node)
    plant.process(node)
    assert plant.account(node.owner).amount == 1_000_000


def test_nobody_but_the_department_closes_a_bill(plant: Plant, node: Node, other: Node, stranger: Keypair) -> None:
    plant.deliver(node.next(import_=300), other.next(import_=100))
    for who in (node.owner, stranger, plant.relayer):
        attack = ix.close_billing(plant.built, who.pubkey(), node.meter_id)
        assert plant.refusal([attack], who) == "Unauthorized"
    good = ix.close_billing(plant.built, plant.authority.pubkey(), node.meter_id)
    crossed = plant.swap("oracle", "close_billing", good, meter_state=plant.site.meter_state(other.meter_id))
    assert plant.refusal([crossed], plant.authority) == "MeterMismatch"
    for account, fake, name in (
        ("meter", plant.site.oracle, "IllegalOwner"),
        ("meter_state", pdas.user(plant.built, node.owner.pubkey()), "AccountDataTooSmall"),
        ("meter_state", plant.site.oracle, "InvalidAccountData"),
    ):
        swapped = plant.swap("oracle", "close_billing", good, **{account: fake})
        assert plant.refusal([swapped], plant.authority) == name
    governance = Pubkey.new_unique()
    (info,) = plant.chain.accounts([plant.site.governance])
    assert info is not None
    plant.chain.set_account(governance, owner=info.owner, data=info.data)
    swapped = plant.swap("oracle", "close_billing", good, governance=governance)
    assert plant.refusal([swapped], plant.authority) == "ConstraintAddress"
    command(plant, good)
    assert (plant.state(node).written_off_import_mwh, plant.state(other).written_off_import_mwh) == (300, 0)


# --- a compromised install: neither for its owner nor against him ---


def test_import_that_a_thief_may_have_signed_burns_nothing(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=500))
    plant.process(node)
    approve(plant, node)
    plant.deliver(node.next(export=20_000, import_=1_000_000))
    move(plant, node, MeterStatus.COMPROMISED)
    assert plant.refusal([plant.processing(node)]) == "MeterInactive"
    replace_device(plant, node, new_key("good"))
    assert plant.refusal([plant.processing(node)]) == "InstallMismatch"
    receipt = plant.deliver(node.next(export=7, import_=3))
    events = plant.events("oracle", receipt)
    assert events["AccrualForfeited"].fields["export_mwh"] == 20_000
    assert events["ImportWrittenOff"].fields == {
        "import_mwh": 1_000_000,
        "owner": node.owner.pubkey(),
        "meter_no": 1,
        "reason": COMPROMISED,
    }
    plant.process(node)
    state = plant.state(node)
    assert (state.burned_mwh, plant.account(node.owner).amount) == (3, 504_000)
    assert (state.minted_mwh, state.forfeited_mwh, state.cum_export_mwh) == (507, 20_000, 20_507)
    assert state.burned_mwh + state.written_off_import_mwh == state.cum_import_mwh


@pytest.mark.parametrize("status", [MeterStatus.MAINTENANCE, MeterStatus.COMPROMISED])
def test_a_new_device_writes_off_what_a_compromised_one_reported_and_nothing_else(
    plant: Plant, node: Node, status: MeterStatus
) -> None:
    plant.deliver(node.next(export=500, import_=40))
    move(plant, node, status)
    replace_device(plant, node, new_key("good"))
    receipt = plant.deliver(node.next())
    lost = {"AccrualForfeited", "ImportWrittenOff"} & set(plant.events("oracle", receipt))
    assert (len(lost) == 2) == (status is MeterStatus.COMPROMISED)
    plant.process(node)
    assert plant.account(node.owner).amount == (500_000 if status is MeterStatus.MAINTENANCE else 0)
