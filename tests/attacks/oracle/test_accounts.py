"""Attacks on the oracle's accounts and data (threats.md O17, X1 to X4, X6, X9, X11): each beside the call unharmed."""

import random
import struct
from dataclasses import replace

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from tests.attacks.oracle.plant import Node, Plant

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.accounts import MeterState, fetch
from meterchain.chain import TransactionFailed
from meterchain.deploy import program_data_address
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.units import Lamports

SUBMIT = ("config", "governance", "meter", "meter_state")
PROCESS = ("config", "governance", "meter_state", "meter", "user", "token_config", "token_account")


def copy(plant: Plant, address: Pubkey, *, owner: Pubkey | None = None, head: bytes = b"") -> Pubkey:
    """The same bytes elsewhere, owned by another program or with other first bytes."""
    (info,) = plant.chain.accounts([address])
    assert info is not None
    fake = Pubkey.new_unique()
    plant.chain.set_account(fake, owner=owner or info.owner, data=head + info.data[len(head) :])
    return fake


def targets(plant: Plant, node: Node) -> dict[str, Pubkey]:
    return {
        "config": plant.site.oracle,
        "governance": plant.site.governance,
        "meter": plant.site.meter(node.meter_id),
        "meter_state": plant.site.meter_state(node.meter_id),
        "user": pdas.user(plant.built, node.owner.pubkey()),
        "token_config": plant.site.token_config,
        "token_account": plant.site.grid_account(node.owner.pubkey()),
    }


# --- X1, X2, X3 ---


@pytest.mark.parametrize("name", SUBMIT)
def test_submission_takes_no_account_of_another_program_or_type(plant: Plant, node: Node, name: str) -> None:
    record = node.next(export=10)
    plant.wait_for(record)
    ed, ours = plant.submission(record)
    real = targets(plant, node)
    stolen = copy(plant, real[name], owner=plant.built.id("trading") if "trading" in plant.built else SYSTEM)
    assert plant.refusal([ed, plant.swap("oracle", "submit_meter_data", ours, **{name: stolen})]) == "IllegalOwner"
    cosplay = copy(plant, real[name], head=b"\1" * 8)
    assert (
        plant.refusal([ed, plant.swap("oracle", "submit_meter_data", ours, **{name: cosplay})]) == "InvalidAccountData"
    )
    plant.deliver(record)


@pytest.mark.parametrize("name", PROCESS)
def test_processing_takes_no_account_of_another_program_or_type(plant: Plant, node: Node, name: str) -> None:
    plant.deliver(node.next(export=10))
    real = targets(plant, node)
    stolen = copy(plant, real[name], owner=plant.built.id("governance") if name != "governance" else SYSTEM)
    assert plant.refusal([plant.processing(node, **{name: stolen})]) == "IllegalOwner"
    if name != "token_account":
        cosplay = copy(plant, real[name], head=b"\1" * 8)
        assert plant.refusal([plant.processing(node, **{name: cosplay})]) == "InvalidAccountData"
    plant.process(node)


@pytest.mark.parametrize(
    ("name", "program", "kind"),
    [("config", "oracle", "OracleConfig"), ("governance", "governance", "GovernanceConfig")],
)
def test_submission_takes_the_one_config_of_the_site_and_no_true_copy(
    plant: Plant, node: Node, name: str, program: str, kind: str
) -> None:
    """Right owner, right type, and kinder rules: still not the account at the address that everybody knows."""
    record = node.next(export=10)
    plant.wait_for(record)
    ed, ours = plant.submission(record)
    fake = Pubkey.new_unique()
    plant.patch(program, kind, targets(plant, node)[name], {}, at=fake)
    assert plant.refusal([ed, plant.swap("oracle", "submit_meter_data", ours, **{name: fake})]) == "ConstraintAddress"
    plant.deliver(record)


def test_types_of_one_program_do_not_pass_for_each_other(plant: Plant, node: Node) -> None:
    record = node.next(export=10)
    plant.wait_for(record)
    ed, ours = plant.submission(record)
    real = targets(plant, node)
    swaps = {"meter": real["user"], "meter_state": real["config"], "config": real["meter_state"]}
    for name, address in swaps.items():
        attack = plant.swap("oracle", "submit_meter_data", ours, **{name: address})
        assert plant.refusal([ed, attack]) in {"InvalidAccountData", "AccountDataTooSmall"}, name
    plant.deliver(record)


def test_processing_takes_no_other_instance(plant: Plant, node: Node, other: Node) -> None:
    plant.deliver(node.next(export=10), other.next(export=10))
    theirs = targets(plant, other)
    expected = {
        "meter": "MeterMismatch",
        "meter_state": "MeterMismatch",
        "user": "MeterMismatch",
        "token_account": "BadTokenAccount",
    }
    for name, error in expected.items():
        assert plant.refusal([plant.processing(node, **{name: theirs[name]})]) == error, name
    for name in ("oracle_auth", "energy_token", "mint", "mint_auth", "burner"):
        assert plant.refusal([plant.processing(node, **{name: theirs["user"]})]) == "ConstraintAddress", name
    plant.process(node)
    assert plant.account(node.owner).amount == 10_000


