"""Attacks on the time of a record (threats.md O6, O8, O21, O22, X10): each beside the same delivery unharmed."""

from dataclasses import replace

import pytest
from tests.attacks.oracle.plant import Node, Plant

from meterchain.embedded import START
from meterchain.record import Reason, Record, TimeStatus
from meterchain.units import SLOT_S, InstallId, Mwh, Seq, Slot, UnixTime

SKEW = 30
MAX_AGE = 604_800
MAX_CATCHUP = 604_800
I64 = 2**63


def at(plant: Plant, unix_s: int) -> None:
    plant.chain.set_unix_time(UnixTime(unix_s))


# --- O6 ---


def test_a_record_must_follow_the_last_accepted_one(plant: Plant, node: Node) -> None:
    assert plant.refused(node.next(export=10, prev=b"\1" * 16)) == "BrokenChain"  # the first follows nothing
    plant.deliver(node.next(export=10))
    assert plant.refused(node.next(export=10, prev=bytes(16))) == "BrokenChain"
    plant.deliver(node.next(export=10))


def test_a_gap_is_counted_and_its_energy_is_in_the_registers(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=10))
    late = node.next(export=40, slots=4, seq=Seq(5), prev=b"\7" * 16)
    gap = plant.events("oracle", plant.deliver(late))["ReadingGap"].fields
    state = plant.state(node)
    assert (gap["missing"], state.gaps, state.multi_epoch, state.cum_export_mwh) == (3, 3, 1, 50)


def test_a_jump_of_the_sequence_number_cannot_brick_a_meter(plant: Plant, node: Node) -> None:
    assert plant.refused(node.next(export=10, seq=Seq(1_000_001))) == "SeqJump"
    assert plant.refused(node.next(export=10, seq=Seq(2**64 - 1))) == "SeqJump"
    assert plant.refused(node.next(export=10, seq=Seq(0))) == "BadRecord"
    plant.deliver(node.next(export=10, seq=Seq(1_000_000)))
    assert plant.state(node).gaps == 999_999


# --- O7, as far as a record alone can show it ---


def test_a_second_record_with_the_same_number_is_an_equivocation(plant: Plant, node: Node) -> None:
    first = node.next(export=10)
    plant.deliver(first)
    assert plant.refused(replace(first, export_mwh=Mwh(first.export_mwh + 1))) == "Equivocation"
    plant.deliver(first)


def test_a_frozen_meter_is_neither_heard_nor_paid(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=10))
    plant.patch_state(node, flags=1)
    assert plant.refused(node.next(export=10)) == "Frozen"
    assert plant.refusal([plant.processing(node)]) == "Frozen"
    plant.patch_state(node, flags=0)
    plant.deliver(node.next(export=10))
    plant.process(node)


# --- O8 ---


def test_a_reading_may_be_thirty_seconds_ahead_and_no_more(plant: Plant, node: Node) -> None:
    record = node.next(export=10)
    at(plant, record.ts - SKEW - 1)
    assert plant.refusal(plant.submission(record)) == "FutureReading"
    at(plant, record.ts - SKEW)
    plant.chain.send(plant.submission(record), [plant.relayer])


def test_a_reading_may_be_a_week_late_and_no_more(plant: Plant, node: Node) -> None:
    record = node.next(export=10)
    at(plant, record.ts + MAX_AGE + 1)
    assert plant.refusal(plant.submission(record)) == "ReadingTooOld"
    at(plant, record.ts + MAX_AGE)
    plant.chain.send(plant.submission(record), [plant.relayer])


def test_readings_are_a_minute_apart(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=10))
    assert node.last is not None
    last = node.last.ts
    for gap in (-1, 0, 59):
        soon = node.next(export=10, epoch=Slot(last - last % SLOT_S), ts=UnixTime(last + gap), reason=Reason.EXCEPTION)
        assert plant.refused(soon) == "ReadingTooFrequent", gap
    epoch = Slot(last - last % SLOT_S)
    plant.deliver(node.next(export=10, epoch=epoch, ts=UnixTime(last + 60), reason=Reason.EXCEPTION))


def test_what_a_reading_ahead_of_the_clock_covered_is_not_covered_again_after_a_rebase(
    plant: Plant, node: Node
) -> None:
    """The baseline is dated by the chain's clock, which may be behind the last reading: the later of the two counts."""
    ahead = node.next(export=10)
    at(plant, ahead.ts - SKEW)
    plant.chain.send(plant.submission(ahead), [plant.relayer])
    plant.patch_meter(
        node, install_id=2, baseline_ts=ahead.ts - SKEW, baseline_export_mwh=ahead.export_mwh,
        baseline_import_mwh=ahead.import_mwh,
    )  # fmt: skip

    def first(seconds: int) -> Record:
        return replace(
            ahead, install_id=InstallId(2), seq=Seq(1), prev=bytes(16), reason=Reason.EXCEPTION,
            epoch=Slot(ahead.epoch + SLOT_S), ts=UnixTime(ahead.ts + seconds),
        )  # fmt: skip

    assert plant.refused(first(59)) == "ReadingTooFrequent"
    plant.deliver(first(60))


