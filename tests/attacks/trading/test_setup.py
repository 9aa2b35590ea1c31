"""Attacks on a market's making and its configuration (threats.md X2, X6, T17, T19, T25, G4, G9)."""

from dataclasses import replace
from hashlib import sha256

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.trading.conftest import Refused
from tests.trading.ground import Ground
from tests.trading.making import Plan, build, initialising, prepare
from tests.trading.money import write_mint, write_tokens
from tests.trading.rows import BASE, BUY, COLLECTING, QUOTE, SELL, key

from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.site import Site
from meterchain.tokens import TOKEN_PROGRAM
from meterchain.units import Lamports

TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
PLAN = Plan()
PROPOSE, ACCEPT, ADD_PROGRAM, PUSH = 0, 1, 5, 7


@pytest.fixture
def ground(site: Site, chain: EmbeddedChain, built: Programs, authority: Keypair) -> Ground:
    """Everything that a market needs, but no market."""
    return prepare(chain, built, authority)[0]


def test_only_the_engineering_authority_makes_a_market_and_only_once(ground: Ground, refused: Refused) -> None:
    stranger = key("stranger")
    ground.chain.airdrop(stranger.pubkey(), Lamports(10**12))
    assert refused(initialising(ground, PLAN, authority=stranger.pubkey()), by=stranger) == "Unauthorized"
    ground.send(initialising(ground, PLAN))
    market = ground.fetch_market()
    assert (market["quote_mint"], tuple(market["books"]), market["settling_book"]) == (
        ground.quote_mint,
        ground.books,
        255,
    )
    assert (market["value_floor"], market["value_step"], market["next_order_id"]) == (2_000, 5, 1)
    assert refused(initialising(ground, PLAN)) == "ConstraintZero"
    fresh = prepare(ground.chain, ground.built, ground.authority, Plan(name="second"))[0]
    again = {"book_0": fresh.books[0], "book_1": fresh.books[1], "seats": fresh.seats, "history": fresh.history}
    assert refused(initialising(ground, PLAN, **again)) == "AccountAlreadyInUse"


def test_a_market_is_made_though_somebody_funded_its_addresses_before(ground: Ground) -> None:
    for address in (ground.market, ground.vault(BASE), ground.vault(QUOTE)):
        ground.chain.airdrop(address, Lamports(1_000_000))
    ground.send(initialising(ground, PLAN))
    assert ground.fetch_market()["version"] == 1


def test_the_quote_is_a_classic_token_other_than_grid(ground: Ground, refused: Refused) -> None:
    def quoted_in(mint: Pubkey, **more: Pubkey) -> Instruction:
        market = ground._pda(b"market", bytes(mint))
        vaults = {
            name: ground._pda(b"vault", bytes(market), bytes([n]))
            for n, name in enumerate(("base_vault", "quote_vault"))
        }
        return initialising(ground, PLAN, quote_mint=mint, market=market, **vaults, **more)

    foreign = key("foreign mint").pubkey()
    write_mint(ground.chain, foreign, program=TOKEN_2022)
    assert refused(quoted_in(foreign)) == "IllegalOwner"
    assert refused(quoted_in(ground.grid)) == "BadMint"
    in_grid = key("fees in GRID").pubkey()
    write_tokens(ground.chain, in_grid, ground.grid, ground.authority.pubkey(), 0)
    assert refused(quoted_in(ground.grid, fee_destination=in_grid)) == "BadMint"
    another = key("another mint").pubkey()
    write_mint(ground.chain, another)
    for base in (ground.quote_mint, another):
        assert refused(initialising(ground, PLAN, base_mint=base)) == "BadMint"
    ground.send(initialising(ground, PLAN))


