"""`market hold`, `leave`, `payout`: a seat that payouts leave alone, a seat given back, and free balances sent home."""

from typing import Annotated, Literal

import typer
from solders.pubkey import Pubkey

from meterchain.commands.market_session import AMarket, Wallet, seat_rows, stall
from meterchain.commands.recorded import attempt
from meterchain.commands.session import LOCAL, WALLET, AsJson, DryRun, ProgramsDir, Rpc, an_address, conclude
from meterchain.market import builders
from meterchain.market.accounts import HOLD, Seat
from meterchain.market.reading import fetch_seats, seat_number
from meterchain.wallets import load_wallet

SEATS_AT_ONCE = 4
"""Paid in one transaction."""


def hold(
    context: typer.Context,
    state: Annotated[Literal["on", "off"], typer.Argument(help="On: payouts leave this seat alone.")],
    wallet: Wallet = WALLET,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Keep what is free in the seat for the next orders; off, `market payout` may send it to the wallet."""
    signer = load_wallet(wallet.expanduser(), "the trader")
    with stall(context, rpc, programs, market, dry_run=dry_run) as here:
        own = here.existing_seat(signer.pubkey())
        flags = own.flags | HOLD if state == "on" else own.flags & ~HOLD
        if flags != own.flags:
            step = builders.set_seat_flags(here.programs, here.market, signer.pubkey(), own.index, flags)
            attempt(lambda: here.chain.send([step], [signer]))
        document = {"hold": state == "on", **here.seat_document(signer.pubkey())}
        conclude(here.session, document, [("hold", state), *seat_rows(here, signer.pubkey())], as_json=as_json)


def leave(
    context: typer.Context,
    of: Annotated[
        Pubkey | None,
        typer.Option("--of", parser=an_address, metavar="WALLET", help="A revoked user's seat; the department may."),
    ] = None,
    wallet: Wallet = WALLET,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give an empty seat back, and get its rent.  First cancel and withdraw all; not in the epoch of the last order."""
    signer = load_wallet(wallet.expanduser(), "whoever signs")
    with stall(context, rpc, programs, market, dry_run=dry_run) as here:
        whose = of or signer.pubkey()
        if seat_number(here.chain, here.programs, here.market, whose) is not None:
            step = builders.close_seat(here.programs, here.market, whose, signer.pubkey())
            attempt(lambda: here.chain.send([step], [signer]))
        conclude(here.session, here.seat_document(whose), seat_rows(here, whose), as_json=as_json)


def payout(
    context: typer.Context,
    wallet: Wallet = WALLET,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send what is free in every seat that is not on hold to its owner; anybody may, and pays the fee.

    An owner without a token account, or with a frozen one, keeps it in the seat.
    """
    signer = load_wallet(wallet.expanduser(), "whoever pays")
    with stall(context, rpc, programs, market, dry_run=dry_run) as here:
        due = [seat for seat in fetch_seats(here.chain, here.programs, here.market) if _is_due(seat)]
        for start in range(0, len(due), SEATS_AT_ONCE):
            step = builders.payout(here.programs, here.market, due[start : start + SEATS_AT_ONCE])
            attempt(lambda step=step: here.chain.send([step], [signer]))  # type: ignore[misc]
        left = {seat.index: seat for seat in fetch_seats(here.chain, here.programs, here.market) if _is_due(seat)}
        scale = here.scale
        documents = [
            {
                "seat": seat.index,
                "owner": str(seat.owner),
                "energy_kwh": scale.kwh(seat.base_free),
                "money": scale.coin(seat.quote_free),
                "paid": seat.index not in left,
            }
            for seat in due
        ]
        rows = [
            (f"seat {each['seat']}", f"{each['energy_kwh']} kWh, {each['money']} {'paid' if each['paid'] else 'waits'}")
            for each in documents
        ]
        conclude(here.session, {"payouts": documents}, rows or [("paid", "nobody")], as_json=as_json)


def _is_due(seat: Seat) -> bool:
    return seat.is_taken and not seat.flags & HOLD and bool(seat.base_free or seat.quote_free)
