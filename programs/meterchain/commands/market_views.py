"""`market seat`, `book`, `history`, `plot`: what the chain shows of a market, for people, machines and eyes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from meterchain.commands.market_session import AMarket, Stall, seat_rows, stall
from meterchain.commands.session import LOCAL, AnAddress, AsJson, NotFound, ProgramsDir, Rpc, present, show_table
from meterchain.commands.site_rules import time_of
from meterchain.market import kept
from meterchain.market import plot as pictures
from meterchain.market.accounts import Book, BookState, HistoryEntry
from meterchain.market.curve import Curve, curve_of, price_of
from meterchain.market.raster import png_of
from meterchain.market.reading import fetch_books, fetch_history, fetch_seats
from meterchain.units import SLOT_S, UnixTime, slot_of

PICTURES = (".svg", ".png")
FLAGS = {1: "void", 2: "mismatch"}

Epoch = Annotated[
    str | None,
    typer.Option("--epoch", metavar="TIME", help="Start or any moment of an epoch: ISO 8601 or Unix seconds."),
]


def seat(
    context: typer.Context,
    wallet: AnAddress,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """What a wallet has in the market, free and locked, and its open orders."""
    with stall(context, rpc, programs, market) as here:
        present(here.seat_document(wallet), seat_rows(here, wallet), as_json=as_json)


def book(
    context: typer.Context,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    orders: Annotated[bool, typer.Option("--orders", help="Every order, in the order of arrival.")] = False,
    as_json: AsJson = False,
) -> None:
    """The books that are not empty: bids and offers at each price, and what would trade if they cleared now."""
    with stall(context, rpc, programs, market) as here:
        found = [
            each for each in fetch_books(here.chain, here.programs, here.market) if each.state is not BookState.IDLE
        ]
        found.sort(key=lambda each: each.epoch)
        if as_json:
            owners = [str(seat.owner) for seat in fetch_seats(here.chain, here.programs, here.market)]
            documents = [_book_document(here, each, owners) for each in found]
            present({"market": str(here.market.address), "books": documents}, [], as_json=True)
            return
        for each in found:
            _show_book(here, each, orders=orders)
        if not found:
            typer.echo("no orders: the next one opens this epoch's book")


def history(
    context: typer.Context,
    last: Annotated[int, typer.Option("--last", min=1, help="How many epochs, the newest.")] = 96,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """The settled epochs that had orders, oldest first: price, volume, money, fee."""
    with stall(context, rpc, programs, market) as here:
        entries = fetch_history(here.chain, here.programs, here.market)[-last:]
        documents = [_entry_document(here, entry) for entry in entries]
        if as_json:
            present({"market": str(here.market.address), "epochs": documents}, [], as_json=True)
            return
    head = ("epoch", "price", "kwh", "paid", "fee", "bid_kwh", "ask_kwh", "orders", "fills", "flags")
    rows = [(time_of(d["epoch"]), *(str(d[name]) for name in head[1:-1]), ",".join(d["flags"])) for d in documents]
    show_table(("epoch", "per kWh", "kWh", "paid", "fee", "bid kWh", "asked kWh", "orders", "fills", ""), rows)


def plot(
    context: typer.Context,
    epoch: Epoch = None,
    day: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="A day's prices and volumes, UTC.")] = None,
    saved: Annotated[Path | None, typer.Option(metavar="FILE", help="A book that `keeper run --keep` saved.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where it goes: .svg or .png.")] = None,
    currency: Annotated[str, typer.Option(help="The word on the price axis.")] = "",
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Draw an epoch's clearing (supply, demand, price, volume), or a day of epochs, as SVG or PNG.

    Without --epoch: the book that collects now.  A settled book is empty: draw it from what the keeper saved.
    PNG needs the extra `png` (pip install 'meterbridge[png]').
    """
    if sum(choice is not None for choice in (epoch, day, saved)) > 1:
        raise typer.BadParameter("write one of --epoch, --day, --saved")
    if out is not None and out.suffix not in PICTURES:
        raise typer.BadParameter(f"{out}: pictures end in {' or '.join(PICTURES)}")
    if out is not None and not out.parent.is_dir():
        raise typer.BadParameter(f"{out.parent}: no such folder; make it first")
    if saved is not None:
        curve, scale = kept.read(saved)
        picture, name = pictures.clearing(curve, scale, currency=currency, settled=True), f"epoch-{curve.epoch}"
    else:
        with stall(context, rpc, programs, market) as here:
            picture, name = _day_of(here, day, currency) if day else _epoch_of(here, epoch, currency)
    path = out or Path(f"{name}.svg")
    path.write_bytes(png_of(picture) if path.suffix == ".png" else picture.encode())
    present({"picture": str(path)}, [("picture", str(path))], as_json=as_json)


