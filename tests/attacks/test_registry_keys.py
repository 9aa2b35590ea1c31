"""Attacks on what a meter's key is and where it lies (threats.md R3, R4, R6, R10, R13), each beside a call unharmed."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.office import NEW_DEVICE, Office

from meterchain import pdas
from meterchain.accounts import (
    KeyIndex,
    KeyLevel,
    MeterStatus,
    SerialIndex,
    fetch,
)
from meterchain.ed25519 import Signed, handover_message, possession_message, verify_message, verify_messages
from meterchain.embedded import START
from meterchain.instructions import MeterAssignment
from meterchain.instructions.building import build
from meterchain.units import InstallId, Lamports, Mwh, UnixTime

Refusal = Callable[[Sequence[Instruction], Sequence[Keypair]], str]
Assign = Callable[..., list[Instruction]]


# --- set_key_level ---


@pytest.mark.parametrize("level", list(KeyLevel))
def test_the_registry_names_where_a_meters_key_lies(office: Office, level: KeyLevel) -> None:
    assert office.meter().key_level is KeyLevel.NOT_STATED
    office.do(office.key_level(KeyLevel.CHIP))
    office.chain.set_unix_time(UnixTime(START + 60))
    before = office.meter()
    assert office.do(office.key_level(level)) == {
        "event": "MeterKeyLevelSet", "meter_no": before.meter_no, "meter_key": before.meter_key,
        "old": KeyLevel.CHIP, "new": level, "at": START + 60,
    }  # fmt: skip
    assert office.meter() == replace(before, key_level=level)


def test_what_is_said_of_one_key_is_never_believed_of_another(office: Office, refusal: Refusal) -> None:
    office.do(office.key_level(KeyLevel.CHIP))
    office.do(*office.rotate("2"))
    assert office.meter().key_level is KeyLevel.NOT_STATED
    assert refusal([office.key_level(KeyLevel.CHIP, of="1")], [office.authority]) == "NotOwner"
    office.do(office.key_level(KeyLevel.CHIP, of="2"))
    office.bring_to("maintenance")
    office.do(*office.replace("3", old="2"))
    assert office.meter().key_level is KeyLevel.NOT_STATED


def test_a_level_that_nobody_knows_is_refused(office: Office, refusal: Refusal) -> None:
    accounts = {"authority": office.me, "meter": pdas.meter(office.built, "METER_001")}
    for level in (4, 255):
        arguments = {"meter_key": office.key("1").pubkey(), "level": level}
        unknown = build(office.built, "registry", "set_key_level", accounts, arguments)
        assert refusal([unknown], [office.authority]) == "LimitOutOfBounds"
    office.do(office.key_level(KeyLevel.CHIP))


# --- rotate_meter_key ---


@pytest.mark.parametrize("path", ["active", "maintenance", "compromised"])
def test_a_meter_gets_another_key_and_keeps_its_install(office: Office, path: str) -> None:
    office.bring_to(path)
    office.chain.set_unix_time(UnixTime(START + 60))
    event = office.do(*office.rotate("2"))
    assert (event["event"], event["old_key"], event["new_key"], event["old_key_agreed"]) == (
        "MeterKeyRotated", office.key("1").pubkey(), office.key("2").pubkey(), 0,
    )  # fmt: skip
    found = office.meter()
    assert (found.meter_key, found.install_id, found.key_rotated_at) == (office.key("2").pubkey(), 1, START + 60)
    assert found.status.name == path.upper()
    old, new = office.key_index("1"), office.key_index("2")
    meter = pdas.meter(office.built, "METER_001")
    assert old == KeyIndex(meter, UnixTime(START + 60))
    assert new == KeyIndex(meter, UnixTime(0))


def test_a_key_that_was_ever_a_meters_never_comes_back(
    office: Office, assign: Assign, second: MeterAssignment, refusal: Refusal
) -> None:
    office.chain.send(assign(second, office.key("other")), [office.authority])
    office.do(*office.rotate("2"))
    for name in ("1", "other"):
        assert refusal(office.rotate(name, old="2"), [office.authority]) == "AccountAlreadyInUse", name
    itself = refusal(office.rotate("2", old="2"), [office.authority])
    assert itself == "ConstraintDuplicateMutableAccount"
    office.do(*office.rotate("3", old="2"))


def test_the_index_that_is_retired_is_that_of_the_present_key(
    office: Office, assign: Assign, second: MeterAssignment, refusal: Refusal
) -> None:
    office.chain.send(assign(second, office.key("other")), [office.authority])
    office.do(*office.rotate("2"))
    for wrong in ("1", "other"):  # retired before; another meter's
        assert refusal(office.rotate("3", old=wrong), [office.authority]) == "NotOwner"
    office.do(*office.rotate("3", old="2"))
    other = office.key_index("other")
    assert other is not None
    assert other.retired_at == 0


def test_a_new_key_proves_itself_for_this_meter_owner_site_and_install(
    office: Office, bob: Keypair, refusal: Refusal
) -> None:
    right = office.rotate("2")
    owner, install = office.owner.pubkey(), InstallId(1)
    for what, signer, message in (
        ("another key", "3", possession_message(office.domain, "METER_001", owner, install)),
        ("another site", "2", possession_message(b"another!", "METER_001", owner, install)),
        ("another owner", "2", possession_message(office.domain, "METER_001", bob.pubkey(), install)),
        ("another meter", "2", possession_message(office.domain, "METER_002", owner, install)),
        ("the next install", "2", possession_message(office.domain, "METER_001", owner, InstallId(2))),
        ("a handover", "2", handover_message(office.domain, "METER_001", owner, install)),
    ):
        proof = verify_message(office.signed(signer, message), message)
        assert refusal([proof, right[1]], [office.authority]) == "BadProofOfPossession", what
    assert refusal(right[1:], [office.authority]) == "BadProofOfPossession"
    assert refusal(right[::-1], [office.authority]) == "BadProofOfPossession"
    office.do(*right)


def test_the_old_keys_consent_is_noted_if_it_is_that(office: Office) -> None:
    def consent(signer: str, to: str, install: int = 1) -> Signed:
        message = handover_message(office.domain, "METER_001", office.key(to).pubkey(), InstallId(install))
        return office.signed(signer, message)

    first = office.do(*office.rotate("2", consent=consent("1", "2")))
    assert first["old_key_agreed"] == 1
    by_stranger = office.do(*office.rotate("3", old="2", consent=consent("9", "3")))
    assert by_stranger["old_key_agreed"] == 0
    again = office.do(*office.rotate("4", old="3", consent=consent("3", "4")))
    assert again["old_key_agreed"] == 1
    # what the old key once signed for itself says nothing about a new one
    _, ours = office.rotate("5", old="4")
    message = possession_message(office.domain, "METER_001", office.owner.pubkey(), InstallId(1))
    both = verify_messages([(office.signed(name, message), message) for name in ("5", "4")])
    assert office.do(both, ours)["old_key_agreed"] == 0


def test_a_consent_behind_the_signatures_that_are_counted_is_none(office: Office) -> None:
    """The precompile verifies as many as its first byte says; what stands behind them is anybody's."""
    message = handover_message(office.domain, "METER_001", office.key("2").pubkey(), InstallId(1))
    forged = Signed(bytes(office.key("1").pubkey()), bytes(64))
    both, ours = office.rotate("2", consent=forged)
    assert message in bytes(both.data)
    one = Instruction(both.program_id, b"\1" + bytes(both.data)[1:], [])
    assert office.do(one, ours)["old_key_agreed"] == 0


