"""What the meter's key signs, and what it refuses to."""

import json
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey
from solders.pubkey import Pubkey

from meterchain.record import RecordError
from meterchain.units import InstallId
from meteredge.signer import Signer

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "records.json").read_text())


def test_nothing_but_a_record_is_signed_as_one(signer: Signer) -> None:
    for bytes_ in (b"", bytes(96), b"GMR1" + bytes(92), bytes(97), b"GMRPOP1\0" + bytes(60)):
        with pytest.raises(RecordError):
            signer.sign_record(bytes_)


@pytest.mark.parametrize("vector", VECTORS["records"], ids=lambda vector: vector["name"])
def test_a_record_of_the_shared_vectors_gets_the_signature_that_they_name(vector: dict[str, str]) -> None:
    signer = Signer(SigningKey(bytes.fromhex(vector["seed"])))
    assert signer.sign_record(bytes.fromhex(vector["encoded"])).hex() == vector["signature"]


@pytest.mark.parametrize("vector", VECTORS["proofs_of_possession"], ids=lambda vector: vector["name"])
def test_a_proof_of_the_shared_vectors_is_the_one_that_they_name(vector: dict[str, Any]) -> None:
    fields = vector["fields"]
    owner, install = Pubkey(bytes.fromhex(fields["owner"])), InstallId(fields["install_id"])
    signer = Signer(SigningKey(bytes.fromhex(vector["seed"])))
    proof = signer.prove_possession(bytes.fromhex(fields["domain"]), fields["meter_id"], owner, install)
    assert proof.hex() == vector["signature"]


def test_the_proof_of_possession_covers_68_bytes_of_domain_meter_owner_and_install(signer: Signer) -> None:
    owner = Pubkey(bytes(range(32)))
    proof = signer.prove_possession(b"domain!!", "METER_001", owner, InstallId(7))
    message = b"GMRPOP1\0" + b"domain!!" + b"METER_001".ljust(16, b"\0") + bytes(owner) + (7).to_bytes(4, "little")
    assert len(message) == 68
    SigningKey(b"meter key of the tests, 32 bytes").verify_key.verify(message, proof)


def test_a_signer_shows_its_public_half_only(signer: Signer) -> None:
    assert str(signer.public_key) in repr(signer)
    assert b"meter key of the tests".hex() not in repr(signer).lower()
