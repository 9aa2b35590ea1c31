"""A plant: a site with meters whose keys we hold, and the means to bend their records, accounts and transactions."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions as ix
from meterchain.accounts import MeterKind, MeterState, Role, TokenConfig, UserType, fetch
from meterchain.chain import Receipt, TransactionFailed
from meterchain.ed25519 import Signed, possession_message
from meterchain.embedded import EmbeddedChain
from meterchain.idl import Event
from meterchain.instructions import MeterAssignment, SignedRecord
from meterchain.programs import Programs
from meterchain.record import Record, record_digest
from meterchain.site import Site, assign_meter, open_meter, open_token_account, register_user
from meterchain.tokens import TokenAccount, read_mint, read_token_account
from meterchain.units import SLOT_S, Atoms, InstallId, Mwh, Seq, Slot, UnixTime


@dataclass
class Node:
    """A meter's node: makes records that follow each other."""

    meter_id: str
    key: Keypair
    owner: Keypair
    first: Record
    """Sequence number 0: the baselines, as if they had been a record."""
    last: Record | None = None

    def next(self, *, export: int = 0, import_: int = 0, slots: int = 1, **changes: Any) -> Record:  # noqa: ANN401
        """The slot's own record after the last accepted one, with so many mWh more; `changes` bend it."""
        before = self.last or self.first
        slot = Slot(before.epoch + SLOT_S * slots)
        follower = replace(
            before,
            seq=Seq(before.seq + 1),
            epoch=slot,
            ts=UnixTime(slot + SLOT_S + 2),
            export_mwh=Mwh(before.export_mwh + export),
            import_mwh=Mwh(before.import_mwh + import_),
            prev=record_digest(before.encode())[:16] if self.last else bytes(16),
        )
        return replace(follower, **changes)

    def sign(self, encoded: bytes, key: Keypair | None = None) -> SignedRecord:
        """`encoded`, signed by this node or by another key."""
        by = key or self.key
        return SignedRecord(encoded, Signed(bytes(by.pubkey()), bytes(by.sign_message(encoded))))


