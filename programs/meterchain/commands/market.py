"""`meterbridge market`: orders and money of one's own; energy in kWh, prices in money per kWh, all of it exact."""

from collections.abc import Sequence
from typing import Annotated, Literal

import typer
from solders.pubkey import Pubkey

from meterchain.commands import market_office, market_seats, market_setup, market_views
from meterchain.commands.market_session import ASSETS, AMarket, Stall, Wallet, seat_rows, stall
from meterchain.commands.recorded import attempt
from meterchain.commands.session import (
    LOCAL,
    WALLET,
    AsJson,
    DryRun,
    NotFound,
    ProgramsDir,
    Rpc,
    an_address,
    conclude,
)
from meterchain.market import builders
from meterchain.market.accounts import Asset, Book, Order, Side
from meterchain.tokens import create_associated_token_account
from meterchain.units import Atoms, slot_of
from meterchain.wallets import load_wallet

ALL = "all"

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The market: orders, money, books, pictures.")

Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="kWh of energy, or money; for example 1.25.")]
What = Annotated[Literal["energy", "money"], typer.Argument(help="GRID (1 kWh = 1 GRID), or the market's currency.")]


@app.command()
def order(
    context: typer.Context,
    side: Annotated[Literal["sell", "buy"], typer.Argument(help="Sell own energy, or buy.")],
    energy: Annotated[str, typer.Argument(metavar="KWH", help="Energy, kWh.")],
    price: Annotated[str, typer.Argument(metavar="PRICE", help="Money per kWh: at least (sell), at most (buy).")],
    client_id: Annotated[int, typer.Option(min=0, help="A number of your own to know it by.")] = 0,
    wallet: Wallet = WALLET,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Place an order in this epoch's book; what stands behind it is locked at once.

    Opens a seat if the wallet has none.  Called twice it places two orders.
    Exit codes: 0 placed, 2 amount or price off the grid, 3 the chain cannot be reached, 4 refused by the market.
    """
    signer = load_wallet(wallet.expanduser(), "the trader")
    with stall(context, rpc, programs, market, dry_run=dry_run) as here:
        which, atoms, limit = Side[side.upper()], here.scale.tradable(energy), here.scale.price(price)
        seat, epoch = here.seat_of(signer), slot_of(here.chain.clock().unix_s)
        wanted = builders.create_order(
            here.programs, here.market, signer.pubkey(), seat, which, atoms, limit, epoch=epoch, client_id=client_id
        )
        receipt = attempt(lambda: here.chain.send([wanted], [signer]))
        placed = int.from_bytes(receipt.return_data, "little") if receipt else None
        document = {
            "order": {
                "id": placed,
                "side": side,
                "kwh": here.scale.kwh(atoms),
                "energy_atoms": atoms,
                "price": here.scale.per_kwh(limit),
                "price_atoms": limit,
                "epoch": epoch,
            },
            **here.seat_document(signer.pubkey()),
        }
        said = f"{side} {here.scale.kwh(atoms)} kWh at {here.scale.per_kwh(limit)} per kWh"
        rows = [("order", said if placed is None else f"{placed} {said}"), *seat_rows(here, signer.pubkey())]
        conclude(here.session, document, rows, as_json=as_json)


@app.command()
def cancel(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help=f"Numbers of own orders, or {ALL}.")],
    of: Annotated[
        Pubkey | None,
        typer.Option("--of", parser=an_address, metavar="WALLET", help="A suspended user's; the department may."),
    ] = None,
    wallet: Wallet = WALLET,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take own open orders back; what stood behind them is free again.  Works while everything is paused.

    Not in the last minute of an epoch (CANCEL_FREEZE_SECS) nor while it waits to be cleared.
    """
    signer = load_wallet(wallet.expanduser(), "the trader")
    whose = of or signer.pubkey()
    with stall(context, rpc, programs, market, dry_run=dry_run) as here:
        own = here.own_orders(whose)
        gone: list[Order] = []
        for book, each in _chosen(own, ids):
            step = builders.cancel_order(here.programs, here.market, whose, book, each, signer.pubkey())
            attempt(lambda step=step: here.chain.send([step], [signer]))  # type: ignore[misc]
            gone.append(each)
        document = {"cancelled": [each.id for each in gone], **here.seat_document(whose)}
        rows = [("cancelled", ", ".join(str(each.id) for each in gone) or "nothing"), *seat_rows(here, whose)]
        conclude(here.session, document, rows, as_json=as_json)


@app.command()
def deposit(
    context: typer.Context,
    what: What,
    amount: Amount,
    wallet: Wallet = WALLET,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move energy or money from the wallet into the seat; orders do it by themselves as far as they need it."""
    signer = load_wallet(wallet.expanduser(), "the trader")
    with stall(context, rpc, programs, market, dry_run=dry_run) as here:
        asset, seat = ASSETS[what], here.seat_of(signer)
        atoms = here.scale.amount(asset, amount)
        step = builders.deposit(here.programs, here.market, signer.pubkey(), seat, asset, atoms)
        attempt(lambda: here.chain.send([step], [signer]))
        _moved(here, signer.pubkey(), "deposited", asset, atoms, as_json=as_json)


@app.command()
def withdraw(
    context: typer.Context,
    what: What,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help=f"kWh or money, or {ALL}.")],
    wallet: Wallet = WALLET,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move what is free in the seat back to the wallet.  Works while everything is paused."""
    signer = load_wallet(wallet.expanduser(), "the trader")
    with stall(context, rpc, programs, market, dry_run=dry_run) as here:
        asset, own = ASSETS[what], here.existing_seat(signer.pubkey())
        atoms = Atoms(own.free(asset)) if amount == ALL else here.scale.amount(asset, amount)
        if atoms:
            back = create_associated_token_account(signer.pubkey(), signer.pubkey(), here.market.mint(asset))
            step = builders.withdraw(here.programs, here.market, signer.pubkey(), own.index, asset, atoms)
            attempt(lambda: here.chain.send([back, step], [signer]))
        _moved(here, signer.pubkey(), "withdrawn", asset, atoms, as_json=as_json)


app.command()(market_views.seat)
app.command()(market_views.book)
app.command()(market_views.history)
app.command()(market_views.plot)
app.command()(market_setup.create)
app.command()(market_setup.issue)
app.command()(market_seats.hold)
app.command()(market_seats.leave)
app.command()(market_seats.payout)
app.command()(market_office.terms)
app.command(name="sweep-fees")(market_office.sweep_fees)
app.command()(market_office.void)


def _chosen(own: Sequence[tuple[Book, Order]], ids: Sequence[str]) -> list[tuple[Book, Order]]:
    """Raises NotFound for a number that is no open order of this wallet."""
    if list(ids) == [ALL]:
        return list(own)
    known = {str(each.id): (book, each) for book, each in own}
    if unknown := [text for text in ids if text not in known]:
        there = f"its open orders are {', '.join(known)}" if known else "it has none open"
        raise NotFound(f"this wallet has no open order {', '.join(unknown)}; {there}")
    return [known[text] for text in dict.fromkeys(ids)]


def _moved(here: Stall, wallet: Pubkey, word: str, asset: Asset, atoms: Atoms, *, as_json: bool) -> None:
    name, shown = ("money" if asset is Asset.QUOTE else "energy"), here.scale.shown(asset, atoms)
    document = {word: {"what": name, "amount": shown, "atoms": atoms}, **here.seat_document(wallet)}
    rows = [(word, f"{shown}{'' if asset is Asset.QUOTE else ' kWh'}"), *seat_rows(here, wallet)]
    conclude(here.session, document, rows, as_json=as_json)
