"""Deployment when things go wrong in the middle, when somebody got there first, and when nothing is to be done."""

import hashlib
from collections.abc import Callable, Sequence

import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain.chain import ChainUnreachable, Receipt
from meterchain.deploy import LOADER, DeployError, deploy, look, program_data_address
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.units import Lamports

Funded = Callable[[str], Keypair]
PROGRAM = Keypair.from_seed(hashlib.sha256(b"a program").digest())


class Flaky(EmbeddedChain):
    """A chain whose line is cut after so many transactions."""

    left = 30
    sent = 0

    def send(
        self,
        instructions: Sequence[Instruction],
        signers: Sequence[Keypair],
        *,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> Receipt:
        with self._lock:
            if self.left <= 0:
                raise ChainUnreachable("cut off")
            self.left, self.sent = self.left - 1, self.sent + 1
        return super().send(instructions, signers, lookup_tables=lookup_tables)


def test_an_interrupted_deployment_sends_only_what_is_missing(built: Programs) -> None:
    chain, binary = Flaky(), built.binary("governance")
    payer = Keypair.from_seed(bytes(32))
    chain.airdrop(payer.pubkey(), Lamports(10**11))
    with pytest.raises(ChainUnreachable):
        deploy(chain, PROGRAM.pubkey(), binary, payer=payer, authority=payer, program_key=PROGRAM)
    assert look(chain, PROGRAM.pubkey()) is None
    chain.left = 1_000
    done = deploy(chain, PROGRAM.pubkey(), binary, payer=payer, authority=payer, program_key=PROGRAM)
    chunks = -(-len(binary) // 900)
    assert done.writes == chunks - 29, "one of the thirty created the buffer"
    assert chain.sent == 1 + chunks + 1
    there = look(chain, PROGRAM.pubkey())
    assert there is not None
    assert there.holds(binary)


def test_lamports_sent_in_advance_do_not_block_a_program_s_address(
    chain: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    chain.airdrop(PROGRAM.pubkey(), Lamports(1_000_000))
    assert look(chain, PROGRAM.pubkey()) is None
    done = deploy(
        chain, PROGRAM.pubkey(), built.binary("governance"), payer=authority, authority=authority, program_key=PROGRAM
    )
    assert done.action == "deployed"


def test_the_first_deployment_needs_the_program_s_key(
    chain: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    for key in (None, authority):
        with pytest.raises(DeployError, match="keypair was not given"):
            deploy(chain, PROGRAM.pubkey(), b"elf", payer=authority, authority=authority, program_key=key)


def test_an_address_that_holds_something_else_is_refused(chain: EmbeddedChain, authority: Keypair) -> None:
    chain.set_account(PROGRAM.pubkey(), owner=authority.pubkey(), data=b"something")
    with pytest.raises(DeployError, match="no program of the upgradeable loader"):
        look(chain, PROGRAM.pubkey())


def test_a_closed_program_says_that_its_id_is_gone(chain: EmbeddedChain) -> None:
    chain.set_account(
        PROGRAM.pubkey(),
        owner=LOADER,
        data=(2).to_bytes(4, "little") + bytes(program_data_address(PROGRAM.pubkey())),
        executable=False,
    )
    with pytest.raises(DeployError, match="closed"):
        look(chain, PROGRAM.pubkey())


def test_a_program_that_is_final_names_nobody_who_could_upgrade_it(
    chain: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    binary = built.binary("governance")
    deploy(chain, PROGRAM.pubkey(), binary, payer=authority, authority=authority, program_key=PROGRAM)
    address = program_data_address(PROGRAM.pubkey())
    (info,) = chain.accounts([address])
    assert info is not None
    chain.set_account(address, owner=LOADER, data=info.data[:12] + bytes(33) + info.data[45:], lamports=info.lamports)
    with pytest.raises(DeployError, match="by nobody only"):
        deploy(chain, PROGRAM.pubkey(), binary, payer=authority, authority=authority)


def test_a_longer_program_is_not_mistaken_for_its_beginning(
    chain: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    binary = built.binary("governance")
    deploy(chain, PROGRAM.pubkey(), binary, payer=authority, authority=authority, program_key=PROGRAM)
    there = look(chain, PROGRAM.pubkey())
    assert there is not None
    assert there.holds(binary)
    assert not there.holds(binary[:-100])


def test_payer_and_authority_may_differ(chain: EmbeddedChain, built: Programs, funded: Funded) -> None:
    payer, owner = funded("payer"), Keypair.from_seed(hashlib.sha256(b"penniless owner").digest())
    binary = built.binary("governance")
    deploy(chain, PROGRAM.pubkey(), binary, payer=payer, authority=owner, program_key=PROGRAM)
    there = look(chain, PROGRAM.pubkey())
    assert there is not None
    assert there.authority == owner.pubkey()
    assert chain.accounts([owner.pubkey()]) == [None]


def test_nothing_is_deployed_at_an_address_of_nobody(chain: EmbeddedChain) -> None:
    assert look(chain, Pubkey([3] * 32)) is None
