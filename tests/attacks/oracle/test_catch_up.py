"""What many records claim together (threats.md O10, O22, S4): a stolen key of a silent meter, and an honest journal."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from solders.keypair import Keypair
from tests.attacks.oracle.plant import Node, Plant

from meterchain.accounts import MeterStatus
from meterchain.instructions import set_meter_status
from meterchain.record import Reason, Record
from meterchain.units import SLOT_S, InstallId, Mwh, Slot, UnixTime

DAY, WEEK, YEAR = 86_400, 604_800, 365 * 86_400
WATTS = 5_000
MAX_CATCHUP_SECS = 18
CAMPUS_SUN = 5
"""A roof gives a fifth of its rated power over a day, if the day is good."""


def of(seconds: int, watts: int = WATTS) -> int:
    """Energy in mWh at 120 % of rated power."""
    return watts * seconds * 10 * 120 // 3_600


def exception(node: Node, now: int, *, back: int, export: int) -> Record:
    """A reading of `back` seconds ago, outside the periodic ones: without their floor."""
    ts = UnixTime(now - back)
    return node.next(export=export, epoch=Slot(ts - ts % SLOT_S), ts=ts, reason=Reason.EXCEPTION)


def silent_for(plant: Plant, node: Node, seconds: int) -> int:
    """A first record, then nothing for so long; the time then."""
    plant.deliver(node.next())
    plant.chain.set_unix_time(UnixTime(plant.state(node).last_ts + seconds))
    return plant.chain.clock().unix_s


def claimed(plant: Plant, node: Node) -> int:
    return plant.state(node).claimed_secs


@pytest.mark.parametrize("first", [60, DAY, 3 * DAY, WEEK])
def test_a_year_of_silence_gives_a_week_in_however_many_records(plant: Plant, node: Node, first: int) -> None:
    """The oldest reading that is taken claims a part, one of now the rest, and not a milliwatt-hour more."""
    now = silent_for(plant, node, YEAR)
    plant.deliver(exception(node, now, back=WEEK, export=of(first)))
    assert claimed(plant, node) == first
    rest = of(WEEK - first)
    assert plant.refused(exception(node, now, back=1, export=rest + 1)) == "Implausible"
    assert plant.refused(exception(node, now, back=1, export=of(WEEK - 1))) == "Implausible"
    plant.deliver(exception(node, now, back=1, export=rest))
    assert plant.state(node).cum_export_mwh == of(WEEK)
    assert claimed(plant, node) == WEEK


def test_small_steps_through_the_past_claim_no_more_than_one_large_one(plant: Plant, node: Node) -> None:
    """Each is soon after the one before it by their own times; by the chain's clock all come at once."""
    plant.set_param(MAX_CATCHUP_SECS, DAY)
    now, step = silent_for(plant, node, YEAR), 1_800
    plant.deliver(exception(node, now, back=WEEK - 60, export=0))
    assert claimed(plant, node) == 0
    for k in range(1, DAY // step + 1):
        plant.deliver(exception(node, now, back=WEEK - 60 - k * step, export=of(step)))
        assert claimed(plant, node) == k * step
    assert plant.refused(exception(node, now, back=WEEK - 60 - DAY - step, export=1)) == "Implausible"
    plant.deliver(exception(node, now, back=WEEK - 60 - DAY - step, export=0))


def test_the_thief_goes_on_as_fast_as_the_meter_could_and_no_faster(plant: Plant, node: Node) -> None:
    now = silent_for(plant, node, YEAR)
    plant.deliver(exception(node, now, back=WEEK - DAY, export=of(WEEK)))
    assert plant.refused(exception(node, now, back=WEEK - 2 * DAY, export=1)) == "Implausible"
    plant.chain.set_unix_time(UnixTime(now + DAY))
    assert plant.refused(exception(node, now, back=1, export=of(DAY) + 1)) == "Implausible"
    plant.deliver(exception(node, now, back=1, export=of(DAY)))


def test_neither_direction_claims_more_than_the_week(plant: Plant, node: Node) -> None:
    """What is counted is the longer of the two."""
    now = silent_for(plant, node, YEAR)
    plant.deliver(replace(exception(node, now, back=WEEK, export=of(DAY)), import_mwh=Mwh(2_000 + of(3 * DAY, 10_000))))
    assert claimed(plant, node) == 3 * DAY
    over = exception(node, now, back=1, export=of(4 * DAY) + 1)
    assert plant.refused(over) == "Implausible"
    plant.deliver(exception(node, now, back=1, export=of(4 * DAY)))


def test_a_fortnights_journal_of_an_honest_meter_is_taken_at_once(plant: Plant, node: Node) -> None:
    """A week that is older than what is taken, in the first record, and then slot after slot."""
    now = silent_for(plant, node, 2 * WEEK)
    a_slot = of(SLOT_S) * 100 // 120 // CAMPUS_SUN
    node_now = now - now % SLOT_S
    slots = [node_now - WEEK + SLOT_S * k for k in range(WEEK // SLOT_S - 1)]
    last = node.last
    assert last is not None
    skipped = (slots[0] - last.epoch) // SLOT_S
    for k, epoch in enumerate(slots):
        energy = a_slot * (skipped if k == 0 else 1)
        plant.deliver(node.next(export=energy, epoch=Slot(epoch), ts=UnixTime(epoch + SLOT_S + 2)))
    assert plant.state(node).cum_export_mwh == a_slot * (skipped + len(slots) - 1)
    assert 0 < claimed(plant, node) < WEEK


def test_a_meter_in_step_owes_nothing_and_one_that_owes_is_even_again(plant: Plant, node: Node) -> None:
    for _ in range(3):
        plant.deliver(node.next(export=of(SLOT_S)))
        assert claimed(plant, node) == 0
    now = silent_for(plant, node, DAY)
    plant.deliver(exception(node, now, back=1, export=of(3_000)))
    assert claimed(plant, node) == 3_000
    for left in (2_100, 1_200, 300, 0, 0):
        now += SLOT_S
        plant.chain.set_unix_time(UnixTime(now))
        plant.deliver(exception(node, now, back=1, export=0))
        assert claimed(plant, node) == left


def test_four_slots_of_an_hour_in_one_transaction_are_given_back_by_the_next_hour(plant: Plant, node: Node) -> None:
    """The relayer that comes once an hour, for a meter that never stops."""
    for _ in range(30):
        hour = []
        for _ in range(4):
            hour.append(node.next(export=of(SLOT_S)))
            node.last = hour[-1]
        plant.deliver(*hour)
        assert claimed(plant, node) <= 4 * SLOT_S


def test_a_new_install_owes_nothing(plant: Plant, node: Node) -> None:
    now = silent_for(plant, node, YEAR)
    plant.deliver(exception(node, now, back=1, export=of(WEEK)))
    move = set_meter_status(plant.built, plant.authority.pubkey(), node.meter_id, MeterStatus.MAINTENANCE)
    plant.chain.send([move], [plant.authority])
    plant.patch_meter(node, install_id=2, status=int(MeterStatus.ACTIVE), baseline_ts=now)
    assert claimed(plant, node) == WEEK
    node.last = None
    node.first = replace(node.first, install_id=InstallId(2), epoch=Slot(now - now % SLOT_S))
    plant.deliver(node.next())
    assert claimed(plant, node) == 0


def test_a_lower_limit_bars_nobody_who_claims_nothing(plant: Plant, node: Node) -> None:
    now = silent_for(plant, node, YEAR)
    plant.deliver(exception(node, now, back=DAY, export=of(WEEK)))
    plant.set_param(MAX_CATCHUP_SECS, DAY)
    assert plant.refused(exception(node, now, back=1, export=1)) == "Implausible"
    plant.deliver(exception(node, now, back=1, export=0))
    plant.set_param(MAX_CATCHUP_SECS, 2 * WEEK)
    plant.chain.set_unix_time(UnixTime(now + 60))
    plant.deliver(exception(node, now + 60, back=1, export=of(60)))


def test_the_claims_of_one_meter_are_not_anothers(plant: Plant, node: Node, other: Node, alice: Keypair) -> None:
    plant.deliver(other.next())
    now = silent_for(plant, node, YEAR)
    records: Sequence[Record] = [exception(each, now, back=1, export=of(WEEK)) for each in (node, other)]
    plant.deliver(*records)
    assert (claimed(plant, node), claimed(plant, other)) == (WEEK, WEEK)
    assert plant.account(alice).amount == 0
