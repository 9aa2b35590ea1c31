"""A chain with bad days: out of reach, answers that get lost, blockhashes that expire, another chain at its address."""

from collections.abc import Callable, Mapping, Sequence

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain.chain import AccountInfo, BlockhashExpired, ChainClock, ChainUnreachable, Commitment, Receipt
from meterchain.embedded import EmbeddedChain
from meterchain.units import Lamports, UnixTime


class WeatheredChain:
    """`inner`, as a node sees it.  Its clock follows `now` (Unix seconds), `ahead_s` seconds ahead of it."""

    is_local = True

    def __init__(self, inner: EmbeddedChain, now: Callable[[], float]) -> None:
        self.inner = inner
        self.now = now
        self.ahead_s = 0.0
        self.dead = False
        """Nothing gets through."""
        self.answers_lost = False
        """What is sent lands, and its answer does not come back."""
        self.expires = False
        """What is sent does not land in time."""

    @property
    def name(self) -> str:
        """The inner one's."""
        return self.inner.name

    def send(
        self,
        instructions: Sequence[Instruction],
        signers: Sequence[Keypair],
        *,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> Receipt:
        """See Chain.send."""
        chain = self._reached()
        if self.expires:
            raise BlockhashExpired("block height exceeded")
        receipt = chain.send(instructions, signers, lookup_tables=lookup_tables)
        if self.answers_lost:
            raise ChainUnreachable("the connection was closed before the answer came")
        return receipt

    def simulate(
        self,
        instructions: Sequence[Instruction],
        payer: Pubkey,
        *,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> Receipt:
        """See Chain.simulate."""
        return self._reached().simulate(instructions, payer, lookup_tables=lookup_tables)

    def accounts(
        self, addresses: Sequence[Pubkey], *, commitment: Commitment = "confirmed"
    ) -> list[AccountInfo | None]:
        """See Chain.accounts."""
        return self._reached().accounts(addresses, commitment=commitment)

    def program_accounts(self, program: Pubkey, discriminator: bytes) -> Mapping[Pubkey, AccountInfo]:
        """See Chain.program_accounts."""
        return self._reached().program_accounts(program, discriminator)

    def clock(self) -> ChainClock:
        """See Chain.clock."""
        return self._reached().clock()

    def wait_past(self, slot: int) -> None:
        """See Chain.wait_past."""
        self._reached().wait_past(slot)

    def genesis_hash(self) -> bytes:
        """See Chain.genesis_hash."""
        return self._reached().genesis_hash()

    def rent_exempt(self, size: int) -> Lamports:
        """See Chain.rent_exempt."""
        return self._reached().rent_exempt(size)

    def airdrop(self, address: Pubkey, lamports: Lamports) -> None:
        """See Chain.airdrop."""
        self._reached().airdrop(address, lamports)

    def close(self) -> None:
        """See Chain.close."""
        self.inner.close()

    def _reached(self) -> EmbeddedChain:
        if self.dead:
            raise ChainUnreachable("connection refused")
        self.inner.set_unix_time(UnixTime(int(self.now() + self.ahead_s)))
        return self.inner
