"""Attacks on PushAuthority and set_authority (threats.md G4, G9): who gets that signature, and who rules when."""

import hashlib
from collections.abc import Callable, Sequence

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions as ix
from meterchain.accounts import (
    MeterStatus,
    OracleConfig,
    RegistryConfig,
    Role,
    TokenConfig,
    UserStatus,
    UserType,
    fetch,
)
from meterchain.chain import TransactionFailed
from meterchain.ed25519 import Signed, possession_message
from meterchain.embedded import EmbeddedChain
from meterchain.idl import Idl
from meterchain.idl_types import IdlError
from meterchain.instructions import MeterAssignment
from meterchain.programs import Programs
from meterchain.site import Site, assign_meter, register_user
from meterchain.tokens import TOKEN_PROGRAM
from meterchain.units import InstallId, Mwh

Refusal = Callable[[Sequence[Instruction], Sequence[Keypair]], str]
Bend = Callable[..., Instruction]
Funded = Callable[[str], Keypair]

CAP, MAX_METERS = 16, 1
SET_AUTHORITY = hashlib.sha256(b"global:set_authority").digest()[:8]
SLOTS = {"registry": 0, "energy_token": 1, "oracle": 2}


@pytest.fixture
def heir(funded: Funded) -> Keypair:
    """Who takes over."""
    return funded("heir")


@pytest.fixture
def listed(chain: EmbeddedChain, site: Site, authority: Keypair) -> Site:
    """`site` with programs in the list of the authorised."""
    for name, slot in SLOTS.items():
        add = ix.add_program(site.programs, authority.pubkey(), site.programs.id(name), slot)
        chain.send([add], [authority])
    return site


def mirror_address(site: Site, name: str) -> Pubkey:
    return {"registry": site.registry, "energy_token": site.token_config, "oracle": site.oracle}[name]


def mirrored(chain: EmbeddedChain, site: Site, name: str) -> Pubkey:
    """The authority as the program's own config names it."""
    if name == "registry":
        registry = fetch(chain, site.programs, RegistryConfig, site.registry)
        assert registry is not None
        return registry.engineering_authority
    if name == "oracle":
        oracle = fetch(chain, site.programs, OracleConfig, site.oracle)
        assert oracle is not None
        return oracle.engineering_authority
    token = fetch(chain, site.programs, TokenConfig, site.token_config)
    assert token is not None
    return token.mint_authority


def push(site: Site, payer: Pubkey, name: str) -> Instruction:
    return ix.push_authority(site.programs, payer, site.programs.id(name), mirror_address(site, name), SLOTS[name])


def succeed(chain: EmbeddedChain, site: Site, authority: Keypair, heir: Keypair) -> None:
    """`heir` takes over."""
    chain.send([ix.propose_authority(site.programs, authority.pubkey(), heir.pubkey())], [authority])
    chain.send([ix.accept_authority(site.programs, heir.pubkey())], [heir])


# --- PushAuthority ---


@pytest.mark.parametrize("name", SLOTS)
def test_anybody_may_have_the_present_authority_mirrored(
    chain: EmbeddedChain, listed: Site, authority: Keypair, heir: Keypair, stranger: Keypair, name: str
) -> None:
    succeed(chain, listed, authority, heir)
    assert mirrored(chain, listed, name) == authority.pubkey()
    receipt = chain.send([push(listed, stranger.pubkey(), name)], [stranger])
    (event,) = listed.programs["governance"].events(receipt)
    assert (event.name, dict(event.fields)) == (
        "AuthorityPushed",
        {
            "program": listed.programs.id(name),
            "config": mirror_address(listed, name),
            "authority": heir.pubkey(),
            "slot": SLOTS[name],
        },
    )
    assert mirrored(chain, listed, name) == heir.pubkey()


def test_a_proposal_is_no_authority_yet(
    chain: EmbeddedChain, listed: Site, authority: Keypair, heir: Keypair, stranger: Keypair
) -> None:
    chain.send([ix.propose_authority(listed.programs, authority.pubkey(), heir.pubkey())], [authority])
    chain.send([push(listed, stranger.pubkey(), "registry")], [stranger])
    assert mirrored(chain, listed, "registry") == authority.pubkey()


def test_what_else_a_config_mirrors_is_refreshed(chain: EmbeddedChain, listed: Site, authority: Keypair) -> None:
    chain.send([ix.update_parameters(listed.programs, authority.pubkey(), {MAX_METERS: 3, CAP: 5})], [authority])
    for name in SLOTS:
        chain.send([push(listed, authority.pubkey(), name)], [authority])
    registry = fetch(chain, listed.programs, RegistryConfig, listed.registry)
    token = fetch(chain, listed.programs, TokenConfig, listed.token_config)
    assert registry is not None
    assert token is not None
    assert (registry.max_meters_per_user, token.mint_cap_per_epoch) == (3, 5_000)


