"""Attacks by malformed calls (threats.md X4, X8, X9): no instruction may do more than say no."""

import random

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from tests.attacks.trading.test_pause import STOPPED_BY, prepared
from tests.trading.ground import Ground
from tests.trading.rows import BASE, QUOTE, Trader, key

from meterchain.chain import TransactionFailed
from meterchain.units import Lamports

CLEAN = {
    "InvalidInstructionData",
    "NotEnoughAccountKeys",
    "MissingRequiredSignature",
    "ConstraintMut",
    "ConstraintSigner",
    "InvalidArgument",
    "PrivilegeEscalation",
}
NAMES = [name for name in STOPPED_BY if name != "initialize_market"]


def outcome(ground: Ground, instruction: Instruction) -> str:
    """`done`, or the error; paid by somebody who has no part in it, since who pays has signed."""
    payer = key("bystander").pubkey()
    ground.chain.airdrop(payer, Lamports(1_000_000_000))
    try:
        ground.chain.simulate([instruction], payer)
    except TransactionFailed as refusal:
        return refusal.name
    return "done"


def weaken(instruction: Instruction, address: Pubkey, *, signature: bool) -> Instruction:
    """Without `address`'s signature, or without its right to be written, wherever it stands."""
    metas = [
        AccountMeta(meta.pubkey, meta.is_signer and not signature, meta.is_writable and signature)
        if meta.pubkey == address
        else meta
        for meta in instruction.accounts
    ]
    return Instruction(instruction.program_id, instruction.data, metas)


@pytest.mark.parametrize("name", NAMES)
def test_cut_data_and_missing_accounts_are_refused_and_nothing_panics(
    ground: Ground, anna: Trader, ben: Trader, name: str
) -> None:
    honest = prepared(name, ground, anna, ben)
    assert outcome(ground, honest) == "done"
    program, data, accounts = honest.program_id, honest.data, honest.accounts
    for length in range(len(data)):
        assert outcome(ground, Instruction(program, data[:length], accounts)) == "InvalidInstructionData", length
    for count in range(len(accounts)):
        refusal = outcome(ground, Instruction(program, data, accounts[:count]))
        assert refusal in ("NotEnoughAccountKeys", "WrongAccount"), count
    dice, known = random.Random(name), {error for error, _ in ground.built["trading"].errors.values()}
    for _ in range(30):
        noise = bytes(dice.randrange(256) for _ in range(dice.randrange(40)))
        refusal = outcome(ground, Instruction(program, data[:8] + noise, accounts))
        assert refusal == "done" or refusal in CLEAN | known, noise.hex()


@pytest.mark.parametrize("name", NAMES)
def test_each_signature_and_each_right_to_write_is_needed(ground: Ground, anna: Trader, ben: Trader, name: str) -> None:
    """Where `payout` may not write, it skips (test_payout)."""
    paid = {ground.account(anna.wallet, asset) for asset in (BASE, QUOTE)} if name == "payout" else set()
    honest = prepared(name, ground, anna, ben)
    assert outcome(ground, honest) == "done"
    for meta in honest.accounts:
        if meta.is_signer:
            assert outcome(ground, weaken(honest, meta.pubkey, signature=True)) in CLEAN, meta
        if meta.is_writable and meta.pubkey not in paid:
            assert outcome(ground, weaken(honest, meta.pubkey, signature=False)) in CLEAN, meta


def test_a_seat_that_is_closed_and_funded_again_in_one_transaction_is_no_seat(ground: Ground, anna: Trader) -> None:
    index = ground.seat_index(anna.wallet)
    rent = transfer(TransferParams(from_pubkey=anna.wallet, to_pubkey=index, lamports=10_000_000))
    ground.send(ground.leaving(anna), rent, by=anna.key)
    (left,) = ground.chain.accounts([index])
    assert left is not None
    assert (left.data, str(left.owner)) == (b"", "11111111111111111111111111111111")
    with pytest.raises(TransactionFailed) as refused:
        ground.send(ground.leaving(anna), by=anna.key)
    assert refused.value.name == "AccountDataTooSmall"
    receipt = ground.send(ground.seating(anna.wallet), by=anna.key)
    assert int.from_bytes(receipt.return_data, "little") == anna.seat
    ground.send(ground.leaving(anna), rent, ground.seating(anna.wallet), by=anna.key)
    assert ground.fetch_market()["open_seats"] == 1
