"""Attacks by true copies (threats.md X3): what exists once is known by its address, in Oracle and Energy Token."""

from collections.abc import Callable

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.oracle.plant import Node, Plant
from tests.attacks.oracle.test_energy_token import burning, minting
from tests.attacks.oracle.test_pause import ELSEWHERE, STOPPED_BY, outcome, prepared

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.chain import TransactionFailed
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.units import Atoms

ONCE = {
    "config": "ConstraintAddress",
    "governance": "ConstraintAddress",
    "oracle_auth": "ConstraintAddress",
    "energy_token": "ConstraintAddress",
    "token_config": "ConstraintAddress",
    "mint": "ConstraintAddress",
    "mint_auth": "ConstraintAddress",
    "burner": "ConstraintAddress",
}
"""Accounts that exist once, and how another one is refused."""
GRID = ONCE | {"oracle_minter": "Unauthorized", "mint": "WrongMint"}
"""The same, as the Energy Token says it."""

Call = Callable[[Plant, Node], Instruction]


def twin(chain: EmbeddedChain, address: Pubkey) -> Pubkey:
    """The same account at another address; only another address where there is no account."""
    other = Pubkey.new_unique()
    (info,) = chain.accounts([address])
    if info is not None:
        chain.set_account(other, owner=info.owner, data=info.data, executable=info.executable)
    return other


@pytest.mark.parametrize("name", [name for name in STOPPED_BY if name not in ELSEWHERE])
def test_the_oracle_takes_no_copy(plant: Plant, node: Node, bob: Keypair, name: str) -> None:
    """Where there is nothing to mint, too: the Energy Token would refuse it only then."""
    *before, honest = prepared(name, plant, node, bob)
    places = list(enumerate(plant.built["oracle"].account_names(name)))
    tried = [(place, account) for place, account in places if account in ONCE]
    assert tried, "every instruction reads one of them"
    for place, account in tried:
        attack = plant.swap("oracle", name, honest, **{account: twin(plant.chain, honest.accounts[place].pubkey)})
        expected = "Unauthorized" if (name, account) == ("set_authority", "governance") else ONCE[account]
        assert outcome(plant, [*before, attack]) == expected, account
    assert outcome(plant, [*before, honest]) == "done"


def set_authority(plant: Plant, _node: Node) -> Instruction:
    accounts = {"governance": plant.site.governance, "config": plant.site.token_config}
    return plant.built["energy_token"].instruction("set_authority", accounts, {})


CALLS: dict[str, Call] = {
    "mint_to": lambda plant, node: minting(plant, node, pdas.oracle_auth(plant.built)),
    "burn_for_consumption": lambda plant, node: burning(plant, node, pdas.oracle_auth(plant.built)),
    "burn": lambda plant, node: ix.burn(plant.built, node.owner.pubkey(), Atoms(1)),
    "approve_consumption": lambda plant, node: ix.approve_consumption(plant.built, node.owner.pubkey(), Atoms(1)),
    "create_associated_token_account": lambda plant, node: ix.create_token_account(
        plant.built, plant.relayer.pubkey(), node.owner.pubkey()
    ),
    "sync_total_supply": lambda plant, _node: plant.built["energy_token"].instruction(
        "sync_total_supply", {"config": plant.site.token_config, "mint": plant.site.grid_mint}, {}
    ),
    "set_authority": set_authority,
}
"""The instructions of the Energy Token that read one of them; even the oracle must name the true ones."""


@pytest.mark.parametrize("name", CALLS)
def test_the_energy_token_takes_no_copy(plant: Plant, node: Node, name: str) -> None:
    plant.deliver(node.next(export=500))
    plant.process(node)
    plant.chain.send([ix.approve_consumption(plant.built, node.owner.pubkey(), Atoms(10**6))], [node.owner])
    honest = CALLS[name](plant, node)
    assert outcome(plant, [honest]) == "done"
    for place, account in enumerate(plant.built["energy_token"].account_names(name)):
        if account not in GRID:
            continue
        attack = plant.swap("energy_token", name, honest, **{account: twin(plant.chain, honest.accounts[place].pubkey)})
        expected = "Unauthorized" if (name, account) == ("set_authority", "governance") else GRID[account]
        assert outcome(plant, [attack]) == expected, account


def test_oracle_and_token_begin_under_the_one_governance_and_registry(
    deployed: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    key = authority.pubkey()
    governing = ix.initialize_governance(
        built, key, engineering_authority=key, guardian=key, single_validator=key, campus_network="campus"
    )
    deployed.send([governing, ix.initialize_registry(built, key, "hall", b"12345678")], [authority])
    governance, registry = pdas.governance(built), pdas.registry(built)
    beginnings = (
        (ix.initialize_token(built, key, "Engineering GRID", "ENG_GRID"), (governance,)),
        (ix.initialize_oracle(built, key, "ami"), (governance, registry)),
    )
    for honest, known in beginnings:
        for address in known:
            copy = twin(deployed, address)
            metas = [
                AccountMeta(copy, m.is_signer, m.is_writable) if m.pubkey == address else m for m in honest.accounts
            ]
            with pytest.raises(TransactionFailed) as refused:
                deployed.send([Instruction(honest.program_id, bytes(honest.data), metas)], [authority])
            assert refused.value.name == "ConstraintAddress"
        deployed.send([honest], [authority])
