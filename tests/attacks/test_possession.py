"""Attacks on the proof of possession and on keys (threats.md R4, R6): each beside the same call unharmed."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions as ix
from meterchain.ed25519 import Signed, possession_message, verify_message
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import MeterAssignment
from meterchain.programs import Programs
from meterchain.units import InstallId

Refusal = Callable[[Sequence[Instruction], Sequence[Keypair]], str]
Possess = Callable[..., Signed]
Assign = Callable[..., list[Instruction]]


def key(name: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(f"meter key {name}".encode()).digest())


def numbered(assignment: MeterAssignment, number: int) -> MeterAssignment:
    """Another metering point with another device."""
    return replace(assignment, meter_id=f"METER_{number:03}", serial=f"SN-{number}")


# --- R4: proof of possession ---


def test_a_proof_for_anything_else_is_none(
    town: EmbeddedChain,
    authority: Keypair,
    bob: Keypair,
    domain: bytes,
    possess: Possess,
    assign: Assign,
    plan: MeterAssignment,
    refusal: Refusal,
) -> None:
    mine = key("1")
    wrong = {
        "other site": (plan, possess(mine, plan, site=b"another!"), b"another!"),
        "other meter": (numbered(plan, 2), possess(mine, numbered(plan, 2)), domain),
        "other owner": (replace(plan, owner=bob.pubkey()), possess(mine, plan, owner=bob.pubkey()), domain),
    }
    _, ours = assign(plan, mine)
    for what, (signed_plan, proof, site) in wrong.items():
        message = possession_message(site, signed_plan.meter_id, signed_plan.owner, InstallId(1))
        assert refusal([verify_message(proof, message), ours], [authority]) == "BadProofOfPossession", what
    older = possess(mine, plan, install_id=2)
    message = possession_message(domain, plan.meter_id, plan.owner, InstallId(2))
    assert refusal([verify_message(older, message), ours], [authority]) == "BadProofOfPossession"
    other_key = key("2")
    message = possession_message(domain, plan.meter_id, plan.owner, InstallId(1))
    assert refusal([verify_message(possess(other_key, plan), message), ours], [authority]) == "BadProofOfPossession"
    town.send(assign(plan, mine), [authority])


def test_a_proof_stands_right_before_the_assignment_and_is_one(
    town: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    assign: Assign,
    plan: MeterAssignment,
    refusal: Refusal,
) -> None:
    proof, ours = assign(plan, key("1"))
    between = ix.get_status(built)
    assert refusal([ours], [authority]) == "BadProofOfPossession"
    assert refusal([ours, proof], [authority]) == "BadProofOfPossession"
    assert refusal([proof, between, ours], [authority]) == "BadProofOfPossession"
    assert refusal([between, ours], [authority]) == "BadProofOfPossession"
    empty = Instruction(proof.program_id, b"\0\0", [])
    assert refusal([proof, empty, ours], [authority]) == "BadProofOfPossession"
    town.send([between, proof, ours], [authority])


def test_offsets_that_lead_elsewhere_are_refused(
    town: EmbeddedChain, authority: Keypair, assign: Assign, plan: MeterAssignment, refusal: Refusal
) -> None:
    """The precompile follows offsets into any instruction; we believe only what lies in its own data."""
    mine = key("1")
    proof, ours = assign(plan, mine)
    for field in (1, 3, 6):  # whose data hold the signature, the public key, the message
        redirected = bytearray(proof.data)
        redirected[2 + 2 * field : 4 + 2 * field] = (0).to_bytes(2, "little")
        elsewhere = Instruction(proof.program_id, bytes(redirected), [])
        assert refusal([proof, elsewhere, ours], [authority]) == "BadProofOfPossession", field
    own_index = bytearray(proof.data)
    for field in (1, 3, 6):
        own_index[2 + 2 * field : 4 + 2 * field] = (1).to_bytes(2, "little")
    town.send([proof, Instruction(proof.program_id, bytes(own_index), []), ours], [authority])


def test_a_program_that_is_given_the_precompiles_data_has_verified_nothing(
    town: EmbeddedChain,
    authority: Keypair,
    possess: Possess,
    assign: Assign,
    plan: MeterAssignment,
    idle: Pubkey,
    refusal: Refusal,
) -> None:
    mine = key("1")
    forged = Signed(bytes(mine.pubkey()), possess(key("2"), plan).signature)
    claim, ours = assign(plan, mine, forged)
    assert refusal([Instruction(idle, bytes(claim.data), []), ours], [authority]) == "BadProofOfPossession"
    town.send(assign(plan, mine), [authority])


def test_a_longer_message_that_begins_as_the_proof_is_none(
    town: EmbeddedChain,
    authority: Keypair,
    assign: Assign,
    plan: MeterAssignment,
    domain: bytes,
    refusal: Refusal,
) -> None:
    mine = key("1")
    message = possession_message(domain, plan.meter_id, plan.owner, InstallId(1))
    longer = message + b"0"
    signed = Signed(bytes(mine.pubkey()), bytes(mine.sign_message(longer)))
    _, ours = assign(plan, mine)
    assert refusal([verify_message(signed, longer), ours], [authority]) == "BadProofOfPossession"
    town.send(assign(plan, mine), [authority])


def test_a_proof_shown_to_a_foreign_program_is_not_shown_to_us(
    town: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    assign: Assign,
    plan: MeterAssignment,
    by_proxy: Callable[..., Instruction],
    refusal: Refusal,
) -> None:
    """By CPI the instruction before ours is the one before the caller's: not ours to believe."""
    town.send([by_proxy(ix.verify_user(built, plan.owner))], [authority])  # the proxy works
    proof, ours = assign(plan, key("1"))
    assert refusal([proof, by_proxy(ours)], [authority]) == "BadProofOfPossession"
    town.send([proof, ours], [authority])


