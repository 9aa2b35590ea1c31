"""Attacks on assign_meter (threats.md R2, R3, R5, R7, R13, X10): each beside the same call unharmed."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.accounts import Meter, MeterStatus, RegistryConfig, Role, User, UserStatus, UserType, fetch
from meterchain.ed25519 import Signed
from meterchain.embedded import START, EmbeddedChain
from meterchain.instructions import MeterAssignment
from meterchain.programs import Programs
from meterchain.units import Lamports, Mwh

Refusal = Callable[[Sequence[Instruction], Sequence[Keypair]], str]
Possess = Callable[..., Signed]
Funded = Callable[[str], Keypair]
Assign = Callable[..., list[Instruction]]

MAX_METERS = 1


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


# --- assign_meter ---


def test_a_meter_is_assigned_as_planned(
    town: EmbeddedChain, built: Programs, authority: Keypair, alice: Keypair, assign: Assign, plan: MeterAssignment
) -> None:
    receipt = town.send(assign(plan, key("1")), [authority])
    found = meter(town, built)
    assert (found.meter_no, found.install_id, found.status) == (1, 1, MeterStatus.ACTIVE)
    assert (found.owner, found.meter_key) == (alice.pubkey(), key("1").pubkey())
    assert (found.baseline_export_mwh, found.baseline_import_mwh, found.baseline_ts) == (7, 8, START)
    owner = user(town, built, alice.pubkey())
    assert (owner.meter_count, tuple(owner.meters)[:2]) == (1, (1, 0))
    counts = config(town, built)
    assert (counts.next_meter_no, counts.meter_count, counts.active_meter_count) == (2, 1, 1)
    (event,) = built["registry"].events(receipt)
    assert (event.name, event.fields["meter_no"]) == ("MeterAssigned", 1)


def test_only_the_department_assigns_meters(
    town: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    alice: Keypair,
    domain: bytes,
    possess: Possess,
    assign: Assign,
    plan: MeterAssignment,
    refusal: Refusal,
) -> None:
    attack = ix.assign_meter(built, alice.pubkey(), domain, plan, possess(key("1"), plan))
    assert refusal(attack, [alice]) == "Unauthorized"
    town.send(assign(plan, key("1")), [authority])


@pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.REVOKED])
def test_a_user_who_is_not_active_gets_no_meter(
    town: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    alice: Keypair,
    assign: Assign,
    plan: MeterAssignment,
    refusal: Refusal,
    status: UserStatus,
) -> None:
    town.send([ix.set_user_status(built, authority.pubkey(), alice.pubkey(), status)], [authority])
    assert refusal(assign(plan, key("1")), [authority]) == "UserInactive"
    town.send([ix.set_user_status(built, authority.pubkey(), alice.pubkey(), UserStatus.ACTIVE)], [authority])
    town.send(assign(plan, key("1")), [authority])


def test_a_meter_id_a_key_and_a_device_are_registered_once(
    town: EmbeddedChain,
    authority: Keypair,
    alice: Keypair,
    bob: Keypair,
    assign: Assign,
    plan: MeterAssignment,
    refusal: Refusal,
) -> None:
    town.send(assign(plan, key("1")), [authority])
    other = replace(numbered(plan, 2), owner=bob.pubkey())
    same_id = replace(other, meter_id=plan.meter_id)
    same_device = replace(other, serial=plan.serial)
    assert refusal(assign(same_id, key("2")), [authority]) == "AccountAlreadyInUse"
    assert refusal(assign(same_device, key("2")), [authority]) == "AccountAlreadyInUse"
    assert refusal(assign(other, key("1")), [authority]) == "AccountAlreadyInUse"
    town.send(assign(other, key("2")), [authority])


def test_a_retired_key_is_never_used_again(
    town: EmbeddedChain, built: Programs, authority: Keypair, assign: Assign, plan: MeterAssignment, refusal: Refusal
) -> None:
    """What rotation leaves behind: a KeyIndex with `retired_at`."""
    town.send(assign(plan, key("1")), [authority])
    index = pdas.key_index(built, key("1").pubkey())
    (info,) = town.accounts([index])
    assert info is not None
    retired = built["registry"].decode_account("KeyIndex", info.data) | {"retired_at": START}
    town.set_account(index, owner=info.owner, data=built["registry"].encode_account("KeyIndex", retired))
    assert refusal(assign(numbered(plan, 2), key("1")), [authority]) == "AccountAlreadyInUse"
    town.send(assign(numbered(plan, 2), key("2")), [authority])


@pytest.mark.parametrize("prefunded", ["meter", "key_index", "serial_index", "user"])
@pytest.mark.parametrize("lamports", [1, 10**9])
def test_an_address_that_somebody_prefunded_can_still_be_created(
    town: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    funded: Funded,
    assign: Assign,
    plan: MeterAssignment,
    prefunded: str,
    lamports: int,
) -> None:
    carol = funded("carol").pubkey()
    address = {
        "meter": pdas.meter(built, plan.meter_id),
        "key_index": pdas.key_index(built, key("1").pubkey()),
        "serial_index": pdas.serial_index(built, b"SDM120".ljust(16, b"\0"), b"SN-1".ljust(24, b"\0")),
        "user": pdas.user(built, carol),
    }[prefunded]
    town.set_account(address, owner=Pubkey.default(), data=b"", lamports=Lamports(lamports))
    town.send([ix.register_user(built, authority.pubkey(), carol, UserType.CONSUMER, Role.STUDENT)], [authority])
    town.send(assign(replace(plan, owner=carol), key("1")), [authority])
    (info,) = town.accounts([address])
    assert info is not None
    assert info.owner == built.id("registry")
    assert info.lamports >= town.rent_exempt(len(info.data))


# --- R7: meter ids ---


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"meter_001",
        b"METER 001",
        b"METER\x00001",
        b"\x00METER",
        b"M\xc3\x89TER",
        b"METER_\xff",
        b"METER.1",
        b"METER_000000001\n",
        b"METER\x7f",
    ],
)
def test_a_meter_id_is_upper_case_and_zero_padded(
    town: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    assign: Assign,
    plan: MeterAssignment,
    refusal: Refusal,
    raw: bytes,
) -> None:
    proof, ours = assign(plan, key("1"))
    name, arguments = built["registry"].decode_instruction(bytes(ours.data))
    padded = raw.ljust(16, b"\0")
    accounts = dict(zip(built["registry"].account_names(name), (meta.pubkey for meta in ours.accounts), strict=True))
    accounts["meter"] = Pubkey.find_program_address([b"meter", padded], built.id("registry"))[0]
    attack = built["registry"].instruction(name, accounts, arguments | {"meter_id": padded})
    assert refusal([proof, attack], [authority]) == "BadMeterId"
    town.send([proof, ours], [authority])


@pytest.mark.parametrize("meter_id", ["A", "0123456789ABCDEF", "X-9_"])
def test_ids_of_any_length_up_to_sixteen_are_good(
    town: EmbeddedChain, built: Programs, authority: Keypair, assign: Assign, plan: MeterAssignment, meter_id: str
) -> None:
    town.send(assign(replace(plan, meter_id=meter_id), key("1")), [authority])
    assert meter(town, built, meter_id).meter_no == 1


# --- limits ---


@pytest.mark.parametrize(
    "change",
    [
        {"max_export_w": 1_000_001},
        {"max_import_w": 2**32 - 1},
        {"resolution_mwh": 0},
        {"resolution_mwh": 1_000_001},
        {"register_modulus_mwh": 7},
        {"register_modulus_mwh": 8},
        {"register_modulus_mwh": 10, "baseline_import_mwh": 2**64 - 1},
    ],
)
def test_limits_beyond_their_bounds_are_refused(
    town: EmbeddedChain,
    authority: Keypair,
    assign: Assign,
    plan: MeterAssignment,
    refusal: Refusal,
    change: dict[str, int],
) -> None:
    assert refusal(assign(replace(plan, **change), key("1")), [authority]) == "LimitOutOfBounds"  # type: ignore[arg-type]
    edge = replace(plan, max_export_w=1_000_000, max_import_w=0, resolution_mwh=1_000_000, register_modulus_mwh=Mwh(9))
    town.send(assign(edge, key("1")), [authority])


def test_registers_at_their_last_value_without_a_modulus_are_fine(
    town: EmbeddedChain, built: Programs, authority: Keypair, assign: Assign, plan: MeterAssignment
) -> None:
    town.send(assign(replace(plan, baseline_export_mwh=Mwh(2**64 - 1)), key("1")), [authority])
    assert meter(town, built).baseline_export_mwh == 2**64 - 1


# --- R5: how many meters ---


def test_the_eleventh_meter_is_one_too_many_and_a_lower_limit_takes_none_away(
    town: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    alice: Keypair,
    bob: Keypair,
    assign: Assign,
    plan: MeterAssignment,
    refusal: Refusal,
) -> None:
    def new(number: int, owner: Keypair = alice) -> list[Instruction]:
        return assign(replace(numbered(plan, number), owner=owner.pubkey()), key(str(number)))

    def limit(count: int) -> None:
        town.send([ix.update_parameters(built, authority.pubkey(), {MAX_METERS: count})], [authority])

    for number in range(1, 11):
        town.send(new(number), [authority])
    assert refusal(new(11), [authority]) == "TooManyMeters"
    town.send(new(11, bob), [authority])
    limit(5)
    assert refusal(new(12), [authority]) == "TooManyMeters"
    assert user(town, built, alice.pubkey()).meter_count == 10
    limit(16)
    for number in range(12, 18):
        town.send(new(number), [authority])
    assert refusal(new(18), [authority]) == "TooManyMeters"
    assert tuple(user(town, built, alice.pubkey()).meters) == (*range(1, 11), *range(12, 18))
    assert config(town, built).max_meters_per_user == 16
