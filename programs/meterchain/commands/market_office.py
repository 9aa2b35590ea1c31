"""`market terms`, `sweep-fees`, `void`: what the department decides about a market that exists."""

from typing import Annotated, Any, Literal

import typer
from solders.pubkey import Pubkey

from meterchain.commands.market_session import AMarket, Stall, stall
from meterchain.commands.recorded import attempt
from meterchain.commands.session import (
    LOCAL,
    WALLET,
    AsJson,
    Authority,
    DryRun,
    NotFound,
    ProgramsDir,
    Row,
    Rpc,
    an_address,
    conclude,
    present,
)
from meterchain.market import builders
from meterchain.market.accounts import BookState, Market
from meterchain.market.reading import find_market
from meterchain.tokens import read_token_account
from meterchain.units import Atoms
from meterchain.wallets import load_wallet

_KEPT = "as it is without."


def terms(
    context: typer.Context,
    floor: Annotated[str | None, typer.Option(metavar="PRICE", help=f"Lowest price, money per kWh; {_KEPT}")] = None,
    tick: Annotated[str | None, typer.Option(metavar="PRICE", help=f"Step between prices; {_KEPT}")] = None,
    lot: Annotated[str | None, typer.Option(metavar="KWH", help=f"Least energy that trades; {_KEPT}")] = None,
    trading: Annotated[
        Literal["on", "off"] | None, typer.Option(help="Off, orders and clearing stop, exits do not.")
    ] = None,
    fees_to: Annotated[
        Pubkey | None, typer.Option(parser=an_address, metavar="ADDRESS", help=f"Token account; {_KEPT}")
    ] = None,
    authority: Authority = WALLET,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show a market's terms, or change some.  Floor, tick and lot only while both books are empty.

    Exit codes: 0 shown or set, 2 an amount that fits nothing, 3 the chain cannot be reached, 4 refused.
    """
    with stall(context, rpc, programs, market, dry_run=dry_run) as here:
        now, money = here.market, here.scale.money
        wanted = {
            "lot_size": None if lot is None else here.scale.energy(lot),
            "price_floor": None if floor is None else money(floor),
            "tick_size": None if tick is None else money(tick),
            "clearing_enabled": None if trading is None else trading == "on",
            "fee_destination": fees_to,
        }
        asked = {name: value for name, value in wanted.items() if value is not None}
        changed: dict[str, Any] = {name: value for name, value in asked.items() if value != getattr(now, name)}
        if changed:
            signer = load_wallet(authority.expanduser(), "the authority")
            step = builders.update_market_params(here.programs, signer.pubkey(), now, **changed)
            attempt(lambda: here.chain.send([step], [signer]))
        document, rows = _terms(here, find_market(here.chain, here.programs, now.address))
        if asked:
            conclude(here.session, document, rows, as_json=as_json)
        else:
            present(document, rows, as_json=as_json)


def sweep_fees(
    context: typer.Context,
    authority: Authority = WALLET,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send the fees that a market has taken to its fee destination (`market terms`)."""
    with stall(context, rpc, programs, market, dry_run=dry_run) as here:
        fees = Atoms(here.market.fee_accrued)
        if fees:
            signer = load_wallet(authority.expanduser(), "the authority")
            step = builders.sweep_fees(here.programs, here.market, signer.pubkey())
            attempt(lambda: here.chain.send([step], [signer]))
        document = {"swept": here.scale.coin(fees), "swept_atoms": fees, "to": str(here.market.fee_destination)}
        rows = [("swept", f"{here.scale.coin(fees)} to {here.market.fee_destination}")]
        conclude(here.session, document, rows, as_json=as_json)


def void(
    context: typer.Context,
    authority: Authority = WALLET,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give up the epoch that is being matched: nobody trades, everybody gets back what is locked.

    The department may at any time before settling, anybody once the market has been halted for a day (a keeper does).
    """
    with stall(context, rpc, programs, market, dry_run=dry_run) as here:
        now, book = here.market, here.market.settling_book
        if book not in (0, 1) or now.book_state[book] is not BookState.MATCHING:
            raise NotFound("no epoch is being matched in this market: there is nothing to give up")
        signer = load_wallet(authority.expanduser(), "the authority")
        step = builders.void_epoch(here.programs, now, signer.pubkey(), book)
        attempt(lambda: here.chain.send([step], [signer]))
        epoch = now.book_epoch[book]
        conclude(here.session, {"voided_epoch": epoch}, [("voided", f"epoch {epoch}")], as_json=as_json)


def _terms(here: Stall, now: Market) -> tuple[dict[str, Any], list[Row]]:
    scale = here.scale
    (account,) = here.chain.accounts([now.fee_destination])
    owner = str(read_token_account(account).owner) if account and account.data else None
    document = {
        "market": str(now.address),
        "lot_kwh": scale.kwh(now.lot_size),
        "price_floor": scale.per_kwh(now.price_floor),
        "tick": scale.per_kwh(now.tick_size),
        "trading": bool(now.clearing_enabled),
        "halted": bool(now.halted),
        "fee_destination": str(now.fee_destination),
        "fee_owner": owner,
        "fees": scale.coin(now.fee_accrued),
        "fees_atoms": now.fee_accrued,
    }
    return document, [
        ("market", str(now.address)),
        ("prices", f"from {document['price_floor']} by {document['tick']} per kWh"),
        ("lot", f"{document['lot_kwh']} kWh"),
        ("trading", "halted" if now.halted else "on" if now.clearing_enabled else "off"),
        ("fees", f"{document['fees']} for {now.fee_destination}, of {owner or 'nobody: it is gone'}"),
    ]
