"""A meter on a site: its owner, its key, its records."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from solders.keypair import Keypair

from meterchain import site as steps
from meterchain.accounts import MeterKind, MeterState, Role, UserType, fetch
from meterchain.ed25519 import Signed, possession_message
from meterchain.embedded import START, EmbeddedChain
from meterchain.instructions import MeterAssignment, SignedRecord
from meterchain.record import Record, record_digest
from meterchain.site import Site
from meterchain.units import SLOT_S, InstallId, Mwh, Seq, Slot, UnixTime


@dataclass
class Signer:
    """A meter with its key, as its node would keep it: signs one record after another."""

    chain: EmbeddedChain
    site: Site
    assignment: MeterAssignment
    key: Keypair
    owner: Keypair
    last: Record | None = field(default=None)

    def state(self) -> MeterState:
        """What the chain believes about this meter."""
        found = fetch(self.chain, self.site.programs, MeterState, self.site.meter_state(self.assignment.meter_id))
        assert found is not None
        return found

    def sign(self, export_mwh: int, import_mwh: int) -> SignedRecord:
        """Close the next slot with these registers; the chain's clock moves to five seconds after the reading."""
        slot = Slot(self.last.epoch + SLOT_S if self.last else START)
        prev = record_digest(self.last.encode())[:16] if self.last else bytes(16)
        seq = Seq(self.last.seq + 1 if self.last else 1)
        record = Record(
            self.site.domain, self.assignment.meter_id, InstallId(1), seq, slot, UnixTime(slot + SLOT_S),
            Mwh(export_mwh), Mwh(import_mwh), prev,
        )  # fmt: skip
        self.last = record
        self.chain.set_unix_time(UnixTime(slot + SLOT_S + 5))
        return SignedRecord(record.encode(), self.signature(record.encode()))

    def signature(self, message: bytes) -> Signed:
        """The key's signature over `message`."""
        return Signed(bytes(self.key.pubkey()), bytes(self.key.sign_message(message)))

    def claim(self) -> Signed:
        """The proof of possession for the first install."""
        wanted = self.assignment
        return self.signature(possession_message(self.site.domain, wanted.meter_id, wanted.owner, InstallId(1)))


NewMeter = Callable[[str], Signer]


@pytest.fixture
def new_meter(site: Site, chain: EmbeddedChain, authority: Keypair, funded: Callable[[str], Keypair]) -> NewMeter:
    """`new_meter("METER_001")`: registered owner, assigned meter, open state and token account."""

    def make(meter_id: str) -> Signer:
        owner = funded(f"owner of {meter_id}")
        key = Keypair.from_seed(hashlib.sha256(f"key of {meter_id}".encode()).digest())
        assignment = MeterAssignment(
            meter_id=meter_id, owner=owner.pubkey(), kind=MeterKind.BIDIRECTIONAL, max_export_w=5_000,
            max_import_w=10_000, resolution_mwh=1_000, baseline_export_mwh=Mwh(1_000_000),
            baseline_import_mwh=Mwh(7_000_000),
            serial=f"S-{meter_id}", model="SDM120", building="Building 4",
        )  # fmt: skip
        signer = Signer(chain, site, assignment, key, owner)
        steps.register_user(chain, site, authority, owner.pubkey(), UserType.PROSUMER, Role.STUDENT)
        steps.assign_meter(chain, site, authority, assignment, signer.claim())
        steps.open_meter(chain, site, owner, meter_id)
        steps.open_token_account(chain, site, owner, owner.pubkey())
        return signer

    return make


@pytest.fixture
def meter(new_meter: NewMeter) -> Signer:
    """METER_001, ready to deliver."""
    return new_meter("METER_001")
