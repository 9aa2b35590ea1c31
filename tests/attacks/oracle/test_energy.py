"""Attacks on the energy of a record (threats.md O9 to O12, O19, O23): each beside the same delivery unharmed."""

from dataclasses import replace
from typing import Any

import pytest
from solders.keypair import Keypair
from tests.attacks.oracle.plant import Node, Plant, bent

from meterchain.accounts import MeterKind, MeterStatus
from meterchain.ed25519 import Signed
from meterchain.instructions import SignedRecord, set_meter_status, submit_meter_data
from meterchain.record import Reason, StatusFlags
from meterchain.units import SLOT_S, InstallId, Mwh, Seq, UnixTime

SLOT_AND_2_S = 902
FLOOR = 1_000
MODULUS = 10_000_000


def bound(watts: int, seconds: int, floor: int = FLOOR) -> int:
    """The most that a meter of so many W may have measured, mWh: 120 % of rated, and the floor."""
    return watts * seconds * 10 * 120 // (36 * 100) + floor


# --- O9 ---


def test_a_register_never_goes_back(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=10, import_=10))
    assert plant.refused(node.next(export=-1)) == "RegisterRegression"
    assert plant.refused(node.next(import_=-1)) == "RegisterRegression"
    plant.deliver(node.next())
    assert plant.state(node).cum_export_mwh == 10


def test_a_register_wraps_at_its_modulus_only(plant: Plant, alice: Keypair) -> None:
    node = plant.add("METER_003", alice, modulus=MODULUS)
    plant.patch_state(node, export_reg_mwh=MODULUS - 5)
    assert plant.refused(node.next(export_mwh=Mwh(MODULUS))) == "RegisterRegression"
    assert plant.refused(node.next(export_mwh=Mwh(MODULUS + 100))) == "RegisterRegression"
    receipt = plant.deliver(node.next(export_mwh=Mwh(7)))
    state = plant.state(node)
    assert (state.cum_export_mwh, state.rollovers, state.export_reg_mwh) == (12, 1, 7)
    assert plant.events("oracle", receipt)["MeterReadingAccepted"].fields["flags"] == 1 << 19
    # going back by one is a wrap of nearly everything
    assert plant.refused(node.next(export_mwh=Mwh(6))) == "Implausible"
    plant.deliver(node.next(export=1))


def test_two_wraps_between_readings_lose_energy_and_never_win_any(plant: Plant, alice: Keypair) -> None:
    node = plant.add("METER_003", alice, modulus=3_000)
    plant.patch_state(node, export_reg_mwh=2_999)
    plant.deliver(node.next(export_mwh=Mwh(2_998)))
    assert plant.state(node).cum_export_mwh == 2_999


def test_a_register_beyond_its_modulus_is_left_by_no_wrap(plant: Plant, alice: Keypair) -> None:
    node = plant.add("METER_003", alice, modulus=MODULUS)
    plant.patch_state(node, export_reg_mwh=MODULUS + 5)
    assert plant.refused(node.next(export_mwh=Mwh(7))) == "RegisterRegression"
    plant.patch_state(node, export_reg_mwh=MODULUS - 5)
    plant.deliver(node.next(export_mwh=Mwh(7)))


# --- O10 ---


@pytest.mark.parametrize(("direction", "watts"), [("export", 5_000), ("import_", 10_000)])
def test_the_bound_is_held_to_the_milliwatt_hour(plant: Plant, node: Node, direction: str, watts: int) -> None:
    most = bound(watts, SLOT_AND_2_S)
    assert plant.refused(node.next(**{direction: most + 1})) == "Implausible"
    assert plant.refused(node.next(**{direction: 2**64 - 3_000})) == "Implausible"
    plant.deliver(node.next(**{direction: most}))


def test_a_burst_of_records_wins_no_more_than_the_time_that_passed(plant: Plant, node: Node) -> None:
    slot = node.next().epoch
    each = bound(5_000, 60, floor=0)
    start = plant.state(node).last_ts
    plant.chain.set_unix_time(UnixTime(slot + 600))
    records = []
    before = node.next(epoch=slot, ts=UnixTime(start + 60), reason=Reason.EXCEPTION, export=each)
    for _ in range(5):
        records.append(before)
        node.last = before
        before = node.next(epoch=slot, ts=UnixTime(before.ts + 60), reason=Reason.EXCEPTION, export=each)
    greedy = replace(records[-1], export_mwh=Mwh(records[-1].export_mwh + 1))
    node.last = None
    one_by_one = [*records[:4], greedy]
    for record in one_by_one[:4]:
        plant.deliver(record)
    assert plant.refused(greedy) == "Implausible"
    plant.deliver(records[4])
    assert plant.state(node).cum_export_mwh == 5 * each


