"""Attacks on Energy Token (threats.md O15, E2 to E4, X1 to X6, X14): each beside the same call unharmed."""

import hashlib
from collections.abc import Callable

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from tests.attacks.oracle.plant import Node, Plant

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.chain import TransactionFailed
from meterchain.deploy import program_data_address
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.tokens import TOKEN_PROGRAM, associated_token_account, read_mint
from meterchain.units import Atoms, Lamports

SET_AUTHORITY, BURN, MINT_TO = 6, 8, 7
Relay = Callable[..., Instruction]


@pytest.fixture
def rich(plant: Plant, node: Node) -> Plant:
    """A plant whose node's owner has 500 mWh worth of GRID."""
    plant.deliver(node.next(export=500))
    plant.process(node)
    return plant


def readonly(key: Pubkey, *, signer: bool = False) -> AccountMeta:
    return AccountMeta(key, is_signer=signer, is_writable=False)


def writable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)


def minting(plant: Plant, node: Node, minter: Pubkey, amount: int = 1_000) -> Instruction:
    """mint_to for the node's owner, with `minter` as who signs."""
    account, bump = pdas.grid_account(plant.built, node.owner.pubkey())
    accounts = {
        "oracle_minter": minter,
        "config": plant.site.token_config,
        "governance": plant.site.governance,
        "user": pdas.user(plant.built, node.owner.pubkey()),
        "mint": plant.site.grid_mint,
        "mint_auth": pdas.mint_auth(plant.built),
        "to": account,
        "token_program": TOKEN_PROGRAM,
    }
    arguments = {"amount": amount, "meter_no": 1, "seq": 1, "ata_bump": bump}
    return plant.built["energy_token"].instruction("mint_to", accounts, arguments)


def burning(plant: Plant, node: Node, minter: Pubkey, amount: int = 1_000) -> Instruction:
    accounts = {
        "oracle_minter": minter,
        "config": plant.site.token_config,
        "mint": plant.site.grid_mint,
        "burner": pdas.burner(plant.built),
        "from": plant.site.grid_account(node.owner.pubkey()),
        "token_program": TOKEN_PROGRAM,
    }
    return plant.built["energy_token"].instruction("burn_for_consumption", accounts, {"amount": amount})


def unsigned(call: Instruction) -> Instruction:
    return Instruction(call.program_id, bytes(call.data), [readonly(call.accounts[0].pubkey), *call.accounts[1:]])


# --- O15 ---


@pytest.mark.parametrize("build", [minting, burning])
def test_nobody_but_the_oracle_mints_or_burns_for_consumption(
    rich: Plant, node: Node, relay: Relay, build: Callable[..., Instruction]
) -> None:
    rich.chain.send([ix.approve_consumption(rich.built, node.owner.pubkey(), Atoms(10**9))], [node.owner])
    for who in (rich.authority, node.owner, rich.relayer):
        assert rich.refusal([build(rich, node, who.pubkey())], who) == "Unauthorized"
    for pda in (pdas.oracle_auth(rich.built), rich.site.oracle):
        assert rich.refusal([unsigned(build(rich, node, pda))]) == "MissingRequiredSignature"
    # a foreign program signs for a PDA of its own with the oracle's seed
    evil = Keypair.from_seed(hashlib.sha256(b"evil program").digest()).pubkey()
    own = Pubkey.find_program_address([b"oracle_auth"], evil)[0]
    assert rich.refusal([relay(unsigned(build(rich, node, own)))]) == "Unauthorized"
    assert (
        rich.refusal([relay(unsigned(build(rich, node, pdas.oracle_auth(rich.built))))]) == "MissingRequiredSignature"
    )
    assert rich.supply() == 500_000
    rich.deliver(node.next(export=10))
    rich.chain.send([relay(rich.processing(node))], [rich.relayer])  # the oracle itself may be called by anybody
    assert rich.supply() == 510_000


# --- E2 ---


