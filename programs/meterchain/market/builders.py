"""One function for each instruction of a market that Python sends: names by programs.md 4.6, bytes by the IDLs.

Energy is in GRID atoms, prices in quote atoms per kWh.  `trader` and `caller` sign.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from meterchain import pdas
from meterchain.chain import ChainError
from meterchain.idl_types import Value
from meterchain.market import addresses
from meterchain.market.accounts import Asset, Book, Market, Order, Seat, Side
from meterchain.programs import Programs
from meterchain.tokens import associated_token_account
from meterchain.units import Atoms, Slot


class MarketBusy(ChainError):
    """No book is free for orders: two epochs wait to be settled."""


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """What a market is made with.  Lot in GRID atoms; floor and tick in quote atoms per kWh."""

    lot_size: int = 1_000_000
    price_floor: int = 2_000_000
    tick_size: int = 5_000
    n_slots: int = 2_048
    n_seats: int = 64
    history: int = 2_976
    accept_freezable: bool = False


def initialize_market(
    programs: Programs,
    authority: Pubkey,
    quote_mint: Pubkey,
    fee_destination: Pubkey,
    parts: Mapping[str, Pubkey],
    terms: MarketTerms,
) -> Instruction:
    """Pin `parts` (addresses.PARTS), created before and empty, and make the vaults."""
    accounts = {
        "authority": authority,
        "quote_mint": quote_mint,
        "fee_destination": fee_destination,
        "book_0": parts["book 0"],
        "book_1": parts["book 1"],
        "seats": parts["seats"],
        "history": parts["history"],
    }
    params = {
        "lot_size": terms.lot_size,
        "price_floor": terms.price_floor,
        "tick_size": terms.tick_size,
        "n_slots": terms.n_slots,
        "n_seats": terms.n_seats,
        "accept_freezable": int(terms.accept_freezable),
    }
    return programs["trading"].instruction("initialize_market", accounts, {"params": params})


def open_seat(programs: Programs, market: Market, trader: Pubkey, payer: Pubkey | None = None) -> Instruction:
    """A seat for an Active user; `payer` (the trader) pays the rent of its SeatIndex."""
    accounts = {"trader": trader, "payer": payer or trader, "user": pdas.user(programs, trader)}
    return _build(programs, market, "open_seat", accounts)


def close_seat(programs: Programs, market: Market, wallet: Pubkey, authority: Pubkey | None = None) -> Instruction:
    """Give back an empty seat; `authority` may for a Revoked user."""
    accounts = {"authority": authority or wallet, "wallet": wallet, "user": pdas.user(programs, wallet)}
    return _build(programs, market, "close_seat", accounts)


def set_seat_flags(
    programs: Programs, market: Market, trader: Pubkey, seat: int, flags: int, authority: Pubkey | None = None
) -> Instruction:
    """Set HOLD, or take it back; `authority` may take it from a Revoked user."""
    accounts = {"authority": authority or trader, "user": pdas.user(programs, trader)}
    return _build(programs, market, "set_seat_flags", accounts, {"seat": seat, "flags": flags})


def deposit(programs: Programs, market: Market, trader: Pubkey, seat: int, asset: Asset, amount: Atoms) -> Instruction:
    """From the trader's canonical token account into the seat."""
    return _move(programs, market, "deposit", trader, seat, asset, amount)


def withdraw(programs: Programs, market: Market, trader: Pubkey, seat: int, asset: Asset, amount: Atoms) -> Instruction:
    """What is free in the seat, to the trader's canonical token account."""
    return _move(programs, market, "withdraw", trader, seat, asset, amount)


def create_order(
    programs: Programs,
    market: Market,
    trader: Pubkey,
    seat: int,
    side: Side,
    energy: Atoms,
    price: int,
    *,
    epoch: Slot,
    client_id: int = 0,
) -> Instruction:
    """An order for `energy` at `price` or better, in the book of `epoch`.  Raises MarketBusy if no book is free."""
    index = market.entry_book(epoch)
    if index is None:
        raise MarketBusy("two epochs wait to be settled: run `meterbridge keeper run --once`, then order again")
    accounts = {
        "trader": trader,
        "user": pdas.user(programs, trader),
        "book": market.books[index],
        "token_account": associated_token_account(trader, market.mint(side.asset))[0],
        "vault": market.vault(side.asset),
    }
    name, limit = ("create_sell_order", "price") if side is Side.SELL else ("create_buy_order", "max_price")
    arguments = {"seat": seat, "energy": energy, limit: price, "client_id": client_id}
    return _build(programs, market, name, accounts, arguments)


