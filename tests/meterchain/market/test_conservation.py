"""The audit agrees with an honest market at every moment of its life, and names every forged book."""

from collections.abc import Callable
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.meterchain.market.place import Place

from meterchain import instructions
from meterchain.audit import audit
from meterchain.keeper import Keeper, instructions_of, look
from meterchain.keeper_plan import StepKind, next_actions
from meterchain.market import builders
from meterchain.market.accounts import MISMATCH, Asset, BookState, Side
from meterchain.market.conservation import checks
from meterchain.market.reading import fetch_books, fetch_history, fetch_seats, seat_number, space_for
from meterchain.parameters import BY_NAME
from meterchain.transactions import compute_limit
from meterchain.units import Atoms

AMOUNT_AT, DELEGATE_AT, STATE_AT = 64, 72, 108
BASE_FREE_AT, QUOTE_LOCKED_AT = 32, 56
"""In a seat's row."""


def failing(place: Place) -> list[str]:
    return [each.name.split(": ")[1] for each in checks(place.chain, place.programs) if not each.ok]


def patch(place: Place, address: Pubkey, at: int, content: bytes) -> None:
    """Forge bytes of an account as no transaction could."""
    (info,) = place.chain.accounts([address])
    assert info is not None
    data = info.data[:at] + content + info.data[at + len(content) :]
    place.chain.set_account(address, owner=info.owner, data=data, lamports=info.lamports)


def forge(place: Place, kind: str, address: Pubkey, **changes: Any) -> None:  # noqa: ANN401
    """Forge fields of a header."""
    (info,) = place.chain.accounts([address])
    assert info is not None
    idl = place.programs["trading"]
    patch(place, address, 0, idl.encode_account(kind, idl.decode_account(kind, info.data) | changes))


def add(place: Place, address: Pubkey, at: int, more: int) -> None:
    """Forge a u64."""
    (info,) = place.chain.accounts([address])
    assert info is not None
    now = int.from_bytes(info.data[at : at + 8], "little")
    patch(place, address, at, (now + more).to_bytes(8, "little"))


@pytest.fixture
def open_book(place: Place, traders: list[Keypair]) -> Place:
    """An epoch with orders, one of them cancelled, and something free in a seat."""
    place.open_epoch(traders)
    gone = place.order(traders[1], Side.SELL, 77, 333)
    (book, _) = fetch_books(place.chain, place.programs, place.market)
    order = next(order for order in book.orders if order.id == gone)
    wallet = traders[1].pubkey()
    place.send(builders.cancel_order(place.programs, place.market, wallet, book, order), by=traders[1])
    return place


def test_no_market_has_nothing_to_check(place: Place) -> None:
    assert failing(place) == []
    assert len(list(checks(place.chain, place.programs))) == 14


def test_an_honest_market_holds_after_every_single_order_of_matching_and_settling(open_book: Place) -> None:
    place = open_book
    one = {BY_NAME["MAX_SWEEP"].id: 1}
    place.send(instructions.update_parameters(place.programs, place.authority.pubkey(), one))
    assert failing(place) == []
    place.end_epoch()
    caller, middles = place.authority, 0
    while True:
        state = look(place.chain, place.programs, place.address, caller.pubkey())
        actions = next_actions(state, place.chain.clock().unix_s)
        if not actions:
            break
        first = instructions_of(place.programs, state.market, caller.pubkey(), actions[0])[0]
        place.chain.send([compute_limit(1_400_000), first], [caller])
        assert failing(place) == []
        sums = place.market.clear
        middles += actions[0].steps[0].kind is StepKind.SETTLE and sums.sum_cost != sums.sum_net + sums.sum_fee
    assert set(place.market.book_state) == {BookState.IDLE}
    assert middles > 0, "the sums were apart in the middle"
    assert place.market.fee_accrued > 0