def test_a_weak_key_is_refused_whatever_signed(office: Office, refusal: Refusal) -> None:
    weak = Signed(bytes(32), bytes(64))
    assert refusal(office.rotate("2", proof=weak)[1:], [office.authority]) == "WeakKey"
    office.bring_to("maintenance")
    assert refusal(office.replace("2", proof=weak)[1:], [office.authority]) == "WeakKey"
    office.do(*office.replace("2"))


def test_a_decommissioned_meter_gets_no_key(office: Office, refusal: Refusal) -> None:
    office.chain.simulate(office.rotate("2"), office.me)
    office.bring_to("decommissioned")
    assert refusal(office.rotate("2"), [office.authority]) == "BadStatusTransition"


def test_a_proof_shown_to_a_foreign_program_rotates_and_replaces_nothing(
    office: Office, by_proxy: Callable[..., Instruction], refusal: Refusal
) -> None:
    office.bring_to("maintenance")
    for proof, ours in (office.rotate("2"), office.replace("2")):
        assert refusal([proof, by_proxy(ours)], [office.authority]) == "BadProofOfPossession"
    office.do(*office.rotate("2"))
    office.do(*office.replace("3", old="2"))


# --- replace_meter ---


@pytest.mark.parametrize(("path", "forfeits"), [("maintenance", 0), ("compromised", 1)])
def test_a_device_is_replaced_from_maintenance_or_compromised(office: Office, path: str, forfeits: int) -> None:
    office.bring_to(path)
    office.chain.set_unix_time(UnixTime(START + 60))
    assert office.config().active_meter_count == 0
    event = office.do(*office.replace("2"))
    assert (event["event"], event["install_id"], event["forfeits"]) == ("MeterReplaced", 2, forfeits)
    assert (event["final_export_mwh"], event["final_import_mwh"]) == (900, 800)
    found = office.meter()
    assert (found.status, found.install_id, found.forfeit_install) == (MeterStatus.ACTIVE, 2, 2 * forfeits)
    assert (found.meter_key, found.serial, found.model, found.cert_hash) == (
        office.key("2").pubkey(), "SN-2", "SDM230", bytes([7]) * 32,
    )  # fmt: skip
    assert (found.baseline_export_mwh, found.baseline_import_mwh, found.baseline_ts) == (50, 60, START + 60)
    assert (found.key_rotated_at, found.status_changed_at) == (START + 60, START + 60)
    assert office.config().active_meter_count == 1
    meter = pdas.meter(office.built, "METER_001")
    assert office.key_index("1") == KeyIndex(meter, UnixTime(START + 60))
    assert office.key_index("2") == KeyIndex(meter, UnixTime(0))


