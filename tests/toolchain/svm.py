"""LiteSVM with a payer: run a program, deploy one through the upgradeable loader."""

import hashlib
import struct

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
SYSTEM = Pubkey.default()
BUFFER_HEADER, PROGRAM_SIZE, CHUNK = 37, 36, 900


class Svm:
    """LiteSVM with a payer."""

    def __init__(self, svm: LiteSVM | None = None) -> None:
        self.svm = svm or LiteSVM()
        self.payer = Keypair.from_seed(bytes(range(32)))
        self.svm.airdrop(self.payer.pubkey(), 10**13)

    def send(self, *instructions: Instruction, signers: tuple[Keypair, ...] = ()) -> TransactionMetadata:
        """Send in one transaction; a failed one fails the test with its logs."""
        self.svm.expire_blockhash()
        message = Message(list(instructions), self.payer.pubkey())
        transaction = Transaction([self.payer, *signers], message, self.svm.latest_blockhash())
        result = self.svm.send_transaction(transaction)
        if isinstance(result, FailedTransactionMetadata):
            pytest.fail(f"{result.err()}: {result.meta().logs()}")
        return result

    def call(self, program: Pubkey, data: bytes) -> bytes:
        """Call without accounts; returns the return data."""
        return self.send(Instruction(program, data, [])).return_data().data

    def add(self, so: bytes) -> Pubkey:
        """Put a program there without a loader."""
        program = Pubkey.from_bytes(hashlib.sha256(so).digest())
        self.svm.add_program(program, so)
        return program

    def deploy(self, so: bytes) -> Pubkey:
        """Deploy through the upgradeable loader, which checks what `add` does not: every system call by name."""
        payer, buffer, program = self.payer.pubkey(), Keypair(), Keypair()
        rent = self.svm.minimum_balance_for_rent_exemption
        space = BUFFER_HEADER + len(so)
        self.send(
            create_account(
                CreateAccountParams(
                    from_pubkey=payer, to_pubkey=buffer.pubkey(), lamports=2 * rent(space), space=space, owner=LOADER
                )
            ),
            Instruction(
                LOADER,
                struct.pack("<I", 0),
                [AccountMeta(buffer.pubkey(), False, True), AccountMeta(payer, False, False)],
            ),
            signers=(buffer,),
        )
        for offset in range(0, len(so), CHUNK):
            chunk = so[offset : offset + CHUNK]
            accounts = [AccountMeta(buffer.pubkey(), False, True), AccountMeta(payer, True, False)]
            self.send(Instruction(LOADER, struct.pack("<IIQ", 1, offset, len(chunk)) + chunk, accounts))
        data_account, _ = Pubkey.find_program_address([bytes(program.pubkey())], LOADER)
        deploy_accounts = [
            AccountMeta(payer, True, True),
            AccountMeta(data_account, False, True),
            AccountMeta(program.pubkey(), False, True),
            AccountMeta(buffer.pubkey(), False, True),
            *(AccountMeta(key, False, False) for key in (RENT, CLOCK, SYSTEM)),
            AccountMeta(payer, True, False),
        ]
        self.send(
            create_account(
                CreateAccountParams(
                    from_pubkey=payer,
                    to_pubkey=program.pubkey(),
                    lamports=2 * rent(PROGRAM_SIZE),
                    space=PROGRAM_SIZE,
                    owner=LOADER,
                )
            ),
            Instruction(LOADER, struct.pack("<IQ", 2, len(so)), deploy_accounts),
            signers=(program,),
        )
        self.svm.warp_to_slot(self.svm.get_clock().slot + 5)
        return program.pubkey()
