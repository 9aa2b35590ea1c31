"""Attacks on seats and the money in them (threats.md T1, T2, T9, T24, X4)."""

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from tests.attacks.trading.conftest import Refused, Status
from tests.trading.ground import Ground
from tests.trading.making import Plan, build
from tests.trading.rows import BASE, BUY, QUOTE, SELL, SOL, Trader, key

from meterchain import pdas
from meterchain.accounts import UserType
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.units import Lamports


def unsigned(instruction: Instruction, index: int) -> Instruction:
    metas = list(instruction.accounts)
    metas[index] = AccountMeta(metas[index].pubkey, is_signer=False, is_writable=metas[index].is_writable)
    return Instruction(instruction.program_id, instruction.data, metas)


def read_only(instruction: Instruction, index: int) -> Instruction:
    metas = list(instruction.accounts)
    metas[index] = AccountMeta(metas[index].pubkey, is_signer=metas[index].is_signer, is_writable=False)
    return Instruction(instruction.program_id, instruction.data, metas)


def test_a_seat_is_for_a_registered_active_user_and_one_each(ground: Ground, refused: Refused, status: Status) -> None:
    stranger = key("stranger")
    ground.chain.airdrop(stranger.pubkey(), Lamports(SOL))
    assert refused(ground.seating(stranger.pubkey()), by=stranger) == "UninitializedAccount"
    anna = ground.citizen("anna")
    user = pdas.user(ground.built, anna.pubkey())
    assert refused(ground.seating(stranger.pubkey(), user=user), by=stranger) == "NotOwner"
    status(anna, 1)
    assert refused(ground.seating(anna.pubkey()), by=anna) == "UserInactive"
    status(anna, 0)
    receipt = ground.send(ground.seating(anna.pubkey()), by=anna)
    assert int.from_bytes(receipt.return_data, "little") == 0
    assert refused(ground.seating(anna.pubkey()), by=anna) == "AccountAlreadyInUse"


def test_somebody_else_may_pay_for_a_seat_but_not_take_it(ground: Ground, refused: Refused) -> None:
    anna = ground.citizen("anna")
    sponsored = ground.seating(anna.pubkey(), payer=ground.authority.pubkey())
    assert refused(unsigned(sponsored, 0)) == "MissingRequiredSignature"
    ground.chain.send([sponsored], [ground.authority, anna])
    assert ground.all_seats()[0].owner == anna.pubkey()


def test_seats_end_when_they_are_all_taken_and_a_closed_one_is_given_again(
    chain: EmbeddedChain, built: Programs, authority: Keypair, ground: Ground, refused: Refused
) -> None:
    small = build(chain, built, authority, Plan(n_seats=2, n_slots=4, name="small"))
    first, _ = small.join("first"), small.join("second")
    third = small.citizen("third")
    assert refused(small.seating(third.pubkey()), by=third) == "SeatsFull"
    small.send(small.leaving(first), by=first.key)
    assert small.fetch_market()["open_seats"] == 1
    small.send(small.seating(third.pubkey()), by=third)
    assert small.all_seats()[first.seat].owner == third.pubkey()


def test_a_seat_with_money_or_orders_stays(ground: Ground, anna: Trader, ben: Trader, refused: Refused) -> None:
    ground.send(ground.moving("deposit", anna, QUOTE, 1), by=anna.key)
    assert refused(ground.leaving(anna), by=anna.key) == "SeatInUse"
    ground.send(ground.moving("withdraw", anna, QUOTE, 1), by=anna.key)
    ground.place(anna, SELL, 10, 5)
    assert refused(ground.leaving(anna), by=anna.key) == "SeatInUse"
    ground.place(ben, BUY, 10, 5)
    ground.settle_epoch()
    assert refused(ground.leaving(anna), by=anna.key) == "SeatInUse"
    ground.send(ground.paying(anna))
    ground.send(ground.leaving(anna), by=anna.key)
    assert ground.chain.accounts([ground.seat_index(anna.wallet)]) == [None]


