"""Trading at the keyboard: kWh and money in, exact; every command for machines too, and rehearsed without effect."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.meterchain.commands.conftest import Operator, Outcome
from tests.meterchain.market.place import Place, key, open_place

from meterchain.commands.keeper import app as keeper_app
from meterchain.commands.market import app
from meterchain.embedded import EmbeddedChain
from meterchain.market.plot import HEIGHT, WIDTH
from meterchain.programs import Programs
from meterchain.site import Site
from meterchain.units import Lamports

WalletOf = Callable[[Keypair], Path]


@pytest.fixture
def place(chain: EmbeddedChain, built: Programs, site: Site, authority: Keypair) -> Place:
    return open_place(chain, built, site, authority)


@pytest.fixture
def anna(place: Place) -> Keypair:
    return place.register("anna")


@pytest.fixture
def ben(place: Place) -> Keypair:
    return place.register("ben")


@pytest.fixture
def trade(operator: Operator, wallet_of: WalletOf) -> Callable[..., Outcome]:
    """`trade(anna, "order", …)`: as anna types it."""

    def run(who: Keypair, *words: object) -> Outcome:
        return operator.run(app, *words, "--wallet", wallet_of(who))

    return run


Trade = Callable[..., Outcome]


def test_an_order_opens_a_seat_locks_the_energy_and_shows_in_the_book(
    trade: Trade, operator: Operator, place: Place, anna: Keypair
) -> None:
    done = trade(anna, "order", "sell", "1.25", "3.455", "--client-id", 7, "--json")
    assert done.code == 0, done.err
    order = done.document["order"]
    assert (order["id"], order["side"], order["kwh"], order["price"]) == (1, "sell", "1.25", "3.455")
    assert done.document["seat"]["energy_locked_kwh"] == "1.25"
    assert [step["what"] for step in done.document["sent"]] == ["open_seat", "create_sell_order"]
    (book,) = operator.run(app, "book", "--json").document["books"]
    assert book["levels"] == [{"price": "3.455", "bid_kwh": "0", "ask_kwh": "1.25"}]
    assert (book["orders"][0]["owner"], book["orders"][0]["client_id"]) == (str(anna.pubkey()), 7)
    assert book["indicative"] is None
    told = operator.run(app, "book", "--orders")
    assert "3.455" in told.out
    assert "nothing would trade" in told.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sell", "1.2345", "3"), "write 1.234 or 1.235"),
        (("buy", "1", "3.456"), "nearest is 3.455"),
        (("buy", "-1", "3"), "no such option"),
        (("buy", "many", "3"), "no amount"),
    ],
)
def test_amounts_that_do_not_fit_are_errors_of_use(
    trade: Trade, place: Place, anna: Keypair, words: tuple[str, ...], said: str
) -> None:
    done = trade(anna, "order", *words)
    assert done.code == 2
    assert said in done.err.lower()


def test_a_rehearsed_order_says_what_it_would_do_and_does_nothing(
    trade: Trade, place: Place, chain: EmbeddedChain, anna: Keypair
) -> None:
    slot = chain.clock().slot
    done = trade(anna, "order", "buy", "2", "3.5", "--dry-run", "--json")
    assert done.code == 0, done.err
    assert (done.document["dry_run"], done.document["order"]["id"]) == (True, None)
    assert [step["what"] for step in done.document["sent"]] == ["open_seat", "create_buy_order"]
    assert chain.clock().slot == slot


def test_an_order_beyond_ones_means_is_refused_with_reason_next_step_and_what_was_sent_before(
    trade: Trade, place: Place, anna: Keypair
) -> None:
    done = trade(anna, "order", "sell", "1000", "3")
    assert done.code == 4
    assert "InsufficientFunds" in done.err
    assert "`meterbridge market seat WALLET`" in done.err
    assert "sent open_seat" in done.err


def test_money_goes_in_and_comes_back_to_the_atom(trade: Trade, place: Place, anna: Keypair) -> None:
    assert trade(anna, "deposit", "money", "12.345678").code == 0
    assert trade(anna, "deposit", "energy", "0.000000001").code == 0
    done = trade(anna, "withdraw", "money", "2.000001", "--json")
    assert (done.document["seat"]["money_free"], done.document["seat"]["energy_free_atoms"]) == ("10.345677", 1)
    done = trade(anna, "withdraw", "money", "all", "--json")
    assert (done.document["withdrawn"]["amount"], done.document["seat"]["money_free"]) == ("10.345677", "0.00")
    assert trade(anna, "withdraw", "money", "all", "--json").document["sent"] == []
    assert trade(anna, "withdraw", "money", "1").code == 4


def test_a_wallet_without_a_seat_has_nothing_to_withdraw(trade: Trade, place: Place, anna: Keypair) -> None:
    done = trade(anna, "withdraw", "money", "1")
    assert done.code == 4
    assert "no seat" in done.err


def test_own_orders_are_cancelled_by_number_or_all(
    trade: Trade, operator: Operator, place: Place, anna: Keypair, ben: Keypair
) -> None:
    for price in ("3", "4", "5"):
        trade(anna, "order", "buy", "1", price)
    trade(ben, "order", "sell", "1", "6")
    assert trade(anna, "cancel", "2", "--json").document["cancelled"] == [2]
    wrong = trade(anna, "cancel", "4")
    assert wrong.code == 2
    assert "its open orders are 1, 3" in wrong.err
    done = trade(anna, "cancel", "all", "--json")
    assert done.document["cancelled"] == [1, 3]
    assert done.document["seat"]["money_locked"] == "0.00"
    shown = operator.run(app, "seat", ben.pubkey(), "--json").document["seat"]
    assert [each["id"] for each in shown["open_orders"]] == [4]


def test_an_epoch_from_orders_to_history_and_pictures(
    trade: Trade, operator: Operator, place: Place, anna: Keypair, ben: Keypair, wallet_of: WalletOf, tmp_path: Path
) -> None:
    trade(anna, "order", "sell", "2", "3")
    trade(ben, "order", "buy", "1.5", "4")
    epoch = place.market.book_epoch[0]
    live = tmp_path / "live.svg"
    assert operator.run(app, "plot", "--out", live, "--currency", "baht").code == 0
    assert "if it cleared now: 3.500 baht per kWh, 1.5 kWh trade" in live.read_text("utf-8")
    place.end_epoch()
    payer = key("keeper")
    place.chain.airdrop(payer.pubkey(), Lamports(10**9))
    kept = tmp_path / "kept"
    words = ("run", "--once", "--payer", wallet_of(payer), "--keep", kept, "--json")
    ran = operator.run(keeper_app, *words)
    assert (ran.code, ran.document["alarms"], ran.document["refused"]) == (0, [], [])
    assert [done["what"] for done in ran.document["done"]] == ["trigger_market_clearing"]
    (entry,) = operator.run(app, "history", "--json").document["epochs"]
    assert (entry["epoch"], entry["price"], entry["kwh"], entry["paid"]) == (epoch, "3.500", "1.5", "5.25")
    assert entry["fee"] == "0.013125"
    assert "3.500" in operator.run(app, "history").out
    picture = tmp_path / "epoch.svg"
    assert operator.run(app, "plot", "--saved", kept / f"{epoch}.json", "--out", picture).code == 0
    assert "cleared at 3.500 per kWh, 1.5 kWh trade" in picture.read_text("utf-8")
    gone = operator.run(app, "plot", "--epoch", epoch, "--out", picture)
    assert gone.code == 2
    assert "is settled" in gone.err
    day = tmp_path / "day.svg"
    assert operator.run(app, "plot", "--day", "2026-01-01", "--out", day).code == 0
    assert "1 epochs settled, 1 with trades" in day.read_text("utf-8")


def test_a_keeper_whose_payer_is_poor_does_its_work_and_ends_with_one(
    operator: Operator, place: Place, wallet_of: WalletOf
) -> None:
    payer = key("poor")
    place.chain.airdrop(payer.pubkey(), Lamports(2_000_000))
    ran = operator.run(keeper_app, "run", "--once", "--payer", wallet_of(payer), "--json")
    assert ran.code == 1
    assert [each["kind"] for each in ran.document["alarms"]] == ["payer_low"]


def test_pictures_of_another_kind_are_wrong_use(operator: Operator, place: Place, tmp_path: Path) -> None:
    wrong = operator.run(app, "plot", "--out", tmp_path / "a.gif")
    assert (wrong.code, ".svg or .png" in wrong.err) == (2, True)


@pytest.mark.ci
def test_pictures_are_svg_or_png(operator: Operator, place: Place, anna: Keypair, trade: Trade, tmp_path: Path) -> None:
    trade(anna, "order", "sell", "2", "3")
    for words, name in (((), "epoch.png"), (("--day", "2026-01-01"), "day.png")):
        done = operator.run(app, "plot", *words, "--out", tmp_path / name, "--json")
        assert done.code == 0, done.err
        picture = (tmp_path / name).read_bytes()
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", picture[16:24]) == (2 * WIDTH, 2 * HEIGHT)


def test_a_market_is_made_once_and_rehearsed_with_its_price(
    operator: Operator, site: Site, department: Path, chain: EmbeddedChain
) -> None:
    words = ("create", "--currency", "credits", "--slots", 64, "--seats", 8, "--epochs", 4, "--authority", department)
    plan = operator.run(app, *words, "--dry-run", "--json")
    assert plan.code == 0, plan.err
    assert [each["what"] for each in plan.document["missing"]][:4] == ["book 0", "book 1", "seats", "history"]
    assert operator.run(app, "book").code == 4, "nothing was made"
    made = operator.run(app, *words, "--json")
    assert made.code == 0, made.err
    assert made.document["made"] == plan.document["missing"]
    assert made.document["sent"][0]["what"] == "pay_rent + allocate + initialize_mint"
    paid_rent = sum(each["rent_lamports"] for each in made.document["sent"])
    planned = {each["what"]: each["rent_lamports"] for each in plan.document["missing"]}
    assert paid_rent == sum(planned.values()) - planned["fee account"], "which may have been there"
    again = operator.run(app, *words, "--json")
    assert (again.document["made"], again.document["sent"]) == ([], [])
    paid = operator.run(app, "issue", key("anna").pubkey(), "2.5", "--authority", department, "--json")
    assert (paid.code, paid.document["issued"]) == (0, "2.50")
