"""What the embedded chain adds to the contract: time at will, forged accounts, blocks on demand."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.system_program import TransferParams, transfer

from meterchain.chain import AlreadyProcessed, BlockhashExpired
from meterchain.embedded import START, EmbeddedChain
from meterchain.units import Lamports, UnixTime

SOMEBODY = Pubkey([9] * 32)


def pay(payer: Keypair, lamports: int = 1_000_000) -> Instruction:
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=SOMEBODY, lamports=lamports))


def test_time_stands_still_until_it_is_moved(chain: EmbeddedChain, authority: Keypair) -> None:
    assert chain.clock().unix_s == START
    chain.send([pay(authority)], [authority])
    assert chain.clock().unix_s == START
    slot = chain.clock().slot
    chain.advance(900)
    assert (chain.clock().unix_s, chain.clock().slot) == (START + 900, slot + 1)
    chain.set_unix_time(UnixTime(-5))
    assert chain.clock().unix_s == -5


def test_every_transaction_has_a_block_of_its_own_so_the_same_may_be_sent_twice(
    chain: EmbeddedChain, authority: Keypair
) -> None:
    slot = chain.clock().slot
    for _ in range(3):
        chain.send([pay(authority)], [authority])
    (info,) = chain.accounts([SOMEBODY])
    assert info is not None
    assert info.lamports == 3_000_000
    assert chain.clock().slot == slot + 3


def test_blocks_on_demand_meet_twins_and_old_blockhashes_as_a_cluster_does() -> None:
    chain = EmbeddedChain(block_per_transaction=False)
    payer = Keypair.from_seed(bytes(32))
    chain.airdrop(payer.pubkey(), Lamports(10**9))
    chain.send([pay(payer)], [payer])
    with pytest.raises(AlreadyProcessed):
        chain.send([pay(payer)], [payer])
    old = chain.build([pay(payer, 2_000_000)], [payer])
    chain.next_block()
    with pytest.raises(BlockhashExpired):
        chain.submit(old)
    chain.send([pay(payer)], [payer])


def test_an_account_can_be_forged_and_looked_up_by_how_it_begins(chain: EmbeddedChain) -> None:
    owner, other = Pubkey([1] * 32), Pubkey([2] * 32)
    chain.set_account(SOMEBODY, owner=owner, data=b"onetwo")
    chain.set_account(other, owner=owner, data=b"three", lamports=Lamports(5))
    (info,) = chain.accounts([SOMEBODY])
    assert info is not None
    assert (info.owner, info.data, info.lamports) == (owner, b"onetwo", chain.rent_exempt(6))
    assert list(chain.program_accounts(owner, b"one")) == [SOMEBODY]
    assert set(chain.program_accounts(owner, b"")) == {SOMEBODY, other}


def test_chains_are_independent_and_have_one_genesis(chain: EmbeddedChain, authority: Keypair) -> None:
    other = EmbeddedChain()
    assert other.genesis_hash() == chain.genesis_hash()
    assert other.accounts([authority.pubkey()]) == [None]
    assert chain.accounts([authority.pubkey()])[0] is not None


def test_threads_take_turns(chain: EmbeddedChain, funded: Callable[[str], Keypair]) -> None:
    payers = [funded(f"payer {n}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for sent in [pool.submit(chain.send, [pay(payer)], [payer]) for payer in payers for _ in range(5)]:
            sent.result()
    (info,) = chain.accounts([SOMEBODY])
    assert info is not None
    assert info.lamports == 40 * 1_000_000
    assert info.owner == SYSTEM
