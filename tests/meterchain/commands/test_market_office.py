"""What the department decides about a market, and what becomes of seats: told first, done once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.meterchain.commands.conftest import Operator
from tests.meterchain.market.place import Place, key, open_place

from meterchain import instructions
from meterchain.accounts import UserStatus
from meterchain.commands.keeper import app as keeper_app
from meterchain.commands.market import app
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.site import Site
from meterchain.units import Lamports

WalletOf = Callable[[Keypair], Path]


@pytest.fixture
def place(chain: EmbeddedChain, built: Programs, site: Site, authority: Keypair) -> Place:
    return open_place(chain, built, site, authority)


@pytest.fixture
def traded(operator: Operator, place: Place, wallet_of: WalletOf) -> tuple[Keypair, Keypair]:
    """A seller and a buyer after an epoch that settled 1 kWh at 3.5."""
    people = place.register("anna"), place.register("ben")
    for who, words in zip(people, (("sell", "1", "3"), ("buy", "1", "4")), strict=True):
        assert operator.run(app, "order", *words, "--wallet", wallet_of(who)).code == 0
    place.end_epoch()
    payer = key("keeper")
    place.chain.airdrop(payer.pubkey(), Lamports(10**9))
    assert operator.run(keeper_app, "run", "--once", "--payer", wallet_of(payer)).code == 0
    return people


def test_terms_are_shown_rehearsed_and_changed_once(operator: Operator, place: Place, department: Path) -> None:
    shown = operator.run(app, "terms", "--json").document
    assert (shown["price_floor"], shown["tick"], shown["trading"]) == ("2.000", "0.005", True)
    asked = ("terms", "--tick", "0.01", "--trading", "off", "--authority", department, "--json")
    assert operator.run(app, *asked, "--dry-run").document["tick"] == "0.005"
    done = operator.run(app, *asked)
    assert done.code == 0, done.err
    assert (done.document["tick"], done.document["trading"], done.document["price_floor"]) == ("0.010", False, "2.000")
    assert operator.run(app, *asked).document["sent"] == []
    closed = place.register("anna")
    assert "off" in operator.run(app, "terms").out
    assert place.market.clearing_enabled == 0
    assert closed


def test_a_tick_does_not_change_under_orders_that_stand(
    operator: Operator, place: Place, wallet_of: WalletOf, department: Path
) -> None:
    anna = place.register("anna")
    assert operator.run(app, "order", "buy", "1", "3", "--wallet", wallet_of(anna)).code == 0
    refused = operator.run(app, "terms", "--tick", "0.01", "--authority", department)
    assert (refused.code, "MarketBusy" in refused.err) == (4, True)


def test_fees_are_swept_once(
    operator: Operator, place: Place, traded: tuple[Keypair, Keypair], department: Path
) -> None:
    asked = ("sweep-fees", "--authority", department, "--json")
    assert operator.run(app, *asked, "--dry-run").document["swept"] == "0.00875"
    assert operator.run(app, *asked).document["swept_atoms"] == 8_750
    again = operator.run(app, *asked).document
    assert (again["swept_atoms"], again["sent"]) == (0, [])


def test_payouts_pass_over_a_seat_on_hold_and_an_empty_seat_is_given_back(
    operator: Operator, place: Place, traded: tuple[Keypair, Keypair], wallet_of: WalletOf
) -> None:
    anna, ben = traded
    hold = ("hold", "on", "--wallet", wallet_of(anna), "--json")
    assert operator.run(app, *hold).document["hold"]
    assert operator.run(app, *hold).document["sent"] == []
    paying = ("payout", "--wallet", wallet_of(ben), "--json")
    (told,) = operator.run(app, *paying, "--dry-run").document["payouts"]
    assert (told["owner"], told["energy_kwh"], told["paid"]) == (str(ben.pubkey()), "1", False)
    (paid,) = operator.run(app, *paying).document["payouts"]
    assert (paid["owner"], paid["paid"]) == (str(ben.pubkey()), True)
    assert operator.run(app, *paying).document["payouts"] == []
    assert operator.run(app, "leave", "--wallet", wallet_of(anna)).code == 4
    leaving = ("leave", "--wallet", wallet_of(ben), "--json")
    assert operator.run(app, *leaving).document["seat"] is None
    assert operator.run(app, *leaving).document["sent"] == []


def test_the_department_takes_a_suspended_user_s_orders_back_and_nobody_else_s(
    operator: Operator, place: Place, wallet_of: WalletOf, department: Path
) -> None:
    anna = place.register("anna")
    assert operator.run(app, "order", "buy", "1", "3", "--wallet", wallet_of(anna)).code == 0
    asked = ("cancel", "all", "--of", anna.pubkey(), "--wallet", department, "--json")
    assert operator.run(app, *asked).code == 4
    step = instructions.set_user_status(place.programs, place.authority.pubkey(), anna.pubkey(), UserStatus.SUSPENDED)
    place.send(step)
    done = operator.run(app, *asked)
    assert (done.code, done.document["cancelled"]) == (0, [1])
    assert done.document["seat"]["money_locked"] == "0.00"


def test_there_is_nothing_to_void_while_no_epoch_is_matched(operator: Operator, place: Place, department: Path) -> None:
    refused = operator.run(app, "void", "--authority", department)
    assert (refused.code, "nothing to give up" in refused.err) == (2, True)
