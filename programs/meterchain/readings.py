"""The readings that a transaction brought, and whether their signatures are true: checked here, not believed.

A reading is the 96 bytes of a record in `submit_meter_data`; its key and signature lie in the Ed25519 instruction that
this one names (see meterchain.ed25519).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from solders.pubkey import Pubkey

from meterchain.chain import Receipt
from meterchain.ed25519 import PRECOMPILE, BadSignature, Signed, signatures_in
from meterchain.idl import Idl
from meterchain.idl_types import IdlError


@dataclass(frozen=True, slots=True)
class Reading:
    """A record of 96 bytes and the key that signed it; None if nobody did."""

    record: bytes
    key: Pubkey | None


def readings(receipt: Receipt, oracle: Idl) -> list[Reading]:
    """What a transaction brought to the oracle, in its order."""
    return [
        reading
        for at, (program, data) in enumerate(receipt.called)
        if program == oracle.program_id
        for reading in _of(receipt, oracle, at, data)
    ]


def _of(receipt: Receipt, oracle: Idl, at: int, data: bytes) -> Iterator[Reading]:
    try:
        name, arguments = oracle.decode_instruction(data)
    except IdlError:
        return  # of another version of the program
    if name != "submit_meter_data":
        return
    proofs = _proofs(receipt, arguments["ed_ix"], at)
    for number, record in enumerate(arguments["records"]):
        signed = proofs[number] if number < len(proofs) else None
        yield Reading(bytes(record), _signer(signed, bytes(record)))


def _proofs(receipt: Receipt, number: int, before: int) -> list[Signed]:
    if number >= before or receipt.called[number][0] != PRECOMPILE:
        return []
    try:
        return signatures_in(receipt.called[number][1], here=number)
    except BadSignature:
        return []


def _signer(signed: Signed | None, record: bytes) -> Pubkey | None:
    if signed is None:
        return None
    try:
        signed.check(record)
    except BadSignature:
        return None
    return Pubkey(signed.public_key)
