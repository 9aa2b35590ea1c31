"""Attacks by other accounts, by table: every account of every instruction (threats.md X1, X2, X3)."""

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from tests.attacks.trading.conftest import Refused
from tests.attacks.trading.test_pause import STOPPED_BY, outcome, prepared
from tests.trading.ground import Ground
from tests.trading.making import Plan, initialising, prepare
from tests.trading.rows import Trader

from meterchain.tokens import TOKEN_PROGRAM

NAMES = [name for name in STOPPED_BY if name != "initialize_market"]
PINNED = {
    "governance": "ConstraintAddress",
    "book": "WrongBook",
    "seats": "WrongAccount",
    "history": "WrongAccount",
    "vault": "WrongAccount",
    "base_vault": "WrongAccount",
    "quote_vault": "WrongAccount",
    "fee_destination": "WrongAccount",
    "oracle_auth": "Unauthorized",
    "event_authority": "ConstraintAddress",
    "program": "ConstraintAddress",
    "token_program": "IncorrectProgramId",
}
"""The name of an account that is known by its address, and how another one is refused."""
BY_INSTRUCTION = {
    ("set_authority", "governance"): "Unauthorized",
    ("close_seat", "wallet"): "NotOwner",
}
"""Where the answer is another one."""
ANY = {
    ("set_seat_flags", "seats"),
    ("get_order", "book"),
    ("get_orders_of", "book"),
    ("get_seat", "seats"),
    ("get_epoch", "history"),
    ("update_market_params", "fee_destination"),
}
"""Where any account of that type will do: those of this program are all pinned, a new fee destination is chosen."""


def standing_in(instruction: Instruction, place: int, other: Pubkey) -> Instruction:
    """With `other` in the place of an account."""
    metas = list(instruction.accounts)
    metas[place] = AccountMeta(other, metas[place].is_signer, metas[place].is_writable)
    return Instruction(instruction.program_id, instruction.data, metas)


def places(ground: Ground, name: str) -> list[tuple[int, str]]:
    """The declared accounts of an instruction."""
    return list(enumerate(ground.built["trading"].account_names(name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_true_copy_elsewhere_is_not_the_account(ground: Ground, anna: Trader, ben: Trader, name: str) -> None:
    honest = prepared(name, ground, anna, ben)
    for place, account in places(ground, name):
        expected = BY_INSTRUCTION.get((name, account), PINNED.get(account))
        if expected is None or (name, account) in ANY:
            continue
        twin = Pubkey.new_unique()
        (info,) = ground.chain.accounts([honest.accounts[place].pubkey])
        if info is not None:
            ground.chain.set_account(twin, owner=info.owner, data=info.data, executable=info.executable)
        assert outcome(ground, standing_in(honest, place, twin)) == expected, account
    assert outcome(ground, honest) == "done"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes_under_another_owner_are_not_the_account(
    ground: Ground, anna: Trader, ben: Trader, name: str
) -> None:
    honest = prepared(name, ground, anna, ben)
    known = {ground.built.id(program) for program in ground.built} | {TOKEN_PROGRAM}
    for place, account in places(ground, name):
        (info,) = ground.chain.accounts([honest.accounts[place].pubkey])
        if info is None or info.owner not in known or info.executable:
            continue
        twin = Pubkey.new_unique()
        ground.chain.set_account(twin, owner=Pubkey.new_unique(), data=info.data)
        assert outcome(ground, standing_in(honest, place, twin)) == "IllegalOwner", account
    assert outcome(ground, honest) == "done"


@pytest.mark.parametrize("name", NAMES)
def test_another_type_of_the_same_program_is_not_the_account(
    ground: Ground, anna: Trader, ben: Trader, name: str
) -> None:
    honest = prepared(name, ground, anna, ben)
    ours = {ground.built.id(program) for program in ground.built}
    for place, account in places(ground, name):
        (info,) = ground.chain.accounts([honest.accounts[place].pubkey])
        if info is None or info.owner not in ours:
            continue
        twin = Pubkey.new_unique()
        for data in (bytes(8) + info.data[8:], b"\xff" * 8 + info.data[8:]):
            ground.chain.set_account(twin, owner=info.owner, data=data)
            assert outcome(ground, standing_in(honest, place, twin)) == "InvalidAccountData", account
    assert outcome(ground, honest) == "done"


def test_a_market_is_made_under_the_one_governance(ground: Ground, refused: Refused) -> None:
    fresh, _ = prepare(ground.chain, ground.built, ground.authority, Plan(name="third"))
    honest = initialising(fresh, Plan(name="third"))
    (place,) = (place for place, account in places(ground, "initialize_market") if account == "governance")
    (info,) = ground.chain.accounts([honest.accounts[place].pubkey])
    assert info is not None
    twin = Pubkey.new_unique()
    ground.chain.set_account(twin, owner=info.owner, data=info.data)
    assert refused(standing_in(honest, place, twin)) == "ConstraintAddress"
    fresh.send(honest)
