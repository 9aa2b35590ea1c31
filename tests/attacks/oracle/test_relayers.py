"""Attacks by who delivers and on what the department says of it (threats.md O17, S3): each beside the call unharmed."""

from dataclasses import replace

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.oracle.department import command, reassign
from tests.attacks.oracle.plant import Node, Plant

from meterchain import instructions as ix
from meterchain.accounts import OracleConfig, fetch
from meterchain.chain import TransactionFailed
from meterchain.instructions import SignedRecord
from meterchain.units import Mwh

MOST = 8


def config(plant: Plant) -> OracleConfig:
    found = fetch(plant.chain, plant.built, OracleConfig, plant.site.oracle)
    assert found is not None
    return found


def listing(plant: Plant, *relayers: Pubkey, listed_only: bool = True, by: Keypair | None = None) -> Instruction:
    who = (by or plant.authority).pubkey()
    return ix.set_relayers(plant.built, who, relayers, listed_only=listed_only)


def delivered_by(plant: Plant, node: Node, who: Keypair) -> str:
    """`done`, or why the node's next record is not taken from `who`."""
    record = node.next(export=10)
    plant.wait_for(record)
    delivery = ix.submit_meter_data(plant.built, who.pubkey(), plant.signed(record), position=0)
    try:
        plant.chain.send(delivery, [who])
    except TransactionFailed as refused:
        return refused.name
    node.last = record
    return "done"


def test_a_listed_site_takes_records_from_its_relayers_and_the_owner_only(
    plant: Plant, node: Node, other: Node, stranger: Keypair
) -> None:
    plant.deliver(node.next(export=10), other.next(export=10))
    command(plant, listing(plant, plant.relayer.pubkey()))
    assert (config(plant).relayer_mode, config(plant).relayer_count) == (1, 1)
    for who in (stranger, other.owner, plant.authority):
        assert delivered_by(plant, node, who) == "Unauthorized"
    for who in (plant.relayer, node.owner):
        assert delivered_by(plant, node, who) == "done"
    command(plant, listing(plant, listed_only=False))
    assert delivered_by(plant, node, stranger) == "done"


def test_who_has_the_relayers_key_can_only_spend_its_fees(plant: Plant, node: Node, other: Node) -> None:
    """He makes no record, bends none, is paid for none, and decides nothing; the next relayer delivers what waited."""
    command(plant, listing(plant, plant.relayer.pubkey()))
    thief, record = plant.relayer, node.next(export=10)
    plant.deliver(other.next(export=10))
    plant.wait_for(record)
    forged = replace(record, export_mwh=Mwh(record.export_mwh + 1))
    own = ix.submit_meter_data(plant.built, thief.pubkey(), [node.sign(forged.encode(), thief)], position=0)
    assert plant.refusal(own, thief) == "SignatureMismatch"
    honest = node.sign(record.encode())
    bent = SignedRecord(forged.encode(), honest.signed)
    assert (
        plant.refusal(ix.submit_meter_data(plant.built, thief.pubkey(), [bent], position=0), thief)
        == "InvalidSignature"
    )
    elsewhere = plant.site.grid_account(node.owner.pubkey())
    assert plant.refusal([plant.processing(other, token_account=elsewhere)], thief) == "BadTokenAccount"
    for call in (listing(plant, thief.pubkey(), by=thief), ix.set_active(plant.built, thief.pubkey(), active=False)):
        assert plant.refusal([call], thief) == "Unauthorized"
    plant.deliver(record)
    assert plant.state(node).cum_export_mwh == 10


def test_an_owner_brings_no_record_of_another_ones_meter(plant: Plant, node: Node, other: Node) -> None:
    command(plant, listing(plant))
    mine, theirs = node.next(export=10), other.next(export=10)
    plant.wait_for(mine, theirs)
    plant.relayer = node.owner
    assert plant.refused(mine, theirs) == "Unauthorized"
    plant.deliver(mine)


def test_the_list_of_before_is_forgotten_whole(plant: Plant, node: Node, bob: Keypair, stranger: Keypair) -> None:
    command(plant, listing(plant, bob.pubkey(), stranger.pubkey(), plant.relayer.pubkey()))
    command(plant, listing(plant, plant.relayer.pubkey()))
    found = config(plant)
    assert found.relayers == (plant.relayer.pubkey(), *[Pubkey.default()] * (MOST - 1))
    for who in (bob, stranger):
        assert delivered_by(plant, node, who) == "Unauthorized"
    assert delivered_by(plant, node, plant.relayer) == "done"