def test_the_mint_has_no_other_authority_and_gets_none(rich: Plant, node: Node) -> None:
    (info,) = rich.chain.accounts([rich.site.grid_mint])
    assert info is not None
    mint = read_mint(info)
    assert (mint.mint_authority, mint.freeze_authority, mint.decimals) == (pdas.mint_auth(rich.built), None, 9)
    for kind in (0, 1):  # mint tokens, freeze account
        data = bytes([SET_AUTHORITY, kind, 1]) + bytes(rich.authority.pubkey())
        attack = Instruction(
            TOKEN_PROGRAM, data, [writable(rich.site.grid_mint), readonly(rich.authority.pubkey(), signer=True)]
        )
        with pytest.raises(TransactionFailed) as refused:
            rich.chain.send([attack], [rich.authority])
        assert refused.value.name in {"OwnerMismatch", "MintCannotFreeze"}
    by_hand = Instruction(
        TOKEN_PROGRAM,
        bytes([MINT_TO]) + (10**9).to_bytes(8, "little"),
        [
            writable(rich.site.grid_mint),
            writable(rich.site.grid_account(node.owner.pubkey())),
            readonly(rich.authority.pubkey(), signer=True),
        ],
    )
    assert rich.refusal([by_hand], rich.authority) == "OwnerMismatch"


# --- E3 ---


def foreign_mint(plant: Plant) -> Pubkey:
    """A mint that looks like GRID's in every byte."""
    (info,) = plant.chain.accounts([plant.site.grid_mint])
    assert info is not None
    mint = Pubkey.new_unique()
    plant.chain.set_account(mint, owner=info.owner, data=info.data)
    return mint


def test_the_wrappers_know_one_mint_only(rich: Plant, node: Node, other: Node) -> None:
    owner, mint = node.owner.pubkey(), foreign_mint(rich)
    (real,) = rich.chain.accounts([rich.site.grid_account(owner)])
    assert real is not None
    account = associated_token_account(owner, mint)[0]
    rich.chain.set_account(account, owner=real.owner, data=bytes(mint) + real.data[32:])
    burn = ix.burn(rich.built, owner, Atoms(1_000))
    transfer = ix.transfer(rich.built, owner, other.owner.pubkey(), Atoms(1_000))
    approval = ix.approve_consumption(rich.built, owner, Atoms(1_000))
    revocation = ix.revoke_consumption(rich.built, owner)
    attacks = {
        "burn": (rich.swap("energy_token", "burn", burn, mint=mint, token_account=account), "WrongMint"),
        "burn, the account alone": (rich.swap("energy_token", "burn", burn, token_account=account), "MintMismatch"),
        "transfer": (rich.swap("energy_token", "transfer", transfer, mint=mint), "WrongMint"),
        "transfer, the account alone": (
            rich.swap("energy_token", "transfer", transfer, **{"from": account}),
            "MintMismatch",
        ),
        "approve": (rich.swap("energy_token", "approve_consumption", approval, token_account=account), "WrongMint"),
        "revoke": (rich.swap("energy_token", "revoke_consumption", revocation, token_account=account), "WrongMint"),
    }
    for what, (attack, error) in attacks.items():
        assert rich.refusal([attack], node.owner) == error, what
    rich.chain.send([approval, revocation, burn, transfer], [node.owner])
    assert (rich.account(node.owner).amount, rich.account(other.owner).amount) == (498_000, 1_000)