def test_an_honest_catch_up_after_a_long_outage_is_taken(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=10))
    full = 5_000 * SLOT_S * 10 // 36
    plant.deliver(node.next(export=400 * full, slots=400))
    state = plant.state(node)
    assert (state.cum_export_mwh, state.multi_epoch) == (10 + 400 * full, 1)


# --- O11 ---


def test_what_a_meters_kind_does_not_have_is_never_credited(plant: Plant, alice: Keypair) -> None:
    buyer = plant.add("METER_003", alice, MeterKind.CONSUMPTION_ONLY)
    seller = plant.add("METER_004", alice, MeterKind.GENERATION_ONLY)
    huge = bound(10_000, 10 * SLOT_S)
    slot = buyer.next().epoch
    plant.deliver(buyer.next(export=huge, import_=5, ts=UnixTime(slot + 300), reason=Reason.EXCEPTION))
    plant.deliver(buyer.next(export=huge, import_=5, epoch=slot, ts=UnixTime(slot + SLOT_S)))
    plant.deliver(seller.next(export=7, import_=huge, epoch=slot, ts=UnixTime(slot + SLOT_S)))
    bought, sold = plant.state(buyer), plant.state(seller)
    assert (bought.cum_export_mwh, bought.cum_import_mwh, bought.export_reg_mwh) == (0, 10, 1_000 + 2 * huge)
    assert (sold.cum_export_mwh, sold.cum_import_mwh, sold.import_reg_mwh) == (7, 0, 2_000 + huge)
    receipt = plant.process(buyer)
    assert "TokensMinted" not in plant.events("energy_token", receipt)


# --- O12 ---


@pytest.mark.parametrize(
    ("status", "reason", "refusal"),
    [
        (MeterStatus.PROVISIONED, Reason.PERIODIC, "MeterInactive"),
        (MeterStatus.MAINTENANCE, Reason.PERIODIC, "MeterInactive"),
        (MeterStatus.MAINTENANCE, Reason.FINAL, None),
        (MeterStatus.DECOMMISSIONED, Reason.FINAL, "MeterInactive"),
        (MeterStatus.COMPROMISED, Reason.PERIODIC, "MeterInactive"),
        (MeterStatus.COMPROMISED, Reason.FINAL, "MeterInactive"),
        (MeterStatus.ACTIVE, Reason.FINAL, None),
    ],
)
def test_only_a_meter_at_work_is_heard(
    plant: Plant, node: Node, status: MeterStatus, reason: Reason, refusal: str | None
) -> None:
    plant.patch_meter(node, status=int(status))
    record = node.next(export=10, reason=reason)
    if refusal:
        assert plant.refused(record) == refusal
        plant.patch_meter(node, status=int(MeterStatus.ACTIVE))
    plant.deliver(record)


def test_the_department_stops_a_meter_whose_key_was_stolen(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=10))
    thief = set_meter_status(plant.built, plant.authority.pubkey(), node.meter_id, MeterStatus.COMPROMISED)
    plant.chain.send([thief], [plant.authority])
    assert plant.refused(node.next(export=10)) == "MeterInactive"
    assert plant.refusal([plant.processing(node)]) == "MeterInactive"


def test_a_retired_key_signs_nothing(plant: Plant, node: Node) -> None:
    fresh = Keypair()
    plant.patch_meter(node, meter_key=fresh.pubkey())
    record = node.next(export=10)
    assert plant.refused(record) == "SignatureMismatch"
    encoded = record.encode()
    signed = SignedRecord(encoded, Signed(bytes(fresh.pubkey()), bytes(fresh.sign_message(encoded))))
    plant.chain.send(submit_meter_data(plant.built, plant.relayer.pubkey(), [signed], position=0), [plant.relayer])


def replace_meter(plant: Plant, node: Node, *, forfeit: bool) -> None:
    """What the registry writes when a meter gets another device: install 2, baselines 50 and 60 mWh, from now on."""
    now = plant.chain.clock().unix_s
    changes = {"install_id": 2, "baseline_export_mwh": 50, "baseline_import_mwh": 60, "baseline_ts": now}
    plant.patch_meter(node, **changes, forfeit_install=2 if forfeit else 0)


def of_install_2(**changes: Mwh) -> dict[str, Any]:
    return {
        "install_id": InstallId(2),
        "seq": Seq(1),
        "prev": bytes(16),
        "export_mwh": Mwh(50),
        "import_mwh": Mwh(60),
        **changes,
    }


