"""What the oracle makes of a meter's changes (threats.md R10, R11, R14, O9, O12, S4).

Each attack beside the call unharmed.  The meter of alice begins with 7 mWh of export and 8 of import.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from tests.attacks.node import Node
from tests.attacks.office import NEW_DEVICE, Office

from meterchain import instructions as ix
from meterchain.accounts import MeterStatus, Role, UserStatus, UserType
from meterchain.audit import audit
from meterchain.chain import TransactionFailed
from meterchain.ed25519 import Signed, handover_message, possession_message, verify_message
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import MeterAssignment
from meterchain.record import Reason
from meterchain.site import Site, assign_meter, open_meter, open_token_account, register_user
from meterchain.tokens import read_token_account
from meterchain.units import InstallId, Mwh

Refusal = Callable[[Sequence[Instruction], Sequence[Keypair]], str]
MeterKey = Callable[[str], Keypair]

ATOMS = 1_000
A, M, D, C = MeterStatus.ACTIVE, MeterStatus.MAINTENANCE, MeterStatus.DECOMMISSIONED, MeterStatus.COMPROMISED


@pytest.fixture
def office(
    chain: EmbeddedChain,
    site: Site,
    authority: Keypair,
    alice: Keypair,
    bob: Keypair,
    plan: MeterAssignment,
    meter_key: MeterKey,
) -> Office:
    """The department of a whole site, with METER_001 of alice ready to deliver."""
    for user in (alice, bob):
        register_user(chain, site, authority, user.pubkey(), UserType.PROSUMER, Role.STUDENT)
        open_token_account(chain, site, authority, user.pubkey())
    office = Office(chain, site.programs, authority, site.domain, alice, meter_key)
    assign_meter(chain, site, authority, plan, office.possession("1", 1))
    open_meter(chain, site, authority, "METER_001")
    return office


@pytest.fixture
def node(chain: EmbeddedChain, site: Site, stranger: Keypair, meter_key: MeterKey) -> Node:
    """The node that reads METER_001 with key "1"."""
    return Node(chain, site, meter_key("1"), stranger)


def successor(node: Node, office: Office, name: str, install: int) -> Node:
    """The node that comes with a new install."""
    return Node(node.chain, node.site, office.key(name), node.relayer, install)


def move(office: Office, *path: MeterStatus) -> None:
    for status in path:
        office.do(ix.set_meter_status(office.built, office.me, "METER_001", status))


def process(node: Node, owner: Keypair) -> Instruction:
    return ix.process_energy_data(node.site.programs, "METER_001", owner.pubkey())


def mint(node: Node, owner: Keypair) -> None:
    node.chain.send([process(node, owner)], [node.relayer])


def balance(node: Node, wallet: Keypair) -> int:
    """In mWh."""
    (info,) = node.chain.accounts([node.site.grid_account(wallet.pubkey())])
    assert info is not None
    return read_token_account(info).amount // ATOMS


def refused(node: Node, export_mwh: int, import_mwh: int) -> str:
    """Why the next record is not taken."""
    with pytest.raises(TransactionFailed) as refusal:
        node.report(export_mwh, import_mwh)
    return refusal.value.name


# --- R10: another device ---


def test_a_new_device_counts_from_its_own_baseline_though_the_old_one_showed_more(
    office: Office, node: Node, alice: Keypair
) -> None:
    node.report(500_007, 400_008)
    move(office, M)
    node.report(600_007, 400_008, reason=Reason.FINAL)
    office.do(*office.replace("2"))
    new = successor(node, office, "2", 2)
    receipt = new.report(1_050, 60)
    events = {event.name: event.fields for event in office.built["oracle"].events(receipt)}
    assert set(events) == {"MeterRebased", "MeterReadingAccepted"}
    assert (events["MeterRebased"]["old_install_id"], events["MeterRebased"]["install_id"]) == (1, 2)
    state = new.state()
    assert (state.cum_export_mwh, state.cum_import_mwh) == (600_000 + 1_000, 400_000)
    assert (state.install_id, state.seq, state.export_reg_mwh, state.rollovers) == (2, 1, 1_050, 0)
    mint(new, alice)
    assert balance(new, alice) == 601_000


def test_records_of_any_install_but_the_present_one_are_refused(office: Office, node: Node) -> None:
    node.report(500_007, 8)
    move(office, M)
    office.do(*office.replace("2"))
    assert refused(node, 600_007, 8) == "SignatureMismatch"
    new = successor(node, office, "2", 2)
    for install in (0, 1, 3):
        assert refused(replace(new, install=install), 1_050, 60) == "InstallMismatch", install
    assert refused(replace(new, key=node.key), 1_050, 60) == "SignatureMismatch"
    assert refused(replace(new, seq=1, prev=bytes(16)), 2**60, 60) == "Implausible"
    new.report(1_050, 60)
    assert refused(replace(node, install=2, seq=1, prev=new.prev), 2_050, 60) == "SignatureMismatch"


def test_what_a_replaced_device_measured_is_paid_before_and_after_the_new_ones_first_record(
    office: Office, node: Node, alice: Keypair
) -> None:
    node.report(500_007, 8)
    move(office, M)
    mint(node, alice)
    assert balance(node, alice) == 500_000
    move(office, A)
    node.report(600_007, 8)
    move(office, M)
    office.do(*office.replace("2"))
    mint(node, alice)
    assert balance(node, alice) == 600_000
    new = successor(node, office, "2", 2)
    new.report(100_050, 60)
    mint(new, alice)
    assert balance(new, alice) == 700_000


# --- R14: a stolen key ---


@pytest.mark.parametrize("rebased", [False, True], ids=["at once", "after a rebase"])
def test_what_a_stolen_key_signed_and_nobody_minted_is_forfeited(
    office: Office, node: Node, alice: Keypair, refusal: Refusal, rebased: bool
) -> None:
    node.report(500_007, 8)
    mint(node, alice)
    node.report(900_007, 8)  # the thief's
    move(office, C)
    assert refused(node, 950_007, 8) == "MeterInactive"
    assert refusal([process(node, alice)], [node.relayer]) == "MeterInactive"
    office.do(*office.replace("2"))
    assert refusal([process(node, alice)], [node.relayer]) == "InstallMismatch"
    install = 2
    if rebased:
        move(office, M)
        office.do(office.rebase(50, 60))
        assert refusal([process(node, alice)], [node.relayer]) == "InstallMismatch"
        move(office, A)
        install = 3
    new = successor(node, office, "2", install)
    receipt = new.report(100_050, 60)
    (forfeited,) = [e for e in office.built["oracle"].events(receipt) if e.name == "AccrualForfeited"]
    assert (forfeited.fields["export_mwh"], forfeited.fields["owner"]) == (400_000, alice.pubkey())
    mint(new, alice)
    assert balance(new, alice) == 500_000 + 100_000
    state = new.state()
    assert (state.minted_mwh, state.forfeited_mwh) == (500_000 + 100_000, 400_000)
    assert state.cum_export_mwh == 900_000 + 100_000
    books = audit(node.chain, office.built, settled=True)
    assert [check for check in books.checks if not check.ok] == []
    assert any("400000000 forfeited" in check.detail for check in books.checks)


def test_a_later_replacement_forfeits_nothing_again(office: Office, node: Node, alice: Keypair) -> None:
    node.report(500_007, 8)
    move(office, C)
    office.do(*office.replace("2"))
    second = successor(node, office, "2", 2)
    second.report(100_050, 60)
    move(office, M)
    office.do(*office.replace("3", old="2", install=3, device=replace(NEW_DEVICE, serial="SN-3")))
    third = successor(node, office, "3", 3)
    third.report(200_050, 60)
    mint(third, alice)
    assert balance(third, alice) == 100_000 + 200_000


def test_a_key_that_was_rotated_away_signs_no_more_and_the_new_one_goes_on(
    office: Office, node: Node, alice: Keypair
) -> None:
    """The meter's own energy is not lost: the registers carry what lies between, a gap in the numbers included."""
    node.report(500_007, 8)
    consent = office.signed("1", handover_message(office.domain, "METER_001", office.key("2").pubkey(), InstallId(1)))
    office.do(*office.rotate("2", consent=consent))
    assert refused(node, 600_007, 8) == "SignatureMismatch"
    knowing = replace(node, key=office.key("2"))
    knowing.report(600_007, 8)
    office.do(*office.rotate("3", old="2"))
    unknowing = replace(knowing, key=office.key("3"), seq=knowing.seq + 5, prev=bytes(16))
    unknowing.report(800_007, 8)
    state = node.state()
    assert (state.install_id, state.seq, state.gaps, state.cum_export_mwh) == (1, 8, 5, 800_000)
    mint(node, alice)
    assert balance(node, alice) == 800_000


