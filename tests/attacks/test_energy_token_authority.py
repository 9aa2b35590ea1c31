"""Attacks on the Energy Token's sync_total_supply and set_authority (threats.md E2, E6, X1 to X4, X14)."""

from collections.abc import Callable, Sequence

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.node import Node

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.accounts import Role, TokenConfig, UserType, fetch
from meterchain.ed25519 import Signed, possession_message
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import MeterAssignment
from meterchain.site import Site, assign_meter, open_meter, open_token_account, register_user
from meterchain.tokens import TOKEN_PROGRAM
from meterchain.units import Atoms, InstallId

Refusal = Callable[[Sequence[Instruction], Sequence[Keypair]], str]
Bend = Callable[..., Instruction]

MINTED = 500_000_000
SPL_SET_AUTHORITY, SPL_BURN = 6, 8
MINT_TOKENS, FREEZE_ACCOUNT = 0, 1


@pytest.fixture
def rich(
    chain: EmbeddedChain,
    site: Site,
    authority: Keypair,
    alice: Keypair,
    stranger: Keypair,
    plan: MeterAssignment,
    meter_key: Callable[[str], Keypair],
) -> Site:
    """`site` where alice has MINTED atoms for what her meter exported."""
    key = meter_key("1")
    register_user(chain, site, authority, alice.pubkey(), UserType.PROSUMER, Role.STUDENT)
    open_token_account(chain, site, authority, alice.pubkey())
    message = possession_message(site.domain, "METER_001", alice.pubkey(), InstallId(1))
    assign_meter(chain, site, authority, plan, Signed(bytes(key.pubkey()), bytes(key.sign_message(message))))
    open_meter(chain, site, authority, "METER_001")
    Node(chain, site, key, stranger).report(500_007, 8)
    chain.send([ix.process_energy_data(site.programs, "METER_001", alice.pubkey())], [stranger])
    return site


def config(chain: EmbeddedChain, site: Site) -> TokenConfig:
    found = fetch(chain, site.programs, TokenConfig, site.token_config)
    assert found is not None
    return found


def supply(chain: EmbeddedChain, site: Site) -> int:
    """The mint's own."""
    (info,) = chain.accounts([site.grid_mint])
    assert info is not None
    return int.from_bytes(info.data[36:44], "little")


def plain_burn(site: Site, owner: Pubkey, amount: int) -> Instruction:
    """SPL Token's own Burn, which our program does not see."""
    metas = [
        AccountMeta(site.grid_account(owner), is_signer=False, is_writable=True),
        AccountMeta(site.grid_mint, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=True, is_writable=False),
    ]
    return Instruction(TOKEN_PROGRAM, bytes([SPL_BURN]) + amount.to_bytes(8, "little"), metas)


# --- sync_total_supply ---


def test_anybody_may_have_plain_burns_noted_and_the_supply_is_the_mints_again(
    chain: EmbeddedChain, rich: Site, alice: Keypair, stranger: Keypair
) -> None:
    chain.send([plain_burn(rich, alice.pubkey(), 100)], [alice])
    assert (config(chain, rich).total_supply, supply(chain, rich)) == (MINTED, MINTED - 100)
    receipt = chain.send([ix.sync_total_supply(rich.programs)], [stranger])
    (event,) = rich.programs["energy_token"].events(receipt)
    assert (event.name, dict(event.fields)) == ("SupplySynced", {"old": MINTED, "new": MINTED - 100})
    found = config(chain, rich)
    assert found.total_supply == supply(chain, rich)
    assert (found.total_minted, found.total_burned_voluntary, found.total_burned_consumption) == (MINTED, 0, 0)
    chain.send([ix.sync_total_supply(rich.programs)], [stranger])
    assert config(chain, rich) == found


def test_everything_may_be_burned_in_any_mixture_of_ways(chain: EmbeddedChain, rich: Site, alice: Keypair) -> None:
    """A plain burn that was not noted leaves the counter too high, never too low: our own burns go on."""
    for way in (
        plain_burn(rich, alice.pubkey(), 100),
        ix.burn(rich.programs, alice.pubkey(), Atoms(50)),
        ix.sync_total_supply(rich.programs),
        plain_burn(rich, alice.pubkey(), 7),
        ix.burn(rich.programs, alice.pubkey(), Atoms(MINTED - 157)),
    ):
        chain.send([way], [alice])
        assert config(chain, rich).total_supply >= supply(chain, rich)
    assert (config(chain, rich).total_supply, supply(chain, rich)) == (7, 0)
    chain.send([ix.sync_total_supply(rich.programs)], [alice])
    assert config(chain, rich).total_supply == 0


