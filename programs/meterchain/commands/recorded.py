"""A chain that writes down what was sent through it, or, for a rehearsal, what would be.

In a rehearsal nothing is sent: each step is simulated together with the ones before it, so that a step may build on
what an earlier one would have made, and then `Rehearsed` ends it.  `attempt` carries on with the next.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM

from meterchain.chain import AccountInfo, Chain, ChainClock, ChainError, Commitment, Receipt
from meterchain.commands.costs import fee_of, rent_of
from meterchain.ed25519 import PRECOMPILE
from meterchain.programs import Programs
from meterchain.tokens import ASSOCIATED_TOKEN_PROGRAM, TOKEN_PROGRAM
from meterchain.units import Lamports

Made = TypeVar("Made")

_SILENT = {PRECOMPILE, COMPUTE_BUDGET}
"""Programs that only serve the instructions beside them."""
_OTHERS: Mapping[Pubkey, Mapping[int, str]] = {
    SYSTEM: {2: "pay_rent", 9: "allocate"},
    TOKEN_PROGRAM: {7: "mint_to", 20: "initialize_mint"},
    ASSOCIATED_TOKEN_PROGRAM: {1: "create_token_account"},
}
"""Words for what we call of Solana's own programs, by the first byte of its data."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One transaction: what it does, what it cost in fee and rent, its signature ("" if it was only simulated)."""

    what: str
    signature: str
    fee: Lamports
    rent: Lamports
    compute_units: int


class Rehearsed(ChainError):
    """Not a failure: the step was simulated and succeeded, and nothing was sent."""


class RecordedChain:
    """`Chain`, with `sent` in the order of sending."""

    def __init__(self, inner: Chain, programs: Programs, *, rehearsal: bool) -> None:
        self._inner = inner
        self._programs = programs
        self.rehearsal = rehearsal
        self.sent: list[Sent] = []
        self._before: list[Instruction] = []

    @property
    def name(self) -> str:
        """See Chain.name."""
        return self._inner.name

    @property
    def is_local(self) -> bool:
        """See Chain.is_local."""
        return self._inner.is_local

    def send(
        self,
        instructions: Sequence[Instruction],
        signers: Sequence[Keypair],
        *,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> Receipt:
        """See Chain.send; in a rehearsal it simulates and raises Rehearsed, or what the programs say."""
        what = " + ".join(self._word(each) for each in instructions if each.program_id not in _SILENT)
        rent = rent_of(self._inner, self._programs, instructions)
        if self.rehearsal:
            together = [*self._before, *instructions]
            receipt = self._inner.simulate(together, signers[0].pubkey(), lookup_tables=lookup_tables)
            units = receipt.compute_units - sum(step.compute_units for step in self.sent)
            self._before = together
            self.sent.append(Sent(what, "", fee_of(instructions, signers), rent, units))
            raise Rehearsed(f"{what} would succeed; nothing was sent")
        receipt = self._inner.send(instructions, signers, lookup_tables=lookup_tables)
        self.sent.append(Sent(what, receipt.signature, receipt.fee, rent, receipt.compute_units))
        return receipt

    def simulate(
        self,
        instructions: Sequence[Instruction],
        payer: Pubkey,
        *,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> Receipt:
        """See Chain.simulate."""
        return self._inner.simulate(instructions, payer, lookup_tables=lookup_tables)

    def accounts(
        self, addresses: Sequence[Pubkey], *, commitment: Commitment = "confirmed"
    ) -> list[AccountInfo | None]:
        """See Chain.accounts."""
        return self._inner.accounts(addresses, commitment=commitment)

    def program_accounts(self, program: Pubkey, discriminator: bytes) -> Mapping[Pubkey, AccountInfo]:
        """See Chain.program_accounts."""
        return self._inner.program_accounts(program, discriminator)

    def clock(self) -> ChainClock:
        """See Chain.clock."""
        return self._inner.clock()

    def wait_past(self, slot: int) -> None:
        """See Chain.wait_past."""
        self._inner.wait_past(slot)

    def genesis_hash(self) -> bytes:
        """See Chain.genesis_hash."""
        return self._inner.genesis_hash()

    def rent_exempt(self, size: int) -> Lamports:
        """See Chain.rent_exempt."""
        return self._inner.rent_exempt(size)

    def airdrop(self, address: Pubkey, lamports: Lamports) -> None:
        """See Chain.airdrop."""
        self._inner.airdrop(address, lamports)

    def close(self) -> None:
        """See Chain.close."""
        self._inner.close()

    def _word(self, instruction: Instruction) -> str:
        idl = self._programs.by_id.get(instruction.program_id)
        if idl:
            return idl.decode_instruction(bytes(instruction.data))[0]
        known = _OTHERS.get(instruction.program_id, {})
        return known.get(bytes(instruction.data)[0], f"to {instruction.program_id}")


def attempt(step: Callable[[], Made]) -> Made | None:
    """What `step` made; None if it was only rehearsed.  Raises what `step` raises."""
    try:
        return step()
    except Rehearsed:
        return None
