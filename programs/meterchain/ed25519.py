"""Ed25519 on chain: instructions for the precompile that checks signatures, and the proof of possession.

Layout of the precompile's data, little-endian:

    0    1 number of signatures n        1    1 zero
    2   14n for each: signature offset u16, its instruction u16, public key offset, its instruction, message offset,
        message size, its instruction; instruction 0xFFFF = this one
    …   public keys (32 each, the same key once), signatures (64 each), then messages if they are not elsewhere

Proof of possession, 68 bytes (programs.md 4.3): "GMRPOP1" 0 · domain 8 · meter_id 16 · owner 32 · install_id u32
Handover of an old key to a new one, 68 bytes:   "GMRHOV1" 0 · domain 8 · meter_id 16 · new key 32 · install_id u32
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.signature import Signature

from meterchain.record import DOMAIN_SIZE, RecordError, encode_meter_id
from meterchain.units import InstallId

PRECOMPILE = Pubkey.from_string("Ed25519SigVerify111111111111111111111111111")
POP_MAGIC = b"GMRPOP1\0"
HANDOVER_MAGIC = b"GMRHOV1\0"
POP_SIZE = 68
PUBLIC_KEY_SIZE = 32
SIGNATURE_SIZE = 64

_HEAD = 2
_OFFSETS = struct.Struct("<7H")
_HERE = 0xFFFF


class BadSignature(ValueError):
    """The signature is not that key's over that message."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature of 64 bytes and the public key of 32 that made it."""

    public_key: bytes
    signature: bytes

    def __post_init__(self) -> None:
        if len(self.public_key) != PUBLIC_KEY_SIZE or len(self.signature) != SIGNATURE_SIZE:
            raise BadSignature(
                f"a key has 32 bytes and a signature 64, not {len(self.public_key)}, {len(self.signature)}"
            )

    def check(self, message: bytes) -> None:
        """Raises BadSignature unless this signs `message`."""
        if not Signature(self.signature).verify(Pubkey(self.public_key), message):
            raise BadSignature(f"not a signature of key {Pubkey(self.public_key)} over these {len(message)} bytes")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where a signed message lies: `size` bytes at `offset` of the data of top-level instruction `instruction`."""

    instruction: int
    offset: int
    size: int


def verify_message(signed: Signed, message: bytes) -> Instruction:
    """The precompile's instruction that carries `message` itself."""
    return verify_messages([(signed, message)])


def verify_messages(pairs: Sequence[tuple[Signed, bytes]]) -> Instruction:
    """The precompile's instruction that carries each message beside its signature, in this order."""
    signatures = [signed for signed, _ in pairs]
    at = _HEAD + (_OFFSETS.size + SIGNATURE_SIZE) * len(pairs) + PUBLIC_KEY_SIZE * len(_distinct_keys(signatures))
    places: list[Elsewhere] = []
    for _, message in pairs:
        places.append(Elsewhere(_HERE, at, len(message)))
        at += len(message)
    return _instruction(signatures, places, b"".join(message for _, message in pairs))


def verify_elsewhere(signatures: Sequence[Signed], messages: Sequence[Elsewhere]) -> Instruction:
    """The precompile's instruction for messages that lie in other instructions: signature k covers message k."""
    return _instruction(signatures, messages, b"")


def signatures_in(data: bytes, *, here: int) -> list[Signed]:
    """The keys and signatures that the precompile's instruction number `here` with these data carries, in order.

    Raises BadSignature if they are none, or lie elsewhere.
    """
    found = []
    for k in range(data[0] if data else 0):
        try:
            signature, its, key, keys, *_ = _OFFSETS.unpack_from(data, _HEAD + _OFFSETS.size * k)
        except struct.error:
            raise BadSignature("the precompile's offsets are cut off") from None
        if not {its, keys} <= {_HERE, here}:
            raise BadSignature("key or signature lies in another instruction")
        found.append(Signed(data[key : key + PUBLIC_KEY_SIZE], data[signature : signature + SIGNATURE_SIZE]))
    return found


def possession_message(domain: bytes, meter_id: str, owner: Pubkey, install_id: InstallId) -> bytes:
    """What a meter's key signs to prove that the node has it.  Raises RecordError for a bad id or domain."""
    return _agreement(POP_MAGIC, domain, meter_id, owner, install_id)


def handover_message(domain: bytes, meter_id: str, new_key: Pubkey, install_id: InstallId) -> bytes:
    """What a meter's old key signs to agree to `new_key`.  Raises RecordError for a bad id or domain."""
    return _agreement(HANDOVER_MAGIC, domain, meter_id, new_key, install_id)


def _agreement(magic: bytes, domain: bytes, meter_id: str, who: Pubkey, install_id: InstallId) -> bytes:
    if len(domain) != DOMAIN_SIZE:
        raise RecordError(f"a domain has {DOMAIN_SIZE} bytes, not {len(domain)}")
    return magic + domain + encode_meter_id(meter_id) + bytes(who) + struct.pack("<I", install_id)


def _distinct_keys(signatures: Sequence[Signed]) -> list[bytes]:
    return list(dict.fromkeys(signed.public_key for signed in signatures))


def _instruction(signatures: Sequence[Signed], messages: Sequence[Elsewhere], tail: bytes) -> Instruction:
    keys = _distinct_keys(signatures)
    keys_at = _HEAD + _OFFSETS.size * len(signatures)
    signatures_at = keys_at + PUBLIC_KEY_SIZE * len(keys)
    offsets = b"".join(
        _OFFSETS.pack(
            signatures_at + SIGNATURE_SIZE * k, _HERE,
            keys_at + PUBLIC_KEY_SIZE * keys.index(signed.public_key), _HERE,
            message.offset, message.size, message.instruction,
        )
        for k, (signed, message) in enumerate(zip(signatures, messages, strict=True))
    )  # fmt: skip
    all_signatures = b"".join(signed.signature for signed in signatures)
    return Instruction(PRECOMPILE, bytes([len(signatures), 0]) + offsets + b"".join(keys) + all_signatures + tail, [])