def test_money_that_comes_and_goes_leaves_the_books_right(place: Place, traders: list[Keypair]) -> None:
    anna = traders[0]
    seat = seat_number(place.chain, place.programs, place.market, anna.pubkey())
    assert seat is not None
    for step in (builders.deposit, builders.withdraw):
        for asset in Asset:
            ours = step(place.programs, place.market, anna.pubkey(), seat, asset, Atoms(1_234_567))
            place.send(ours, by=anna)
            assert failing(place) == []
    ours = builders.deposit(place.programs, place.market, anna.pubkey(), seat, Asset.QUOTE, Atoms(5))
    place.send(ours, by=anna)
    place.send(builders.payout(place.programs, place.market, fetch_seats(place.chain, place.programs, place.market)))
    assert place.market.liab_quote == 0
    assert failing(place) == []


def seat_row(place: Place, index: int, field: int) -> int:
    at = space_for(place.programs, "Seats", 0)
    return at + index * (space_for(place.programs, "Seats", 1) - at) + field


FORGERIES: list[tuple[Callable[[Place], None], list[str]]] = [
    (lambda p: add(p, p.market.base_vault, AMOUNT_AT, -1), ["the GRID vault holds what is owed"]),
    (lambda p: add(p, p.market.quote_vault, AMOUNT_AT, -1), ["the money vault holds what is owed"]),
    (
        lambda p: patch(p, p.market.quote_vault, DELEGATE_AT, b"\1\0\0\0" + bytes(p.authority.pubkey())),
        ["the money vault is the market's alone, not frozen"],
    ),
    (lambda p: patch(p, p.market.base_vault, STATE_AT, b"\2"), ["the GRID vault is the market's alone, not frozen"]),
    (lambda p: add(p, p.market.seats, seat_row(p, 2, BASE_FREE_AT), 1), ["the seats' GRID adds up to what is owed"]),
    (
        lambda p: add(p, p.market.seats, seat_row(p, 2, QUOTE_LOCKED_AT), 5),
        ["the seats' money and the fees add up to what is owed", "what is locked stands behind orders, seat by seat"],
    ),
    (
        lambda p: forge(p, "Market", p.address, fee_accrued=1),
        ["the seats' money and the fees add up to what is owed"],
    ),
    (
        lambda p: forge(p, "Market", p.address, open_seats=5),
        ["every wallet has one seat, and nothing lies in an empty one"],
    ),
    (
        lambda p: forge(p, "Book", p.market.books[0], total_bid_lots=1),
        ["book 0's levels and totals are its orders'"],
    ),
    (lambda p: forge(p, "Book", p.market.books[1], state=1), ["book 1 is as the market says"]),
    (lambda p: forge(p, "Market", p.address, total_volume_lots=0), ["history is not more than the totals"]),
]


@pytest.mark.parametrize(("forgery", "named"), FORGERIES)
def test_a_forged_book_is_named(
    open_book: Place, traders: list[Keypair], forgery: Callable[[Place], None], named: list[str]
) -> None:
    place = open_book
    place.end_epoch()
    Keeper(place.chain, place.programs, place.address, place.authority).turn()
    place.send(builders.sweep_fees(place.programs, place.market, place.authority.pubkey()))
    place.open_epoch(traders)
    assert failing(place) == []
    forgery(place)
    assert failing(place) == named


def test_a_settling_that_did_not_sum_up_stays_in_history_and_is_named(open_book: Place) -> None:
    place = open_book
    place.end_epoch()
    Keeper(place.chain, place.programs, place.address, place.authority).turn()
    (entry,) = fetch_history(place.chain, place.programs, place.market)
    at = space_for(place.programs, "History", 0) + 72 + 10
    patch(place, place.market.history, at, MISMATCH.to_bytes(2, "little"))
    assert fetch_history(place.chain, place.programs, place.market)[0].flags == entry.flags | MISMATCH
    assert failing(place) == ["history holds only what can have happened"]


def test_the_audit_of_the_site_has_the_market_in_it(open_book: Place) -> None:
    found = audit(open_book.chain, open_book.programs).checks
    ours = [each for each in found if each.name.startswith("market ")]
    assert len(ours) == 14
    assert all(each.ok for each in ours)
