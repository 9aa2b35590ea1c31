"""The model against brute force: two ways of saying the same rules."""

from hypothesis import given
from hypothesis import strategies as st
from tests.trading import brute, model
from tests.trading.model import PRO_RATA, TIME, Order
from tests.trading.rows import BUY, LOT, SELL, value

few = st.builds(
    Order,
    side=st.sampled_from([BUY, SELL]),
    tick=st.sampled_from([0, 1, 2, 500, 501, 1022, 1023]),
    lots=st.integers(1, 30),
    seat=st.integers(0, 3),
    cancelled=st.sampled_from([False, False, False, True]),
)


@given(st.lists(few, max_size=20), st.sampled_from([PRO_RATA, TIME]))
def test_the_model_agrees_with_brute_force(orders: list[Order], rule: int) -> None:
    found = model.clear(orders)
    assert (found and (found.volume, found.imbalance, found.tick)) == brute.clear(orders)
    filled = model.allocate(orders, found, rule)
    volume = found.volume if found else 0
    by_hand = brute.allocate(orders, volume, BUY, rule) | brute.allocate(orders, volume, SELL, rule)
    assert dict(enumerate(filled)) == {slot: by_hand.get(slot, 0) for slot in range(len(orders))}


@given(st.lists(few, min_size=1, max_size=20), st.sampled_from([PRO_RATA, TIME]))
def test_every_trade_respects_its_limit_and_every_lot_sold_is_bought(orders: list[Order], rule: int) -> None:
    found = model.clear(orders)
    filled = model.allocate(orders, found, rule)
    for order, lots in zip(orders, filled, strict=True):
        assert 0 <= lots <= order.lots
        if lots:
            assert found is not None
            assert order.tick >= found.tick if order.side == BUY else order.tick <= found.tick
    sums = [sum(lots for order, lots in zip(orders, filled, strict=True) if order.side == side) for side in (BUY, SELL)]
    assert sums == [found.volume if found else 0] * 2


@given(st.lists(few, min_size=1, max_size=20), st.integers(0, 500))
def test_what_buyers_pay_is_what_sellers_receive_and_the_fee(orders: list[Order], fee_bps: int) -> None:
    found = model.clear(orders)
    filled = model.allocate(orders, found, PRO_RATA)
    done = model.settle(orders, filled, found, fee_bps)
    live = [order for order in orders if not order.cancelled]
    locked_base = sum(order.lots * LOT for order in live if order.side == SELL)
    locked_quote = sum(order.lots * value(order.tick) for order in live if order.side == BUY)
    assert sum(seat.base for seat in done.seats.values()) == locked_base
    assert sum(seat.quote for seat in done.seats.values()) + done.fee == locked_quote