def test_a_quote_that_can_be_frozen_must_be_accepted_in_so_many_words(
    ground: Ground, refused: Refused, chain: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    plan = Plan(freezer=key("central bank").pubkey(), name="freezable")
    freezable, _ = prepare(chain, built, authority, plan)
    assert refused(initialising(freezable, plan)) == "FreezableMint"
    assert refused(initialising(freezable, plan, accept_freezable=2)) == "FreezableMint"
    assert refused(initialising(ground, PLAN, accept_freezable=2)) == "FreezableMint", "neither yes nor no"
    freezable.send(initialising(freezable, plan, accept_freezable=1))
    assert freezable.fetch_market()["accept_freezable"] == 1


def test_the_grid_must_be_exact_and_bounded(ground: Ground, refused: Refused) -> None:
    for bent, error in (
        ({"price_floor": 2_000_001}, "BadTick"),
        ({"tick_size": 5_001}, "BadTick"),
        ({"price_floor": 0}, "BadTick"),
        ({"tick_size": 0}, "BadTick"),
        ({"price_floor": 2**64 - 1}, "BadTick"),
        ({"price_floor": 2**31 * 1_000}, "BadTick"),
        ({"lot_size": 0}, "BadLot"),
        ({"lot_size": 2**64 - 1}, "BadLot"),
    ):
        assert refused(initialising(ground, replace(PLAN, **bent))) == error, bent
    ground.send(initialising(ground, PLAN))


def test_capacities_are_exactly_those_of_the_accounts(ground: Ground, refused: Refused) -> None:
    for bent in ({"n_slots": 127}, {"n_slots": 129}, {"n_seats": 31}, {"n_seats": 0}, {"n_seats": 2**32 - 1}):
        assert refused(initialising(ground, replace(PLAN, **bent))) == "BadCapacity", bent
    ground.send(initialising(ground, PLAN))


@pytest.mark.parametrize("which", ["book_0", "book_1", "seats", "history"])
def test_each_account_by_itself_has_exactly_its_size(ground: Ground, refused: Refused, which: str) -> None:
    """A few bytes more are no row more."""
    honest = initialising(ground, PLAN)
    names = ground.built["trading"].account_names("initialize_market")
    address = honest.accounts[names.index(which)].pubkey
    (info,) = ground.chain.accounts([address])
    assert info is not None
    ground.chain.set_account(address, owner=info.owner, data=info.data + bytes(8))
    assert refused(honest) == "BadCapacity"
    ground.chain.set_account(address, owner=info.owner, data=info.data)
    ground.send(honest)


@pytest.mark.parametrize("nothing", [{"n_seats": 0}, {"entries": 0}])
def test_a_market_has_a_seat_and_remembers_an_epoch(
    ground: Ground,
    refused: Refused,
    chain: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    nothing: dict[str, int],
) -> None:
    plan = replace(PLAN, name="empty", **nothing)
    empty, _ = prepare(chain, built, authority, plan)
    assert refused(initialising(empty, plan)) == "BadCapacity"
    one = replace(PLAN, name="smallest", **dict.fromkeys(nothing, 1))
    build(chain, built, authority, one)


def test_a_book_has_at_least_as_many_slots_as_there_are_seats(
    ground: Ground, refused: Refused, chain: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    plan = Plan(n_slots=8, n_seats=9, name="narrow")
    narrow, _ = prepare(chain, built, authority, plan)
    assert refused(initialising(narrow, plan)) == "BadCapacity"
    even = Plan(n_slots=9, n_seats=9, name="even")
    build(chain, built, authority, even)


def test_the_four_accounts_are_the_programs_own_and_empty_and_four(ground: Ground, refused: Refused) -> None:
    foreign = key("somebody's account").pubkey()
    ground.chain.set_account(foreign, owner=TOKEN_PROGRAM, data=bytes(len(ground.data(ground.books[0]))))
    assert refused(initialising(ground, PLAN, book_0=foreign)) == "IllegalOwner"
    assert refused(initialising(ground, PLAN, book_0=ground.books[1])) == "ConstraintDuplicateMutableAccount"
    assert refused(initialising(ground, PLAN, book_0=ground.seats)) == "ConstraintDuplicateMutableAccount"
    ground.send(initialising(ground, PLAN))


def test_the_accounts_of_one_market_cannot_be_given_to_another(
    ground: Ground, refused: Refused, chain: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    ground.send(initialising(ground, PLAN))
    other_plan = Plan(name="other")
    other, _ = prepare(chain, built, authority, other_plan)
    for name, address in (("book_0", ground.books[0]), ("seats", ground.seats), ("history", ground.history)):
        assert refused(initialising(other, other_plan, **{name: address})) == "ConstraintZero", name
    other.send(initialising(other, other_plan))


def test_fees_go_to_an_account_of_the_quote_token(ground: Ground, refused: Refused) -> None:
    wrong = key("grid account").pubkey()
    write_tokens(ground.chain, wrong, ground.grid, ground.authority.pubkey(), 0)
    assert refused(initialising(ground, PLAN, fee_destination=wrong)) == "BadMint"
    ground.send(initialising(ground, PLAN))
    assert refused(updating(ground, fee_destination=wrong)) == "BadMint"
    ground.send(updating(ground))


def updating(
    ground: Ground, *, by: Pubkey | None = None, fee_destination: Pubkey | None = None, **new: int
) -> Instruction:
    accounts = {"authority": by or ground.authority.pubkey(), "fee_destination": fee_destination or ground.fees}
    names = ("lot_size", "price_floor", "tick_size", "clearing_enabled")
    return ground.ix("update_market_params", accounts, {"update": {name: new.get(name) for name in names}})


def test_the_grid_does_not_change_under_live_orders(ground: Ground, refused: Refused) -> None:
    ground.send(initialising(ground, PLAN))
    anna = ground.join("anna")
    ground.place(anna, SELL, 100, 10)
    for bent in ({"lot_size": 2_000_000}, {"price_floor": 3_000_000}, {"tick_size": 10_000}):
        assert refused(updating(ground, **bent)) == "MarketBusy", bent
    ground.send(updating(ground, clearing_enabled=1))
    ground.settle_epoch()
    ground.send(updating(ground, tick_size=10_000))
    assert ground.fetch_market()["value_step"] == 10
    assert refused(updating(ground, tick_size=10_001)) == "BadTick"
    assert refused(updating(ground, clearing_enabled=2)) == "Overflow"


def test_only_the_live_authority_configures_and_sweeps(ground: Ground, refused: Refused) -> None:
    ground.send(initialising(ground, PLAN))
    anna = ground.join("anna")
    assert refused(updating(ground, by=anna.wallet, clearing_enabled=0), by=anna.key) == "Unauthorized"
    assert refused(ground.ix("sweep_fees", {"authority": anna.wallet}), by=anna.key) == "Unauthorized"
    ground.send(updating(ground, clearing_enabled=0), ground.ix("sweep_fees"))


def test_a_dismissed_authority_is_powerless_at_once(ground: Ground, refused: Refused) -> None:
    ground.send(initialising(ground, PLAN))
    governance = ground.built["governance"]
    (info,) = ground.chain.accounts([Pubkey.find_program_address([b"governance"], governance.program_id)[0]])
    assert info is not None
    successor = key("successor").pubkey()
    fields = governance.decode_account("GovernanceConfig", info.data) | {"engineering_authority": successor}
    data = governance.encode_account("GovernanceConfig", fields)
    ground.chain.set_account(info.address, owner=info.owner, data=data)
    assert ground.fetch_market()["engineering_authority"] == ground.authority.pubkey(), "nothing has been pushed yet"
    assert refused(updating(ground, clearing_enabled=0)) == "Unauthorized"


def test_set_authority_takes_governances_own_signature(ground: Ground, refused: Refused) -> None:
    ground.send(initialising(ground, PLAN))
    push = ground.ix("set_authority", {"config": ground.market})
    governance = push.accounts[0].pubkey
    impostor = ground.ix("set_authority", {"governance": ground.authority.pubkey(), "config": ground.market})
    assert refused(impostor) in ("IllegalOwner", "Unauthorized")
    pda = Pubkey.find_program_address([b"governance"], ground.built.id("oracle"))[0]
    ground.chain.set_account(pda, owner=ground.built.id("oracle"), data=ground.data(governance))
    with pytest.raises(Exception, match="IllegalOwner"):
        ground.send_unsigned(ground.ix("set_authority", {"governance": pda, "config": ground.market}))
    ground.patch(ground.market, "Market", engineering_authority=key("old").pubkey())
    ground.send_unsigned(push)
    assert ground.fetch_market()["engineering_authority"] == ground.authority.pubkey()


def test_swept_fees_are_what_accrued(ground: Ground, refused: Refused) -> None:
    ground.send(initialising(ground, PLAN))
    anna, ben = ground.join("anna"), ground.join("ben")
    ground.place(anna, SELL, 100, 10)
    ground.place(ben, BUY, 100, 10)
    ground.settle_epoch()
    accrued = ground.fetch_market()["fee_accrued"]
    assert accrued == -(-100 * 2_050 * 25 // 10_000)
    elsewhere = ground.give(ben.wallet, QUOTE, 0)
    assert refused(ground.ix("sweep_fees", {"fee_destination": elsewhere})) == "WrongAccount"
    ground.send(ground.ix("sweep_fees"))
    assert (ground.tokens(ground.fees), ground.fetch_market()["fee_accrued"]) == (accrued, 0)
    assert ground.fetch_market()["liab_quote"] == ground.tokens(ground.vault(QUOTE))


def test_accounts_of_another_kind_or_another_market_are_refused(
    ground: Ground, refused: Refused, chain: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    ground.send(initialising(ground, PLAN))
    other = build(chain, built, authority, Plan(name="other"))
    anna = ground.join("anna")
    honest = ground.order(anna, SELL, 100, 10)
    for bent, error in (
        ({"book": ground.seats}, "ConstraintDuplicateMutableAccount"),
        ({"book": ground.history}, "AccountDataTooSmall"),
        ({"seats": ground.history}, "InvalidAccountData"),
        ({"market": ground.books[1]}, "InvalidAccountData"),
        ({"book": other.books[0]}, "WrongBook"),
        ({"seats": other.seats}, "WrongAccount"),
        ({"vault": other.vault(BASE)}, "WrongAccount"),
        ({"market": other.market}, "WrongAccount"),
        ({"governance": ground.market}, "ConstraintDuplicateMutableAccount"),
        ({"governance": other.market}, "IllegalOwner"),
        ({"user": other.market}, "IllegalOwner"),
    ):
        assert refused(ground.order(anna, SELL, 100, 10, **bent), by=anna.key) == error, bent
    copy = key("copied book").pubkey()
    chain.set_account(copy, owner=sha_program(), data=ground.data(ground.books[0]))
    assert refused(ground.order(anna, SELL, 100, 10, book=copy), by=anna.key) == "IllegalOwner"
    ground.send(honest, by=anna.key)
    assert ground.state(ground.books[0]) == COLLECTING


def sha_program() -> Pubkey:
    """A program that is not ours."""
    return Pubkey(sha256(b"another program").digest())


def test_what_governance_and_the_registry_say_is_read_from_their_own_accounts(
    ground: Ground, refused: Refused, chain: EmbeddedChain
) -> None:
    ground.send(initialising(ground, PLAN))
    anna = ground.join("anna")
    honest = ground.order(anna, SELL, 100, 10)
    for index, name in ((1, "governance"), (2, "user")):
        copy = key(f"copied {name}").pubkey()
        chain.set_account(copy, owner=sha_program(), data=ground.data(honest.accounts[index].pubkey))
        assert refused(ground.order(anna, SELL, 100, 10, **{name: copy}), by=anna.key) == "IllegalOwner", name
    governance = honest.accounts[1].pubkey
    again = key("second governance").pubkey()
    chain.set_account(again, owner=ground.built.id("governance"), data=ground.data(governance))
    assert refused(ground.order(anna, SELL, 100, 10, governance=again), by=anna.key) == "ConstraintAddress"
    ground.send(honest, by=anna.key)


def test_governance_pushes_a_new_authority_into_the_market(ground: Ground, refused: Refused) -> None:
    ground.send(initialising(ground, PLAN))
    successor = key("successor")
    ground.chain.airdrop(successor.pubkey(), Lamports(10**12))

    def manage(action: int, who: Keypair, new: Pubkey, *remaining: AccountMeta) -> Instruction:
        accounts = {"authority": who.pubkey()}
        arguments = {"action": action, "key": new, "slot": 0}
        return ground.built["governance"].instruction("manage_authorities", accounts, arguments, remaining)

    trading = ground.built.id("trading")
    target = [AccountMeta(trading, is_signer=False, is_writable=False)]
    target.append(AccountMeta(ground.market, is_signer=False, is_writable=True))
    ground.send(manage(ADD_PROGRAM, ground.authority, trading))
    ground.send(manage(PROPOSE, ground.authority, successor.pubkey()))
    ground.send(manage(ACCEPT, successor, successor.pubkey()), by=successor)
    assert refused(updating(ground, clearing_enabled=1)) == "Unauthorized"
    ground.send(manage(PUSH, successor, trading, *target), by=successor)
    assert ground.fetch_market()["engineering_authority"] == successor.pubkey()
    ground.send(updating(ground, by=successor.pubkey(), clearing_enabled=1), by=successor)
