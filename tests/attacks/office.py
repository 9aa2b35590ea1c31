"""A department at work: a chain with alice, bob and METER_001, and the calls by which the department changes them."""

from collections.abc import Callable
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.accounts import KeyIndex, KeyLevel, Meter, MeterStatus, RegistryConfig, User, fetch
from meterchain.ed25519 import Signed, possession_message
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import MeterReplacement
from meterchain.programs import Programs
from meterchain.units import InstallId, Mwh

MeterKey = Callable[[str], Keypair]

NEW_DEVICE = MeterReplacement("SN-2", "SDM230", Mwh(900), Mwh(800), Mwh(50), Mwh(60), bytes([7]) * 32)
LIMITS = {"max_export_w": 3_000, "max_import_w": 4_000, "resolution_mwh": 100}
PATHS: dict[str, tuple[MeterStatus, ...]] = {
    "active": (),
    "maintenance": (MeterStatus.MAINTENANCE,),
    "decommissioned": (MeterStatus.DECOMMISSIONED,),
    "compromised": (MeterStatus.COMPROMISED,),
}
"""How a meter that is active comes to each status."""


@dataclass(frozen=True)
class Office:
    """`owner` is alice, who has METER_001 with key "1"."""

    chain: EmbeddedChain
    built: Programs
    authority: Keypair
    domain: bytes
    owner: Keypair
    key: MeterKey

    @property
    def me(self) -> Pubkey:
        return self.authority.pubkey()

    def meter(self, meter_id: str = "METER_001") -> Meter:
        found = fetch(self.chain, self.built, Meter, pdas.meter(self.built, meter_id))
        assert found is not None
        return found

    def user(self, wallet: Pubkey) -> User:
        found = fetch(self.chain, self.built, User, pdas.user(self.built, wallet))
        assert found is not None
        return found

    def config(self) -> RegistryConfig:
        found = fetch(self.chain, self.built, RegistryConfig, pdas.registry(self.built))
        assert found is not None
        return found

    def key_index(self, name: str) -> KeyIndex | None:
        return fetch(self.chain, self.built, KeyIndex, pdas.key_index(self.built, self.key(name).pubkey()))

    def do(self, *instructions: Instruction) -> dict[str, object]:
        """Send, and the fields of the one event of ours."""
        receipt = self.chain.send(instructions, [self.authority])
        (event,) = self.built["registry"].events(receipt)
        return {"event": event.name, **event.fields}

    def bring_to(self, path: str) -> None:
        """METER_001, which is active, to a status of PATHS."""
        for status in PATHS[path]:
            self.do(ix.set_meter_status(self.built, self.me, "METER_001", status))

    def signed(self, name: str, message: bytes) -> Signed:
        return Signed(bytes(self.key(name).pubkey()), bytes(self.key(name).sign_message(message)))

    def possession(
        self,
        name: str,
        install: int,
        *,
        domain: bytes | None = None,
        owner: Pubkey | None = None,
        meter: str = "METER_001",
    ) -> Signed:
        message = possession_message(
            self.domain if domain is None else domain, meter, owner or self.owner.pubkey(), InstallId(install)
        )
        return self.signed(name, message)

    def rotate(
        self, new: str, *, old: str = "1", install: int = 1, proof: Signed | None = None, consent: Signed | None = None
    ) -> list[Instruction]:
        return ix.rotate_meter_key(
            self.built, self.me, self.domain, "METER_001", self.owner.pubkey(), InstallId(install),
            old_key=self.key(old).pubkey(), possession=proof or self.possession(new, install), consent=consent,
        )  # fmt: skip

    def replace(
        self,
        new: str,
        *,
        old: str = "1",
        install: int = 2,
        proof: Signed | None = None,
        device: MeterReplacement = NEW_DEVICE,
    ) -> list[Instruction]:
        return ix.replace_meter(
            self.built, self.me, self.domain, "METER_001", self.owner.pubkey(), InstallId(install),
            old_key=self.key(old).pubkey(), replacement=device, possession=proof or self.possession(new, install),
        )  # fmt: skip

    def key_level(self, level: KeyLevel = KeyLevel.BOARD, *, of: str = "1") -> Instruction:
        return ix.set_key_level(self.built, self.me, "METER_001", self.key(of).pubkey(), level)

    def rebase(self, export_mwh: int = 5, import_mwh: int = 6) -> Instruction:
        return ix.rebase_meter(self.built, self.me, "METER_001", Mwh(export_mwh), Mwh(import_mwh), 17)

    def limits(self, *, modulus: int = 0, **changes: int) -> Instruction:
        numbers = LIMITS | changes
        return ix.set_meter_limits(self.built, self.me, "METER_001", **numbers, register_modulus_mwh=Mwh(modulus))

    def reassign(self, old: Keypair, new: Keypair) -> Instruction:
        return ix.reassign_meter(self.built, self.me, "METER_001", old.pubkey(), new.pubkey())

    def unassign(self, owner: Keypair) -> Instruction:
        return ix.unassign_meter(self.built, self.me, "METER_001", owner.pubkey())
