"""The claim: what a node says of itself when it asks for its meter, and the proof that it holds the meter's key.

Made on the node (`meterbridge agent claim`), carried to the operator by any road, and used once by `meterbridge meter
assign`.  It holds nothing secret: a public key, and that key's signature over 68 bytes (meterchain.ed25519) that name
site, meter, owner and install, so it is worth nothing for any other.  What the node tells beside that (`node`, serial,
registers) is not under the signature: whoever enrols compares it with the site file and the meter's display.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from solders.pubkey import Pubkey

from meterchain.accounts import KeyLevel
from meterchain.ed25519 import BadSignature, Signed, possession_message
from meterchain.record import RecordError
from meterchain.units import InstallId

_MOST = 16_384
Registers = Annotated[int, Field(ge=0, lt=2**64)]


class ClaimError(Exception):
    """The file is no claim, or its proof does not hold; the message says what to do."""


class NodeTold(BaseModel):
    """How the node read its meter, for whoever enrols it; nothing of it is signed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    board_serial: str | None = None
    """Of the Raspberry Pi; None on other machines."""
    key_level: Literal["file", "board", "chip"]
    """What a thief of the node would have to beat to get its key."""
    relayer: str | None = None
    """The wallet by which it pays for delivery, base58; None where a relay does, or there is none yet."""
    read_at: Annotated[int, Field(ge=0)]
    """Unix seconds of the node's clock, which may not be set yet."""
    port: str
    """As its configuration names it."""
    unit: Annotated[int, Field(ge=1, le=248)]
    direction: Literal["normal", "reversed"]
    settings: Mapping[str, float] = {}
    """Registers of the meter that change what its energy means, by the profile's name for them."""

    @field_validator("relayer")
    @classmethod
    def _is_wallet(cls, text: str | None) -> str | None:
        if text is not None:
            Pubkey.from_string(text)
        return text


class Claim(BaseModel):
    """The whole file, JSON; keys and addresses in base58, other bytes in hexadecimal, energy in mWh."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    meter_id: str
    owner: str
    domain: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    install_id: Annotated[int, Field(ge=1, lt=2**32)]
    public_key: str
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
    model: Annotated[str, Field(min_length=1, max_length=16)]
    serial: Annotated[str, Field(min_length=1, max_length=24)]
    resolution_mwh: Annotated[int, Field(ge=1, lt=2**32)]
    register_modulus_mwh: Registers = 0
    baseline_export_mwh: Registers
    baseline_import_mwh: Registers
    node: NodeTold | None = None

    @field_validator("owner", "public_key")
    @classmethod
    def _is_key(cls, text: str) -> str:
        Pubkey.from_string(text)
        return text

    @property
    def signed(self) -> Signed:
        """Key and signature."""
        return Signed(bytes(Pubkey.from_string(self.public_key)), bytes.fromhex(self.signature))

    @property
    def key_level(self) -> KeyLevel:
        """Where the key lies, as the node says; the registry is told."""
        return KeyLevel.NOT_STATED if self.node is None else KeyLevel[self.node.key_level.upper()]

    def check(self) -> None:
        """Raises ClaimError unless the signature proves possession of the key for what the claim says."""
        try:
            owner, install = Pubkey.from_string(self.owner), InstallId(self.install_id)
            self.signed.check(possession_message(bytes.fromhex(self.domain), self.meter_id, owner, install))
        except (BadSignature, RecordError) as error:
            raise ClaimError(
                f"the claim for {self.meter_id} proves nothing ({error}): it was changed on its way, or made wrongly; "
                "make it again with `meterbridge agent claim`"
            ) from error


def read_claim(path: Path) -> Claim:
    """The claim in the file at `path`, its proof checked.  Raises ClaimError."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST)
    except OSError as error:
        raise ClaimError(f"{path}: the claim cannot be read ({error.strerror})") from error
    try:
        claim = Claim.model_validate_json(text)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in error.errors())
        raise ClaimError(f"{path}: no claim ({wrong}); `meterbridge agent claim` makes one") from None
    claim.check()
    return claim
