"""What every `Chain` promises: one suite over the embedded chain and over a real cluster (Surfnet, marker `ci`)."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from tests.free_ports import free_port

from meterchain import pdas, programs, transactions
from meterchain import site as site_steps
from meterchain.accounts import GovernanceConfig, fetch
from meterchain.chain import AlreadyProcessed, BadTransaction, BlockhashExpired, ChainUnreachable, TransactionFailed
from meterchain.deploy import DeployError, deploy, look
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import emergency_pause, get_status, update_parameters
from meterchain.localnet import Localnet, run
from meterchain.programs import Programs
from meterchain.rpc import RpcChain
from meterchain.site import SiteSettings
from meterchain.units import Lamports

SOL = 1_000_000_000
LOOKUP_TABLES = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
AnyChain = EmbeddedChain | RpcChain


@dataclass
class Cluster:
    """A chain under test, and how to make a transaction too old on it."""

    chain: AnyChain
    outlive: Callable[[VersionedTransaction], None]
    seed: str
    made: int = 0

    def payer(self) -> Keypair:
        """A new key with 20 SOL."""
        key = self.key()
        self.chain.airdrop(key.pubkey(), Lamports(20 * SOL))
        return key

    def key(self) -> Keypair:
        """A new key without anything."""
        self.made += 1
        return Keypair.from_seed(hashlib.sha256(f"{self.seed} {self.made}".encode()).digest())

    def lamports(self, address: Pubkey) -> int:
        """The balance of `address`."""
        (info,) = self.chain.accounts([address])
        return info.lamports if info else 0


@pytest.fixture(scope="module")
def localnet() -> Iterator[Localnet]:
    """A Surfnet with 20 ms slots."""
    with run(port=free_port(neighbours=1), slot_ms=20) as running:
        yield running


@pytest.fixture(params=["embedded", pytest.param("surfnet", marks=pytest.mark.ci)])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    if request.param == "embedded":
        embedded = EmbeddedChain(block_per_transaction=False)
        yield Cluster(embedded, lambda _transaction: embedded.next_block(), "contract")
        return
    localnet: Localnet = request.getfixturevalue("localnet")
    rpc = RpcChain(localnet.url, poll_s=0.02)

    def outlive(transaction: VersionedTransaction) -> None:
        rpc.wait_past(rpc.clock().slot + 200)

    yield Cluster(rpc, outlive, request.node.name)
    rpc.close()


def pay(payer: Keypair, to: Pubkey, lamports: int = SOL // 100) -> Instruction:
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))


def test_what_a_transaction_did_is_in_its_receipt_and_in_the_accounts(cluster: Cluster) -> None:
    payer, to = cluster.payer(), cluster.key().pubkey()
    receipt = cluster.chain.send([pay(payer, to)], [payer])
    assert (receipt.fee, receipt.compute_units, receipt.return_data, receipt.return_program) == (5_000, 150, b"", None)
    assert receipt.logs == (f"Program {SYSTEM} invoke [1]", f"Program {SYSTEM} success")
    assert receipt.signature
    assert cluster.lamports(to) == SOL // 100
    assert cluster.lamports(payer.pubkey()) == 20 * SOL - SOL // 100 - 5_000


def test_a_refusal_names_error_program_and_instruction(cluster: Cluster) -> None:
    payer, to = cluster.payer(), cluster.key().pubkey()
    with pytest.raises(TransactionFailed) as refused:
        cluster.chain.send([pay(payer, to), pay(payer, to, 100 * SOL)], [payer])
    failure = refused.value
    assert (failure.name, failure.code, failure.index) == ("ResultWithNegativeLamports", 1, 1)
    assert failure.program == SYSTEM
    assert any("insufficient lamports" in line for line in failure.logs)
    assert cluster.lamports(to) == 0


def test_the_runtime_s_own_refusals_keep_its_words(cluster: Cluster) -> None:
    payer = cluster.payer()
    with pytest.raises(TransactionFailed, match="InsufficientFundsForRent") as refused:
        cluster.chain.send([pay(payer, cluster.key().pubkey(), 1)], [payer])
    assert refused.value.code is None


def test_a_payer_without_money_is_told_to_find_some(cluster: Cluster) -> None:
    with pytest.raises(BadTransaction, match="fund it first"):
        cluster.chain.send([pay(stranger := cluster.key(), cluster.key().pubkey())], [stranger])


def test_a_missing_signature_and_a_packet_too_large_never_leave_the_house(cluster: Cluster) -> None:
    payer, other = cluster.payer(), cluster.key()
    with pytest.raises(BadTransaction, match="signed by"):
        cluster.chain.send([pay(other, payer.pubkey())], [payer])
    with pytest.raises(BadTransaction, match="1232"):
        cluster.chain.send([Instruction(SYSTEM, bytes(1_300), [])], [payer])
    with pytest.raises(BadTransaction, match="no signer"):
        cluster.chain.send([], [])


def test_simulation_needs_no_signature_and_changes_nothing(cluster: Cluster) -> None:
    payer, to = cluster.payer(), cluster.key().pubkey()
    receipt = cluster.chain.simulate([pay(payer, to)], payer.pubkey())
    assert receipt.compute_units == 150
    assert cluster.lamports(to) == 0
    with pytest.raises(TransactionFailed, match="ResultWithNegativeLamports"):
        cluster.chain.simulate([pay(payer, to, 100 * SOL)], payer.pubkey())


def test_a_signature_is_still_demanded_after_a_simulation(cluster: Cluster) -> None:
    payer, to = cluster.payer(), cluster.key().pubkey()
    cluster.chain.simulate([pay(payer, to)], payer.pubkey())
    signed = cluster.chain.build([pay(payer, to)], [payer])
    forged = VersionedTransaction.populate(signed.message, [cluster.key().sign_message(b"something else")])
    with pytest.raises(BadTransaction):
        cluster.chain.submit(forged)
    assert cluster.lamports(to) == 0


def test_s1_a_byte_identical_transaction_counts_once_and_says_so(cluster: Cluster) -> None:
    payer, to = cluster.payer(), cluster.key().pubkey()
    transaction = cluster.chain.build([pay(payer, to)], [payer])
    cluster.chain.submit(transaction)
    with pytest.raises(AlreadyProcessed, match="salt"):
        cluster.chain.submit(transaction)
    assert cluster.lamports(to) == SOL // 100


def test_s1_salted_twins_both_count(cluster: Cluster) -> None:
    payer, to = cluster.payer(), cluster.key().pubkey()
    twins = [cluster.chain.build([transactions.salt(n), pay(payer, to)], [payer]) for n in range(3)]
    for twin in twins:
        cluster.chain.submit(twin)
    assert cluster.lamports(to) == 3 * SOL // 100


def test_s2_an_expired_transaction_has_no_effect_and_its_successor_lands_once(cluster: Cluster) -> None:
    payer, to = cluster.payer(), cluster.key().pubkey()
    late = cluster.chain.build([pay(payer, to)], [payer])
    cluster.outlive(late)
    with pytest.raises(BlockhashExpired, match="anew"):
        cluster.chain.submit(late)
    assert cluster.lamports(to) == 0
    cluster.chain.send([pay(payer, to)], [payer])
    with pytest.raises(BlockhashExpired):
        cluster.chain.submit(late)
    assert cluster.lamports(to) == SOL // 100


def test_s5_an_account_shows_what_a_receipt_claims_at_every_commitment(cluster: Cluster) -> None:
    payer, to = cluster.payer(), cluster.key().pubkey()
    cluster.chain.send([pay(payer, to)], [payer])
    for commitment in ("processed", "confirmed"):
        (info,) = cluster.chain.accounts([to], commitment=commitment)
        assert info is not None
        assert info.lamports == SOL // 100


def test_accounts_come_in_the_order_asked_for_and_none_where_there_is_none(cluster: Cluster) -> None:
    payer = cluster.payer()
    nobody = [cluster.key().pubkey() for _ in range(120)]
    found = cluster.chain.accounts([*nobody[:110], payer.pubkey(), *nobody[110:], SYSTEM])
    assert [info.address for info in found if info] == [payer.pubkey(), SYSTEM]
    assert found[110] is not None
    assert found[110].owner == SYSTEM
    assert cluster.chain.accounts([]) == []


def test_the_clock_runs_forward_and_the_cluster_has_a_name(cluster: Cluster) -> None:
    before = cluster.chain.clock()
    cluster.chain.wait_past(before.slot)
    after = cluster.chain.clock()
    assert after.slot > before.slot
    assert after.unix_s >= before.unix_s > 1_700_000_000
    assert len(cluster.chain.genesis_hash()) == 32
    assert cluster.chain.genesis_hash() == cluster.chain.genesis_hash()
    assert cluster.chain.is_local
    assert cluster.chain.name in ("embedded", "127.0.0.1")


def test_rent_grows_with_the_size(cluster: Cluster) -> None:
    assert 0 < cluster.chain.rent_exempt(0) < cluster.chain.rent_exempt(1_000)


def test_an_impossible_airdrop_is_refused(cluster: Cluster) -> None:
    with pytest.raises(BadTransaction, match="airdrop"):
        cluster.chain.airdrop(cluster.key().pubkey(), Lamports(2**63))


def test_a_lookup_table_makes_room_for_more_accounts(cluster: Cluster) -> None:
    payer = cluster.payer()
    receivers = [cluster.key().pubkey() for _ in range(40)]
    payments = [pay(payer, to) for to in receivers]
    with pytest.raises(BadTransaction, match="1232"):
        cluster.chain.send(payments, [payer])
    table = _create_lookup_table(cluster, payer, receivers)
    receipt = cluster.chain.send(payments, [payer], lookup_tables=[table])
    assert receipt.compute_units == 40 * 150
    assert all(info and info.lamports == SOL // 100 for info in cluster.chain.accounts(receivers))


def test_a_closed_chain_is_unreachable(cluster: Cluster) -> None:
    cluster.chain.close()
    with pytest.raises(ChainUnreachable, match="closed"):
        cluster.chain.clock()
    cluster.chain.close()


def test_a_program_is_deployed_verified_upgraded_and_left_alone(cluster: Cluster, built: Programs) -> None:
    payer, program, owner = cluster.payer(), cluster.key(), cluster.payer()
    first, second = built.binary("governance"), built.binary("registry")
    steps: list[tuple[str, int, int]] = []
    done = deploy(
        cluster.chain, program.pubkey(), first, payer=payer, authority=owner, program_key=program,
        progress=lambda *step: steps.append(step),
    )  # fmt: skip
    assert (done.action, done.size) == ("deployed", len(first))
    assert steps[-1] == ("verified", 1, 1)
    assert ("writing", done.writes, done.writes) in steps
    again = deploy(cluster.chain, program.pubkey(), first, payer=payer, authority=owner)
    assert (again.action, again.writes) == ("unchanged", 0)
    assert len(second) > len(first) * 5 // 4, "the upgrade is meant to outgrow the room that was left"
    assert deploy(cluster.chain, program.pubkey(), second, payer=payer, authority=owner).action == "upgraded"
    there = look(cluster.chain, program.pubkey())
    assert there is not None
    assert there.holds(second)
    assert not there.holds(first)
    with pytest.raises(DeployError, match="can be upgraded by"):
        deploy(cluster.chain, program.pubkey(), first, payer=payer, authority=payer)


def test_a_program_answers_announces_and_refuses_by_name(cluster: Cluster) -> None:
    authority, stranger, ours = cluster.payer(), cluster.payer(), programs.load()
    key = programs.development_key("governance")
    deploy(
        cluster.chain, key.pubkey(), ours.binary("governance"),
        payer=authority, authority=_upgrade_authority(cluster), program_key=key,
    )  # fmt: skip
    department = _upgrade_authority(cluster)
    site_steps.initialise_governance(cluster.chain, ours, SiteSettings("contract"), department)
    governance = ours["governance"]

    receipt = cluster.chain.send([update_parameters(ours, department.pubkey(), {3: 40})], [department])
    (event,) = governance.events(receipt)
    assert (event.name, event.fields["id"], event.fields["new"]) == ("ParameterUpdated", 3, 40)
    config = fetch(cluster.chain, ours, GovernanceConfig, pdas.governance(ours))
    assert config is not None
    assert config.system_parameters[3] == 40

    view = cluster.chain.simulate([get_status(ours)], authority.pubkey())
    assert view.return_program == governance.program_id
    status = governance.decode_return("get_status", view.return_data)
    assert status == {"pause_mask": 0, "params_nonce": config.params_nonce}

    with pytest.raises(TransactionFailed) as refused:
        cluster.chain.send([emergency_pause(ours, stranger.pubkey(), 1, 0)], [stranger])
    assert (refused.value.name, refused.value.code) == ("Unauthorized", 6000)
    assert refused.value.program == governance.program_id

    found = cluster.chain.program_accounts(governance.program_id, governance.discriminator("GovernanceConfig"))
    assert list(found) == [pdas.governance(ours)]
    assert cluster.chain.program_accounts(governance.program_id, b"another one") == {}


def _upgrade_authority(cluster: Cluster) -> Keypair:
    key = Keypair.from_seed(hashlib.sha256(b"contract department").digest())
    cluster.chain.airdrop(key.pubkey(), Lamports(20 * SOL))
    return key


def _create_lookup_table(cluster: Cluster, payer: Keypair, addresses: list[Pubkey]) -> AddressLookupTableAccount:
    cluster.chain.wait_past(slot := cluster.chain.clock().slot)
    seeds = [bytes(payer.pubkey()), slot.to_bytes(8, "little")]
    table, bump = Pubkey.find_program_address(seeds, LOOKUP_TABLES)
    accounts = [
        AccountMeta(table, is_signer=False, is_writable=True),
        AccountMeta(payer.pubkey(), is_signer=True, is_writable=False),
        AccountMeta(payer.pubkey(), is_signer=True, is_writable=True),
        AccountMeta(SYSTEM, is_signer=False, is_writable=False),
    ]
    create = Instruction(LOOKUP_TABLES, bytes(4) + slot.to_bytes(8, "little") + bytes([bump]), accounts)
    cluster.chain.send([create], [payer])
    for start in range(0, len(addresses), 20):
        part = addresses[start : start + 20]
        data = (2).to_bytes(4, "little") + len(part).to_bytes(8, "little") + b"".join(map(bytes, part))
        cluster.chain.send([Instruction(LOOKUP_TABLES, data, accounts)], [payer])
    cluster.chain.wait_past(cluster.chain.clock().slot)
    return AddressLookupTableAccount(table, addresses)