def test_an_empty_or_missing_slot_is_pushed_nowhere(
    chain: EmbeddedChain, listed: Site, stranger: Keypair, refusal: Refusal
) -> None:
    built, me, registry = listed.programs, stranger.pubkey(), listed.programs.id("registry")
    for slot in (3, 7, 8, 255):
        attack = ix.push_authority(built, me, registry, listed.registry, slot)
        assert refusal([attack], [stranger]) == "SlotInvalid"
    chain.send([push(listed, me, "registry")], [stranger])


def test_a_program_that_left_the_list_is_pushed_no_more(
    chain: EmbeddedChain, listed: Site, authority: Keypair, refusal: Refusal
) -> None:
    chain.send([push(listed, authority.pubkey(), "registry")], [authority])
    chain.send([ix.remove_program(listed.programs, authority.pubkey(), SLOTS["registry"])], [authority])
    assert refusal([push(listed, authority.pubkey(), "registry")], [authority]) == "SlotInvalid"


def test_a_listed_program_cannot_borrow_the_signature_for_another(
    chain: EmbeddedChain,
    listed: Site,
    authority: Keypair,
    stranger: Keypair,
    by_proxy: Callable[..., Instruction],
    refusal: Refusal,
) -> None:
    """G9: the foreign program would pass the signature on; it never gets it, though the department itself listed it."""
    built, me = listed.programs, authority.pubkey()
    evil = by_proxy(push(listed, stranger.pubkey(), "registry")).program_id
    for slot, program in enumerate((evil, built.id("governance"), TOKEN_PROGRAM), 3):
        chain.send([ix.add_program(built, me, program, slot)], [authority])
        attack = ix.push_authority(built, me, program, listed.registry, slot)
        assert refusal([attack], [authority]) == "CpiTargetMismatch"
    through = ix.push_authority(built, me, evil, listed.registry, SLOTS["registry"])
    assert refusal([through], [authority]) == "CpiTargetMismatch"
    chain.send([push(listed, me, "registry")], [authority])


def test_a_push_names_the_program_of_the_slot_and_one_config(
    chain: EmbeddedChain, listed: Site, stranger: Keypair, refusal: Refusal
) -> None:
    built, me = listed.programs, stranger.pubkey()
    good = push(listed, me, "registry")
    program, config = good.accounts[2:]
    other = AccountMeta(built.id("energy_token"), is_signer=False, is_writable=False)
    for others in ([], [program], [config], [config, program], [other, config], [program, config, config]):
        attack = Instruction(good.program_id, good.data, [*good.accounts[:2], *others])
        assert refusal([attack], [stranger]) == "CpiTargetMismatch"
    chain.send([good], [stranger])


def test_a_push_writes_that_programs_own_config_only(
    chain: EmbeddedChain, listed: Site, stranger: Keypair, refusal: Refusal, bend: Bend
) -> None:
    good = push(listed, stranger.pubkey(), "registry")
    (info,) = chain.accounts([listed.registry])
    assert info is not None
    twin, forged = Pubkey.new_unique(), Pubkey.new_unique()
    chain.set_account(twin, owner=info.owner, data=info.data)
    chain.set_account(forged, owner=Pubkey.new_unique(), data=info.data)
    for key, name in (
        (listed.token_config, "IllegalOwner"),
        (forged, "IllegalOwner"),
        (twin, "ConstraintAddress"),
        (listed.governance, "ConstraintDuplicateMutableAccount"),
    ):
        assert refusal([bend(good, 3, key=key)], [stranger]) == name
    assert refusal([bend(good, 3, writable=False)], [stranger]) == "PrivilegeEscalation"
    chain.send([good], [stranger])


def test_a_foreign_program_may_ask_for_a_push_as_anybody_may(
    chain: EmbeddedChain, listed: Site, stranger: Keypair, by_proxy: Callable[..., Instruction]
) -> None:
    chain.send([by_proxy(push(listed, stranger.pubkey(), "registry"))], [stranger])


# --- set_authority, called by somebody else ---


def direct(site: Site, name: str) -> Instruction:
    """set_authority itself, with governance's address as its signer."""
    accounts = {"governance": site.governance, "config": mirror_address(site, name)}
    return site.programs[name].instruction("set_authority", accounts, {})


@pytest.mark.parametrize("name", SLOTS)
def test_set_authority_obeys_nobody_but_governance(
    chain: EmbeddedChain,
    listed: Site,
    stranger: Keypair,
    authority: Keypair,
    refusal: Refusal,
    bend: Bend,
    by_proxy: Callable[..., Instruction],
    name: str,
) -> None:
    call = direct(listed, name)
    assert refusal([bend(call, 0, signer=False)], [stranger]) == "MissingRequiredSignature"
    for signer in (stranger, authority):
        assert refusal([bend(call, 0, key=signer.pubkey())], [signer]) == "IllegalOwner"
    assert refusal([by_proxy(bend(call, 0, signer=False))], [stranger]) == "MissingRequiredSignature"
    chain.send([push(listed, stranger.pubkey(), name)], [stranger])