def test_a_record_of_another_meter_is_not_this_ones_though_its_key_signed_it(plant: Plant, node: Node) -> None:
    record = node.next(export=10)
    plant.wait_for(record)
    foreign = node.sign(replace(record, meter_id="METER_002").encode())
    ed, ours = ix.submit_meter_data(plant.built, plant.relayer.pubkey(), [foreign], position=0)
    mine = {"meter": plant.site.meter(node.meter_id), "meter_state": plant.site.meter_state(node.meter_id)}
    assert plant.refusal([ed, plant.swap("oracle", "submit_meter_data", ours, **mine)]) == "MeterMismatch"
    plant.deliver(record)


# --- X4 ---


def bend(
    instruction: Instruction, index: int, *, signer: bool | None = None, writable: bool | None = None
) -> Instruction:
    metas = list(instruction.accounts)
    old = metas[index]
    metas[index] = AccountMeta(
        old.pubkey, old.is_signer if signer is None else signer, old.is_writable if writable is None else writable
    )
    return Instruction(instruction.program_id, bytes(instruction.data), metas)


def test_a_missing_signature_and_a_missing_write_flag_are_refused(plant: Plant, node: Node, other: Node) -> None:
    first, second = node.next(export=10), other.next(export=10)
    plant.wait_for(first, second)
    ed, ours = plant.submission(first, second)
    stranger = Keypair()
    unsigned = bend(plant.swap("oracle", "submit_meter_data", ours, relayer=stranger.pubkey()), 0, signer=False)
    assert plant.refusal([ed, unsigned]) == "MissingRequiredSignature"
    states = [i for i, meta in enumerate(ours.accounts) if meta.is_writable and not meta.is_signer]
    for index in states:
        assert plant.refusal([ed, bend(ours, index, writable=False)]) == "ConstraintMut"
    plant.deliver(first, second)
    process = plant.processing(node)
    for index, meta in enumerate(process.accounts):
        if meta.is_writable:
            assert plant.refusal([bend(process, index, writable=False)]) in {"ConstraintMut", "InvalidArgument"}, index
    plant.process(node)


# --- pairs ---


def test_every_record_has_its_own_pair_of_accounts(plant: Plant, node: Node, other: Node) -> None:
    first, second = node.next(export=10), other.next(export=10)
    plant.wait_for(first, second)
    ed, ours = plant.submission(first, second)
    assert plant.refusal([ed, Instruction(ours.program_id, bytes(ours.data), ours.accounts[:-1])]) == "MeterMismatch"
    more = [*ours.accounts, ours.accounts[-1]]
    assert plant.refusal([ed, Instruction(ours.program_id, bytes(ours.data), more)]) == "MeterMismatch"
    crossed = [*ours.accounts[:-2], ours.accounts[-1], ours.accounts[-2]]
    assert plant.refusal([ed, Instruction(ours.program_id, bytes(ours.data), crossed)]) in {
        "IllegalOwner",
        "ConstraintMut",
    }
    few = Instruction(ours.program_id, bytes(ours.data), ours.accounts[:4])
    assert plant.refusal([ed, few]) in {"NotEnoughAccountKeys", "AccountNotEnoughKeys"}
    plant.deliver(first, second)


def test_a_state_that_stands_twice_is_written_once_for_each_record(plant: Plant, node: Node) -> None:
    first = node.next(export=10)
    node.last = first
    second = node.next(export=10)
    node.last = None
    plant.deliver(first, second)
    assert plant.state(node).cum_export_mwh == 20


# --- O17 ---


def test_a_listed_site_takes_records_from_its_relayers_and_the_owner_only(
    plant: Plant, node: Node, bob: Keypair
) -> None:
    listed = [bob.pubkey(), *[Pubkey.default()] * 7]
    plant.patch(
        "oracle", "OracleConfig", plant.site.oracle, {"relayer_mode": 1, "relayer_count": 1, "relayers": listed}
    )
    assert plant.refused(node.next(export=10)) == "Unauthorized"
    plant.relayer = bob
    plant.deliver(node.next(export=10))
    plant.relayer = node.owner
    plant.deliver(node.next(export=10))
    plant.relayer = plant.authority
    assert plant.refused(node.next(export=10)) == "Unauthorized"


# --- set_active ---


def test_only_the_department_switches_the_oracle_off(plant: Plant, node: Node) -> None:
    idl = plant.built["oracle"]

    def switch(who: Keypair, active: int) -> Instruction:
        accounts = {"authority": who.pubkey(), "governance": plant.site.governance, "config": plant.site.oracle}
        return idl.instruction("set_active", accounts, {"active": active})

    assert plant.refusal([switch(plant.relayer, 0)], plant.relayer) == "Unauthorized"
    assert plant.refusal([switch(plant.authority, 2)], plant.authority) == "InvalidArgument"
    plant.chain.send([switch(plant.authority, 0)], [plant.authority])
    assert plant.refused(node.next(export=10)) == "Inactive"
    plant.chain.send([switch(plant.authority, 1)], [plant.authority])
    plant.deliver(node.next(export=10))