def test_what_is_anothers_cannot_be_moved_burned_or_approved(rich: Plant, node: Node, other: Node) -> None:
    thief, account = other.owner.pubkey(), rich.site.grid_account(node.owner.pubkey())
    attacks = {
        "burn": ({"token_account": account}, ix.burn(rich.built, thief, Atoms(1))),
        "transfer": ({"from": account}, ix.transfer(rich.built, thief, thief, Atoms(1))),
        "approve_consumption": ({"token_account": account}, ix.approve_consumption(rich.built, thief, Atoms(1))),
    }
    for name, (accounts, call) in attacks.items():
        assert rich.refusal([rich.swap("energy_token", name, call, **accounts)], other.owner) == "OwnerMismatch", name
        honest = rich.swap("energy_token", name, call, owner=node.owner.pubkey())
        unsigned_ = Instruction(
            honest.program_id, bytes(honest.data), [readonly(node.owner.pubkey()), *honest.accounts[1:]]
        )
        assert rich.refusal([unsigned_], other.owner) == "MissingRequiredSignature", name
    rich.chain.send([ix.transfer(rich.built, node.owner.pubkey(), thief, Atoms(1))], [node.owner])


def test_amounts_are_not_zero_and_not_more_than_there_is(rich: Plant, node: Node, other: Node) -> None:
    owner = node.owner.pubkey()
    to = other.owner.pubkey()
    for amount, error in ((0, "ZeroAmount"), (500_001, "InsufficientFunds"), (2**64 - 1, "InsufficientFunds")):
        assert rich.refusal([ix.transfer(rich.built, owner, to, Atoms(amount))], node.owner) == error
    for amount, error in ((0, "ZeroAmount"), (500_001, "Overflow"), (2**64 - 1, "Overflow")):
        assert rich.refusal([ix.burn(rich.built, owner, Atoms(amount))], node.owner) == error
    assert rich.refusal([ix.approve_consumption(rich.built, owner, Atoms(0))], node.owner) == "ZeroAmount"
    rich.chain.send([ix.transfer(rich.built, owner, owner, Atoms(500_000))], [node.owner])  # to oneself
    rich.chain.send([ix.burn(rich.built, owner, Atoms(500_000))], [node.owner])
    assert (rich.supply(), rich.tokens().total_burned_voluntary, rich.tokens().total_supply) == (0, 500_000, 0)


# --- E4 ---


def test_the_burner_obeys_this_program_only(rich: Plant, node: Node, relay: Relay) -> None:
    rich.chain.send([ix.approve_consumption(rich.built, node.owner.pubkey(), Atoms(10**9))], [node.owner])
    account, burner = rich.site.grid_account(node.owner.pubkey()), pdas.burner(rich.built)
    assert rich.account(node.owner).delegate == burner
    metas = [writable(account), writable(rich.site.grid_mint), readonly(burner)]
    attack = Instruction(TOKEN_PROGRAM, bytes([BURN]) + (1).to_bytes(8, "little"), metas)
    assert rich.refusal([attack]) in {"MissingRequiredSignature", "OwnerMismatch"}
    assert rich.refusal([relay(attack)]) in {"MissingRequiredSignature", "OwnerMismatch"}
    assert rich.supply() == 500_000
    rich.deliver(node.next(import_=10))
    rich.process(node)
    assert rich.supply() == 490_000, "measured import burns by that allowance"


def test_only_the_burners_allowance_is_revoked(rich: Plant, node: Node, other: Node) -> None:
    revoke = ix.revoke_consumption(rich.built, node.owner.pubkey())
    assert rich.refusal([revoke], node.owner) == "NotApproved"
    metas = [
        writable(rich.site.grid_account(node.owner.pubkey())),
        readonly(other.owner.pubkey()),
        readonly(node.owner.pubkey(), signer=True),
    ]
    rich.chain.send([Instruction(TOKEN_PROGRAM, bytes([4]) + (9).to_bytes(8, "little"), metas)], [node.owner])
    assert rich.refusal([revoke], node.owner) == "NotApproved"
    rich.chain.send([ix.approve_consumption(rich.built, node.owner.pubkey(), Atoms(7)), revoke], [node.owner])
    assert rich.account(node.owner).delegate is None


# --- X6, X14, create ---