def test_a_periodic_reading_belongs_to_the_end_of_its_slot(plant: Plant, node: Node) -> None:
    slot = node.next().epoch
    at(plant, slot + 5 * SLOT_S)
    for into in (894, 1_021):
        assert plant.refused(node.next(export=10, ts=UnixTime(slot + into))) == "EpochMisaligned", into
    assert plant.refused(node.next(export=10, epoch=Slot(slot + 1))) == "EpochMisaligned"
    assert plant.refused(node.next(export=10, epoch=Slot(slot + SLOT_S))) == "EpochMisaligned"  # ahead of its time
    plant.deliver(node.next(export=10, ts=UnixTime(slot + 895)))
    assert plant.refused(node.next(export=10, epoch=slot, ts=UnixTime(slot + 1_020))) == "EpochMisaligned"  # again
    plant.deliver(node.next(export=10, ts=UnixTime(slot + SLOT_S + 1_020)))


def test_another_reading_lies_in_its_slot(plant: Plant, node: Node) -> None:
    slot = node.next().epoch
    at(plant, slot + 5 * SLOT_S)
    for into, name in ((-1, "EpochMisaligned"), (1_020, "EpochMisaligned")):
        bad = node.next(
            export=1, slots=2, epoch=Slot(slot + SLOT_S), ts=UnixTime(slot + SLOT_S + into), reason=Reason.BEGIN
        )
        assert plant.refused(bad) == name
    for into in (0, 1_019):
        good = node.next(export=1, epoch=Slot(slot + SLOT_S), ts=UnixTime(slot + SLOT_S + into), reason=Reason.BEGIN)
        plant.deliver(good)
    assert plant.state(node).last_epoch == 0


def test_times_at_the_edge_of_the_numbers_are_refused_in_peace(plant: Plant, node: Node) -> None:
    record = node.next(export=10)
    edges = (-I64, -1, I64 - 1)
    plant.wait_for(record)
    for ts in edges:
        for epoch in edges:
            bad = replace(record, ts=UnixTime(ts), epoch=Slot(epoch))
            attack = plant.submission(bad)
            assert plant.refusal(attack) in {"FutureReading", "ReadingTooOld"}
    for epoch in (-I64, -SLOT_S, I64 - 1 - (I64 - 1) % SLOT_S):
        assert plant.refusal(plant.submission(replace(record, epoch=Slot(epoch)))) == "EpochMisaligned"
    for now in (-I64, I64 - 1):
        at(plant, now)
        assert plant.refusal(plant.submission(record)) in {"FutureReading", "ReadingTooOld"}
    at(plant, record.ts + 1)
    plant.deliver(record)


def test_a_vague_time_is_taken_and_marked(plant: Plant, node: Node) -> None:
    for status, mark in ((TimeStatus.UNKNOWN, 1 << 16), (TimeStatus.RELATIVE, 1 << 16), (TimeStatus.INFORMATIVE, 0)):
        receipt = plant.deliver(node.next(export=10, time_status=status))
        assert plant.events("oracle", receipt)["MeterReadingAccepted"].fields["flags"] == mark


# --- O21 ---


def test_an_exception_in_mid_slot_does_not_block_the_slots_own_record(plant: Plant, node: Node) -> None:
    slot = node.next().epoch
    plant.deliver(node.next(export=10, ts=UnixTime(slot + 300), reason=Reason.EXCEPTION))
    plant.deliver(node.next(export=10, epoch=slot, ts=UnixTime(slot + SLOT_S + 2)))
    assert plant.state(node).cum_export_mwh == 20


# --- O22 ---


@pytest.mark.parametrize("over", [0, 1])
def test_a_meter_that_was_silent_for_a_year_claims_a_week_at_most(plant: Plant, node: Node, over: int) -> None:
    slots = 365 * 96
    most = 5_000 * MAX_CATCHUP * 10 * 120 // 3_600 + 1_000
    record = node.next(export=most + over, slots=slots)
    if over:
        assert plant.refused(record) == "Implausible"
    else:
        plant.deliver(record)
        assert plant.state(node).cum_export_mwh == most
    assert plant.chain.clock().unix_s > START + 364 * 86_400