def test_a_new_seat_does_not_forget_what_its_trader_ordered_in_this_epoch(
    ground: Ground, anna: Trader, refused: Refused
) -> None:
    order = ground.place(anna, SELL, 10, 5)
    ground.send(ground.cancelling(anna, ground.books[0], 0, order), by=anna.key)
    ground.send(ground.paying(anna))
    assert refused(ground.leaving(anna), by=anna.key) == "SeatInUse", "leaving and coming back would reset the count"
    ground.end_epoch()
    ground.send(ground.leaving(anna), by=anna.key)


def test_only_its_owner_closes_a_seat_and_the_authority_a_revoked_users(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused, status: Status
) -> None:
    assert refused(ground.leaving(anna, authority=ben.wallet), by=ben.key) == "Unauthorized"
    by_authority = ground.leaving(anna, authority=ground.authority.pubkey())
    assert refused(by_authority) == "Unauthorized"
    status(anna.key, 1)
    assert refused(by_authority) == "Unauthorized"
    status(anna.key, 2)
    thief = ground.leaving(anna, authority=ground.authority.pubkey(), wallet=ground.authority.pubkey())
    assert refused(thief) == "NotOwner"
    swapped = ground.leaving(anna, authority=ground.authority.pubkey(), seat_index=ground.seat_index(ben.wallet))
    assert refused(swapped) == "InvalidSeeds"
    ground.send(by_authority)
    assert ground.fetch_market()["open_seats"] == 1


def test_a_recycled_seat_never_receives_anothers_settlement(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused
) -> None:
    ground.place(anna, SELL, 10, 5)
    ground.place(ben, BUY, 10, 5)
    ground.end_epoch()
    ground.clear()
    assert refused(ground.leaving(anna), by=anna.key) == "SeatInUse"
    ground.send(ground.matching(), ground.settling(1))
    assert (ground.seat(anna).base_locked, ground.seat(anna).open_orders) == (0, 0), "anna is settled, ben is not"
    ground.send(ground.paying(anna))
    ground.send(ground.leaving(anna), by=anna.key)
    carl = ground.join("carl")
    assert carl.seat == anna.seat
    ground.send(ground.settling())
    assert ground.seat(carl).base_free == ground.seat(carl).quote_free == 0
    assert ground.seat(ben).base_free == 10_000_000


def test_nobody_moves_anothers_money(ground: Ground, anna: Trader, ben: Trader, refused: Refused) -> None:
    ground.send(ground.moving("deposit", anna, BASE, 5_000), by=anna.key)
    robbery = ground.moving("withdraw", ben, BASE, 5_000, seat=anna.seat)
    assert refused(robbery, by=ben.key) == "NotOwner"
    assert refused(ground.moving("withdraw", ben, BASE, 1), by=ben.key) == "InsufficientFunds"
    assert refused(ground.moving("withdraw", ben, BASE, 1, seat=31), by=ben.key) == "NotOwner"
    assert refused(ground.moving("withdraw", ben, BASE, 1, seat=2**32 - 1), by=ben.key) == "NotOwner"
    assert refused(unsigned(ground.moving("withdraw", anna, BASE, 1), 0), by=ben.key) == "MissingRequiredSignature"
    from_anna = ground.moving("deposit", ben, BASE, 1, token_account=ground.account(anna.wallet, BASE))
    assert refused(from_anna, by=ben.key) == "NotOwner"
    ground.send(ground.moving("withdraw", anna, BASE, 5_000), by=anna.key)
    assert ground.fetch_market()["liab_base"] == 0


