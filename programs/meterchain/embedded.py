"""EmbeddedChain: Solana in this process (LiteSVM with Agave's runtime, SPL Token, precompiles, the upgradeable loader).

Time stands still until `set_unix_time` or `advance` moves it.  By default every transaction gets a block of its own
(new slot, new blockhash), so that the same instructions may be sent twice; with
`block_per_transaction=False` blocks come only by `next_block`, and byte-identical transactions meet what they meet on a
cluster: AlreadyProcessed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from threading import RLock

from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from meterchain import programs, transactions
from meterchain.chain import AccountInfo, BadTransaction, ChainClock, ChainUnreachable, Commitment, Landed, Receipt
from meterchain.failures import explain
from meterchain.idl import Idl
from meterchain.units import Lamports, UnixTime

START = UnixTime(1_767_225_600)
"""2026-01-01T00:00:00Z, the start of a slot of 900 s: what the clock shows first."""
_RECENT_SLOTS = 16
"""How many slots the SlotHashes sysvar names; a cluster has 512."""
_GENESIS = hashlib.sha256(b"meterchain embedded").digest()


class EmbeddedChain:
    """A fresh chain with nothing on it but the built-in programs.  Safe to share between threads."""

    name = "embedded"
    is_local = True

    def __init__(
        self,
        unix_s: UnixTime = START,
        *,
        idls: Mapping[Pubkey, Idl] | None = None,
        block_per_transaction: bool = True,
        sigverify: bool = True,
        remembers: bool = False,
    ) -> None:
        """`idls` name the errors of their programs; by default those of this package.

        Without `sigverify` transactions' own signatures are not checked: for tests that send thousands.  With
        `remembers` the receipt of every transaction is kept, for `signatures` and `transaction`.
        """
        self._svm = LiteSVM()
        self._lock = RLock()
        self._idls = _our_idls() if idls is None else idls
        self._block_per_transaction = block_per_transaction
        self._sigverify = sigverify
        self._svm.with_sigverify(sigverify)
        self._closed = False
        self._past: list[tuple[frozenset[Pubkey], Landed, Receipt]] | None = [] if remembers else None
        self._recent: list[tuple[int, Hash]] = []
        self.set_unix_time(unix_s)

    def send(
        self,
        instructions: Sequence[Instruction],
        signers: Sequence[Keypair],
        *,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> Receipt:
        """See Chain.send."""
        with self._lock:  # nobody makes a block between the two
            transaction = self.build(instructions, signers, lookup_tables=lookup_tables)
            return self.submit(transaction, lookup_tables=lookup_tables)

    def build(
        self,
        instructions: Sequence[Instruction],
        signers: Sequence[Keypair],
        *,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> VersionedTransaction:
        """Sign for the present blockhash without sending.  Raises BadTransaction."""
        return transactions.sign(instructions, signers, self._blockhash(), lookup_tables)

    def submit(
        self, transaction: VersionedTransaction, *, lookup_tables: Sequence[AddressLookupTableAccount] = ()
    ) -> Receipt:
        """Send what `build` made; raises as `send` does."""
        self._require_open()
        with self._lock:
            outcome = self._svm.send_transaction(transaction)
        if self._block_per_transaction:
            self.next_block()
        receipt = self._receipt(outcome, transaction, lookup_tables)
        if self._past is not None:
            line = Landed(receipt.signature, self.clock().slot, failed=False)
            self._past.append((frozenset(transactions.account_keys(transaction, lookup_tables)), line, receipt))
        return receipt

    def simulate(
        self,
        instructions: Sequence[Instruction],
        payer: Pubkey,
        *,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> Receipt:
        """See Chain.simulate."""
        self._require_open()
        transaction = transactions.leave_unsigned(instructions, payer, self._blockhash(), lookup_tables)
        with self._lock:
            self._svm.with_sigverify(False)
            try:
                outcome = self._svm.simulate_transaction(transaction)
            finally:
                self._svm.with_sigverify(self._sigverify)
        done = outcome if isinstance(outcome, FailedTransactionMetadata) else outcome.meta()
        return self._receipt(done, transaction, lookup_tables)

    def accounts(
        self, addresses: Sequence[Pubkey], *, commitment: Commitment = "confirmed"
    ) -> list[AccountInfo | None]:
        """See Chain.accounts; the commitment makes no difference here."""
        del commitment
        self._require_open()
        with self._lock:
            found = [self._svm.get_account(address) for address in addresses]
        return [_info(address, account) for address, account in zip(addresses, found, strict=True)]

    def program_accounts(self, program: Pubkey, discriminator: bytes) -> dict[Pubkey, AccountInfo]:
        """See Chain.program_accounts."""
        self._require_open()
        with self._lock:
            found = self._svm.get_program_accounts(program)
        infos = (_info(address, account) for address, account in found)
        return {info.address: info for info in infos if info and info.data.startswith(discriminator)}

    def signatures(self, address: Pubkey, *, before: str | None = None, most: int = 1_000) -> list[Landed]:
        """See RememberingChain.signatures; nothing unless this chain was made to remember."""
        self._require_open()
        lines = [line for keys, line, _ in reversed(self._past or []) if address in keys]
        known = [line.signature for line in lines]
        start = known.index(before) + 1 if before in known else 0
        return lines[start : start + most]

    def transaction(self, signature: str) -> Receipt | None:
        """See RememberingChain.transaction."""
        self._require_open()
        return next((receipt for _, line, receipt in self._past or [] if line.signature == signature), None)

    def clock(self) -> ChainClock:
        """See Chain.clock."""
        self._require_open()
        with self._lock:
            clock = self._svm.get_clock()
        return ChainClock(clock.slot, UnixTime(clock.unix_timestamp))

    def wait_past(self, slot: int) -> None:
        """See Chain.wait_past: makes the blocks that are missing."""
        if (behind := slot + 1 - self.clock().slot) > 0:
            self.next_block(behind)

    def genesis_hash(self) -> bytes:
        """The same 32 bytes for every embedded chain."""
        return _GENESIS

    def rent_exempt(self, size: int) -> Lamports:
        """See Chain.rent_exempt."""
        with self._lock:
            return Lamports(self._svm.minimum_balance_for_rent_exemption(size))

    def airdrop(self, address: Pubkey, lamports: Lamports) -> None:
        """See Chain.airdrop."""
        self._require_open()
        with self._lock:
            self._svm.expire_blockhash()
            outcome = self._svm.airdrop(address, lamports)
        if isinstance(outcome, FailedTransactionMetadata):
            raise BadTransaction(f"no airdrop of {lamports} lamports to {address}: {outcome.err()}")

    def close(self) -> None:
        """From here on every call raises ChainUnreachable."""
        self._closed = True

    def set_unix_time(self, unix_s: UnixTime) -> None:
        """Set the Clock sysvar's unix_timestamp, in any direction."""
        with self._lock:
            clock = self._svm.get_clock()
            clock.unix_timestamp = unix_s
            self._svm.set_clock(clock)

    def advance(self, seconds: int) -> None:
        """Let so many seconds pass, and a block."""
        self.set_unix_time(UnixTime(self.clock().unix_s + seconds))
        self.next_block()

    def next_block(self, slots: int = 1) -> None:
        """A new blockhash (older ones are refused at once) and `slots` further slots."""
        with self._lock:
            left = self._svm.get_clock().slot
            self._svm.warp_to_slot(left + slots)
            self._recent = [(left, self._svm.latest_blockhash()), *self._recent[: _RECENT_SLOTS - 1]]
            self._svm.set_slot_hashes(self._recent)  # LiteSVM leaves that to us; lookup tables need a recent slot
            self._svm.expire_blockhash()

    def set_program(self, address: Pubkey, elf: bytes) -> None:
        """Put a program in another's place as no transaction could: for tests and benchmarks."""
        with self._lock:
            self._svm.add_program(address, elf)

    def set_account(
        self,
        address: Pubkey,
        *,
        owner: Pubkey,
        data: bytes,
        lamports: Lamports | None = None,
        executable: bool = False,
    ) -> None:
        """Write an account as no transaction could: for tests.  Without `lamports` it is rent-exempt."""
        balance = self.rent_exempt(len(data)) if lamports is None else lamports
        with self._lock:
            self._svm.set_account(address, Account(balance, data, owner, executable, 0))

    def _blockhash(self) -> Hash:
        with self._lock:
            return self._svm.latest_blockhash()

    def _receipt(
        self,
        outcome: TransactionMetadata | FailedTransactionMetadata,
        transaction: VersionedTransaction,
        lookup_tables: Sequence[AddressLookupTableAccount],
    ) -> Receipt:
        keys = transactions.account_keys(transaction, lookup_tables)
        if isinstance(outcome, FailedTransactionMetadata):
            meta = outcome.meta()
            ids = transactions.called_programs(transaction, keys)
            raise explain(
                json.loads(outcome.to_json())["err"], meta.logs(), ids, self._idls, meta.compute_units_consumed()
            )
        returned = outcome.return_data()
        inner = [step.instruction() for steps in outcome.inner_instructions() for step in steps]
        return Receipt(
            signature=str(outcome.signature()),
            logs=tuple(outcome.logs()),
            compute_units=outcome.compute_units_consumed(),
            fee=Lamports(outcome.fee()),
            return_data=bytes(returned.data),
            return_program=returned.program_id if returned.data else None,
            inner_data=tuple((keys[step.program_id_index], bytes(step.data)) for step in inner),
            called=tuple(
                (keys[step.program_id_index], bytes(step.data))
                for step in transactions.v0_message(transaction).instructions
            ),
        )

    def _require_open(self) -> None:
        if self._closed:
            raise ChainUnreachable("the embedded chain was closed; make a new one")


@cache
def _our_idls() -> Mapping[Pubkey, Idl]:
    return programs.load().by_id


def _info(address: Pubkey, account: Account | None) -> AccountInfo | None:
    if account is None or (account.lamports == 0 and not account.data):
        return None
    return AccountInfo(
        address, account.owner, Lamports(account.lamports), bytes(account.data), executable=account.executable
    )