def test_a_new_owner_delivers_nothing_before_the_oracle_knows_him(plant: Plant, node: Node, bob: Keypair) -> None:
    command(plant, listing(plant))
    reassign(plant, node, bob)
    plant.relayer = bob
    assert plant.refused(node.next(export=10)) == "OwnerChangePending"
    plant.chain.send([ix.sync_owner(plant.built, bob.pubkey(), node.meter_id)], [bob])
    plant.deliver(node.next(export=10))
    plant.relayer = node.owner  # alice, who had it
    assert plant.refused(node.next(export=10)) == "Unauthorized"


def test_the_whole_list_is_heard(plant: Plant, node: Node) -> None:
    relayers = [Pubkey.new_unique() for _ in range(MOST - 1)]
    command(plant, listing(plant, *relayers, plant.relayer.pubkey()))
    assert config(plant).relayers == (*relayers, plant.relayer.pubkey())
    assert delivered_by(plant, node, plant.relayer) == "done"


def test_a_list_with_a_mistake_in_it_is_refused(plant: Plant) -> None:
    one = Pubkey.new_unique()
    nine = [Pubkey.new_unique() for _ in range(MOST + 1)]
    for wrong in ([one, one], [one, Pubkey.new_unique(), one], [Pubkey.default()], [one, Pubkey.default()], nine):
        assert plant.refusal([listing(plant, *wrong)], plant.authority) == "InvalidArgument"
    good = listing(plant, one)
    mode_2 = Instruction(good.program_id, bytes(good.data)[:8] + b"\2" + bytes(good.data)[9:], good.accounts)
    assert plant.refusal([mode_2], plant.authority) == "InvalidArgument"
    command(plant, good)


def test_a_list_that_is_cut_short_is_refused_cleanly(plant: Plant) -> None:
    good = listing(plant, Pubkey.new_unique())
    data = bytes(good.data)
    lengths = [data[:9] + count.to_bytes(4, "little") + data[13:] for count in (2, 255, 2**32 - 1)]
    for wrong in [data[:n] for n in range(8, len(data), 5)] + lengths:
        assert plant.refusal([Instruction(good.program_id, wrong, good.accounts)], plant.authority) in {
            "InvalidInstructionData",
            "InvalidArgument",
        }
    command(plant, good)


# --- what only the department says ---


def speech(plant: Plant, name: str, who: Pubkey) -> Instruction:
    return {
        "set_relayers": ix.set_relayers(plant.built, who, [Pubkey.new_unique()], listed_only=True),
        "set_ami_endpoint": ix.set_ami_endpoint(plant.built, who, "https://ami.example/v2"),
    }[name]


@pytest.mark.parametrize("name", ["set_relayers", "set_ami_endpoint"])
def test_only_the_department_says_so(plant: Plant, stranger: Keypair, name: str) -> None:
    assert plant.refusal([speech(plant, name, stranger.pubkey())], stranger) == "Unauthorized"
    good = speech(plant, name, plant.authority.pubkey())
    head = good.accounts[0]
    unsigned = AccountMeta(head.pubkey, is_signer=False, is_writable=head.is_writable)
    assert (
        plant.refusal([Instruction(good.program_id, good.data, [unsigned, *good.accounts[1:]])], stranger)
        == "MissingRequiredSignature"
    )
    (info,) = plant.chain.accounts([plant.site.oracle])
    assert info is not None
    twin = Pubkey.new_unique()
    plant.chain.set_account(twin, owner=info.owner, data=info.data)
    assert plant.refusal([plant.swap("oracle", name, good, config=twin)], plant.authority) == "ConstraintAddress"
    assert plant.refusal([plant.swap("oracle", name, good, governance=twin)], plant.authority) == "IllegalOwner"
    plant.pause(0x3F)
    command(plant, good)


def test_the_endpoint_is_written_down_and_announced(plant: Plant) -> None:
    good = speech(plant, "set_ami_endpoint", plant.authority.pubkey())
    receipt = plant.chain.send([good], [plant.authority])
    assert config(plant).ami_endpoint == "https://ami.example/v2"
    assert list(plant.events("oracle", receipt)) == ["AmiEndpointSet"]
