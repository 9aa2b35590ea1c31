"""A meter's node: it signs record after record with one key, and delivers them itself."""

from dataclasses import dataclass, field

from solders.keypair import Keypair

from meterchain import instructions as ix
from meterchain.accounts import MeterState, fetch
from meterchain.chain import Receipt
from meterchain.ed25519 import Signed
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import SignedRecord
from meterchain.record import PREV_SIZE, Reason, Record, record_digest
from meterchain.site import Site
from meterchain.units import SLOT_S, InstallId, Mwh, Seq, Slot, UnixTime


@dataclass
class Node:
    """METER_001's.  `install`, `seq` and `prev` say where it is in its chain of records."""

    chain: EmbeddedChain
    site: Site
    key: Keypair
    relayer: Keypair
    install: int = 1
    seq: int = 0
    prev: bytes = field(default=bytes(PREV_SIZE))

    def sign(self, export_mwh: int, import_mwh: int, *, reason: Reason = Reason.PERIODIC) -> SignedRecord:
        """Close the present slot with these registers; the clock moves to five seconds after the reading."""
        slot = self.chain.clock().unix_s // SLOT_S * SLOT_S
        record = Record(
            self.site.domain, "METER_001", InstallId(self.install), Seq(self.seq + 1), Slot(slot),
            UnixTime(slot + SLOT_S), Mwh(export_mwh), Mwh(import_mwh), self.prev, reason,
        )  # fmt: skip
        encoded = record.encode()
        self.chain.set_unix_time(UnixTime(slot + SLOT_S + 5))
        return SignedRecord(encoded, Signed(bytes(self.key.pubkey()), bytes(self.key.sign_message(encoded))))

    def deliver(self, signed: SignedRecord) -> Receipt:
        """Send a record, and go on from it."""
        submit = ix.submit_meter_data(self.site.programs, self.relayer.pubkey(), [signed], position=0)
        receipt = self.chain.send(submit, [self.relayer])
        self.seq, self.prev = Record.decode(signed.encoded).seq, record_digest(signed.encoded)[:PREV_SIZE]
        return receipt

    def report(self, export_mwh: int, import_mwh: int, *, reason: Reason = Reason.PERIODIC) -> Receipt:
        """`sign` and `deliver`."""
        return self.deliver(self.sign(export_mwh, import_mwh, reason=reason))

    def state(self) -> MeterState:
        """What the chain believes about the meter."""
        found = fetch(self.chain, self.site.programs, MeterState, self.site.meter_state("METER_001"))
        assert found is not None
        return found
