"""The chain as everybody here sees it: one small interface, two adapters (embedded.EmbeddedChain, rpc.RpcChain).

All calls block.  A transaction is versioned (v0), paid by the first signer, and confirmed when `send` returns; what it
did is believed only when an account shows it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain.units import Lamports, UnixTime

Commitment = Literal["processed", "confirmed", "finalized"]


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """An account's bytes and who owns them."""

    address: Pubkey
    owner: Pubkey
    lamports: Lamports
    data: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True)
class ChainClock:
    """The chain's own time: its slot number and the Clock sysvar's unix_timestamp."""

    slot: int
    unix_s: UnixTime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction that succeeded left behind.

    `inner_data` are the data of inner instructions in order (events by self-CPI are among them), `called` those of the
    transaction's own instructions; `fee` is in lamports, `compute_units` count the whole transaction.
    """

    signature: str
    logs: tuple[str, ...]
    compute_units: int
    fee: Lamports
    return_data: bytes = b""
    return_program: Pubkey | None = None
    inner_data: tuple[tuple[Pubkey, bytes], ...] = ()
    called: tuple[tuple[Pubkey, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Landed:
    """One line of an address's history: a transaction that named it, and whether it failed (then it did nothing)."""

    signature: str
    slot: int
    failed: bool


class ChainError(Exception):
    """Something between us and the chain failed; the message says what and what to do next."""


class ChainUnreachable(ChainError):
    """No answer (port closed, time-out, 5xx): nothing is known about the transaction.  Look at the accounts, retry."""


class BlockhashExpired(ChainError):
    """The transaction can no longer land: it is safe to build and send it anew."""


class BadTransaction(ChainError):
    """Refused before execution: too large, bad signature, unknown payer, no funds for the fee."""


class AlreadyProcessed(BadTransaction):
    """The very same bytes have landed before under this blockhash: nothing was done now.  Salt it, look at accounts."""


@dataclass
class TransactionFailed(ChainError):
    """A program said no.

    `code` is the custom error code or None for a built-in error, `name` its name from the IDL of `program` (or
    Anchor's, or the runtime's own word, e.g. "InsufficientFundsForRent"), `index` the top-level instruction.
    """

    name: str
    message: str
    code: int | None = None
    index: int | None = None
    program: Pubkey | None = None
    logs: tuple[str, ...] = field(default=(), repr=False)
    compute_units: int = 0

    def __str__(self) -> str:
        place = "" if self.index is None else f" in instruction {self.index}"
        number = "" if self.code is None else f" ({self.code})"
        return f"{self.name}{number}{place}: {self.message}"


class Chain(Protocol):
    """Send, simulate, look at accounts, tell the time."""

    @property
    def name(self) -> str:
        """`embedded`, or the RPC's host: for messages."""

    @property
    def is_local(self) -> bool:
        """True if the cluster is a development one (embedded, or an RPC on loopback): development ids are allowed."""

    def send(
        self,
        instructions: Sequence[Instruction],
        signers: Sequence[Keypair],
        *,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> Receipt:
        """Build, sign, send and confirm.  The first signer pays.

        Raises TransactionFailed, BlockhashExpired, BadTransaction (AlreadyProcessed among them), ChainUnreachable.
        """

    def simulate(
        self,
        instructions: Sequence[Instruction],
        payer: Pubkey,
        *,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> Receipt:
        """Run without signatures and without effect; raises as `send` does.  Views (get_status, verify_*) use it.

        Not every cluster tells signature, fee and inner instructions here.
        """

    def accounts(
        self, addresses: Sequence[Pubkey], *, commitment: Commitment = "confirmed"
    ) -> list[AccountInfo | None]:
        """The accounts in the order asked for, None where there is none."""

    def program_accounts(self, program: Pubkey, discriminator: bytes) -> Mapping[Pubkey, AccountInfo]:
        """All accounts of `program` whose data begin with `discriminator`."""

    def clock(self) -> ChainClock:
        """The Clock sysvar."""

    def wait_past(self, slot: int) -> None:
        """Return when the chain has left `slot` behind (a program runs from the slot after its deployment)."""

    def genesis_hash(self) -> bytes:
        """32 bytes that name the cluster."""

    def rent_exempt(self, size: int) -> Lamports:
        """The balance that keeps an account of `size` bytes."""

    def airdrop(self, address: Pubkey, lamports: Lamports) -> None:
        """Free money on local and test clusters; raises BadTransaction elsewhere."""

    def close(self) -> None:
        """Let go of connections."""


class RememberingChain(Chain, Protocol):
    """A chain that also tells what happened, as far back as it remembers."""

    def signatures(self, address: Pubkey, *, before: str | None = None, most: int = 1_000) -> list[Landed]:
        """The transactions that named `address`, newest first: `most` at most, those older than `before`."""

    def transaction(self, signature: str) -> Receipt | None:
        """What a transaction did; None if the chain does not remember it.  A failed one left nothing behind."""