# --- O9: registers that wrap, are reset, or jump ---


def test_a_reset_register_is_refused_until_the_meter_is_rebased(office: Office, node: Node, alice: Keypair) -> None:
    node.report(500_007, 400_008)
    assert refused(node, 3, 3) == "RegisterRegression"
    move(office, M)
    office.do(office.rebase(3, 3))
    assert refused(node, 100_003, 3) == "MeterInactive"
    move(office, A)
    assert refused(node, 100_003, 3) == "InstallMismatch"
    again = successor(node, office, "1", 2)
    again.report(100_003, 3)
    state = again.state()
    assert (state.cum_export_mwh, state.cum_import_mwh, state.rollovers) == (600_000, 400_000, 0)
    mint(again, alice)
    assert balance(again, alice) == 600_000


def test_a_rebase_credits_nothing_by_itself(office: Office, node: Node, alice: Keypair) -> None:
    node.report(500_007, 8)
    move(office, M)
    office.do(office.rebase(10**15, 10**15))
    move(office, A)
    again = successor(node, office, "1", 2)
    assert refused(again, 10**15 + 10**9, 10**15) == "Implausible"
    again.report(10**15, 10**15)
    assert again.state().cum_export_mwh == 500_000


def test_the_time_before_a_rebase_is_no_room_for_energy_after_it(office: Office, node: Node) -> None:
    """5 kW for two days would be 240 kWh; only what fits after the rebase is believed."""
    node.report(7, 8)
    node.chain.advance(2 * 86_400)
    move(office, M)
    office.do(office.rebase(0, 0))
    move(office, A)
    again = successor(node, office, "1", 2)
    assert refused(again, 2_000_000, 0) == "Implausible"
    again.report(1_000_000, 0)