def _day_of(here: Stall, text: str, currency: str) -> tuple[str, str]:
    try:
        since = UnixTime(int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write it like 2026-11-23") from None
    entries = fetch_history(here.chain, here.programs, here.market)
    return pictures.day(entries, here.scale, since, currency=currency), f"day-{text}"


def _epoch_of(here: Stall, text: str | None, currency: str) -> tuple[str, str]:
    wanted = slot_of(here.chain.clock().unix_s) if text is None else slot_of(_moment(text))
    books = fetch_books(here.chain, here.programs, here.market)
    there = next((each for each in books if each.epoch == wanted and each.state is not BookState.IDLE), None)
    if there is None and text is not None:
        settled = [entry for entry in fetch_history(here.chain, here.programs, here.market) if entry.epoch == wanted]
        what = "is settled, and its book is empty" if settled else "has no orders on the chain"
        raise NotFound(
            f"the epoch of {time_of(wanted)} {what}: draw it with --saved FILE, if a keeper ran with --keep DIR"
        )
    curve = curve_of(there) if there else Curve(wanted, {}, {})
    final = there is not None and there.state is not BookState.COLLECTING
    return pictures.clearing(curve, here.scale, currency=currency, settled=final), f"epoch-{wanted}"


def _moment(text: str) -> int:
    try:
        if text.isdigit():
            return int(text)
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time; write 2026-11-23T12:15 (UTC) or Unix seconds") from None


def _book_document(here: Stall, book: Book, owners: list[str]) -> dict[str, Any]:
    curve, scale = curve_of(book), here.scale
    found = curve.crossing
    levels = sorted({*curve.bids, *curve.asks}, reverse=True)
    return {
        "epoch": book.epoch,
        "ends": book.epoch + SLOT_S,
        "state": book.state.name.lower(),
        "levels": [
            {
                "price": scale.per_kwh(price_of(scale, tick)),
                "bid_kwh": scale.lots(curve.bids.get(tick, 0)),
                "ask_kwh": scale.lots(curve.asks.get(tick, 0)),
            }
            for tick in levels
        ],
        "indicative": None
        if found is None
        else {"price": scale.per_kwh(price_of(scale, found.tick)), "kwh": scale.lots(found.volume)},
        "orders": [here.order_document(book, each) | {"owner": owners[each.seat]} for each in book.orders],
    }


def _show_book(here: Stall, book: Book, *, orders: bool) -> None:
    document = _book_document(here, book, [""] * here.market.n_seats)
    typer.echo(f"epoch {time_of(book.epoch)}, {document['state']}, {len(book.orders)} orders")
    names = ("price", "bid_kwh", "ask_kwh")
    rows = [tuple(str(level[name]) for name in names) for level in document["levels"]]
    show_table(("per kWh", "bid kWh", "asked kWh"), rows)
    found = document["indicative"]
    would = f"{found['kwh']} kWh would trade at {found['price']}" if found else "nothing would trade"
    typer.echo(would if book.state is BookState.COLLECTING else would.replace("would trade", "trade"))
    if orders:
        columns = ("id", "side", "kwh", "price", "state", "seat")
        show_table(columns, [tuple(str(each[name]) for name in columns) for each in document["orders"]])


def _entry_document(here: Stall, entry: HistoryEntry) -> dict[str, Any]:
    scale = here.scale
    return {
        "epoch": entry.epoch,
        "price": scale.per_kwh(entry.price),
        "kwh": scale.lots(entry.volume_lots),
        "paid": scale.coin(entry.quote_volume),
        "fee": scale.coin(entry.fee),
        "bid_kwh": scale.lots(entry.bid_lots),
        "ask_kwh": scale.lots(entry.ask_lots),
        "orders": entry.orders,
        "fills": entry.fills,
        "flags": [word for bit, word in FLAGS.items() if entry.flags & bit],
        "price_atoms": entry.price,
        "volume_lots": entry.volume_lots,
        "paid_atoms": entry.quote_volume,
        "fee_atoms": entry.fee,
        "fills_digest": entry.fills_digest.hex(),
    }