@pytest.mark.parametrize("path", ["active", "decommissioned"])
def test_a_meter_at_work_or_at_its_end_is_not_replaced(office: Office, refusal: Refusal, path: str) -> None:
    office.bring_to(path)
    assert refusal(office.replace("2"), [office.authority]) == "BadStatusTransition"
    if path == "active":
        office.bring_to("maintenance")
        office.do(*office.replace("2"))


def test_a_replacement_is_proved_for_the_next_install_and_no_other(office: Office, refusal: Refusal) -> None:
    office.bring_to("maintenance")
    for install in (0, 1, 3):
        attack = office.replace("2", install=install)
        assert refusal(attack, [office.authority]) == "BadProofOfPossession", install
    office.do(*office.replace("2"))
    office.bring_to("maintenance")
    again = replace(NEW_DEVICE, serial="SN-3")
    assert refusal(office.replace("3", old="2", device=again), [office.authority]) == "BadProofOfPossession"
    office.do(*office.replace("3", old="2", install=3, device=again))


def test_a_device_of_another_meter_is_refused_and_ones_own_may_stay_or_come_back(
    office: Office, assign: Assign, second: MeterAssignment, refusal: Refusal
) -> None:
    office.chain.send(assign(second, office.key("other")), [office.authority])
    office.bring_to("maintenance")
    others = replace(NEW_DEVICE, serial=second.serial, model=second.model)
    assert refusal(office.replace("2", device=others), [office.authority]) == "NotOwner"
    own = replace(NEW_DEVICE, serial="SN-1", model="SDM120")
    office.do(*office.replace("2", device=own))
    office.bring_to("maintenance")
    office.do(*office.replace("3", old="2", install=3))
    office.bring_to("maintenance")
    office.do(*office.replace("4", old="3", install=4, device=own))
    for model, serial in ((b"SDM120", b"SN-1"), (b"SDM230", b"SN-2")):
        address = pdas.serial_index(office.built, model.ljust(16, b"\0"), serial.ljust(24, b"\0"))
        found = fetch(office.chain, office.built, SerialIndex, address)
        assert found == SerialIndex(pdas.meter(office.built, "METER_001"))
    stolen = replace(second, meter_id="METER_003", serial="SN-2", model="SDM230")
    assert refusal(assign(stolen, office.key("5")), [office.authority]) == "AccountAlreadyInUse"


def test_a_baseline_below_the_old_final_register_is_fine_and_one_beyond_the_modulus_is_not(
    office: Office, refusal: Refusal
) -> None:
    office.do(office.limits(modulus=100))
    office.bring_to("maintenance")
    for change in ({"baseline_export_mwh": Mwh(100)}, {"baseline_import_mwh": Mwh(2**64 - 1)}):
        beyond = replace(NEW_DEVICE, **change)  # type: ignore[arg-type]
        assert refusal(office.replace("2", device=beyond), [office.authority]) == "LimitOutOfBounds"
    edge = replace(NEW_DEVICE, baseline_export_mwh=Mwh(99), baseline_import_mwh=Mwh(0))
    office.do(*office.replace("2", device=edge))


def test_a_replacement_retires_the_present_keys_index_only(office: Office, refusal: Refusal) -> None:
    office.do(*office.rotate("2"))
    office.bring_to("maintenance")
    assert refusal(office.replace("3", old="1"), [office.authority]) == "NotOwner"
    assert refusal(office.replace("1", old="2"), [office.authority]) == "AccountAlreadyInUse"
    office.do(*office.replace("3", old="2"))


@pytest.mark.parametrize("prefunded", ["key_index", "serial_index"])
@pytest.mark.parametrize("lamports", [1, 10**9])
def test_an_address_that_somebody_prefunded_can_still_be_created(office: Office, prefunded: str, lamports: int) -> None:
    address = {
        "key_index": pdas.key_index(office.built, office.key("2").pubkey()),
        "serial_index": pdas.serial_index(office.built, b"SDM230".ljust(16, b"\0"), b"SN-2".ljust(24, b"\0")),
    }[prefunded]
    office.chain.set_account(address, owner=Pubkey.default(), data=b"", lamports=Lamports(lamports))
    office.bring_to("maintenance")
    office.do(*office.replace("2"))
    (info,) = office.chain.accounts([address])
    assert info is not None
    assert info.owner == office.built.id("registry")
    assert info.lamports >= office.chain.rent_exempt(len(info.data))