@dataclass
class Plant:
    """A site at work."""

    chain: EmbeddedChain
    site: Site
    authority: Keypair
    relayer: Keypair
    nodes: dict[str, Node] = field(default_factory=dict)

    @property
    def built(self) -> Programs:
        return self.site.programs

    def add(
        self, meter_id: str, owner: Keypair, kind: MeterKind = MeterKind.BIDIRECTIONAL, *, modulus: int = 0
    ) -> Node:
        """Assign a meter of 5 kW export and 10 kW import with baselines 1,000 and 2,000 mWh; opens all its accounts."""
        key = Keypair.from_seed(hashlib.sha256(f"node {meter_id}".encode()).digest())
        register_user(self.chain, self.site, self.authority, owner.pubkey(), UserType.PROSUMER, Role.STUDENT)
        plan = MeterAssignment(
            meter_id, owner.pubkey(), kind, 5_000, 10_000, 10, Mwh(1_000), Mwh(2_000), meter_id, "SDM630", "hall",
            register_modulus_mwh=Mwh(modulus),
        )  # fmt: skip
        proof = key.sign_message(possession_message(self.site.domain, meter_id, owner.pubkey(), InstallId(1)))
        assign_meter(self.chain, self.site, self.authority, plan, Signed(bytes(key.pubkey()), bytes(proof)))
        open_meter(self.chain, self.site, self.relayer, meter_id)
        open_token_account(self.chain, self.site, self.relayer, owner.pubkey())
        now = self.chain.clock().unix_s
        base = Record(
            self.site.domain, meter_id, InstallId(1), Seq(0), Slot(now - now % SLOT_S - SLOT_S), now, Mwh(1_000),
            Mwh(2_000), bytes(16),
        )  # fmt: skip
        self.nodes[meter_id] = Node(meter_id, key, owner, base)
        return self.nodes[meter_id]

    def signed(self, *records: Record) -> list[SignedRecord]:
        return [self.nodes[record.meter_id].sign(record.encode()) for record in records]

    def submission(self, *records: Record, position: int = 0) -> list[Instruction]:
        """The precompile's instruction and ours, each record signed by its own node."""
        return ix.submit_meter_data(self.built, self.relayer.pubkey(), self.signed(*records), position=position)

    def wait_for(self, *records: Record) -> None:
        """Let the clock reach the last of these readings, if it has not."""
        latest = max(record.ts for record in records) + 1
        if self.chain.clock().unix_s < latest:
            self.chain.set_unix_time(UnixTime(latest))

    def deliver(self, *records: Record) -> Receipt:
        """Submit good records in one transaction when they are due; the nodes go on from them."""
        self.wait_for(*records)
        receipt = self.chain.send(self.submission(*records), [self.relayer])
        for record in records:
            self.nodes[record.meter_id].last = record
        return receipt

    def refusal(self, attack: Sequence[Instruction], *signers: Keypair) -> str:
        """The name of the error with which the chain refuses these instructions."""
        with pytest.raises(TransactionFailed) as refused:
            self.chain.send(attack, signers or [self.relayer])
        return refused.value.name

    def refused(self, *records: Record) -> str:
        """The name of the error with which the oracle refuses these records, signed as they should be, when due."""
        self.wait_for(*records)
        return self.refusal(self.submission(*records))

    def processing(self, node: Node, **accounts: Pubkey) -> Instruction:
        """process_energy_data for a node's owner, with other accounts if asked."""
        wanted = ix.process_energy_data(self.built, node.meter_id, node.owner.pubkey())
        return self.swap("oracle", "process_energy_data", wanted, **accounts)

    def process(self, node: Node) -> Receipt:
        return self.chain.send([self.processing(node)], [self.relayer])

    def swap(self, program: str, name: str, instruction: Instruction, **accounts: Pubkey) -> Instruction:
        """The same instruction with other keys for the accounts of these names."""
        names = self.built[program].account_names(name)
        metas = list(instruction.accounts)
        for account, key in accounts.items():
            old = metas[names.index(account)]
            metas[names.index(account)] = AccountMeta(key, old.is_signer, old.is_writable)
        return Instruction(instruction.program_id, bytes(instruction.data), metas)

    def events(self, program: str, receipt: Receipt) -> dict[str, Event]:
        """What `program` announced, by name."""
        return {event.name: event for event in self.built[program].events(receipt)}

    def state(self, node: Node) -> MeterState:
        found = fetch(self.chain, self.built, MeterState, self.site.meter_state(node.meter_id))
        assert found is not None
        return found

    def tokens(self) -> TokenConfig:
        found = fetch(self.chain, self.built, TokenConfig, self.site.token_config)
        assert found is not None
        return found

    def account(self, owner: Keypair) -> TokenAccount:
        """The owner's canonical GRID account."""
        (info,) = self.chain.accounts([self.site.grid_account(owner.pubkey())])
        assert info is not None
        return read_token_account(info)

    def supply(self) -> Atoms:
        (info,) = self.chain.accounts([self.site.grid_mint])
        assert info is not None
        return read_mint(info).supply

    def patch(
        self, program: str, kind: str, address: Pubkey, changes: Mapping[str, Any], *, at: Pubkey | None = None
    ) -> None:
        """Write fields of an account as no transaction could; `at` puts the changed copy elsewhere."""
        idl = self.built[program]
        (info,) = self.chain.accounts([address])
        assert info is not None
        fields = {**idl.decode_account(kind, info.data), **changes}
        self.chain.set_account(at or address, owner=info.owner, data=idl.encode_account(kind, fields))

    def patch_meter(self, node: Node, **changes: object) -> None:
        self.patch("registry", "Meter", self.site.meter(node.meter_id), changes)

    def patch_state(self, node: Node, **changes: object) -> None:
        self.patch("oracle", "MeterState", self.site.meter_state(node.meter_id), changes)

    def set_param(self, number: int, value: int) -> None:
        self.chain.send([ix.update_parameters(self.built, self.authority.pubkey(), {number: value})], [self.authority])

    def pause(self, mask: int) -> None:
        self.chain.send([ix.emergency_pause(self.built, self.authority.pubkey(), mask, 1)], [self.authority])

    def unpause(self, mask: int) -> None:
        self.chain.send([ix.emergency_unpause(self.built, self.authority.pubkey(), mask)], [self.authority])


def bent(record: Record, offset: int, value: bytes) -> bytes:
    """The bytes of a record with some of them changed: what Record itself would refuse to encode."""
    encoded = bytearray(record.encode())
    encoded[offset : offset + len(value)] = value
    return bytes(encoded)