@pytest.mark.parametrize("how", ["replace", "rebase"])
def test_a_register_wraps_at_its_modulus_after_a_new_install_too(
    office: Office, node: Node, alice: Keypair, how: str
) -> None:
    node.report(500_007, 8)
    modulus = 1_000_000_000
    office.do(office.limits(max_export_w=5_000, modulus=modulus))
    move(office, M)
    if how == "replace":
        near = replace(NEW_DEVICE, baseline_export_mwh=Mwh(modulus - 100_000), baseline_import_mwh=Mwh(modulus - 1))
        office.do(*office.replace("2", device=near))
        new = successor(node, office, "2", 2)
    else:
        office.do(office.rebase(modulus - 100_000, modulus - 1))
        move(office, A)
        new = successor(node, office, "1", 2)
    assert refused(new, modulus, 0) == "RegisterRegression"
    new.report(200_000, 0)
    state = new.state()
    assert (state.cum_export_mwh, state.cum_import_mwh, state.rollovers) == (500_000 + 300_000, 1, 2)
    mint(new, alice)
    assert balance(new, alice) == 800_000


def test_a_wrap_is_believed_only_where_the_department_said_that_the_register_wraps(office: Office, node: Node) -> None:
    modulus = 1_000_000
    node.report(900_007, 8)
    assert refused(node, 100_000, 8) == "RegisterRegression"
    office.do(office.limits(max_export_w=5_000, modulus=modulus))
    node.report(100_000, 8)
    assert (node.state().cum_export_mwh, node.state().rollovers) == (modulus - 7 + 100_000, 1)


