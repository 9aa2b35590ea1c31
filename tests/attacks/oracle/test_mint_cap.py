"""Attacks on the cap and the pause of minting (threats.md E1, X14); a test may sign for the oracle's PDA here."""

import pytest
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from tests.attacks import test_energy_token_authority
from tests.attacks.oracle import test_energy_token, test_processing
from tests.attacks.oracle.plant import Node, Plant

from meterchain import pdas
from meterchain.chain import Receipt, TransactionFailed
from meterchain.embedded import EmbeddedChain
from meterchain.tokens import TOKEN_PROGRAM
from meterchain.units import SLOT_S

CAP_ATOMS = 100_000
MINT = 1 << 2
WEEK = 604_800


@pytest.fixture
def chain() -> EmbeddedChain:
    """Signatures of transactions are not verified; programs see the same signer flags."""
    return EmbeddedChain(sigverify=False)


def mint(plant: Plant, node: Node, amount: int, **bent: Pubkey) -> Receipt:
    """mint_to, with the oracle's signature conjured up."""
    account, bump = pdas.grid_account(plant.built, node.owner.pubkey())
    accounts = {
        "oracle_minter": pdas.oracle_auth(plant.built),
        "config": plant.site.token_config,
        "governance": plant.site.governance,
        "user": pdas.user(plant.built, node.owner.pubkey()),
        "mint": plant.site.grid_mint,
        "mint_auth": pdas.mint_auth(plant.built),
        "to": account,
        "token_program": TOKEN_PROGRAM,
    } | bent
    arguments = {"amount": amount, "meter_no": 1, "seq": 1, "ata_bump": bump}
    call = plant.built["energy_token"].instruction("mint_to", accounts, arguments)
    message = MessageV0.try_compile(plant.relayer.pubkey(), [call], [], plant.chain._blockhash())
    blank = [Signature.default()] * message.header.num_required_signatures
    return plant.chain.submit(VersionedTransaction.populate(message, blank))


def refused(plant: Plant, node: Node, amount: int, **bent: Pubkey) -> str:
    with pytest.raises(TransactionFailed) as refusal:
        mint(plant, node, amount, **bent)
    return refusal.value.name


def test_the_cap_is_held_to_the_atom_and_begins_anew_with_the_epoch(plant: Plant, node: Node) -> None:
    plant.set_param(16, CAP_ATOMS // 1_000)
    assert refused(plant, node, CAP_ATOMS + 1) == "MintCapExceeded"
    mint(plant, node, CAP_ATOMS - 1)
    assert refused(plant, node, 2) == "MintCapExceeded"
    assert refused(plant, node, 2**64 - 1) == "MintCapExceeded"
    mint(plant, node, 1)
    assert refused(plant, node, 1) == "MintCapExceeded"
    now = plant.chain.clock().unix_s
    plant.chain.advance(SLOT_S - 1 - now % SLOT_S)
    assert refused(plant, node, 1) == "MintCapExceeded"
    plant.chain.advance(1)
    mint(plant, node, CAP_ATOMS)
    tokens = plant.tokens()
    assert (tokens.epoch_minted, tokens.total_minted, tokens.mint_cap_per_epoch) == (
        CAP_ATOMS,
        2 * CAP_ATOMS,
        CAP_ATOMS,
    )
    assert plant.supply() == tokens.total_supply == 2 * CAP_ATOMS


def test_a_clock_that_goes_back_gives_no_second_cap_for_the_epoch_at_hand(plant: Plant, node: Node) -> None:
    plant.set_param(16, CAP_ATOMS // 1_000)
    mint(plant, node, CAP_ATOMS)
    plant.chain.advance(SLOT_S)
    mint(plant, node, CAP_ATOMS)
    assert refused(plant, node, 1) == "MintCapExceeded"


def test_even_the_oracle_mints_only_to_an_active_users_own_account(plant: Plant, node: Node, other: Node) -> None:
    theirs = plant.site.grid_account(other.owner.pubkey())
    assert refused(plant, node, 1, to=theirs) == "BadTokenAccount"
    assert refused(plant, node, 1, user=pdas.user(plant.built, other.owner.pubkey())) == "BadTokenAccount"
    own = plant.site.grid_account(node.owner.pubkey())
    (info,) = plant.chain.accounts([own])
    assert info is not None
    given_away = info.data[:32] + bytes(other.owner.pubkey()) + info.data[64:]
    plant.chain.set_account(own, owner=info.owner, data=given_away)
    assert refused(plant, node, 1) == "BadTokenAccount"
    plant.chain.set_account(own, owner=info.owner, data=info.data)
    assert refused(plant, node, 0) == "ZeroAmount"
    plant.pause(1 << 2)
    assert refused(plant, node, 1) == "Paused"
    plant.unpause(1 << 2)
    plant.patch("registry", "User", pdas.user(plant.built, node.owner.pubkey()), {"status": 1})
    assert refused(plant, node, 1) == "UserInactive"
    plant.patch("registry", "User", pdas.user(plant.built, node.owner.pubkey()), {"status": 0})
    mint(plant, node, 1)


@pytest.mark.parametrize("mask", [1 << bit for bit in range(6)] + [0x3F])
def test_minting_stops_by_its_own_bit_until_that_expires(plant: Plant, node: Node, mask: int) -> None:
    plant.pause(mask)
    if mask & MINT:
        assert refused(plant, node, 1) == "Paused"
        plant.chain.advance(WEEK - 1)
        assert refused(plant, node, 1) == "Paused"
        plant.chain.advance(1)
    mint(plant, node, 1)


def test_each_instruction_of_the_token_has_its_place_in_the_matrix(plant: Plant) -> None:
    """Stopped: mint_to, above.  What the oracle burns it leaves out itself: test_processing.py."""
    never = {
        "burn_for_consumption": test_processing.test_a_pause_stops_its_own_part_and_no_other,
        "burn": test_energy_token.test_exits_are_never_paused,
        "transfer": test_energy_token.test_exits_are_never_paused,
        "approve_consumption": test_energy_token.test_exits_are_never_paused,
        "revoke_consumption": test_energy_token.test_exits_are_never_paused,
        "create_associated_token_account": test_energy_token.test_exits_are_never_paused,
        "sync_total_supply": test_energy_token_authority.test_an_emergency_stops_neither_the_count_nor_the_mirror,
        "set_authority": test_energy_token_authority.test_an_emergency_stops_neither_the_count_nor_the_mirror,
    }
    names = {shape["name"] for shape in plant.built["energy_token"].raw["instructions"]}
    assert names == set(never) | {"mint_to", "initialize_token"}
