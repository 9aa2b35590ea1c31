"""What the views return, and the ring of history behind one of them."""

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.trading.ground import Ground
from tests.trading.making import Plan, build
from tests.trading.rows import BUY, SELL, Trader, price

from meterchain.chain import TransactionFailed
from meterchain.embedded import START, EmbeddedChain
from meterchain.idl_types import Value
from meterchain.programs import Programs
from meterchain.site import Site
from meterchain.units import SLOT_S

ENTRIES = 3


@pytest.fixture
def ground(site: Site, chain: EmbeddedChain, built: Programs, authority: Keypair) -> Ground:
    """A market with a short memory."""
    return build(chain, built, authority, Plan(entries=ENTRIES))


def ask(ground: Ground, name: str, accounts: dict[str, Pubkey | None] | None = None, **arguments: int) -> Value:
    view = ground.ix(name, accounts, arguments)
    receipt = ground.chain.simulate([view], ground.authority.pubkey())
    return ground.built["trading"].decode_return(name, receipt.return_data)


def test_an_order_comes_back_as_it_lies_in_the_book(ground: Ground) -> None:
    anna = ground.join("anna")
    order_id = ground.place(anna, SELL, 100, 7, client_id=99)
    book = {"book": ground.books[0]}
    (row,) = ground.orders(ground.books[0])
    shown = ask(ground, "get_order", book, slot=0)
    assert shown == {name: getattr(row, name) for name in shown}
    assert (row.id, row.client_id, row.lots, row.tick, row.state) == (order_id, 99, 100, 7, 1)
    with pytest.raises(TransactionFailed, match="OrderNotFound"):
        ask(ground, "get_order", book, slot=1)


def test_a_seats_orders_are_listed_without_the_cancelled_ones(ground: Ground) -> None:
    anna, ben = ground.join("anna"), ground.join("ben")
    book = {"book": ground.books[0]}
    first = ground.place(anna, SELL, 100, 7)
    ground.place(ben, BUY, 100, 3)
    ground.place(anna, SELL, 100, 8)
    assert ask(ground, "get_orders_of", book, seat=anna.seat) == [0, 2]
    ground.send(ground.cancelling(anna, ground.books[0], 0, first), by=anna.key)
    assert ask(ground, "get_orders_of", book, seat=anna.seat) == [2]
    assert ask(ground, "get_orders_of", book, seat=9) == []


def test_a_seat_comes_back_as_it_lies_in_the_ledger(ground: Ground) -> None:
    anna = ground.join("anna")
    ground.send(ground.moving("deposit", anna, 0, 1_234), by=anna.key)
    shown = ask(ground, "get_seat", seat=anna.seat)
    assert (shown["owner"], shown["base_free"]) == (anna.wallet, 1_234)
    with pytest.raises(TransactionFailed, match="NotOwner"):
        ask(ground, "get_seat", seat=1)


def trade(ground: Ground, anna: Trader, ben: Trader, tick: int) -> None:
    ground.place(anna, SELL, 100, tick)
    ground.place(ben, BUY, 100, tick)
    ground.settle_epoch()


def test_history_remembers_the_last_epochs_and_finds_each(ground: Ground) -> None:
    anna, ben = ground.join("anna"), ground.join("ben")
    for n in range(5):
        trade(ground, anna, ben, 10 + n)
        known = range(max(0, n + 1 - ENTRIES), n + 1)
        for wanted in range(6):
            epoch = START + wanted * SLOT_S
            if wanted in known:
                shown = ask(ground, "get_epoch", epoch=epoch)
                assert (shown["epoch"], shown["price"]) == (epoch, price(10 + wanted))
            else:
                with pytest.raises(TransactionFailed, match="WrongPhase"):
                    ask(ground, "get_epoch", epoch=epoch)
    assert sorted(entry.epoch for entry in ground.entries()) == [START + n * SLOT_S for n in (2, 3, 4)]
    market = ground.fetch_market()
    assert (market["total_volume_lots"], market["total_trades"], market["last_price"]) == (500, 10, price(14))


def test_empty_epochs_leave_no_entry(ground: Ground) -> None:
    anna, ben = ground.join("anna"), ground.join("ben")
    trade(ground, anna, ben, 10)
    ground.end_epoch()
    ground.end_epoch()
    trade(ground, anna, ben, 10)
    assert [entry.epoch for entry in ground.entries()] == [START, START + 3 * SLOT_S]
