"""The invariants of measuring and minting after any sequence of calls (threats.md O18, E6).

minted ≤ measured ≤ what was fed in; burned + written off ≤ imported; supply = minted - burned by us - plain SPL burns.
"""

import hashlib
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from tests.attacks.oracle.plant import Node, Plant
from tests.copies import copy_site

from meterchain import instructions as ix
from meterchain import programs
from meterchain.chain import TransactionFailed
from meterchain.embedded import EmbeddedChain
from meterchain.record import Reason
from meterchain.tokens import TOKEN_PROGRAM
from meterchain.units import SLOT_S, Atoms, Lamports, Mwh, UnixTime

MOST = 1_500_000
"""About what 5 kW may export in a slot, mWh."""
ORACLE_SUBMIT, MINT_CAP = 1 << 1, 16
METERS = ("METER_001", "METER_002")
which = st.sampled_from(METERS)
energy = st.integers(-10, MOST + 10_000)
reasons = st.sampled_from((Reason.PERIODIC, Reason.PERIODIC, Reason.EXCEPTION))


def key(name: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(f"machine {name}".encode()).digest())


class Market(RuleBasedStateMachine):
    """Meters report, anybody processes, owners approve, move and burn, the department pauses and caps."""

    def __init__(self) -> None:
        super().__init__()
        chain, built = EmbeddedChain(), programs.load()
        authority = key("authority")
        chain.airdrop(authority.pubkey(), Lamports(10**13))
        chain.airdrop(key("relayer").pubkey(), Lamports(10**12))
        self.plant = Plant(chain, copy_site(chain, built, authority), authority, key("relayer"))
        for meter in METERS:
            chain.airdrop(key(meter).pubkey(), Lamports(10**11))
            self.plant.add(meter, key(meter))
        self.fed = dict.fromkeys(METERS, 0)
        self.taken = dict.fromkeys(METERS, 0)
        self.plain_burns = 0
        self.paused = 0

    def node(self, meter: str) -> Node:
        return self.plant.nodes[meter]

    def attempt(self, *instructions: Instruction, by: Keypair | None = None) -> bool:
        """True if the chain took it."""
        try:
            self.plant.chain.send(list(instructions), [by or self.plant.relayer])
        except TransactionFailed:
            return False
        return True

    @initialize(export=st.integers(1, MOST), import_=st.integers(1, MOST), allowance=st.integers(1, 10**10))
    def begin(self, export: int, import_: int, allowance: int) -> None:
        for meter in METERS:
            owner = self.node(meter).owner
            assert self.report(meter, export, import_, 1, Reason.PERIODIC)
            assert self.attempt(ix.approve_consumption(self.plant.built, owner.pubkey(), Atoms(allowance)), by=owner)

    @rule(meter=which, export=energy, import_=energy, slots=st.integers(1, 3), reason=reasons)
    def a_meter_reports(self, meter: str, export: int, import_: int, slots: int, reason: Reason) -> None:
        self.report(meter, export, import_, slots, reason)

    def report(self, meter: str, export: int, import_: int, slots: int, reason: Reason) -> bool:
        node = self.node(meter)
        record = node.next(export=export, import_=import_, slots=slots, reason=reason)
        self.plant.wait_for(record)
        if not self.attempt(*self.plant.submission(record)):
            return False
        node.last = record
        self.fed[meter] += export
        self.taken[meter] += import_
        return True

    @rule(meter=which, more=st.integers(0, MOST))
    def a_thief_reports_again(self, meter: str, more: int) -> None:
        node = self.node(meter)
        assert node.last is not None
        forged = replace(node.last, export_mwh=Mwh(node.last.export_mwh + more))
        assert self.attempt(*self.plant.submission(forged)) == (more == 0 and not self.paused & ORACLE_SUBMIT)

    @rule(meter=which, times=st.integers(1, 3))
    def somebody_processes(self, meter: str, times: int) -> None:
        assert self.attempt(*[self.plant.processing(self.node(meter))] * times)

    @rule(meter=which, share=st.integers(0, 110), how=st.sampled_from(("burn", "plain burn", "transfer")))
    def an_owner_spends(self, meter: str, share: int, how: str) -> None:
        owner, other = self.node(meter).owner, self.node(METERS[meter == METERS[0]]).owner
        built, amount = self.plant.built, Atoms(self.plant.account(owner).amount * share // 100)
        metas = [
            AccountMeta(self.plant.site.grid_account(owner.pubkey()), is_signer=False, is_writable=True),
            AccountMeta(self.plant.site.grid_mint, is_signer=False, is_writable=True),
            AccountMeta(owner.pubkey(), is_signer=True, is_writable=False),
        ]
        call = {
            "burn": ix.burn(built, owner.pubkey(), amount),
            "transfer": ix.transfer(built, owner.pubkey(), other.pubkey(), amount),
            "plain burn": Instruction(TOKEN_PROGRAM, bytes([8]) + amount.to_bytes(8, "little"), metas),
        }[how]
        if self.attempt(call, by=owner) and how == "plain burn":
            self.plain_burns += amount

    @rule(meter=which, amount=st.integers(0, 10**10))
    def an_owner_approves(self, meter: str, amount: int) -> None:
        owner = self.node(meter).owner.pubkey()
        approve = ix.approve_consumption(self.plant.built, owner, Atoms(amount))
        revoke = ix.revoke_consumption(self.plant.built, owner)
        self.attempt(approve if amount else revoke, by=self.node(meter).owner)

    @rule(bits=st.sampled_from((0, 0, 1 << 1, 1 << 2, 1 << 3, 0x3F)))
    def the_department_pauses(self, bits: int) -> None:
        self.plant.unpause(0x3F)
        if bits:
            self.plant.pause(bits)
        self.paused = bits

    @rule(mwh=st.sampled_from((0, 1, 100_000, 10**9)), seconds=st.integers(1, 2 * SLOT_S))
    def the_cap_changes_and_time_passes(self, mwh: int, seconds: int) -> None:
        self.plant.set_param(MINT_CAP, mwh)
        self.plant.chain.set_unix_time(UnixTime(self.plant.chain.clock().unix_s + seconds))

    @invariant()
    def nothing_is_minted_that_was_not_measured(self) -> None:
        for meter in METERS:
            state = self.plant.state(self.node(meter))
            assert state.minted_mwh <= state.cum_export_mwh == self.fed[meter]
            assert state.burned_mwh + state.written_off_import_mwh <= state.cum_import_mwh == self.taken[meter]

    @invariant()
    def the_supply_is_what_was_minted_less_what_was_burned(self) -> None:
        tokens, supply = self.plant.tokens(), self.plant.supply()
        states = [self.plant.state(self.node(meter)) for meter in METERS]
        assert tokens.total_minted == 1_000 * sum(state.minted_mwh for state in states)
        assert tokens.total_burned_consumption == 1_000 * sum(state.burned_mwh for state in states)
        burned = tokens.total_burned_consumption + tokens.total_burned_voluntary
        assert tokens.total_supply == tokens.total_minted - burned == supply + self.plain_burns
        assert supply == sum(self.plant.account(self.node(meter).owner).amount for meter in METERS)


Market.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
TestMarket = Market.TestCase
