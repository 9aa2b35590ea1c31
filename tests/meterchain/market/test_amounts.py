"""Amounts are exact: decimal in, atoms out, and back; what does not fit is refused with what does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterchain.market.accounts import Asset
from meterchain.market.amounts import MOST_ATOMS, AmountError, Scale

CAMPUS = Scale(decimals=6, lot_size=1_000_000, price_floor=2_000_000, tick_size=5_000)


@given(st.integers(0, MOST_ATOMS))
def test_what_is_shown_is_read_back_to_the_atom(atoms: int) -> None:
    assert CAMPUS.energy(CAMPUS.kwh(atoms)) == atoms
    assert CAMPUS.money(CAMPUS.coin(atoms)) == atoms


def test_energy_and_money_are_written_as_people_do() -> None:
    assert (CAMPUS.kwh(1_250_000_000), CAMPUS.kwh(0), CAMPUS.kwh(1)) == ("1.25", "0", "0.000000001")
    assert (CAMPUS.coin(3_500_000), CAMPUS.per_kwh(3_455_000), CAMPUS.coin(1)) == ("3.50", "3.455", "0.000001")
    assert CAMPUS.shown(Asset.QUOTE, 2_000_000) == "2.00"
    assert CAMPUS.shown(Asset.BASE, 2_000_000) == "0.002"
    assert Scale(0, 1, 1, 1).coin(17) == "17"
    assert CAMPUS.coin(-5_000_000) == "-5.00"


@pytest.mark.parametrize("text", ["", "one", "1,5", "-1", "NaN", "inf", "1e400", "0.0000000001", "19e9999999999999"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(AmountError):
        CAMPUS.energy(text)


def test_energy_that_is_no_whole_lot_is_refused_with_its_neighbours() -> None:
    assert CAMPUS.tradable("1.234") == 1_234_000_000
    with pytest.raises(AmountError, match=r"write 1\.234 or 1\.235"):
        CAMPUS.tradable("1.2345")
    with pytest.raises(AmountError, match="lots"):
        CAMPUS.tradable("0")
    with pytest.raises(AmountError, match="more than one order"):
        CAMPUS.tradable("4294967.296")
    assert CAMPUS.tradable("4294967.295") == 4_294_967_295_000_000


def test_a_price_off_the_grid_is_refused_with_the_nearest_on_it() -> None:
    assert CAMPUS.price("3.455") == 3_455_000
    assert (CAMPUS.price("2"), CAMPUS.price("7.115")) == (2_000_000, 7_115_000)
    with pytest.raises(AmountError, match=r"2\.000 to 7\.115 in steps of 0\.005; the nearest is 3\.455"):
        CAMPUS.price("3.456")
    with pytest.raises(AmountError, match=r"nearest is 2\.000"):
        CAMPUS.price("1.995")
    with pytest.raises(AmountError, match=r"nearest is 7\.115"):
        CAMPUS.price("7.12")