# --- X6, X11, creation ---


def test_only_the_upgrade_authority_initialises_the_oracle_and_only_once(
    deployed: EmbeddedChain, built: Programs, authority: Keypair, funded: object
) -> None:
    stranger = Keypair()
    deployed.airdrop(stranger.pubkey(), Lamports(10**10))
    key = authority.pubkey()
    begin = ix.initialize_governance(
        built, key, engineering_authority=key, guardian=key, single_validator=key, campus_network="campus"
    )
    deployed.send([begin, ix.initialize_registry(built, key, "hall", b"12345678")], [authority])
    deployed.airdrop(pdas.oracle(built), Lamports(1_000_000))  # an address that somebody pre-funded

    def attempt(who: Keypair, data: Pubkey | None = None) -> str:
        call = ix.initialize_oracle(built, who.pubkey(), "ami")
        if data:
            metas = [
                AccountMeta(data, m.is_signer, m.is_writable)
                if m.pubkey == program_data_address(built.id("oracle"))
                else m
                for m in call.accounts
            ]
            call = Instruction(call.program_id, bytes(call.data), metas)
        with pytest.raises(TransactionFailed) as refused:
            deployed.send([call], [who])
        return refused.value.name

    assert attempt(stranger) == "Unauthorized"
    assert attempt(authority, program_data_address(built.id("registry"))) == "ConstraintAddress"
    deployed.send([ix.initialize_oracle(built, key, "ami")], [authority])
    assert attempt(authority) == "AccountAlreadyInUse"


def test_a_meter_state_lies_at_its_own_address_and_is_made_once(plant: Plant, node: Node, alice: Keypair) -> None:
    again = ix.init_meter_state(plant.built, plant.relayer.pubkey(), node.meter_id)
    assert plant.refusal([again]) == "AccountAlreadyInUse"
    meter = plant.site.meter(node.meter_id)
    _, bump = Pubkey.find_program_address([b"mstate", bytes(meter)], plant.built.id("oracle"))
    for lower in range(bump - 1, -1, -1):
        try:
            fake = Pubkey.create_program_address([b"mstate", bytes(meter), bytes([lower])], plant.built.id("oracle"))
        except ValueError:
            continue
        break
    assert plant.refusal([plant.swap("oracle", "init_meter_state", again, meter_state=fake)]) in {
        "InvalidSeeds",
        "ConstraintSeeds",
    }


def test_a_meter_state_can_be_made_where_somebody_sent_money_before(plant: Plant, alice: Keypair) -> None:
    address = plant.site.meter_state("METER_003")
    plant.chain.airdrop(address, Lamports(1_000_000))
    plant.add("METER_003", alice)
    state = fetch(plant.chain, plant.built, MeterState, address)
    assert state is not None
    assert (state.export_reg_mwh, state.import_reg_mwh, state.seq) == (1_000, 2_000, 0)


def test_a_meter_that_is_not_active_gets_no_state(plant: Plant, node: Node) -> None:
    state = plant.site.meter_state(node.meter_id)
    plant.chain.set_account(state, owner=SYSTEM, data=b"", lamports=Lamports(0))
    plant.patch_meter(node, status=2)
    create = ix.init_meter_state(plant.built, plant.relayer.pubkey(), node.meter_id)
    assert plant.refusal([create]) == "MeterInactive"
    plant.patch_meter(node, status=1)
    plant.chain.send([create], [plant.relayer])


# --- X9 ---


def test_no_instruction_data_make_the_oracle_panic(plant: Plant, node: Node) -> None:
    record = node.next(export=10)
    plant.wait_for(record)
    ed, ours = plant.submission(record)
    whole = bytes(ours.data)
    chance = random.Random(4)
    cases = [whole[:n] for n in range(0, len(whole), 7)]
    cases += [whole[:9] + struct.pack("<I", n) + whole[13:] for n in (0, 2, 5, 6, 2**31, 2**32 - 1)]
    cases += [whole[:8] + chance.randbytes(chance.randrange(140)) for _ in range(60)]
    for data in cases:
        with pytest.raises(TransactionFailed) as refused:
            plant.chain.send([Instruction(ours.program_id, data, ours.accounts)], [plant.relayer])
        assert refused.value.name not in {"ProgramFailedToComplete", "AccessViolation"}, data.hex()
        assert not any("panicked" in line for line in refused.value.logs), data.hex()
    plant.chain.send([ed, Instruction(ours.program_id, whole + b"trailing", ours.accounts)], [plant.relayer])
    assert plant.state(node).cum_export_mwh == 10