def test_base_is_not_quote_and_a_vault_is_the_markets(
    ground: Ground, anna: Trader, refused: Refused, chain: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    other = build(chain, built, authority, Plan(name="other"))
    for name in ("deposit", "withdraw"):
        crossed = ground.moving(name, anna, BASE, 1, vault=ground.vault(QUOTE))
        assert refused(crossed, by=anna.key) == "WrongAccount"
        other_vault = ground.moving(name, anna, BASE, 1, vault=other.vault(BASE))
        assert refused(other_vault, by=anna.key) == "WrongAccount"
        mixed = ground.moving(name, anna, BASE, 1, token_account=ground.account(anna.wallet, QUOTE))
        assert refused(mixed, by=anna.key) == "BadMint"
        unknown = ground.moving(name, anna, BASE, 1, vault=ground.vault(BASE))
        unknown = Instruction(unknown.program_id, unknown.data[:12] + b"\x02" + unknown.data[13:], unknown.accounts)
        assert refused(unknown, by=anna.key) == "WrongAccount"
        assert refused(read_only(ground.moving(name, anna, BASE, 1), 2), by=anna.key) == "ConstraintMut"
    ground.send(ground.moving("deposit", anna, BASE, 1), by=anna.key)


def test_one_deposits_what_one_has(ground: Ground, refused: Refused) -> None:
    poor = ground.join("poor", base=100, quote=0)
    assert refused(ground.moving("deposit", poor, BASE, 101), by=poor.key) == "InsufficientFunds"
    assert refused(ground.moving("deposit", poor, BASE, 2**64 - 1), by=poor.key) == "InsufficientFunds"
    ground.send(ground.moving("deposit", poor, BASE, 100), by=poor.key)
    assert ground.seat(poor).base_free == 100


def test_a_vault_that_was_robbed_stops_every_movement(ground: Ground, anna: Trader, refused: Refused) -> None:
    ground.send(ground.moving("deposit", anna, BASE, 1_000), by=anna.key)
    ground.give(ground.market, BASE, 999, at=ground.vault(BASE))
    assert refused(ground.moving("withdraw", anna, BASE, 1), by=anna.key) == "VaultShortfall"
    assert refused(ground.moving("deposit", anna, BASE, 1), by=anna.key) == "VaultShortfall"
    assert refused(ground.order(anna, SELL, 10, 5), by=anna.key) == "VaultShortfall"
    ground.give(ground.market, BASE, 1_000, at=ground.vault(BASE))
    ground.send(ground.moving("withdraw", anna, BASE, 1), by=anna.key)


def test_only_the_owner_sets_the_flags_and_only_known_ones(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused
) -> None:
    assert refused(ground.flagging(Trader(ben.key, anna.seat), 1), by=ben.key) == "NotOwner"
    assert refused(ground.flagging(anna, 1, authority=ben.wallet), by=ben.key) == "Unauthorized"
    assert refused(ground.flagging(anna, 2), by=anna.key) == "Overflow"
    ground.send(ground.flagging(anna, 1), by=anna.key)
    assert ground.seat(anna).flags == 1


def test_a_revoked_users_hold_does_not_keep_his_seat(
    ground: Ground, anna: Trader, ben: Trader, refused: Refused, status: Status
) -> None:
    ground.send(ground.moving("deposit", anna, BASE, 1_000), by=anna.key)
    ground.send(ground.flagging(anna, 1), by=anna.key)
    office = ground.authority
    release = ground.flagging(anna, 0, authority=office.pubkey())
    for still in (0, 1):  # Active, Suspended
        if still:
            status(anna.key, still)
        assert refused(release, by=office) == "Unauthorized"
    status(anna.key, 2)
    assert refused(ground.flagging(anna, 0, authority=ben.wallet), by=ben.key) == "Unauthorized"
    assert refused(ground.flagging(Trader(anna.key, ben.seat), 0, authority=office.pubkey()), by=office) == "NotOwner"
    ground.send(ground.paying(anna))
    assert refused(ground.leaving(anna, authority=office.pubkey()), by=office) == "SeatInUse"
    ground.send(release, by=office)
    assert refused(ground.flagging(anna, 1, authority=office.pubkey()), by=office) == "Unauthorized"
    before = ground.tokens(ground.account(anna.wallet, BASE))
    ground.send(ground.paying(anna))
    assert ground.tokens(ground.account(anna.wallet, BASE)) == before + 1_000
    ground.send(ground.leaving(anna, authority=office.pubkey()), by=office)


def test_a_consumer_may_have_a_seat(ground: Ground) -> None:
    assert ground.join("cora", user_type=UserType.CONSUMER).seat == 0