def test_the_second_signature_does_not_count(
    town: EmbeddedChain,
    authority: Keypair,
    possess: Possess,
    assign: Assign,
    plan: MeterAssignment,
    domain: bytes,
    refusal: Refusal,
) -> None:
    mine, other = possess(key("1"), plan), possess(key("2"), plan)
    message = possession_message(domain, plan.meter_id, plan.owner, InstallId(1))
    _, ours = assign(plan, key("1"))

    def both(first: Signed, second: Signed) -> Instruction:
        single = verify_message(first, message).data[16:]
        body = single + verify_message(second, message).data[16:]
        start, size = 30, len(single)
        offsets = b"".join(
            b"".join(
                number.to_bytes(2, "little") for number in (at + 32, 0xFFFF, at, 0xFFFF, at + 96, len(message), 0xFFFF)
            )
            for at in (start, start + size)
        )
        return Instruction(verify_message(first, message).program_id, b"\2\0" + offsets + body, [])

    assert refusal([both(other, mine), ours], [authority]) == "BadProofOfPossession"
    town.send([both(mine, other), ours], [authority])


# --- R6: weak keys ---

_P = 2**255 - 19
_ORDER_8 = (
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
)
WEAK = [bytes.fromhex(point) for point in _ORDER_8] + [
    y.to_bytes(32, "little") for y in (0, 1, _P - 1, _P, _P + 1, _P + 18)
]


@pytest.mark.parametrize("sign", [0, 0x80])
@pytest.mark.parametrize("encoded", WEAK)
def test_a_low_order_or_non_canonical_key_is_refused(
    town: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    assign: Assign,
    plan: MeterAssignment,
    refusal: Refusal,
    encoded: bytes,
    sign: int,
) -> None:
    weak = Signed(encoded[:31] + bytes([encoded[31] | sign]), bytes(64))
    _, ours = assign(plan, key("1"), weak)
    assert refusal([ours], [authority]) == "WeakKey"
    town.send(assign(plan, key("1")), [authority])
