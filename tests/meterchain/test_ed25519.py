"""Instructions for the Ed25519 precompile, against the precompile itself; proofs of possession against the vectors."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain.chain import TransactionFailed
from meterchain.ed25519 import (
    PRECOMPILE,
    BadSignature,
    Elsewhere,
    Signed,
    handover_message,
    possession_message,
    verify_elsewhere,
    verify_message,
    verify_messages,
)
from meterchain.embedded import EmbeddedChain
from meterchain.record import RecordError
from meterchain.site import domain_of
from meterchain.units import InstallId

VECTORS: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parents[1] / "vectors/records.json").read_text())
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")


def signed(key: Keypair, message: bytes) -> Signed:
    return Signed(bytes(key.pubkey()), bytes(key.sign_message(message)))


def key_of(name: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(name.encode()).digest())


@pytest.mark.parametrize("vector", VECTORS["proofs_of_possession"], ids=lambda vector: str(vector["name"]))
def test_a_proof_of_possession_is_the_vector_s(vector: dict[str, Any]) -> None:
    fields = vector["fields"]
    message = possession_message(
        bytes.fromhex(fields["domain"]), fields["meter_id"], Pubkey(bytes.fromhex(fields["owner"])),
        InstallId(fields["install_id"]),
    )  # fmt: skip
    assert message.hex() == vector["message"]
    assert len(message) == 68
    proof = Signed(bytes.fromhex(vector["public_key"]), bytes.fromhex(vector["signature"]))
    proof.check(message)
    with pytest.raises(BadSignature):
        proof.check(message[:-1] + b"\x09")


@pytest.mark.parametrize("vector", VECTORS["domains"], ids=lambda vector: str(vector["site"]))
def test_a_domain_is_the_vector_s(vector: dict[str, str]) -> None:
    oracle = Pubkey(bytes.fromhex(vector["oracle_id"]))
    assert domain_of(bytes.fromhex(vector["genesis_hash"]), oracle, vector["site"]).hex() == vector["domain"]


def test_a_domain_of_another_length_is_refused() -> None:
    with pytest.raises(RecordError, match="8 bytes"):
        possession_message(b"short", "METER_001", Pubkey.default(), InstallId(1))


def test_keys_and_signatures_of_another_length_are_refused() -> None:
    with pytest.raises(BadSignature, match="32 bytes"):
        Signed(bytes(31), bytes(64))


def test_the_precompile_accepts_a_message_that_is_carried_along(chain: EmbeddedChain, authority: Keypair) -> None:
    meter = key_of("meter")
    chain.send([verify_message(signed(meter, b"hello"), b"hello")], [authority])
    with pytest.raises(TransactionFailed) as refused:
        chain.send([verify_message(signed(meter, b"hello"), b"hullo")], [authority])
    assert (refused.value.name, refused.value.program) == ("InvalidSignature", PRECOMPILE)


def test_the_precompile_checks_each_of_several_messages(chain: EmbeddedChain, authority: Keypair) -> None:
    one, two = key_of("one"), key_of("two")
    pairs = [(signed(key, message), message) for key, message in ((one, b"a"), (two, b"longer"), (one, b""))]
    chain.send([verify_messages(pairs)], [authority])
    for wrong in range(3):
        forged = [(pair[0], b"x") if k == wrong else pair for k, pair in enumerate(pairs)]
        with pytest.raises(TransactionFailed):
            chain.send([verify_messages(forged)], [authority])


def test_a_handover_is_never_a_proof_of_possession() -> None:
    key = key_of("one").pubkey()
    handover = handover_message(b"12345678", "METER_001", key, InstallId(1))
    possession = possession_message(b"12345678", "METER_001", key, InstallId(1))
    assert len(handover) == len(possession) == 68
    assert (handover[:8], handover[8:]) == (b"GMRHOV1\0", possession[8:])


def test_the_precompile_accepts_messages_that_lie_in_the_next_instruction(
    chain: EmbeddedChain, authority: Keypair
) -> None:
    one, other = key_of("one"), key_of("other")
    text = b"firstSECONDthird"
    places = [Elsewhere(1, 0, 5), Elsewhere(1, 5, 6), Elsewhere(1, 11, 5)]
    signatures = [signed(one, b"first"), signed(other, b"SECOND"), signed(one, b"third")]
    check = verify_elsewhere(signatures, places)
    memo = Instruction(MEMO, text, [])
    chain.send([check, memo], [authority])
    assert len(check.data) == 2 + 3 * 14 + 2 * 32 + 3 * 64, "a key that signs twice is stored once"
    with pytest.raises(TransactionFailed, match="InvalidSignature"):
        chain.send([check, Instruction(MEMO, b"firstSECONDTHIRD", [])], [authority])
    with pytest.raises(TransactionFailed, match="InvalidDataOffsets"):
        chain.send([check, Instruction(MEMO, text[:-1], [])], [authority])
