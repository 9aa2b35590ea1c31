"""`market create` and `market issue`: the department's part, a currency and the market in which it pays for energy."""

from typing import Annotated

import typer
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions
from meterchain.accounts import OracleConfig, fetch
from meterchain.commands.costs import in_sol
from meterchain.commands.market_session import AMarket, stall
from meterchain.commands.recorded import attempt
from meterchain.commands.session import (
    LOCAL,
    WALLET,
    AnAddress,
    AsJson,
    Authority,
    DryRun,
    NotFound,
    ProgramsDir,
    Rpc,
    Session,
    an_address,
    conclude,
    present,
    say,
    session,
)
from meterchain.market import addresses, creation
from meterchain.market.amounts import AmountError, Scale
from meterchain.market.builders import MarketTerms
from meterchain.tokens import read_mint
from meterchain.wallets import load_wallet

LOT = "0.001"


def create(
    context: typer.Context,
    currency: Annotated[
        str, typer.Option(metavar="NAME", help="The campus currency; made if it is not there.")
    ] = "baht",
    quote_mint: Annotated[
        Pubkey | None, typer.Option(parser=an_address, metavar="ADDRESS", help="A mint that exists, instead.")
    ] = None,
    floor: Annotated[str, typer.Option(metavar="PRICE", help="Lowest price, money per kWh.")] = "2",
    tick: Annotated[str, typer.Option(metavar="PRICE", help="Step between prices; there are 1,024.")] = "0.005",
    lot: Annotated[str, typer.Option(metavar="KWH", help="Least energy that trades.")] = LOT,
    slots: Annotated[int, typer.Option(min=1, max=65_536, help="Orders a book holds.")] = 2_048,
    seats: Annotated[int, typer.Option(min=1, max=65_536, help="Traders; at most as many as slots.")] = 64,
    epochs: Annotated[int, typer.Option(min=1, max=87_000, help="Epochs that history remembers.")] = 2_976,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    accept_freezable: Annotated[bool, typer.Option(help="Take a mint whose owner can freeze the vault.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a currency and its market: books, seats, history, vaults.  Run again it goes on where it stopped.

    --dry-run says what is missing and what it costs in rent.
    Exit codes: 0 it is there, 3 the chain cannot be reached, 4 refused (there with other terms, not the authority).
    """
    signer = load_wallet(authority.expanduser(), "the authority")
    with session(context, rpc, programs, dry_run=dry_run) as here:
        chain, ours = here.chain, here.programs
        money = Scale(_decimals(here, quote_mint), lot_size=1, price_floor=0, tick_size=1)
        terms = MarketTerms(
            lot_size=money.energy(lot), price_floor=money.money(floor), tick_size=money.money(tick), n_slots=slots,
            n_seats=seats, history=epochs, accept_freezable=accept_freezable,
        )  # fmt: skip
        mint = quote_mint or addresses.quote_mint(signer.pubkey(), currency)
        address = addresses.market(ours, mint)
        lacking = list(creation.missing(chain, ours, signer.pubkey(), mint, terms))
        if not dry_run:
            if quote_mint is None:
                creation.create_currency(chain, signer, currency)
            creation.create_market(chain, ours, signer, mint, terms, progress=lambda what: say(f"  {what}"))
            if any(each.address == address for each in lacking):
                _let_anybody_trigger(here, signer)
        document = {
            "market": str(address),
            "quote_mint": str(mint),
            "made" if not dry_run else "missing": [
                {"what": each.what, "address": str(each.address), "bytes": each.size, "rent_lamports": each.rent}
                for each in lacking
            ],
        }
        rent = in_sol(sum(each.rent for each in lacking))
        rows = [("market", str(address)), ("currency", f"{mint}"), ("rent", f"{rent} for {len(lacking)} accounts")]
        if dry_run:
            present({"dry_run": True, **document}, rows, as_json=as_json)
        else:
            conclude(here, document, rows, as_json=as_json)


def issue(
    context: typer.Context,
    wallet: AnAddress,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Money, for example 250.50.")],
    authority: Authority = WALLET,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Issue campus currency to a wallet.  Called twice it issues twice.  Only whoever made the currency can."""
    signer = load_wallet(authority.expanduser(), "the authority")
    with stall(context, rpc, programs, market, dry_run=dry_run) as here:
        atoms = here.scale.money(amount)
        if not atoms:
            raise AmountError("nothing to issue: write an amount above 0")
        attempt(lambda: creation.issue(here.chain, signer, here.market.quote_mint, wallet, atoms))
        document = {"wallet": str(wallet), "issued": here.scale.coin(atoms), "atoms": atoms}
        conclude(here.session, document, [("issued", f"{here.scale.coin(atoms)} to {wallet}")], as_json=as_json)


def _decimals(here: Session, quote_mint: Pubkey | None) -> int:
    """Of the currency that is to be made, or of the mint that exists.  Raises NotFound, NotAToken."""
    if quote_mint is None:
        return creation.CURRENCY_DECIMALS
    (info,) = here.chain.accounts([quote_mint])
    if info is None:
        raise NotFound(f"there is no mint at {quote_mint} on {here.chain.name}; without --quote-mint one is made")
    return read_mint(info).decimals


def _let_anybody_trigger(here: Session, signer: Keypair) -> None:
    """Turn auto-clearing on: without it no keeper but the department may clear an epoch."""
    oracle = fetch(here.chain, here.programs, OracleConfig, here.site.oracle)
    if oracle is not None and not oracle.auto_clearing_enabled:
        step = instructions.set_auto_clearing(here.programs, signer.pubkey(), enabled=True)
        attempt(lambda: here.chain.send([step], [signer]))
