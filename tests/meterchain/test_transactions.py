"""Building and salting transactions."""

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from meterchain import transactions
from meterchain.chain import BadTransaction

PAYER, OTHER = Keypair.from_seed(bytes(32)), Keypair.from_seed(bytes(31) + b"\1")
PAY = transfer(TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=Pubkey([8] * 32), lamports=5))


def test_s1_every_salt_makes_other_bytes_and_other_signatures() -> None:
    salted = [
        transactions.sign([transactions.salt(n), PAY], [PAYER], Hash.default()) for n in range(transactions.SALTS)
    ]
    assert len({bytes(transaction) for transaction in salted}) == transactions.SALTS
    assert len({transaction.signatures[0] for transaction in salted}) == transactions.SALTS
    assert transactions.salt(transactions.SALTS) == transactions.salt(0)


def test_one_wallet_in_two_roles_signs_once_and_the_first_signer_pays() -> None:
    both = transfer(TransferParams(from_pubkey=OTHER.pubkey(), to_pubkey=PAYER.pubkey(), lamports=5))
    signed = transactions.sign([PAY, both], [OTHER, PAYER, OTHER], Hash.default())
    assert len(signed.signatures) == 2
    assert transactions.v0_message(signed).account_keys[0] == OTHER.pubkey()
    signed.verify_and_hash_message()


def test_a_signer_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(BadTransaction, match="signed by"):
        transactions.sign([PAY], [PAYER, OTHER], Hash.default())


def test_a_legacy_transaction_is_refused() -> None:
    legacy = VersionedTransaction(Message.new_with_blockhash([PAY], PAYER.pubkey(), Hash.default()), [PAYER])
    with pytest.raises(BadTransaction, match="v0"):
        transactions.v0_message(legacy)
