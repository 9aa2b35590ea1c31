"""Versioned (v0) transactions: building, signing, salting.  Both adapters of `Chain` send what is built here.

Two transactions with the same bytes are one transaction: a cluster drops the second silently for as long as
the blockhash lives.  `salt(n)` makes a difference that costs at most one lamport in ten thousand compute units.
"""

from collections.abc import Iterable, Sequence

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.errors import SignerError
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from meterchain.chain import BadTransaction

PACKET_SIZE = 1232
"""Bytes that a transaction may have on the wire (IPv6 minimum MTU less headers)."""
SALTS = 100
"""How many salts there are: prices of 0 to 99 micro-lamports per compute unit."""


def salt(n: int) -> Instruction:
    """An instruction whose bytes differ for each `n` modulo SALTS: a compute-unit price of so many micro-lamports.

    Retry number n of a delivery takes salt(n).  One such instruction a transaction; the cluster refuses a second.
    """
    return set_compute_unit_price(n % SALTS)


def compute_limit(units: int) -> Instruction:
    """Ask for `units` compute units instead of 200,000 an instruction."""
    return set_compute_unit_limit(units)


def sign(
    instructions: Sequence[Instruction],
    signers: Sequence[Keypair],
    blockhash: Hash,
    lookup_tables: Sequence[AddressLookupTableAccount] = (),
) -> VersionedTransaction:
    """A signed transaction, paid by the first signer.

    Raises BadTransaction if there is no signer, one is missing or not wanted, or the bytes exceed PACKET_SIZE.
    """
    if not signers:
        raise BadTransaction("no signer: the first one pays, so there must be one")
    keys = list({signer.pubkey(): signer for signer in signers}.values())
    message = _compile(instructions, keys[0].pubkey(), blockhash, lookup_tables)
    try:
        return _sized(VersionedTransaction(message, keys))
    except SignerError as error:
        wanted = message.account_keys[: message.header.num_required_signatures]
        raise BadTransaction(f"{error}: this transaction is signed by {', '.join(map(str, wanted))}") from error


def leave_unsigned(
    instructions: Sequence[Instruction],
    payer: Pubkey,
    blockhash: Hash,
    lookup_tables: Sequence[AddressLookupTableAccount] = (),
) -> VersionedTransaction:
    """A transaction with empty signatures, for simulation.  Raises BadTransaction if it is too large."""
    message = _compile(instructions, payer, blockhash, lookup_tables)
    blank = [Signature.default()] * message.header.num_required_signatures
    return _sized(VersionedTransaction.populate(message, blank))


def v0_message(transaction: VersionedTransaction) -> MessageV0:
    """Raises BadTransaction for a legacy transaction."""
    if not isinstance(transaction.message, MessageV0):
        raise BadTransaction("legacy transactions are not sent here: build a v0 message")
    return transaction.message


def account_keys(transaction: VersionedTransaction, lookup_tables: Iterable[AddressLookupTableAccount]) -> list[Pubkey]:
    """All accounts in index order: static ones, then looked up writable, then looked up read-only."""
    message = v0_message(transaction)
    tables = {table.key: table.addresses for table in lookup_tables}
    writable, readonly = [], []
    for lookup in message.address_table_lookups:
        addresses = tables[lookup.account_key]
        writable += [addresses[index] for index in lookup.writable_indexes]
        readonly += [addresses[index] for index in lookup.readonly_indexes]
    return [*message.account_keys, *writable, *readonly]


def called_programs(transaction: VersionedTransaction, keys: Sequence[Pubkey]) -> list[Pubkey]:
    """The programs of the top-level instructions; `keys` are `account_keys`."""
    return [keys[instruction.program_id_index] for instruction in v0_message(transaction).instructions]


def _compile(
    instructions: Sequence[Instruction],
    payer: Pubkey,
    blockhash: Hash,
    lookup_tables: Sequence[AddressLookupTableAccount],
) -> MessageV0:
    return MessageV0.try_compile(payer, list(instructions), list(lookup_tables), blockhash)


def _sized(transaction: VersionedTransaction) -> VersionedTransaction:
    if (size := len(bytes(transaction))) > PACKET_SIZE:
        raise BadTransaction(f"the transaction has {size} bytes, {PACKET_SIZE} is the limit: send less at once")
    return transaction
