"""Attacks on payout (threats.md T14, T25): one bad destination never stops the others."""

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from tests.attacks.trading.conftest import Refused
from tests.trading.ground import Ground
from tests.trading.rows import BASE, QUOTE, Trader

from meterchain.tokens import associated_token_account

SOME = 12_345


@pytest.fixture
def filled(ground: Ground, anna: Trader, ben: Trader) -> Ground:
    """Both have some of both free."""
    for trader in (anna, ben):
        for asset in (BASE, QUOTE):
            ground.send(ground.moving("deposit", trader, asset, SOME), by=trader.key)
    return ground


def free(ground: Ground, trader: Trader) -> tuple[int, int]:
    seat = ground.seat(trader)
    return seat.base_free, seat.quote_free


def test_anyone_pays_everybody_out_and_twice_is_once(filled: Ground, anna: Trader, ben: Trader) -> None:
    stranger = ben.key
    before = filled.tokens(filled.account(anna.wallet, BASE))
    receipt = filled.send(filled.paying(anna, ben), by=stranger)
    assert [event.name for event in filled.events(receipt)] == ["PaidOut", "PaidOut"]
    assert free(filled, anna) == free(filled, ben) == (0, 0)
    assert filled.tokens(filled.account(anna.wallet, BASE)) == before + SOME
    receipt = filled.send(filled.paying(anna, anna, ben))
    assert filled.events(receipt) == []
    market = filled.fetch_market()
    assert (market["liab_base"], market["liab_quote"]) == (0, 0)


def test_a_seat_on_hold_is_left_alone(filled: Ground, anna: Trader, ben: Trader) -> None:
    filled.send(filled.flagging(anna, 1), by=anna.key)
    filled.send(filled.paying(anna, ben))
    assert (free(filled, anna), free(filled, ben)) == ((SOME, SOME), (0, 0))
    filled.send(filled.flagging(anna, 0), by=anna.key)
    filled.send(filled.paying(anna))
    assert free(filled, anna) == (0, 0)


@pytest.mark.parametrize("what", ["frozen", "closed", "given away", "another mint", "read-only"])
def test_a_bad_destination_is_skipped_and_the_others_are_paid(
    filled: Ground, anna: Trader, ben: Trader, what: str
) -> None:
    canonical = filled.account(anna.wallet, QUOTE)
    payment = filled.paying(anna, ben)
    if what == "frozen":
        filled.give(anna.wallet, QUOTE, 0, state=2)
    elif what == "closed":
        filled.chain.set_account(canonical, owner=SYSTEM, data=b"")
    elif what == "given away":
        filled.give(ben.wallet, QUOTE, 0, at=canonical)
    elif what == "another mint":
        filled.give(anna.wallet, BASE, 0, at=canonical)
    else:
        metas = [
            AccountMeta(
                meta.pubkey, is_signer=meta.is_signer, is_writable=meta.is_writable and meta.pubkey != canonical
            )
            for meta in payment.accounts
        ]
        payment = Instruction(payment.program_id, payment.data, metas)
    events = filled.events(filled.send(payment))
    (skipped,) = [event.fields for event in events if event.name == "PayoutSkipped"]
    assert (skipped["seat"], skipped["side"], skipped["amount"]) == (anna.seat, QUOTE, SOME)
    assert (free(filled, anna), free(filled, ben)) == ((0, SOME), (0, 0))
    filled.give(anna.wallet, QUOTE, 0)
    filled.send(filled.paying(anna))
    assert free(filled, anna) == (0, 0)


def test_only_the_owners_canonical_account_is_paid(filled: Ground, anna: Trader, ben: Trader) -> None:
    second = filled.give(anna.wallet, QUOTE, 0, at=Keypair().pubkey())
    his = filled.account(ben.wallet, QUOTE)
    for wrong in (second, his, filled.fees, Pubkey.default()):
        metas = [AccountMeta(filled.account(anna.wallet, BASE), is_signer=False, is_writable=True)]
        metas.append(AccountMeta(wrong, is_signer=False, is_writable=wrong != Pubkey.default()))
        events = filled.events(filled.send(filled.paying(anna, metas=metas)))
        assert "PayoutSkipped" in [event.name for event in events], wrong
        assert filled.seat(anna).quote_free == SOME
    filled.send(filled.paying(anna))
    assert free(filled, anna) == (0, 0)


def test_a_vault_is_no_destination(filled: Ground, anna: Trader, refused: Refused) -> None:
    base = AccountMeta(filled.account(anna.wallet, BASE), is_signer=False, is_writable=True)
    vault = AccountMeta(filled.vault(QUOTE), is_signer=False, is_writable=True)
    assert refused(filled.paying(anna, metas=[base, vault])) == "ConstraintDuplicateMutableAccount"


def test_another_bump_is_another_account(filled: Ground, anna: Trader) -> None:
    """A token account cannot come to lie there by honest means; and if it did, it is not the canonical one."""
    payment = filled.paying(anna)
    _, bump = associated_token_account(anna.wallet, filled.quote_mint)
    at = payment.data.rindex(bytes([bump]))
    wrong = Instruction(
        payment.program_id, payment.data[:at] + bytes([bump - 1]) + payment.data[at + 1 :], payment.accounts
    )
    events = filled.events(filled.send(wrong))
    assert "PayoutSkipped" in [event.name for event in events]
    filled.send(payment)
    assert free(filled, anna) == (0, 0)


def test_a_frozen_vault_stops_its_own_token_only(filled: Ground, anna: Trader) -> None:
    held = filled.tokens(filled.vault(QUOTE))
    filled.give(filled.market, QUOTE, held, at=filled.vault(QUOTE), state=2)
    events = filled.events(filled.send(filled.paying(anna)))
    assert sorted(event.name for event in events) == ["PaidOut", "PayoutSkipped"]
    assert free(filled, anna) == (0, SOME)
    filled.give(filled.market, QUOTE, held, at=filled.vault(QUOTE))
    filled.send(filled.paying(anna))


def test_seats_that_do_not_exist_and_missing_accounts_are_refused(
    filled: Ground, anna: Trader, refused: Refused
) -> None:
    nobody = Trader(anna.key, 2**32 - 1)
    assert refused(filled.paying(nobody)) == "NotOwner"
    assert refused(filled.paying(anna, metas=[])) == "WrongAccount"
    one = [AccountMeta(filled.account(anna.wallet, BASE), is_signer=False, is_writable=True)]
    assert refused(filled.paying(anna, metas=one)) == "WrongAccount"
    assert refused(filled.paying(anna, base_vault=filled.vault(QUOTE))) == "ConstraintDuplicateMutableAccount"
    truncated = filled.paying(anna)
    claims_many = Instruction(truncated.program_id, truncated.data[:8] + b"\xff\xff\xff\xff", truncated.accounts)
    assert refused(claims_many) == "InvalidInstructionData"
    filled.send(filled.paying())
    filled.send(filled.paying(anna))
