"""Attacks on the signature of a record (threats.md O1, O2, O2b, O3, O4): each beside the same delivery unharmed."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.oracle.plant import Node, Plant

from meterchain import instructions as ix
from meterchain.ed25519 import PRECOMPILE, Signed
from meterchain.instructions import SignedRecord
from meterchain.units import Mwh

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
HERE = 0xFFFF


def precompile(entries: Sequence[Sequence[int]], tail: bytes, count: int | None = None) -> Instruction:
    """The Ed25519 instruction with these offsets structs (seven numbers each), then `tail`."""
    head = bytes([len(entries) if count is None else count, 0])
    return Instruction(PRECOMPILE, head + b"".join(struct.pack("<7H", *entry) for entry in entries) + tail, [])


def test_a_record_signed_by_its_meter_is_taken(plant: Plant, node: Node) -> None:
    receipt = plant.deliver(node.next(export=1_000))
    accepted = plant.events("oracle", receipt)["MeterReadingAccepted"].fields
    assert (accepted["seq"], accepted["d_export"]) == (1, 1_000)


# --- O1 ---


def test_without_a_signature_before_it_a_record_is_refused(plant: Plant, node: Node) -> None:
    record = node.next(export=1_000)
    plant.wait_for(record)
    ed, ours = plant.submission(record)
    assert plant.refusal([ours]) == "SignatureMissing"
    memo = Instruction(MEMO, b"x", [])
    assert plant.refusal([memo, ours]) == "SignatureMissing"
    _, first = plant.submission(record, position=1)  # expects the precompile at 1, where our own instruction stands
    assert plant.refusal([ed, first]) == "SignatureMissing"
    after_ed = ix.submit_meter_data(plant.built, plant.relayer.pubkey(), plant.signed(record), position=1)
    moved = Instruction(
        PRECOMPILE, bytes(ed.data).replace(struct.pack("<3H", 13, 96, 1), struct.pack("<3H", 13, 96, 0)), []
    )
    assert plant.refusal([after_ed[1], moved]) == "SignatureMissing"
    plant.chain.send([ed, ours], [plant.relayer])


def test_too_few_signatures_are_refused_and_too_many_are_ignored(plant: Plant, node: Node, other: Node) -> None:
    mine, theirs = node.next(export=1_000), other.next(export=1_000)
    plant.wait_for(mine, theirs)
    both = plant.submission(mine, theirs)
    one, alone = plant.submission(mine)
    assert plant.refusal([one, both[1]]) == "SignatureMissing"
    # a second signature over the memo before: nobody asks for it
    record, message = plant.signed(mine)[0], b"anything"
    stranger = Keypair()
    keys = record.signed.public_key + bytes(stranger.pubkey())
    at = 2 + 28
    tail = keys + record.signed.signature + bytes(stranger.sign_message(message)) + message
    ed = precompile(
        [
            (at + 64, HERE, at, HERE, 13, 96, 1),
            (at + 128, HERE, at + 32, HERE, at + 192, len(message), HERE),
        ],
        tail,
    )
    plant.chain.send([ed, alone], [plant.relayer])
    assert plant.state(node).seq == 1


# --- O2 ---


def test_offsets_that_lead_anywhere_but_to_our_own_bytes_are_refused(plant: Plant, node: Node) -> None:
    good = node.next(export=1_000)
    plant.wait_for(good)
    forged = replace(good, export_mwh=Mwh(good.export_mwh + 500_000))
    signed = plant.signed(good)[0]
    key = signed.signed.public_key
    _, honest = plant.submission(good)
    _, theft = plant.submission(forged)
    ours = bytes(honest.data)

    def over(start: int, end: int) -> Instruction:
        """Over these bytes of our own data."""
        return precompile(
            [(48, HERE, 16, HERE, start, end - start, 1)], key + bytes(node.key.sign_message(ours[start:end]))
        )

    copied = key + signed.signed.signature + good.encode()
    attacks = {
        "a copy of the signed bytes in the precompile's own data": [
            precompile([(48, HERE, 16, HERE, 112, 96, HERE)], copied),
            theft,
        ],
        "the same, named by its index": [precompile([(48, 0, 16, 0, 112, 96, 0)], copied), theft],
        "one byte less": [over(13, 108), honest],
        "one byte more": [over(12, 109), honest],
        "one byte further": [over(12, 108), honest],
    }
    for what, attack in attacks.items():
        assert plant.refusal(attack) == "SignatureMismatch", what
    # the precompile is content with a signature or a key in a third instruction; we are not
    far_signature = precompile([(2, 2, 16, HERE, 13, 96, 1)], key)
    assert (
        plant.refusal([far_signature, honest, Instruction(PRECOMPILE, b"\0\0" + signed.signed.signature, [])])
        == "SignatureMismatch"
    )
    far_key = precompile([(16, HERE, 2, 2, 13, 96, 1)], signed.signed.signature)
    assert plant.refusal([far_key, honest, Instruction(PRECOMPILE, b"\0\0" + key, [])]) == "SignatureMismatch"
    plant.deliver(good)


def test_a_signature_over_an_earlier_delivery_covers_no_other(plant: Plant, node: Node) -> None:
    """The signed bytes lie at the very place where ours do, in the data of the delivery before."""
    good = node.next(export=1_000)
    node.last = good
    forged = node.next(export=500_000)
    node.last = None
    plant.wait_for(forged)
    ed, honest = plant.submission(good)
    _, theft = plant.submission(forged)
    assert plant.refusal([ed, honest, theft]) == "SignatureMismatch"
    plant.chain.send([ed, honest], [plant.relayer])
    assert plant.state(node).cum_export_mwh == 1_000


def test_a_key_shown_at_the_right_place_is_not_the_one_that_signed(plant: Plant, node: Node) -> None:
    """The precompile takes the thief's key from a third instruction; where ours would lie stands the meter's."""
    record = node.next(export=1_000)
    plant.wait_for(record)
    thief, (signed,) = Keypair(), plant.signed(record)
    _, honest = plant.submission(record)
    theirs = precompile(
        [(48, HERE, 16, HERE, 112, 1, HERE)], bytes(thief.pubkey()) + bytes(thief.sign_message(b"x")) + b"x"
    )
    forged = bytes(thief.sign_message(record.encode()))
    attack = precompile([(48, HERE, 16, 2, 13, 96, 1)], signed.signed.public_key + forged)
    assert plant.refusal([attack, honest, theirs]) == "SignatureMismatch"
    own = precompile([(48, HERE, 16, HERE, 13, 96, 1)], signed.signed.public_key + signed.signed.signature)
    plant.chain.send([own, honest, theirs], [plant.relayer])


def test_a_program_that_is_given_the_precompiles_data_has_verified_nothing(
    plant: Plant, node: Node, idle: Pubkey
) -> None:
    record = node.next(export=1_000)
    plant.wait_for(record)
    forged = node.sign(record.encode(), Keypair())
    claimed = SignedRecord(forged.encoded, Signed(bytes(node.key.pubkey()), forged.signed.signature))
    ed, ours = ix.submit_meter_data(plant.built, plant.relayer.pubkey(), [claimed], position=0)
    assert plant.refusal([Instruction(idle, bytes(ed.data), []), ours]) == "SignatureMissing"
    plant.deliver(record)


def test_signatures_in_another_order_than_the_records_are_refused(plant: Plant, node: Node, other: Node) -> None:
    mine, theirs = node.next(export=1_000), other.next(export=1_000)
    plant.wait_for(mine, theirs)
    straight = plant.submission(mine, theirs)
    entries = bytes(straight[0].data)
    swapped = entries[:2] + entries[16:30] + entries[2:16] + entries[30:]
    assert plant.refusal([Instruction(PRECOMPILE, swapped, []), straight[1]]) == "SignatureMismatch"
    plant.deliver(mine, theirs)


# --- O2b ---


def test_a_foreign_program_cannot_show_signed_bytes_and_hand_us_others(
    plant: Plant, node: Node, relay: Callable[..., Instruction]
) -> None:
    good = node.next(export=1_000)
    plant.wait_for(good)
    forged = replace(good, export_mwh=Mwh(good.export_mwh + 500_000))
    ed, honest = plant.submission(good)
    _, theft = plant.submission(forged)
    assert plant.refusal([ed, relay(theft, [good.encode()])]) == "NotTopLevel"
    assert plant.refusal([ed, relay(honest, [good.encode()])]) == "NotTopLevel"
    plant.chain.send([relay(plant.processing(node))], [plant.relayer])  # the evil program works
    plant.deliver(good)
    plant.chain.send([relay(plant.processing(node))], [plant.relayer])
    assert plant.account(node.owner).amount == 1_000_000


# --- O3 ---


def test_another_meters_key_signs_nothing_for_this_one(plant: Plant, node: Node, other: Node) -> None:
    record = node.next(export=1_000)
    plant.wait_for(record)
    for thief in (other.key, Keypair()):
        stolen = ix.submit_meter_data(
            plant.built, plant.relayer.pubkey(), [node.sign(record.encode(), thief)], position=0
        )
        assert plant.refusal(stolen) == "SignatureMismatch"
    plant.deliver(record)


# --- O4 ---


def test_a_record_that_comes_again_is_credited_once(plant: Plant, node: Node) -> None:
    first, once = node.next(export=1_000), plant.state(node)
    receipt = plant.deliver(first)
    again = plant.deliver(first)
    assert "MeterReadingAccepted" in plant.events("oracle", receipt)
    assert list(plant.events("oracle", again)) == ["ReadingDuplicate"]
    second = node.next(export=2_000)
    plant.deliver(second, second)  # twice in one transaction
    state = plant.state(node)
    assert (state.cum_export_mwh - once.cum_export_mwh, state.readings, state.seq) == (3_000, 2, 2)
    assert plant.refused(first) == "StaleSequence"


def test_a_record_for_another_site_is_refused(plant: Plant, node: Node) -> None:
    assert plant.refused(node.next(export=1_000, domain=b"othersit")) == "BadDomain"
    plant.deliver(node.next(export=1_000))


@pytest.mark.parametrize("count", [0, 6, 255])
def test_only_one_to_five_records_go_together(plant: Plant, node: Node, count: int) -> None:
    record = node.next(export=1_000)
    plant.wait_for(record)
    _, ours = plant.submission(record)
    body = record.encode() * min(count, 6)
    data = bytes(ours.data)[:9] + struct.pack("<I", min(count, 6)) + body
    if count == 255:  # a length that the data do not hold
        data = bytes(ours.data)[:9] + struct.pack("<I", 255) + record.encode()
    attack = Instruction(ours.program_id, data, ours.accounts)
    expected = "InvalidInstructionData" if count == 255 else "BadRecord"
    assert plant.refusal([attack]) == expected
    plant.deliver(record)
