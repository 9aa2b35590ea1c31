"""Attacks on what happens to a user and a meter in its life (threats.md R5, R9, R11, R15, X10, X14).

Each beside the same call unharmed.  Keys and devices are in test_registry_keys.py, what the oracle makes of it all in
test_registry_over_oracle.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.office import LIMITS, Office

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.accounts import (
    MeterStatus,
    Role,
    UserStatus,
    UserType,
)
from meterchain.embedded import START
from meterchain.instructions import MeterAssignment
from meterchain.units import UnixTime

Refusal = Callable[[Sequence[Instruction], Sequence[Keypair]], str]
Assign = Callable[..., list[Instruction]]


MAX_METERS = 1
WEEK = 604_800


# --- update_user ---


def test_what_a_user_is_can_be_corrected_in_parts(office: Office, alice: Keypair, refusal: Refusal) -> None:
    wallet, built = alice.pubkey(), office.built
    event = office.do(ix.update_user(built, office.me, wallet, user_type=UserType.CONSUMER))
    assert (event["event"], event["user_type"], event["role"]) == ("UserUpdated", UserType.CONSUMER, Role.STUDENT)
    office.do(ix.update_user(built, office.me, wallet, role=Role.FACULTY, location="hall 4"))
    before = office.user(wallet)
    assert (before.user_type, before.role, before.location) == (UserType.CONSUMER, Role.FACULTY, "hall 4")
    office.do(ix.update_user(built, office.me, wallet))
    assert office.user(wallet) == before
    own = ix.update_user(built, wallet, wallet, role=Role.DEPARTMENT)
    assert refusal([own], [alice]) == "Unauthorized"
    accounts = {"authority": office.me, "user": pdas.user(built, wallet)}
    for user_type, role in ((2, None), (255, None), (None, 3), (0, 255)):
        arguments = {"user_type": user_type, "role": role, "location": None}
        attack = built["registry"].instruction("update_user", accounts, arguments)
        assert refusal([attack], [office.authority]) == "LimitOutOfBounds"
    assert office.user(wallet) == before


# --- set_meter_limits ---


def test_limits_are_set_as_a_whole_and_reported(office: Office, alice: Keypair, refusal: Refusal) -> None:
    event = office.do(office.limits(modulus=9))
    assert (event["event"], event["old_max_export_w"], event["new_max_export_w"]) == (
        "MeterLimitsChanged",
        5_000,
        3_000,
    )
    assert (event["old_register_modulus_mwh"], event["new_register_modulus_mwh"]) == (0, 9)
    found = office.meter()
    assert (found.max_export_w, found.max_import_w, found.resolution_mwh, found.register_modulus_mwh) == (
        3_000, 4_000, 100, 9,
    )  # fmt: skip
    own = ix.set_meter_limits(office.built, alice.pubkey(), "METER_001", **LIMITS)
    assert refusal([own], [alice]) == "Unauthorized"


@pytest.mark.parametrize(
    "change",
    [
        {"max_export_w": 1_000_001},
        {"max_import_w": 2**32 - 1},
        {"resolution_mwh": 0},
        {"resolution_mwh": 1_000_001},
        {"modulus": 7},
        {"modulus": 8},
    ],
)
def test_limits_beyond_their_bounds_are_refused(office: Office, refusal: Refusal, change: dict[str, int]) -> None:
    """The baselines are 7 and 8: a register stands below its modulus."""
    assert refusal([office.limits(**change)], [office.authority]) == "LimitOutOfBounds"
    office.do(office.limits(max_export_w=1_000_000, max_import_w=0, resolution_mwh=1_000_000, modulus=9))


# --- rebase_meter ---


def test_registers_count_from_elsewhere_on_after_a_rebase_in_maintenance(office: Office) -> None:
    office.bring_to("maintenance")
    office.chain.set_unix_time(UnixTime(START + 60))
    event = office.do(office.rebase(5, 6))
    assert (event["event"], event["install_id"], event["reason"]) == ("MeterRebaseOrdered", 2, 17)
    found = office.meter()
    assert (found.status, found.install_id, found.forfeit_install) == (MeterStatus.MAINTENANCE, 2, 0)
    assert (found.baseline_export_mwh, found.baseline_import_mwh, found.baseline_ts) == (5, 6, START + 60)
    assert (found.meter_key, found.serial) == (office.key("1").pubkey(), "SN-1")


@pytest.mark.parametrize("path", ["active", "decommissioned", "compromised"])
def test_a_meter_is_rebased_in_maintenance_only(office: Office, refusal: Refusal, path: str) -> None:
    office.bring_to(path)
    assert refusal([office.rebase()], [office.authority]) == "BadStatusTransition"
    if path == "active":
        office.bring_to("maintenance")
        office.do(office.rebase())


def test_a_rebase_beyond_the_modulus_is_refused(office: Office, refusal: Refusal) -> None:
    office.do(office.limits(modulus=100))
    office.bring_to("maintenance")
    for registers in ((100, 0), (0, 100), (2**64 - 1, 0)):
        assert refusal([office.rebase(*registers)], [office.authority]) == "LimitOutOfBounds"
    office.do(office.rebase(99, 99))


def test_the_last_install_is_followed_by_none(office: Office, refusal: Refusal) -> None:
    office.bring_to("maintenance")
    address = pdas.meter(office.built, "METER_001")
    for install, name in ((2**32 - 1, "Overflow"), (2**32 - 2, "")):
        (info,) = office.chain.accounts([address])
        assert info is not None
        fields = office.built["registry"].decode_account("Meter", info.data) | {"install_id": install}
        data = office.built["registry"].encode_account("Meter", fields)
        office.chain.set_account(address, owner=info.owner, data=data)
        if name:
            assert refusal([office.rebase()], [office.authority]) == name
            assert refusal(office.replace("2"), [office.authority]) == name
        else:
            office.do(office.rebase())


# --- reassign_meter ---


@pytest.mark.parametrize("path", ["active", "maintenance", "compromised"])
def test_a_meter_goes_to_another_user_with_its_place(office: Office, alice: Keypair, bob: Keypair, path: str) -> None:
    office.bring_to(path)
    event = office.do(office.reassign(alice, bob))
    assert (event["event"], event["old_owner"], event["new_owner"]) == ("MeterReassigned", alice.pubkey(), bob.pubkey())
    assert office.meter().owner == bob.pubkey()
    assert (office.user(alice.pubkey()).meter_count, office.user(alice.pubkey()).meters) == (0, (0,) * 16)
    assert (office.user(bob.pubkey()).meter_count, office.user(bob.pubkey()).meters) == (1, (1, *(0,) * 15))
    office.do(office.reassign(bob, alice))
    assert office.user(alice.pubkey()).meters == (1, *(0,) * 15)


def test_a_meter_goes_from_its_owner_to_the_user_that_is_named(
    office: Office, alice: Keypair, bob: Keypair, refusal: Refusal, bend: Callable[..., Instruction]
) -> None:
    built, me = office.built, office.me
    carol = Pubkey.new_unique()
    office.do(ix.register_user(built, me, carol, UserType.CONSUMER, Role.STUDENT))
    good = office.reassign(alice, bob)
    from_another = bend(good, 3, key=pdas.user(built, carol))
    to_another = bend(good, 4, key=pdas.user(built, carol))
    to_oneself = office.reassign(alice, alice)
    assert refusal([from_another], [office.authority]) == "NotOwner"
    assert refusal([to_another], [office.authority]) == "NotOwner"
    assert refusal([to_oneself], [office.authority]) == "ConstraintDuplicateMutableAccount"
    own = ix.reassign_meter(built, alice.pubkey(), "METER_001", alice.pubkey(), bob.pubkey())
    assert refusal([own], [alice]) == "Unauthorized"
    office.do(good)


@pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.REVOKED])
def test_whoever_gets_a_meter_is_active_and_whoever_loses_it_need_not_be(
    office: Office, alice: Keypair, bob: Keypair, refusal: Refusal, status: UserStatus
) -> None:
    def set_status(user: Keypair, new: UserStatus) -> None:
        office.do(ix.set_user_status(office.built, office.me, user.pubkey(), new))

    set_status(alice, status)
    set_status(bob, status)
    assert refusal([office.reassign(alice, bob)], [office.authority]) == "UserInactive"
    set_status(bob, UserStatus.ACTIVE)
    office.do(office.reassign(alice, bob))


def test_a_decommissioned_meter_stays_with_its_last_owner(
    office: Office, alice: Keypair, bob: Keypair, refusal: Refusal
) -> None:
    office.chain.simulate([office.reassign(alice, bob)], office.me)
    office.bring_to("decommissioned")
    assert refusal([office.reassign(alice, bob)], [office.authority]) == "BadStatusTransition"


def test_the_limit_of_meters_holds_for_those_that_come_from_another_user(
    office: Office, alice: Keypair, bob: Keypair, assign: Assign, second: MeterAssignment, refusal: Refusal
) -> None:
    def limit(count: int) -> None:
        change = ix.update_parameters(office.built, office.me, {MAX_METERS: count})
        office.chain.send([change], [office.authority])

    bobs = replace(second, owner=bob.pubkey())
    office.chain.send(assign(bobs, office.key("2")), [office.authority])
    limit(1)
    assert refusal([office.reassign(alice, bob)], [office.authority]) == "TooManyMeters"
    limit(2)
    office.do(office.reassign(alice, bob))
    assert office.user(bob.pubkey()).meters == (2, 1, *(0,) * 14)
    limit(1)  # takes none away
    office.do(office.reassign(bob, alice))


def test_a_place_that_came_free_is_used_again(
    office: Office, alice: Keypair, bob: Keypair, assign: Assign, second: MeterAssignment, refusal: Refusal
) -> None:
    office.chain.send(assign(second, office.key("2")), [office.authority])
    office.do(office.reassign(alice, bob))
    assert (office.user(alice.pubkey()).meter_count, office.user(alice.pubkey()).meters[:2]) == (1, (0, 2))
    third = replace(second, meter_id="METER_003", serial="SN-10")
    office.chain.send(assign(third, office.key("3")), [office.authority])
    assert (office.user(alice.pubkey()).meter_count, office.user(alice.pubkey()).meters[:3]) == (2, (3, 2, 0))


# --- unassign_meter ---


def test_a_decommissioned_meter_frees_its_place_once(
    office: Office, alice: Keypair, bob: Keypair, refusal: Refusal, bend: Callable[..., Instruction]
) -> None:
    office.chain.simulate([office.reassign(alice, bob)], office.me)
    office.bring_to("decommissioned")
    built = office.built
    others = bend(office.unassign(alice), 3, key=pdas.user(built, bob.pubkey()))
    own = ix.unassign_meter(built, alice.pubkey(), "METER_001", alice.pubkey())
    assert refusal([others], [office.authority]) == "NotOwner"
    assert refusal([own], [alice]) == "Unauthorized"
    event = office.do(office.unassign(alice))
    assert (event["event"], event["meter_no"], event["owner"]) == ("MeterUnassigned", 1, alice.pubkey())
    assert (office.user(alice.pubkey()).meter_count, office.user(alice.pubkey()).meters) == (0, (0,) * 16)
    assert (office.meter().owner, office.config().meter_count) == (alice.pubkey(), 1)
    assert refusal([office.unassign(alice)], [office.authority]) == "NotOwner"


@pytest.mark.parametrize("path", ["active", "maintenance", "compromised"])
def test_a_meter_that_may_come_back_keeps_its_place(
    office: Office, alice: Keypair, refusal: Refusal, path: str
) -> None:
    office.bring_to(path)
    assert refusal([office.unassign(alice)], [office.authority]) == "BadStatusTransition"
    if path != "compromised":
        office.bring_to("decommissioned")
        office.do(office.unassign(alice))


def test_an_unassigned_meters_id_key_and_device_stay_used_up(
    office: Office, alice: Keypair, assign: Assign, plan: MeterAssignment, second: MeterAssignment, refusal: Refusal
) -> None:
    office.bring_to("decommissioned")
    office.do(office.unassign(alice))
    same_device = replace(second, serial=plan.serial)
    for again, key in ((plan, "2"), (same_device, "2"), (second, "1")):
        assert refusal(assign(again, office.key(key)), [office.authority]) == "AccountAlreadyInUse"
    office.chain.send(assign(second, office.key("2")), [office.authority])


# --- R15: the department as its own customer ---


def test_the_department_may_own_a_meter_and_do_everything_with_it(
    office: Office, alice: Keypair, assign: Assign, plan: MeterAssignment
) -> None:
    me, built = office.authority, office.built
    office.do(ix.register_user(built, office.me, office.me, UserType.PROSUMER, Role.DEPARTMENT))
    office.do(ix.update_user(built, office.me, office.me, role=Role.FACULTY))
    office.do(office.reassign(alice, me))
    own = replace(office, owner=me)
    own.do(own.limits())
    own.do(*own.rotate("2"))
    own.bring_to("maintenance")
    own.do(own.rebase())
    own.do(*own.replace("3", old="2", install=3))
    own.do(own.reassign(me, alice))
    own.do(own.reassign(alice, me))
    own.bring_to("decommissioned")
    own.do(own.unassign(me))


# --- X14: what a pause stops ---


@pytest.mark.parametrize("mask", [1 << bit for bit in range(6)] + [0x3F, 0x3E])
def test_bit_zero_stops_every_change_but_a_new_key(
    office: Office, alice: Keypair, bob: Keypair, refusal: Refusal, mask: int
) -> None:
    def status(*path: MeterStatus) -> None:
        for new in path:
            office.do(ix.set_meter_status(office.built, office.me, "METER_001", new))

    office.chain.send([ix.emergency_pause(office.built, office.me, mask, 0)], [office.authority])
    never = [office.rotate("2")]
    stopped: list[tuple[tuple[MeterStatus, ...], list[Instruction]]] = [
        ((), [ix.update_user(office.built, office.me, bob.pubkey(), role=Role.FACULTY)]),
        ((), [office.limits()]),
        ((), [office.reassign(alice, bob)]),
        ((MeterStatus.MAINTENANCE,), [office.rebase()]),
        ((), office_of(office, bob).replace("3", old="2", install=3)),
        ((MeterStatus.DECOMMISSIONED,), [office.unassign(bob)]),
    ]
    for call in never:
        office.do(*call)
    if mask & 1:
        assert {refusal(call, [office.authority]) for _, call in stopped[:3]} == {"Paused"}
        status(MeterStatus.MAINTENANCE)
        assert refusal([office.rebase()], [office.authority]) == "Paused"
        assert refusal(office.replace("3", old="2"), [office.authority]) == "Paused"
        status(MeterStatus.DECOMMISSIONED)
        assert refusal([office.unassign(alice)], [office.authority]) == "Paused"
        office.chain.set_unix_time(UnixTime(START + WEEK))  # by now the pause has expired
        office.do(office.unassign(alice))
        return
    for path, call in stopped:
        status(*path)
        office.do(*call)


def office_of(office: Office, owner: Keypair) -> Office:
    """The same, where the meter is that owner's."""
    return replace(office, owner=owner)