def test_a_new_device_starts_from_its_baselines(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=10_000))
    replace_meter(plant, node, forfeit=False)
    assert plant.refused(node.next(export=10)) == "InstallMismatch"  # the old device
    first = node.next(**of_install_2(export_mwh=Mwh(53)))
    rebased = plant.events("oracle", plant.deliver(first))
    state = plant.state(node)
    assert (state.install_id, state.seq, state.cum_export_mwh, state.export_reg_mwh) == (2, 1, 10_003, 53)
    assert (rebased["MeterRebased"].fields["old_install_id"], "AccrualForfeited" in rebased) == (1, False)
    assert plant.refused(replace(first, install_id=InstallId(1))) == "InstallMismatch"
    plant.process(node)
    assert plant.account(node.owner).amount == 10_003_000


def test_what_a_compromised_device_claimed_is_forfeited(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=10_000))
    plant.process(node)
    plant.deliver(node.next(export=20_000))  # the thief's
    replace_meter(plant, node, forfeit=True)
    assert plant.refusal([plant.processing(node)]) == "InstallMismatch"  # not in the meantime either
    events = plant.events("oracle", plant.deliver(node.next(**of_install_2(export_mwh=Mwh(53)))))
    assert events["AccrualForfeited"].fields["export_mwh"] == 20_000
    plant.process(node)
    assert plant.account(node.owner).amount == 10_003_000
    state = plant.state(node)
    assert (state.cum_export_mwh, state.minted_mwh, state.forfeited_mwh) == (30_003, 10_003, 20_000)


# --- O19 ---


def test_one_bad_record_takes_the_whole_batch_back(plant: Plant, node: Node, other: Node) -> None:
    good, bad = node.next(export=10), other.next(export=10, prev=b"\1" * 16)
    assert plant.refused(good, bad) == "BrokenChain"
    assert plant.state(node).seq == 0
    plant.deliver(good)
    plant.deliver(other.next(export=10))


def test_back_fill_takes_several_records_of_one_meter(plant: Plant, node: Node) -> None:
    records = []
    for _ in range(3):
        records.append(node.next(export=10))
        node.last = records[-1]
    node.last = None
    plant.deliver(*records)
    state = plant.state(node)
    assert (state.seq, state.cum_export_mwh, state.readings) == (3, 30, 3)
    assert len(state.window) == 3


def test_the_window_adds_up_to_the_whole_watt_hours(plant: Plant, node: Node) -> None:
    for _ in range(5):
        plant.deliver(node.next(export=700, import_=1_900))
    window = plant.state(node).window
    assert (sum(energy.export_wh for energy in window), sum(energy.import_wh for energy in window)) == (3, 9)


# --- O23 ---


@pytest.mark.parametrize("flag", list(StatusFlags))
def test_a_test_an_error_an_estimate_and_a_reset_never_move_money(plant: Plant, node: Node, flag: StatusFlags) -> None:
    record = node.next(export=10, status_flags=flag)
    if flag in {StatusFlags.METER_ERROR, StatusFlags.ESTIMATED, StatusFlags.REGISTER_RESET, StatusFlags.TEST}:
        assert plant.refused(record) == "BadRecord"
        plant.deliver(node.next(export=10))
    else:
        receipt = plant.deliver(record)
        assert plant.events("oracle", receipt)["MeterReadingAccepted"].fields["flags"] == int(flag)
        (energy,) = plant.state(node).window
        assert energy.flags == int(flag)


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (0, b"GMR2"), (4, b"\0"), (4, b"\2"), (5, b"\0"), (5, b"s"), (7, b"\1"), (36, b"p"), (36, b"\0"), (37, b"\1"),
        (39, b"\1"), (40, bytes(8)),
    ],
)  # fmt: skip
def test_a_record_that_is_not_quite_one_is_refused(plant: Plant, node: Node, offset: int, value: bytes) -> None:
    good = node.next(export=10)
    plant.wait_for(good)
    signed = node.sign(bent(good, offset, value))
    assert plant.refusal(submit_meter_data(plant.built, plant.relayer.pubkey(), [signed], position=0)) == "BadRecord"
    plant.deliver(good)


def test_the_record_of_one_meter_says_nothing_about_another(plant: Plant, node: Node, other: Node) -> None:
    record = node.next(export=10)
    plant.wait_for(record)
    ed, ours = plant.submission(record)
    names = {
        "meter": {"meter": plant.site.meter(other.meter_id)},
        "state": {"meter_state": plant.site.meter_state(other.meter_id)},
    }
    for what, accounts in names.items():
        assert plant.refusal([ed, plant.swap("oracle", "submit_meter_data", ours, **accounts)]) == "MeterMismatch", what
    plant.deliver(record)


def test_slots_are_named_by_their_start(plant: Plant, node: Node) -> None:
    record = node.next(export=2_500)
    plant.deliver(record)
    (energy,) = plant.state(node).window
    assert (energy.slot, energy.export_wh) == (record.epoch, 2)