@pytest.mark.parametrize("name", SLOTS)
def test_the_same_seeds_under_another_program_are_not_governance(
    chain: EmbeddedChain, listed: Site, stranger: Keypair, bend: Bend, name: str
) -> None:
    """Simulated without signature checks, so that any address seems to sign: governance's own passes, no other does."""
    foreign = Pubkey.find_program_address([b"governance"], Pubkey.new_unique())[0]
    twin = Pubkey.new_unique()
    (info,) = chain.accounts([listed.governance])
    assert info is not None
    chain.set_account(foreign, owner=Pubkey.new_unique(), data=info.data)
    chain.set_account(twin, owner=info.owner, data=info.data)
    for key, expected in ((foreign, "IllegalOwner"), (twin, "Unauthorized")):
        with pytest.raises(TransactionFailed) as refused:
            chain.simulate([bend(direct(listed, name), 0, key=key)], stranger.pubkey())
        assert refused.value.name == expected
    chain.simulate([direct(listed, name)], stranger.pubkey())


def test_every_program_that_mirrors_the_authority_has_the_same_instruction(built: Programs) -> None:
    having = [name for name in built if _has_set_authority(built[name])]
    assert set(SLOTS) <= set(having)
    for name in having:
        assert built[name].account_names("set_authority") == ["governance", "config"], name


def _has_set_authority(idl: Idl) -> bool:
    try:
        return idl.decode_instruction(SET_AUTHORITY) == ("set_authority", {})
    except IdlError:
        return False


# --- G9: who rules from when on ---


@pytest.fixture
def metered(
    chain: EmbeddedChain, listed: Site, authority: Keypair, alice: Keypair, plan: MeterAssignment, node: Keypair
) -> Site:
    """`listed` with alice and her METER_001."""
    register_user(chain, listed, authority, alice.pubkey(), UserType.PROSUMER, Role.STUDENT)
    message = possession_message(listed.domain, plan.meter_id, alice.pubkey(), InstallId(1))
    claim = Signed(bytes(node.pubkey()), bytes(node.sign_message(message)))
    assign_meter(chain, listed, authority, plan, claim)
    return listed


@pytest.fixture
def node(funded: Funded) -> Keypair:
    """The key of METER_001."""
    return funded("node")


def everything(site: Site, me: Pubkey, alice: Pubkey) -> dict[str, Instruction]:
    """What an authority may do by one plain signature, in an order in which all of it succeeds."""
    built = site.programs
    limits = {"max_export_w": 1, "max_import_w": 1, "resolution_mwh": 1}
    return {
        "update_parameters": ix.update_parameters(built, me, {3: 30}),
        "emergency_unpause": ix.emergency_unpause(built, me, 1),
        "emergency_pause": ix.emergency_pause(built, me, 0b100000, 0),
        "set_guardian": ix.set_guardian(built, me),
        "add_program": ix.add_program(built, me, built.id("trading"), 5),
        "register_user": ix.register_user(built, me, Pubkey.new_unique(), UserType.CONSUMER, Role.STUDENT),
        "update_user": ix.update_user(built, me, alice, role=Role.FACULTY),
        "set_user_status": ix.set_user_status(built, me, alice, UserStatus.SUSPENDED),
        "set_meter_limits": ix.set_meter_limits(built, me, "METER_001", **limits),
        "set_meter_status": ix.set_meter_status(built, me, "METER_001", MeterStatus.MAINTENANCE),
        "rebase_meter": ix.rebase_meter(built, me, "METER_001", Mwh(0), Mwh(0), 0),
        "set_active": ix.set_active(built, me, active=False),
        "set_ami_endpoint": ix.set_ami_endpoint(built, me, "elsewhere"),
        "set_relayers": ix.set_relayers(built, me, [alice], listed_only=True),
        "propose_authority": ix.propose_authority(built, me, alice),
    }


def test_a_dismissed_authority_is_powerless_in_the_transaction_of_the_accept_and_after(
    chain: EmbeddedChain,
    metered: Site,
    authority: Keypair,
    heir: Keypair,
    alice: Keypair,
    stranger: Keypair,
    refusal: Refusal,
) -> None:
    chain.send([ix.propose_authority(metered.programs, authority.pubkey(), heir.pubkey())], [authority])
    accept = ix.accept_authority(metered.programs, heir.pubkey())
    mine = everything(metered, authority.pubkey(), alice.pubkey())
    for name, call in mine.items():
        expected = "NotOwner" if name == "set_meter_status" else "Unauthorized"
        assert refusal([accept, call], [stranger, heir, authority]) == expected, name
    theirs = everything(metered, heir.pubkey(), alice.pubkey())
    chain.send([accept, *list(theirs.values())[:6]], [stranger, heir])
    for name, call in mine.items():
        expected = "NotOwner" if name == "set_meter_status" else "Unauthorized"
        assert refusal([call], [authority]) == expected, name
    chain.send(list(theirs.values())[6:], [stranger, heir])
    assert {mirrored(chain, metered, name) for name in SLOTS} == {authority.pubkey()}  # nothing was pushed
