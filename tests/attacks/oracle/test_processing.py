"""Attacks on process_energy_data (threats.md O13, O15, O25, X8, X14): each beside the same call unharmed."""

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from tests.attacks.oracle.plant import Node, Plant

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.accounts import UserStatus
from meterchain.tokens import TOKEN_PROGRAM, associated_token_account
from meterchain.units import SLOT_S, Atoms

MINT_CAP = 16
ORACLE_SUBMIT, MINT, BURN = 1 << 1, 1 << 2, 1 << 3
CLOSE_ACCOUNT, SET_AUTHORITY, INITIALIZE_ACCOUNT_3 = 9, 6, 18


def approve(plant: Plant, node: Node, atoms: int) -> None:
    plant.chain.send([ix.approve_consumption(plant.built, node.owner.pubkey(), Atoms(atoms))], [node.owner])


# --- O13 ---


def test_what_was_minted_is_not_minted_again(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=250))
    plant.chain.send([plant.processing(node), plant.processing(node)], [plant.relayer])
    receipt = plant.process(node)
    assert plant.events("energy_token", receipt) == {}
    assert (plant.account(node.owner).amount, plant.supply(), plant.tokens().total_minted) == (
        250_000,
        250_000,
        250_000,
    )
    assert plant.state(node).minted_mwh == 250


def spl_account(plant: Plant, owner: Pubkey, mint: Pubkey) -> Pubkey:
    """A token account of `owner` that is not the associated one."""
    key = Keypair()
    rent = plant.chain.rent_exempt(165)
    make = create_account(
        CreateAccountParams(
            from_pubkey=plant.relayer.pubkey(), to_pubkey=key.pubkey(), lamports=rent, space=165, owner=TOKEN_PROGRAM
        )
    )
    metas = [
        AccountMeta(key.pubkey(), is_signer=False, is_writable=True),
        AccountMeta(mint, is_signer=False, is_writable=False),
    ]
    begin = Instruction(TOKEN_PROGRAM, bytes([INITIALIZE_ACCOUNT_3]) + bytes(owner), metas)
    plant.chain.send([make, begin], [plant.relayer, key])
    return key.pubkey()


def test_only_the_owners_associated_account_is_paid(plant: Plant, node: Node, other: Node) -> None:
    plant.deliver(node.next(export=250))
    theirs = plant.site.grid_account(other.owner.pubkey())
    second = spl_account(plant, node.owner.pubkey(), plant.site.grid_mint)
    for account in (theirs, second):
        assert plant.refusal([plant.processing(node, token_account=account)]) == "BadTokenAccount"
    # nor where there is nothing to mint
    plant.process(node)
    for account in (theirs, second):
        assert plant.refusal([plant.processing(node, token_account=account)]) == "BadTokenAccount"
    _, bump = associated_token_account(node.owner.pubkey(), plant.site.grid_mint)
    call = plant.processing(node)
    for wrong in (bump - 1, 0, 255 if bump != 255 else 254):
        bad = Instruction(call.program_id, bytes(call.data)[:-1] + bytes([wrong % 256]), call.accounts)
        assert plant.refusal([bad]) == "BadTokenAccount", wrong
    assert plant.account(node.owner).amount == 250_000


def test_an_account_of_another_mint_is_not_paid(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=250))
    mint = Pubkey.new_unique()
    (grid,) = plant.chain.accounts([plant.site.grid_mint])
    assert grid is not None
    plant.chain.set_account(mint, owner=grid.owner, data=grid.data)
    foreign = spl_account(plant, node.owner.pubkey(), mint)
    assert plant.refusal([plant.processing(node, token_account=foreign)]) == "BadTokenAccount"
    assert plant.refusal([plant.processing(node, mint=mint)]) == "ConstraintAddress"
    plant.process(node)


def test_a_closed_account_is_not_paid_until_it_is_there_again(plant: Plant, node: Node) -> None:
    owner, account = node.owner.pubkey(), plant.site.grid_account(node.owner.pubkey())
    metas = [
        AccountMeta(account, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=True, is_writable=False),
    ]
    plant.chain.send([Instruction(TOKEN_PROGRAM, bytes([CLOSE_ACCOUNT]), metas)], [node.owner])
    plant.deliver(node.next(export=250))
    assert plant.refusal([plant.processing(node)]) == "AccountDataTooSmall"
    again = ix.create_token_account(plant.built, plant.relayer.pubkey(), owner)
    # revived in the transaction that closes it: it is empty, and still the owner's
    plant.chain.send([again, plant.processing(node)], [plant.relayer])
    assert plant.account(node.owner).amount == 250_000