def test_only_the_upgrade_authority_creates_grid_and_only_once(
    deployed: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    stranger, key = Keypair(), authority.pubkey()
    deployed.airdrop(stranger.pubkey(), Lamports(10**10))
    begin = ix.initialize_governance(
        built, key, engineering_authority=key, guardian=key, single_validator=key, campus_network="campus"
    )
    deployed.send([begin], [authority])
    for address in (pdas.grid_mint(built), pdas.token_config(built)):  # somebody pre-funded them
        deployed.airdrop(address, Lamports(1_000_000))

    def attempt(who: Keypair, call: Instruction | None = None) -> str:
        with pytest.raises(TransactionFailed) as refused:
            deployed.send([call or ix.initialize_token(built, who.pubkey(), "Engineering GRID", "ENG_GRID")], [who])
        return refused.value.name

    assert attempt(stranger) == "Unauthorized"
    call = ix.initialize_token(built, key, "Engineering GRID", "ENG_GRID")
    theirs = program_data_address(built.id("oracle"))
    metas = [
        readonly(theirs) if m.pubkey == program_data_address(built.id("energy_token")) else m for m in call.accounts
    ]
    assert attempt(authority, Instruction(call.program_id, bytes(call.data), metas)) == "ConstraintAddress"
    deployed.send([call], [authority])
    assert attempt(authority) == "AccountAlreadyInUse"
    (info,) = deployed.accounts([pdas.grid_mint(built)])
    assert info is not None
    assert read_mint(info).decimals == 9


def test_an_account_is_made_for_active_users_only(plant: Plant, node: Node, bob: Keypair) -> None:
    owner = node.owner.pubkey()
    call = ix.create_token_account(plant.built, plant.relayer.pubkey(), owner)
    plant.chain.send([call], [plant.relayer])  # it is there: no harm
    assert (
        plant.refusal([plant.swap("energy_token", "create_associated_token_account", call, wallet=bob.pubkey())])
        == "Unauthorized"
    )
    own = ix.create_token_account(plant.built, owner, owner)  # payer and wallet the same
    plant.chain.send([own], [node.owner])
    plant.patch("registry", "User", pdas.user(plant.built, owner), {"status": 1})
    assert plant.refusal([call]) == "UserInactive"
    stranger = Keypair().pubkey()
    unknown = ix.create_token_account(plant.built, plant.relayer.pubkey(), stranger)
    assert plant.refusal([unknown]) in {"UninitializedAccount", "IllegalOwner", "AccountDataTooSmall"}


@pytest.mark.parametrize("mask", [1 << bit for bit in range(6)] + [0x3F])
def test_exits_are_never_paused(rich: Plant, node: Node, other: Node, mask: int) -> None:
    owner = node.owner.pubkey()
    rich.pause(mask)
    rich.chain.send(
        [
            ix.approve_consumption(rich.built, owner, Atoms(5)),
            ix.revoke_consumption(rich.built, owner),
            ix.burn(rich.built, owner, Atoms(1)),
            ix.transfer(rich.built, owner, other.owner.pubkey(), Atoms(1)),
            ix.create_token_account(rich.built, owner, owner),
        ],
        [node.owner],
    )
    assert rich.account(node.owner).amount == 499_998


# --- X1, X2 ---


def test_the_config_is_this_programs_own(rich: Plant, node: Node) -> None:
    burn = ix.burn(rich.built, node.owner.pubkey(), Atoms(1))
    (info,) = rich.chain.accounts([rich.site.token_config])
    assert info is not None
    for owner, head, error in (
        (SYSTEM, b"", "IllegalOwner"),
        (info.owner, b"\1" * 8, "InvalidAccountData"),
        (info.owner, b"", "ConstraintAddress"),
    ):
        fake = Pubkey.new_unique()
        rich.chain.set_account(fake, owner=owner, data=head + info.data[len(head) :])
        assert rich.refusal([rich.swap("energy_token", "burn", burn, config=fake)], node.owner) == error
    rich.chain.send([burn], [node.owner])