def test_the_supply_is_that_of_grids_mint_and_no_other(
    chain: EmbeddedChain, rich: Site, alice: Keypair, stranger: Keypair, refusal: Refusal, bend: Bend
) -> None:
    good = ix.sync_total_supply(rich.programs)
    (mint, account, totals) = chain.accounts([rich.grid_mint, rich.grid_account(alice.pubkey()), rich.token_config])
    assert mint is not None
    assert account is not None
    assert totals is not None
    twin, forged, counter = Pubkey.new_unique(), Pubkey.new_unique(), Pubkey.new_unique()
    chain.set_account(twin, owner=mint.owner, data=mint.data)
    chain.set_account(forged, owner=Pubkey.new_unique(), data=mint.data)
    chain.set_account(counter, owner=totals.owner, data=totals.data)
    for index, key, name in (
        (1, twin, "WrongMint"),
        (1, forged, "IllegalOwner"),
        (1, account.address, "InvalidAccountData"),
        (0, counter, "ConstraintAddress"),
        (0, rich.governance, "IllegalOwner"),
    ):
        assert refusal([bend(good, index, key=key)], [stranger]) == name
    assert refusal([bend(good, 0, writable=False)], [stranger]) == "ConstraintMut"
    chain.send([good], [stranger])


@pytest.mark.parametrize("mask", [0b000100, 0b001000, 0x3F])
def test_an_emergency_stops_neither_the_count_nor_the_mirror(
    chain: EmbeddedChain, rich: Site, authority: Keypair, mask: int
) -> None:
    built, me, token = rich.programs, authority.pubkey(), rich.programs.id("energy_token")
    chain.send([ix.emergency_pause(built, me, mask, 0)], [authority])
    chain.send([ix.sync_total_supply(built)], [authority])
    push = ix.push_authority(built, me, token, rich.token_config, 0)
    chain.send([ix.add_program(built, me, token, 0), push], [authority])


# --- what the mirrored authority is worth ---


def test_a_new_department_is_mirrored_and_can_mint_as_little_as_the_old_one(
    chain: EmbeddedChain,
    rich: Site,
    authority: Keypair,
    alice: Keypair,
    stranger: Keypair,
    refusal: Refusal,
    bend: Bend,
) -> None:
    built, token = rich.programs, rich.programs.id("energy_token")
    chain.send([ix.add_program(built, authority.pubkey(), token, 0)], [authority])
    chain.send([ix.propose_authority(built, authority.pubkey(), stranger.pubkey())], [authority])
    chain.send([ix.accept_authority(built, stranger.pubkey())], [stranger])
    before = config(chain, rich)
    push = ix.push_authority(built, stranger.pubkey(), token, rich.token_config, 0)
    chain.send([push], [stranger])
    after = config(chain, rich)
    assert (before.mint_authority, after.mint_authority) == (authority.pubkey(), stranger.pubkey())
    assert (after.oracle_minter, after.total_minted) == (pdas.oracle_auth(built), MINTED)
    account, bump = pdas.grid_account(built, alice.pubkey())
    accounts = {"oracle_minter": stranger.pubkey(), "user": pdas.user(built, alice.pubkey()), "to": account}
    arguments = {"amount": 1, "meter_no": 1, "seq": 2, "ata_bump": bump}
    singletons = {
        "config": rich.token_config, "governance": rich.governance, "mint": rich.grid_mint,
        "mint_auth": pdas.mint_auth(built), "token_program": TOKEN_PROGRAM,
    }  # fmt: skip
    by_hand = built["energy_token"].instruction("mint_to", {**singletons, **accounts}, arguments)
    assert refusal([by_hand], [stranger]) == "Unauthorized"
    for kind, name in ((MINT_TOKENS, "OwnerMismatch"), (FREEZE_ACCOUNT, "MintCannotFreeze")):
        metas = [
            AccountMeta(rich.grid_mint, is_signer=False, is_writable=True),
            AccountMeta(stranger.pubkey(), is_signer=True, is_writable=False),
        ]
        seize = Instruction(TOKEN_PROGRAM, bytes([SPL_SET_AUTHORITY, kind, 1]) + bytes(stranger.pubkey()), metas)
        assert refusal([seize], [stranger]) == name
    chain.simulate([bend(by_hand, 0, key=pdas.oracle_auth(built))], stranger.pubkey())