def test_an_account_that_was_given_away_is_not_paid(plant: Plant, node: Node, bob: Keypair) -> None:
    plant.deliver(node.next(export=250))
    owner, account = node.owner.pubkey(), plant.site.grid_account(node.owner.pubkey())

    def give(old: Keypair, new: Pubkey) -> None:
        metas = [
            AccountMeta(account, is_signer=False, is_writable=True),
            AccountMeta(old.pubkey(), is_signer=True, is_writable=False),
        ]
        data = bytes([SET_AUTHORITY, 2, 1]) + bytes(new)
        plant.chain.send([Instruction(TOKEN_PROGRAM, data, metas)], [old])

    give(node.owner, bob.pubkey())
    assert plant.refusal([plant.processing(node)]) == "BadTokenAccount"
    give(bob, owner)
    plant.process(node)
    # nor burned from: what was approved then is not whoever's it is now
    plant.deliver(node.next(import_=100))
    give(node.owner, bob.pubkey())
    approval = plant.swap(
        "energy_token", "approve_consumption", ix.approve_consumption(plant.built, bob.pubkey(), Atoms(10**9)),
        token_account=account,
    )  # fmt: skip
    plant.chain.send([approval], [bob])
    assert plant.refusal([plant.processing(node)]) == "BadTokenAccount"
    give(bob, owner)
    approve(plant, node, 10**9)
    plant.process(node)
    assert plant.state(node).burned_mwh == 100


def test_nothing_is_burned_from_a_suspended_owner(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=250))
    plant.process(node)
    approve(plant, node, 10**9)
    plant.deliver(node.next(import_=100))
    user = pdas.user(plant.built, node.owner.pubkey())
    plant.patch("registry", "User", user, {"status": int(UserStatus.SUSPENDED)})
    assert plant.refusal([plant.processing(node)]) == "UserInactive"
    plant.patch("registry", "User", user, {"status": int(UserStatus.ACTIVE)})
    plant.process(node)
    assert plant.state(node).burned_mwh == 100


def test_a_suspended_owner_is_paid_when_active_again(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=250))
    for status in (UserStatus.SUSPENDED, UserStatus.REVOKED):
        plant.patch("registry", "User", pdas.user(plant.built, node.owner.pubkey()), {"status": int(status)})
        assert plant.refusal([plant.processing(node)]) == "UserInactive"
    plant.patch("registry", "User", pdas.user(plant.built, node.owner.pubkey()), {"status": 0})
    plant.process(node)
    assert plant.account(node.owner).amount == 250_000


# --- O11 of reassignment, as far as the oracle goes ---


def test_records_wait_for_the_new_owner_and_the_old_one_is_still_paid(plant: Plant, node: Node, bob: Keypair) -> None:
    plant.deliver(node.next(export=250))
    plant.patch_meter(node, owner=bob.pubkey())
    assert plant.refused(node.next(export=10)) == "OwnerChangePending"
    plant.process(node)
    assert (plant.account(node.owner).amount, plant.account(bob).amount) == (250_000, 0)


# --- burning ---


def test_import_burns_what_was_approved_and_is_there(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=300, import_=500))
    plant.process(node)
    assert plant.state(node).burned_mwh == 0  # nothing approved
    approve(plant, node, 100_999)
    plant.process(node)
    assert (plant.state(node).burned_mwh, plant.account(node.owner).amount) == (100, 200_000)
    plant.process(node)
    assert plant.state(node).burned_mwh == 100  # 999 atoms left
    approve(plant, node, 10**12)
    receipt = plant.process(node)
    assert (plant.state(node).burned_mwh, plant.account(node.owner).amount) == (300, 0)
    assert plant.events("energy_token", receipt)["ConsumptionBurned"].fields["amount"] == 200_000
    plant.deliver(node.next(export=1_000))
    plant.process(node)  # mints 1,000 and burns the 200 that are left
    tokens, state = plant.tokens(), plant.state(node)
    assert (state.burned_mwh, plant.account(node.owner).amount) == (500, 800_000)
    assert (tokens.total_supply, tokens.total_burned_consumption) == (plant.supply(), 500_000)


