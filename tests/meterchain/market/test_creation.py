"""A market is made in steps; each can be the last before a crash, and nobody can stand in the way."""

from dataclasses import replace

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.meterchain.market.failing_chain import Crash, FailingChain
from tests.meterchain.market.place import SMALL

from meterchain.embedded import EmbeddedChain
from meterchain.market import addresses
from meterchain.market.accounts import NO_BOOK, BookState
from meterchain.market.builders import MarketTerms
from meterchain.market.creation import create_currency, create_market, issue, missing
from meterchain.market.reading import fetch_books, fetch_history, fetch_seats, find_market
from meterchain.programs import Programs
from meterchain.site import Site, SiteError
from meterchain.tokens import read_mint, read_token_account
from meterchain.units import Atoms, Lamports


@pytest.fixture
def mint(chain: EmbeddedChain, site: Site, authority: Keypair) -> Pubkey:
    return create_currency(chain, authority, "baht").address


def test_a_market_shows_what_it_was_made_with(
    chain: EmbeddedChain, built: Programs, mint: Pubkey, authority: Keypair
) -> None:
    market = create_market(chain, built, authority, mint, SMALL)
    assert market == find_market(chain, built) == find_market(chain, built, market.address)
    assert (market.n_slots, market.n_seats, market.price_floor, market.value_floor) == (256, 16, 2_000_000, 2_000)
    assert (market.settling_book, market.book_state) == (NO_BOOK, (BookState.IDLE, BookState.IDLE))
    assert [(book.index, book.orders) for book in fetch_books(chain, built, market)] == [(0, ()), (1, ())]
    assert fetch_seats(chain, built, market) == []
    assert fetch_history(chain, built, market) == []
    assert list(missing(chain, built, authority.pubkey(), mint, SMALL)) == []


def test_the_capacity_of_a_campus_is_the_default(
    chain: EmbeddedChain, built: Programs, mint: Pubkey, authority: Keypair
) -> None:
    wanted = {each.what: each.size for each in missing(chain, built, authority.pubkey(), mint, MarketTerms())}
    assert wanted["book 0"] == 8_312 + 2_048 * 32
    assert wanted["history"] == 88 + 2_976 * 120
    assert create_market(chain, built, authority, mint).n_slots == 2_048


def test_made_again_a_market_costs_nothing_and_other_terms_are_refused(
    chain: EmbeddedChain, built: Programs, mint: Pubkey, authority: Keypair
) -> None:
    first = create_market(chain, built, authority, mint, SMALL)
    slot = chain.clock().slot
    assert create_market(chain, built, authority, mint, SMALL) == first
    assert create_currency(chain, authority, "baht").address == mint
    assert chain.clock().slot == slot, "nothing was sent"
    with pytest.raises(SiteError, match="other terms"):
        create_market(chain, built, authority, mint, replace(SMALL, tick_size=1_000))


@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize("sends", range(6))
def test_a_crash_at_any_step_is_made_good_by_running_again(
    chain: EmbeddedChain, built: Programs, mint: Pubkey, authority: Keypair, sends: int, *, landed: bool
) -> None:
    failing = FailingChain(chain, sends, landed=landed)
    with pytest.raises(Crash):
        create_market(failing, built, authority, mint, SMALL)  # type: ignore[arg-type]
    assert create_market(chain, built, authority, mint, SMALL).n_seats == 16


def test_lamports_sent_in_advance_stop_nobody(
    chain: EmbeddedChain, built: Programs, mint: Pubkey, authority: Keypair
) -> None:
    market = addresses.market(built, mint)
    for name in addresses.PARTS:
        chain.airdrop(addresses.part(built, authority.pubkey(), market, name), Lamports(1_000_000))
    chain.airdrop(market, Lamports(1_000_000))
    assert create_market(chain, built, authority, mint, SMALL).address == market


def test_an_earlier_attempt_with_other_capacities_is_named(
    chain: EmbeddedChain, built: Programs, mint: Pubkey, authority: Keypair
) -> None:
    with pytest.raises(Crash):
        create_market(FailingChain(chain, 3, landed=False), built, authority, mint, SMALL)  # type: ignore[arg-type]
    with pytest.raises(SiteError, match="other capacities"):
        create_market(chain, built, authority, mint, replace(SMALL, n_slots=512))


def test_money_is_issued_by_the_department_and_cannot_be_frozen(
    chain: EmbeddedChain, mint: Pubkey, authority: Keypair
) -> None:
    somebody = Keypair().pubkey()
    account = issue(chain, authority, mint, somebody, Atoms(1_500_000))
    issue(chain, authority, mint, somebody, Atoms(1))
    (info, money) = chain.accounts([account, mint])
    assert info is not None
    assert money is not None
    assert read_token_account(info).amount == 1_500_001
    assert (read_mint(money).freeze_authority, read_mint(money).mint_authority) == (None, authority.pubkey())
