"""Attacks on the Registry (threats.md R1, R9, R15, X6, X14), assign_meter apart: each beside the same call unharmed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.accounts import Meter, MeterStatus, RegistryConfig, Role, User, UserStatus, UserType, fetch
from meterchain.deploy import LOADER, program_data_address
from meterchain.embedded import START, EmbeddedChain
from meterchain.instructions import MeterAssignment
from meterchain.programs import Programs
from meterchain.units import UnixTime

Refusal = Callable[[Sequence[Instruction], Sequence[Keypair]], str]
Bend = Callable[..., Instruction]
Assign = Callable[..., list[Instruction]]

WEEK = 604_800
ALL_BITS = 0x3F


def key(name: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(f"meter key {name}".encode()).digest())


def numbered(assignment: MeterAssignment, number: int) -> MeterAssignment:
    """Another metering point with another device."""
    return replace(assignment, meter_id=f"METER_{number:03}", serial=f"SN-{number}")


def user(chain: EmbeddedChain, built: Programs, wallet: Pubkey) -> User:
    found = fetch(chain, built, User, pdas.user(built, wallet))
    assert found is not None
    return found


def meter(chain: EmbeddedChain, built: Programs, meter_id: str = "METER_001") -> Meter:
    found = fetch(chain, built, Meter, pdas.meter(built, meter_id))
    assert found is not None
    return found


def config(chain: EmbeddedChain, built: Programs) -> RegistryConfig:
    found = fetch(chain, built, RegistryConfig, pdas.registry(built))
    assert found is not None
    return found


# --- X6: initialisation ---


def test_only_the_upgrade_authority_initialises_and_only_once(
    governed: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    stranger: Keypair,
    domain: bytes,
    refusal: Refusal,
    bend: Bend,
) -> None:
    attack = ix.initialize_registry(built, stranger.pubkey(), "mine", domain)
    assert refusal([attack], [stranger]) == "Unauthorized"
    (info,) = governed.accounts([program_data_address(built.id("registry"))])
    assert info is not None
    own_program = Pubkey.new_unique()
    governed.set_account(own_program, owner=LOADER, data=info.data[:13] + bytes(stranger.pubkey()) + info.data[45:])
    assert refusal([bend(attack, 1, key=own_program)], [stranger]) == "Unauthorized"
    honest = ix.initialize_registry(built, authority.pubkey(), "ours", domain)
    governed.send([honest], [authority])
    assert (config(governed, built).domain, config(governed, built).next_meter_no) == (domain, 1)
    assert refusal([honest], [authority]) == "AccountAlreadyInUse"


def test_a_registry_needs_a_governance(
    founded: EmbeddedChain, built: Programs, authority: Keypair, domain: bytes, refusal: Refusal
) -> None:
    early = ix.initialize_registry(built, authority.pubkey(), "ours", domain)
    assert refusal([early], [authority]) == "UninitializedAccount"


# --- R1: users ---


def test_nobody_registers_himself(
    registered: EmbeddedChain, built: Programs, authority: Keypair, alice: Keypair, guardian: Keypair, refusal: Refusal
) -> None:
    for signer in (alice, guardian):
        attack = ix.register_user(built, signer.pubkey(), alice.pubkey(), UserType.PROSUMER, Role.FACULTY)
        assert refusal([attack], [signer]) == "Unauthorized"
    honest = ix.register_user(built, authority.pubkey(), alice.pubkey(), UserType.PROSUMER, Role.FACULTY)
    receipt = registered.send([honest], [authority])
    (event,) = built["registry"].events(receipt)
    assert (event.name, event.fields["wallet"]) == ("UserRegistered", alice.pubkey())
    assert config(registered, built).user_count == 1
    assert refusal([honest], [authority]) == "AccountAlreadyInUse"


def test_a_users_type_and_role_are_of_those_that_exist_and_the_wallet_is_not_zero(
    registered: EmbeddedChain, built: Programs, authority: Keypair, alice: Keypair, refusal: Refusal
) -> None:
    def register(wallet: Pubkey, user_type: int, role: int) -> Instruction:
        accounts = {"authority": authority.pubkey(), "wallet": wallet}
        arguments = {"user_type": user_type, "role": role, "location": bytes(32), "external_id_hash": bytes(32)}
        return built["registry"].instruction("register_user", accounts, arguments)

    for user_type, role in ((2, 0), (255, 0), (0, 3), (1, 255)):
        assert refusal([register(alice.pubkey(), user_type, role)], [authority]) == "LimitOutOfBounds"
    assert refusal([register(Pubkey.default(), 0, 0)], [authority]) == "NotOwner"
    registered.send([register(alice.pubkey(), 1, 2)], [authority])


def test_the_department_may_register_its_own_wallet(
    registered: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    own = ix.register_user(built, authority.pubkey(), authority.pubkey(), UserType.PROSUMER, Role.DEPARTMENT)
    registered.send([own], [authority])
    assert user(registered, built, authority.pubkey()).role == Role.DEPARTMENT


def test_the_department_may_own_a_meter_and_change_its_status(
    town: EmbeddedChain, built: Programs, authority: Keypair, assign: Assign, plan: MeterAssignment
) -> None:
    me = authority.pubkey()
    town.send([ix.register_user(built, me, me, UserType.PROSUMER, Role.DEPARTMENT)], [authority])
    town.send(assign(replace(plan, owner=me), key("1")), [authority])
    town.send([ix.set_meter_status(built, me, "METER_001", MeterStatus.COMPROMISED)], [authority])


def test_a_users_status_changes_by_the_department_alone_and_to_another_one(
    town: EmbeddedChain, built: Programs, authority: Keypair, alice: Keypair, refusal: Refusal
) -> None:
    wallet = alice.pubkey()
    own = ix.set_user_status(built, wallet, wallet, UserStatus.SUSPENDED)
    assert refusal([own], [alice]) == "Unauthorized"
    same = ix.set_user_status(built, authority.pubkey(), wallet, UserStatus.ACTIVE)
    assert refusal([same], [authority]) == "BadStatusTransition"
    for status in (3, 255):
        attack = built["registry"].instruction(
            "set_user_status", {"authority": authority.pubkey(), "user": pdas.user(built, wallet)}, {"status": status}
        )
        assert refusal([attack], [authority]) == "LimitOutOfBounds"
    receipt = town.send([ix.set_user_status(built, authority.pubkey(), wallet, UserStatus.SUSPENDED)], [authority])
    (event,) = built["registry"].events(receipt)
    assert dict(event.fields) == {"wallet": wallet, "old": 0, "new": 1, "at": START}
    for status in (UserStatus.REVOKED, UserStatus.ACTIVE):
        town.send([ix.set_user_status(built, authority.pubkey(), wallet, status)], [authority])


# --- R9: the status of a meter ---

P, A, M, D, C = MeterStatus
ALLOWED = {(P, A), (P, D), (A, M), (A, D), (A, C), (M, A), (M, D), (M, C)}


def force_status(chain: EmbeddedChain, built: Programs, status: MeterStatus) -> None:
    """As if METER_001, the only meter, had come to `status` in a lawful way."""
    _patch(chain, built, "Meter", pdas.meter(built, "METER_001"), {"status": int(status)})
    _patch(chain, built, "RegistryConfig", pdas.registry(built), {"active_meter_count": int(status == A)})


def _patch(chain: EmbeddedChain, built: Programs, kind: str, address: Pubkey, changes: Mapping[str, int]) -> None:
    (info,) = chain.accounts([address])
    assert info is not None
    fields = built["registry"].decode_account(kind, info.data) | changes
    chain.set_account(address, owner=info.owner, data=built["registry"].encode_account(kind, fields))


def test_the_department_moves_a_meter_along_the_allowed_ways_only(
    town: EmbeddedChain, built: Programs, authority: Keypair, assign: Assign, plan: MeterAssignment, refusal: Refusal
) -> None:
    town.send(assign(plan, key("1")), [authority])
    for old in MeterStatus:
        for new in MeterStatus:
            force_status(town, built, old)
            move = ix.set_meter_status(built, authority.pubkey(), "METER_001", new)
            if (old, new) in ALLOWED:
                receipt = town.send([move], [authority])
                (event,) = built["registry"].events(receipt)
                assert (event.fields["old"], event.fields["new"]) == (old, new)
                assert meter(town, built).status == new
            else:
                assert refusal([move], [authority]) == "BadStatusTransition", (old, new)
                assert meter(town, built).status == old


def test_the_owner_may_send_an_active_meter_to_maintenance_and_nothing_else(
    town: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    alice: Keypair,
    bob: Keypair,
    assign: Assign,
    plan: MeterAssignment,
    refusal: Refusal,
) -> None:
    town.send(assign(plan, key("1")), [authority])
    for old in MeterStatus:
        for new in MeterStatus:
            force_status(town, built, old)
            own = ix.set_meter_status(built, alice.pubkey(), "METER_001", new)
            others = ix.set_meter_status(built, bob.pubkey(), "METER_001", new)
            assert refusal([others], [bob]) == "NotOwner"
            if (old, new) == (A, M):
                town.send([own], [alice])
            else:
                assert refusal([own], [alice]) == "Unauthorized", (old, new)


def test_active_meters_are_counted(
    town: EmbeddedChain, built: Programs, authority: Keypair, assign: Assign, plan: MeterAssignment, refusal: Refusal
) -> None:
    for number in (1, 2):
        town.send(assign(numbered(plan, number), key(str(number))), [authority])
    counts = []
    for status in (M, A, M, D):
        town.send([ix.set_meter_status(built, authority.pubkey(), "METER_001", status)], [authority])
        counts.append(config(town, built).active_meter_count)
    assert counts == [1, 2, 1, 1]
    for status in (5, 255):
        accounts = {"authority": authority.pubkey(), "meter": pdas.meter(built, "METER_001")}
        attack = built["registry"].instruction("set_meter_status", accounts, {"status": status})
        assert refusal([attack], [authority]) == "LimitOutOfBounds"


# --- views ---


def test_views_answer_for_the_account_that_was_asked_about(
    town: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    alice: Keypair,
    bob: Keypair,
    assign: Assign,
    plan: MeterAssignment,
    refusal: Refusal,
    bend: Bend,
) -> None:
    town.send(assign(plan, key("1")), [authority])
    town.send(assign(numbered(plan, 2), key("2")), [authority])
    ask = ix.verify_user(built, alice.pubkey())
    receipt = town.send([ask], [authority])
    answer = built["registry"].decode_return("verify_user", receipt.return_data)
    assert answer == {"status": 0, "user_type": 0, "role": 0, "meter_count": 2}
    assert refusal([bend(ask, 0, key=pdas.user(built, bob.pubkey()))], [authority]) == "NotOwner"
    receipt = town.send([ix.verify_meter(built, "METER_002")], [authority])
    answer = built["registry"].decode_return("verify_meter", receipt.return_data)
    assert answer == {"owner": alice.pubkey(), "status": 1, "meter_key": key("2").pubkey(), "install_id": 1}
    swapped = bend(ix.verify_meter(built, "METER_002"), 0, key=pdas.meter(built, "METER_001"))
    assert refusal([swapped], [authority]) == "BadMeterId"
    town.send([ix.set_user_status(built, authority.pubkey(), alice.pubkey(), UserStatus.SUSPENDED)], [authority])
    assert refusal([ask], [authority]) == "UserInactive"


# --- X14: what a pause stops ---


@pytest.mark.parametrize("mask", [1 << bit for bit in range(6)] + [ALL_BITS, ALL_BITS ^ 1])
def test_bit_zero_stops_new_users_and_meters_and_nothing_else(
    town: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    alice: Keypair,
    assign: Assign,
    plan: MeterAssignment,
    refusal: Refusal,
    mask: int,
) -> None:
    me, wallet = authority.pubkey(), alice.pubkey()
    town.send(assign(plan, key("1")), [authority])
    town.send([ix.emergency_pause(built, me, mask, 0)], [authority])
    stopped = {
        "register_user": [ix.register_user(built, me, Pubkey.new_unique(), UserType.CONSUMER, Role.STUDENT)],
        "assign_meter": assign(numbered(plan, 2), key("2")),
    }
    never = {
        "set_user_status": [ix.set_user_status(built, me, wallet, UserStatus.SUSPENDED)],
        "set_user_status back": [ix.set_user_status(built, me, wallet, UserStatus.ACTIVE)],
        "set_meter_status": [ix.set_meter_status(built, me, "METER_001", MeterStatus.MAINTENANCE)],
        "verify_user": [ix.verify_user(built, wallet)],
        "verify_meter": [ix.verify_meter(built, "METER_001")],
    }
    for name, call in stopped.items():
        if mask & 1:
            assert refusal(call, [authority]) == "Paused", name
        else:
            town.send(call, [authority])
    for call in never.values():
        town.send(call, [authority])
    town.set_unix_time(UnixTime(START + WEEK))  # by now the pause has expired
    if mask & 1:
        for call in stopped.values():
            town.send(call, [authority])