def test_another_delegate_is_no_burner(plant: Plant, node: Node, bob: Keypair) -> None:
    plant.deliver(node.next(export=300, import_=500))
    plant.process(node)
    metas = [
        AccountMeta(plant.site.grid_account(node.owner.pubkey()), is_signer=False, is_writable=True),
        AccountMeta(bob.pubkey(), is_signer=False, is_writable=False),
        AccountMeta(node.owner.pubkey(), is_signer=True, is_writable=False),
    ]
    plant.chain.send([Instruction(TOKEN_PROGRAM, bytes([4]) + (10**9).to_bytes(8, "little"), metas)], [node.owner])
    plant.process(node)
    assert plant.state(node).burned_mwh == 0


def test_import_that_was_written_off_is_not_burned(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=300, import_=200))
    plant.patch_state(node, written_off_import_mwh=150)
    approve(plant, node, 10**12)
    plant.process(node)
    assert plant.state(node).burned_mwh == 50


# --- O25, E1 ---


def test_an_accrual_above_the_cap_is_minted_over_several_epochs_to_the_atom(
    plant: Plant, node: Node, other: Node
) -> None:
    plant.set_param(MINT_CAP, 100)
    plant.deliver(node.next(export=250))
    plant.deliver(other.next(export=30))
    balances = []
    for _ in range(4):
        plant.process(node)
        plant.process(node)
        balances.append(plant.account(node.owner).amount)
        plant.chain.advance(SLOT_S)
    assert balances == [100_000, 200_000, 250_000, 250_000]
    plant.process(other)
    assert plant.account(other.owner).amount == 30_000
    plant.set_param(MINT_CAP, 0)
    plant.deliver(node.next(export=10))
    plant.process(node)
    assert plant.state(node).minted_mwh == 250
    plant.set_param(MINT_CAP, 10**15)
    plant.process(node)
    assert plant.state(node).minted_mwh == 260


def test_the_cap_is_one_for_all_meters_and_new_in_each_epoch(plant: Plant, node: Node, other: Node) -> None:
    plant.set_param(MINT_CAP, 100)
    plant.deliver(node.next(export=70), other.next(export=70))
    start = plant.chain.clock().unix_s
    plant.process(node)
    plant.process(other)
    assert [plant.account(n.owner).amount for n in (node, other)] == [70_000, 30_000]
    plant.chain.advance(SLOT_S - 1 - start % SLOT_S)  # the last second of the epoch
    plant.process(other)
    assert plant.account(other.owner).amount == 30_000
    plant.chain.advance(1)
    plant.process(other)
    assert plant.account(other.owner).amount == 70_000


# --- X14 ---


@pytest.mark.parametrize("bit", range(6))
def test_a_pause_stops_its_own_part_and_no_other(plant: Plant, node: Node, bit: int) -> None:
    approve(plant, node, 10**12)
    plant.deliver(node.next(export=300, import_=100))
    plant.pause(1 << bit)
    record = node.next(export=10)
    if bit == 1:
        assert plant.refused(record) == "Paused"
    else:
        plant.deliver(record)
    plant.process(node)
    state = plant.state(node)
    assert (state.minted_mwh > 0, state.burned_mwh > 0) == (bit != 2, bit not in {2, 3})
    plant.unpause(1 << bit)
    plant.process(node)
    assert (plant.state(node).minted_mwh, plant.state(node).burned_mwh) == (300 if bit == 1 else 310, 100)
    if bit == 1:
        plant.deliver(record)


def test_a_pause_of_minting_does_not_stop_burning(plant: Plant, node: Node) -> None:
    plant.deliver(node.next(export=300, import_=100))
    plant.process(node)
    approve(plant, node, 10**12)
    plant.pause(MINT)
    plant.process(node)
    assert plant.state(node).burned_mwh == 100


def test_an_expired_pause_stops_nothing(plant: Plant, node: Node) -> None:
    plant.pause(0x3F)
    assert plant.refused(node.next(export=10)) == "Paused"
    plant.process(node)
    plant.chain.advance(604_800)
    late = node.next(export=10, slots=672)
    plant.deliver(late)
    plant.process(node)
    assert plant.account(node.owner).amount == 10_000


def test_no_meter_is_opened_while_submissions_are_paused(plant: Plant, alice: Keypair) -> None:
    plant.add("METER_003", alice)
    state = plant.site.meter_state("METER_003")
    plant.chain.set_account(state, owner=Pubkey.default(), data=b"", lamports=type(plant.chain.rent_exempt(0))(0))
    create = ix.init_meter_state(plant.built, plant.relayer.pubkey(), "METER_003")
    plant.pause(ORACLE_SUBMIT)
    assert plant.refusal([create]) == "Paused"
    plant.unpause(ORACLE_SUBMIT)
    plant.chain.send([create], [plant.relayer])
