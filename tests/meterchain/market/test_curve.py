"""The curve's crossing is the auction's, and its pictures say what it says."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from meterchain.market import plot
from meterchain.market.accounts import HistoryEntry, Side
from meterchain.market.amounts import Scale
from meterchain.market.curve import Crossing, Curve, curve_of_orders
from meterchain.units import Slot, UnixTime

CAMPUS = Scale(6, 1_000_000, 2_000_000, 5_000)
NOON = Slot(1_767_268_800)
ORDERS = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(0, 40), st.one_of(st.integers(1, 9), st.integers(1, 2**32 - 1))),
    max_size=14,
)


def crossing(*orders: tuple[Side, int, int]) -> Crossing | None:
    return curve_of_orders(NOON, orders).crossing


def tree(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  our own text


def words(svg: str) -> str:
    return " ".join(tree(svg).itertext())


def test_the_price_is_the_middle_of_equally_good_ticks() -> None:
    assert crossing((Side.BUY, 900, 10), (Side.SELL, 100, 10)) == Crossing(500, 10, 0)
    assert crossing((Side.BUY, 1023, 10), (Side.SELL, 0, 10)) == Crossing(511, 10, 0)
    assert crossing((Side.BUY, 7, 10), (Side.SELL, 7, 4)) == Crossing(7, 4, 6)


def test_nothing_crosses_without_both_sides_meeting() -> None:
    assert crossing() is None
    assert crossing((Side.BUY, 5, 10)) is None
    assert crossing((Side.BUY, 5, 10), (Side.SELL, 6, 10)) is None


@given(ORDERS)
def test_no_other_tick_trades_more_or_leaves_less(orders: list[tuple[Side, int, int]]) -> None:
    def at(tick: int) -> tuple[int, int]:
        demand = sum(lots for side, t, lots in orders if side is Side.BUY and t >= tick)
        supply = sum(lots for side, t, lots in orders if side is Side.SELL and t <= tick)
        return min(demand, supply), -abs(demand - supply)

    found = curve_of_orders(NOON, orders).crossing
    best = max(at(tick) for tick in range(1024))
    assert (found is None) == (best[0] == 0)
    if found:
        assert (found.volume, -found.imbalance) == at(found.tick) == best


def test_a_picture_of_an_epoch_tells_price_and_volume() -> None:
    curve = curve_of_orders(NOON, [(Side.BUY, 400, 1_500), (Side.BUY, 200, 500), (Side.SELL, 300, 1_200)])
    told = words(plot.clearing(curve, CAMPUS, currency="baht", settled=True))
    assert "Epoch 2026-01-01 12:00 UTC" in told
    assert "cleared at 3.750 baht per kWh, 1.2 kWh trade" in told
    assert "demand, 2 kWh" in told
    assert "supply, 1.2 kWh" in told
    assert "if it cleared now" in words(plot.clearing(curve, CAMPUS))


def test_an_epoch_without_trades_or_orders_has_a_picture_too() -> None:
    assert "no bid reaches an offer" in words(plot.clearing(Curve(NOON, {1: 5}, {2: 5}), CAMPUS))
    assert "no bid reaches an offer" in words(plot.clearing(Curve(NOON, {}, {1023: 2**32 - 1}), CAMPUS))
    assert "no orders" in words(plot.clearing(Curve(NOON, {}, {}), CAMPUS))


@given(ORDERS)
def test_any_book_gives_well_formed_svg(orders: list[tuple[Side, int, int]]) -> None:
    svg = plot.clearing(curve_of_orders(NOON, orders), CAMPUS, currency="<&>")
    assert "nan" not in svg
    assert tree(svg).tag.endswith("svg")


def entry(epoch: int, price: int, lots: int) -> HistoryEntry:
    paid = price * lots // 1_000
    return HistoryEntry(Slot(epoch), price, lots, paid, 0, lots, lots, 1, 2, 2, 2, 0, 0, bytes(32))


def test_a_picture_of_a_day_counts_its_epochs_alone() -> None:
    since = UnixTime(NOON - NOON % 86_400)
    entries = [entry(since - 900, 9_000_000, 7), entry(since, 3_000_000, 2_000), entry(since + 900, 0, 0)]
    told = words(plot.day([*entries, entry(since + 86_400, 5_000_000, 9)], CAMPUS, since, currency="baht"))
    assert "Market day 2026-01-01 UTC" in told
    assert "2 epochs settled, 1 with trades, 2 kWh for 6.00 baht" in told
    assert "0 epochs settled" in words(plot.day([], CAMPUS, since))
