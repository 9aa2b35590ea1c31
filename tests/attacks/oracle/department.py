"""What the department does to a plant's meters at the registry: by its real instructions, nothing patched."""

import hashlib
from dataclasses import replace

from solders.instruction import Instruction
from solders.keypair import Keypair
from tests.attacks.oracle.plant import Node, Plant

from meterchain import instructions as ix
from meterchain.accounts import Meter, MeterStatus, fetch
from meterchain.ed25519 import Signed, possession_message
from meterchain.instructions import MeterReplacement
from meterchain.units import InstallId, Mwh, Seq

NEW_EXPORT, NEW_IMPORT = 50, 60
"""What the registers of a new device show, mWh."""


def command(plant: Plant, *instructions: Instruction) -> None:
    plant.chain.send(list(instructions), [plant.authority])


def meter(plant: Plant, node: Node) -> Meter:
    found = fetch(plant.chain, plant.built, Meter, plant.site.meter(node.meter_id))
    assert found is not None
    return found


def move(plant: Plant, node: Node, status: MeterStatus) -> None:
    command(plant, ix.set_meter_status(plant.built, plant.authority.pubkey(), node.meter_id, status))


def reassign(plant: Plant, node: Node, new_owner: Keypair) -> None:
    """The registry names another owner; the node still belongs to the old one."""
    old = meter(plant, node).owner
    command(plant, ix.reassign_meter(plant.built, plant.authority.pubkey(), node.meter_id, old, new_owner.pubkey()))


def new_key(name: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(f"new key {name}".encode()).digest())


def prove(plant: Plant, node: Node, key: Keypair, install: int) -> Signed:
    owner = meter(plant, node).owner
    message = possession_message(plant.site.domain, node.meter_id, owner, InstallId(install))
    return Signed(bytes(key.pubkey()), bytes(key.sign_message(message)))


def rotate(plant: Plant, node: Node, key: Keypair) -> None:
    """The meter's key is another one; the node signs with it from now on."""
    found = meter(plant, node)
    proof = prove(plant, node, key, found.install_id)
    command(
        plant,
        *ix.rotate_meter_key(
            plant.built, plant.authority.pubkey(), plant.site.domain, node.meter_id, found.owner, found.install_id,
            old_key=found.meter_key, possession=proof,
        ),
    )  # fmt: skip
    node.key = key


def replace_device(plant: Plant, node: Node, key: Keypair) -> None:
    """Another device with another key: the next install, whose first record the node makes next."""
    found = meter(plant, node)
    install = InstallId(found.install_id + 1)
    device = MeterReplacement(f"{node.meter_id}/{install}", "SDM230", Mwh(0), Mwh(0), Mwh(NEW_EXPORT), Mwh(NEW_IMPORT))
    command(
        plant,
        *ix.replace_meter(
            plant.built, plant.authority.pubkey(), plant.site.domain, node.meter_id, found.owner, install,
            old_key=found.meter_key, replacement=device, possession=prove(plant, node, key, install),
        ),
    )  # fmt: skip
    node.key = key
    restart(node, install)


def rebase(plant: Plant, node: Node) -> None:
    """The same device and key, counted anew from the new registers."""
    move(plant, node, MeterStatus.MAINTENANCE)
    order = ix.rebase_meter(plant.built, plant.authority.pubkey(), node.meter_id, Mwh(NEW_EXPORT), Mwh(NEW_IMPORT), 0)
    command(plant, order)
    move(plant, node, MeterStatus.ACTIVE)
    restart(node, meter(plant, node).install_id)


def restart(node: Node, install: int) -> None:
    """The next record is the first one of this install."""
    before = node.last or node.first
    node.first = replace(
        before,
        install_id=InstallId(install), seq=Seq(0), export_mwh=Mwh(NEW_EXPORT), import_mwh=Mwh(NEW_IMPORT),
        prev=bytes(16),
    )  # fmt: skip
    node.last = None