def test_limits_hold_for_the_next_record(office: Office, node: Node) -> None:
    office.do(office.limits(max_export_w=1_000))
    assert refused(node, 1_000_007, 8) == "Implausible"
    office.do(office.limits(max_export_w=5_000))
    node.report(1_000_007, 8)


# --- R11: another owner ---


def test_between_two_owners_records_wait_and_the_old_one_is_paid(
    office: Office, node: Node, alice: Keypair, bob: Keypair, refusal: Refusal
) -> None:
    node.report(500_007, 8)
    office.do(office.reassign(alice, bob))
    assert refused(node, 600_007, 8) == "OwnerChangePending"
    assert refusal([process(node, bob)], [node.relayer]) == "MeterMismatch"
    mint(node, alice)
    assert (balance(node, alice), balance(node, bob)) == (500_000, 0)
    mint(node, alice)  # nothing is paid twice
    assert (balance(node, alice), node.state().minted_mwh, node.state().cum_export_mwh) == (500_000, 500_000, 500_000)


def test_a_meter_that_comes_back_delivers_what_waited(office: Office, node: Node, alice: Keypair, bob: Keypair) -> None:
    node.report(500_007, 8)
    office.do(office.reassign(alice, bob))
    assert refused(node, 600_007, 8) == "OwnerChangePending"
    office.do(office.reassign(bob, alice))
    node.report(700_007, 8)
    mint(node, alice)
    assert (balance(node, alice), balance(node, bob)) == (700_000, 0)


def test_a_change_of_owner_moves_no_forfeited_energy(
    office: Office, node: Node, alice: Keypair, bob: Keypair, refusal: Refusal
) -> None:
    node.report(500_007, 8)
    move(office, C)
    office.do(office.reassign(alice, bob))
    for payee, name in ((alice, "MeterInactive"), (bob, "MeterInactive")):
        assert refusal([process(node, payee)], [node.relayer]) == name
    bobs = replace(office, owner=bob)
    office.do(*bobs.replace("2"))
    assert refusal([process(node, alice)], [node.relayer]) == "InstallMismatch"
    assert refused(successor(node, office, "2", 2), 1_050, 60) == "OwnerChangePending"
    office.do(office.reassign(bob, alice))
    successor(node, office, "2", 2).report(1_050, 60)
    mint(node, alice)
    assert (balance(node, alice), balance(node, bob)) == (1_000, 0)


def test_a_proof_for_the_old_owner_does_not_fit_a_device_for_the_new_one(
    office: Office, node: Node, alice: Keypair, bob: Keypair, refusal: Refusal
) -> None:
    early = office.possession("2", 2)
    office.do(office.reassign(alice, bob))
    move(office, M)
    message = possession_message(office.domain, "METER_001", alice.pubkey(), InstallId(2))
    _, ours = office.replace("2")
    proof = verify_message(Signed(early.public_key, early.signature), message)
    assert refusal([proof, ours], [office.authority]) == "BadProofOfPossession"
    office.do(*replace(office, owner=bob).replace("2"))


# --- the end ---


def test_what_a_meter_measured_is_paid_after_its_end_if_its_owner_is_active(
    office: Office, node: Node, alice: Keypair, refusal: Refusal
) -> None:
    node.report(500_007, 8)
    move(office, D)
    office.do(office.unassign(alice))
    office.do(ix.set_user_status(office.built, office.me, alice.pubkey(), UserStatus.SUSPENDED))
    assert refusal([process(node, alice)], [node.relayer]) == "UserInactive"
    office.do(ix.set_user_status(office.built, office.me, alice.pubkey(), UserStatus.ACTIVE))
    mint(node, alice)
    assert balance(node, alice) == 500_000
    assert refused(node, 600_007, 8) == "MeterInactive"