def cancel_order(
    programs: Programs, market: Market, wallet: Pubkey, book: Book, order: Order, authority: Pubkey | None = None
) -> Instruction:
    """Take the order of `wallet` out of a book; `authority` may for a user who is not Active."""
    accounts = {"authority": authority or wallet, "user": pdas.user(programs, wallet), "book": book.address}
    return _build(programs, market, "cancel_order", accounts, {"slot": order.slot, "id": order.id})


def trigger_market_clearing(
    programs: Programs, market: Market, caller: Pubkey, book: int, inline_sweep: int
) -> Instruction:
    """The oracle's: find the price of the book that is due, and match and settle up to `inline_sweep` orders of it."""
    accounts = {"caller": caller, "market": market.address, "book": market.books[book]}
    if inline_sweep:
        accounts |= {"seats": market.seats, "history": market.history}
    return programs["oracle"].instruction("trigger_market_clearing", accounts, {"inline_sweep": inline_sweep})


def match_orders(programs: Programs, market: Market, book: int, most: int) -> Instruction:
    """Allocate lots to the next orders of the book that is Matching."""
    return _build(programs, market, "match_orders", {"book": market.books[book]}, {"max": most})


def settle_trade(programs: Programs, market: Market, book: int, most: int) -> Instruction:
    """Settle the next orders of the book that is Settling."""
    accounts = {"book": market.books[book], "program": programs.id("trading")}
    return _build(programs, market, "settle_trade", accounts, {"max": most})


def void_epoch(programs: Programs, market: Market, caller: Pubkey, book: int) -> Instruction:
    """Give up the matching of a halted epoch: nobody trades, everybody gets back what is locked."""
    return _build(programs, market, "void_epoch", {"caller": caller, "book": market.books[book]})


def payout(programs: Programs, market: Market, seats: Sequence[Seat]) -> Instruction:
    """Send what is free in these seats to their owners' canonical accounts; anybody may."""
    rows, metas = [], []
    for seat in seats:
        found = [associated_token_account(seat.owner, market.mint(asset)) for asset in Asset]
        metas += [AccountMeta(address, is_signer=False, is_writable=True) for address, _ in found]
        rows.append({"seat": seat.index, "base_bump": found[0][1], "quote_bump": found[1][1]})
    return _build(programs, market, "payout", {}, {"seats": rows}, metas)


def update_market_params(
    programs: Programs,
    authority: Pubkey,
    market: Market,
    *,
    lot_size: Atoms | None = None,
    price_floor: int | None = None,
    tick_size: int | None = None,
    clearing_enabled: bool | None = None,
    fee_destination: Pubkey | None = None,
) -> Instruction:
    """New terms; what is None stays.  Lot, floor and tick only while both books are empty."""
    accounts = {"authority": authority, "fee_destination": fee_destination or market.fee_destination}
    update = {
        "lot_size": lot_size,
        "price_floor": price_floor,
        "tick_size": tick_size,
        "clearing_enabled": None if clearing_enabled is None else int(clearing_enabled),
    }
    return _build(programs, market, "update_market_params", accounts, {"update": update})


def sweep_fees(programs: Programs, market: Market, authority: Pubkey) -> Instruction:
    """Send the fees to the market's fee destination."""
    accounts = {"authority": authority, "fee_destination": market.fee_destination}
    return _build(programs, market, "sweep_fees", accounts)


def _move(
    programs: Programs, market: Market, name: str, trader: Pubkey, seat: int, asset: Asset, amount: Atoms
) -> Instruction:
    accounts = {
        "trader": trader,
        "token_account": associated_token_account(trader, market.mint(asset))[0],
        "vault": market.vault(asset),
    }
    return _build(programs, market, name, accounts, {"seat": seat, "side": int(asset), "amount": amount})


def _build(
    programs: Programs,
    market: Market,
    name: str,
    accounts: Mapping[str, Pubkey],
    arguments: Mapping[str, Value] | None = None,
    remaining: Sequence[AccountMeta] = (),
) -> Instruction:
    """The market's own accounts are added where the IDL asks for them."""
    idl = programs["trading"]
    own = {
        "market": market.address,
        "seats": market.seats,
        "history": market.history,
        "base_vault": market.base_vault,
        "quote_vault": market.quote_vault,
    }
    if "wallet" in accounts or "trader" in accounts:
        wallet = accounts.get("wallet") or accounts["trader"]
        own["seat_index"] = addresses.seat_index(programs, market.address, wallet)
    asked = idl.account_names(name)
    given = {part: address for part, address in {**own, **accounts}.items() if part in asked}
    return idl.instruction(name, given, arguments, remaining)
