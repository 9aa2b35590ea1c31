"""The signer: the only place that touches the meter's private key once it is loaded.

It signs two things: the 96 bytes of a record, and the 68 bytes by which a node proves to the registry that it holds the
key (programs.md 4.3).  Each begins with a magic of its own, so neither can be taken for the other.
"""

from nacl.signing import SigningKey
from solders.pubkey import Pubkey

from meterchain.ed25519 import possession_message
from meterchain.record import Record
from meterchain.units import InstallId


class Signer:
    """A meter's key, ready to sign.  `str` and `repr` show the public half only."""

    __slots__ = ("_key", "public_key")

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self.public_key = Pubkey.from_bytes(bytes(key.verify_key))

    def __repr__(self) -> str:
        return f"Signer({self.public_key})"

    def sign_record(self, encoded: bytes) -> bytes:
        """The 64-byte signature over the 96 bytes of a record.  Raises RecordError if they are anything else."""
        Record.decode(encoded)
        return self._key.sign(encoded).signature

    def prove_possession(self, domain: bytes, meter_id: str, owner: Pubkey, install_id: InstallId) -> bytes:
        """The 64-byte signature that `assign_meter`, `replace_meter` and `rotate_meter_key` ask of a new key.

        Raises RecordError for a bad meter id or domain.
        """
        return self._key.sign(possession_message(domain, meter_id, owner, install_id)).signature
