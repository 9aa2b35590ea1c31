"""Is everybody's money there?  A market's books recomputed from its accounts, as of one moment.

vaults     hold at least what the market owes, and nobody else can touch them
seats      Σ free and locked, with the fees, = what the market owes; while an epoch is being settled, Clear's sums say
           how far credits and debits are apart: Σ GRID = owed + (bought - sold) · lot, Σ money = owed - cost + net +
           fee
locks      each seat's locked amounts and open orders = its orders that are not yet settled
books      levels, totals and counts = the orders; state and epoch = the market's
history    epochs ascend, nobody traded more than was bid or asked, the totals are the sums
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from meterchain.accounts import AccountError
from meterchain.chain import AccountInfo, Chain
from meterchain.check import Check
from meterchain.market import addresses
from meterchain.market.accounts import (
    MISMATCH,
    Asset,
    Book,
    BookState,
    HistoryEntry,
    Market,
    Order,
    OrderState,
    Seat,
    Side,
)
from meterchain.market.reading import find_markets, read_book, read_history, read_market, read_seats
from meterchain.programs import Programs
from meterchain.tokens import NotAToken, TokenAccount, read_token_account

_WAITING = {OrderState.OPEN, OrderState.ALLOCATED}
_NAMES = {Asset.BASE: "GRID", Asset.QUOTE: "money"}


@dataclass(frozen=True, slots=True)
class _Accounts:
    """All of one market, read together."""

    market: Market
    books: Sequence[Book]
    seats: Sequence[Seat]
    history: Sequence[HistoryEntry]
    vaults: Sequence[TokenAccount]

    @property
    def waiting(self) -> list[Order]:
        """Orders that still lock something."""
        return [order for book in self.books for order in book.orders if order.state in _WAITING]


def checks(chain: Chain, programs: Programs) -> Iterator[Check]:
    """What can be said about each market; nothing if there is none.  Raises AccountError and what the chain raises."""
    if "trading" not in programs:
        return
    for market in find_markets(chain, programs):
        found = _read(chain, programs, market)
        name = f"market {str(market.address)[:8]}"
        yield from (Check(f"{name}: {each.name}", each.ok, each.detail) for each in _of_one(programs, found))


def _read(chain: Chain, programs: Programs, market: Market) -> _Accounts:
    wanted = [market.address, *market.books, market.seats, market.history, market.base_vault, market.quote_vault]
    infos: list[AccountInfo] = []
    for address, info in zip(wanted, chain.accounts(wanted), strict=True):
        if info is None:
            raise AccountError(f"{address}, of the market {market.address}, is not on {chain.name}")
        infos.append(info)
    try:
        vaults = [read_token_account(info) for info in infos[5:]]
    except NotAToken as error:
        raise AccountError(f"a vault of the market {market.address}: {error}") from error
    return _Accounts(
        read_market(programs, infos[0]),
        [read_book(programs, info) for info in infos[1:3]],
        read_seats(programs, infos[3]),
        read_history(programs, infos[4]),
        vaults,
    )


def _of_one(programs: Programs, here: _Accounts) -> Iterator[Check]:
    yield from _of_vaults(programs, here)
    yield from _of_sums(here)
    yield from _of_seats(here)
    yield from _of_books(here)
    yield from _of_history(here)


def _of_vaults(programs: Programs, here: _Accounts) -> Iterator[Check]:
    market = here.market
    for asset, owed in ((Asset.BASE, market.liab_base), (Asset.QUOTE, market.liab_quote)):
        vault = here.vaults[asset]
        more = vault.amount - owed
        detail = f"{vault.amount} held, {owed} owed" + (f", {more} sent without being asked" if more > 0 else "")
        yield Check(f"the {_NAMES[asset]} vault holds what is owed", more >= 0, detail)
        own = (
            vault.address == addresses.vault(programs, market.address, asset)
            and vault.owner == market.address
            and vault.mint == market.mint(asset)
            and vault.delegate is None
        )
        who = f"owner {vault.owner}, delegate {vault.delegate}" + (", frozen" if vault.frozen else "")
        yield Check(f"the {_NAMES[asset]} vault is the market's alone, not frozen", own and not vault.frozen, who)


def _of_sums(here: _Accounts) -> Iterator[Check]:
    market, clear = here.market, here.market.clear
    settling = market.settling_book in (0, 1) and market.book_state[market.settling_book] is BookState.SETTLING
    base = sum(seat.base_free + seat.base_locked for seat in here.seats)
    quote = sum(seat.quote_free + seat.quote_locked for seat in here.seats)
    ahead_base = (clear.sum_buy - clear.sum_sell) * market.lot_size if settling else 0
    ahead_quote = clear.sum_net + clear.sum_fee - clear.sum_cost if settling else 0
    middle = " in the middle of settling" if settling else ""
    yield Check(
        "the seats' GRID adds up to what is owed",
        base == market.liab_base + ahead_base,
        f"{base} = {market.liab_base}{f' {ahead_base:+}' if settling else ''} atoms{middle}",
    )
    yield Check(
        "the seats' money and the fees add up to what is owed",
        quote + market.fee_accrued == market.liab_quote + ahead_quote,
        f"{quote} + {market.fee_accrued} = {market.liab_quote}{f' {ahead_quote:+}' if settling else ''} atoms{middle}",
    )


def _of_seats(here: _Accounts) -> Iterator[Check]:
    market = here.market
    locked: Counter[tuple[int, Asset]] = Counter()
    counts: Counter[int] = Counter()
    for order in here.waiting:
        each = market.lot_size if order.side is Side.SELL else market.value(order.tick)
        locked[order.seat, order.side.asset] += order.lots * each
        counts[order.seat] += 1
    wrong = [
        str(seat.index)
        for seat in here.seats
        if (seat.base_locked, seat.quote_locked) != (locked[seat.index, Asset.BASE], locked[seat.index, Asset.QUOTE])
        or seat.open_orders != counts[seat.index]
    ]
    strays = {str(seat) for seat in counts if seat >= len(here.seats) or not here.seats[seat].is_taken}
    detail = f"{len(here.waiting)} orders" if not (wrong or strays) else f"seats {', '.join(sorted({*wrong, *strays}))}"
    yield Check("what is locked stands behind orders, seat by seat", not wrong and not strays, detail)
    taken = [seat.owner for seat in here.seats if seat.is_taken]
    empty = [seat for seat in here.seats if not seat.is_taken and (seat.base_free or seat.quote_free)]
    yield Check(
        "every wallet has one seat, and nothing lies in an empty one",
        len(set(taken)) == len(taken) == market.open_seats and not empty,
        f"{len(taken)} seats, {market.open_seats} counted",
    )


def _of_books(here: _Accounts) -> Iterator[Check]:
    market = here.market
    for book in here.books:
        standing = [order for order in book.orders if order.stands]
        sums = {side: _levels(order for order in standing if order.side is side) for side in Side}
        lots = _filled(book.bid_lots) == sums[Side.BUY] and _filled(book.ask_lots) == sums[Side.SELL]
        totals = (book.total_bid_lots, book.total_ask_lots, book.live) == (
            sum(sums[Side.BUY].values()),
            sum(sums[Side.SELL].values()),
            len(standing),
        )
        detail = f"{len(standing)} orders, {book.total_bid_lots} lots bid, {book.total_ask_lots} asked"
        yield Check(f"book {book.index}'s levels and totals are its orders'", lots and totals, detail)
        same = (book.state, book.epoch, book.market) == (
            market.book_state[book.index],
            market.book_epoch[book.index],
            market.address,
        )
        yield Check(
            f"book {book.index} is as the market says",
            same and market.books[book.index] == book.address,
            f"{book.state.name.lower()}, epoch {book.epoch}",
        )


def _of_history(here: _Accounts) -> Iterator[Check]:
    market, entries = here.market, here.history
    epochs = [entry.epoch for entry in entries]
    odd = [
        str(entry.epoch)
        for entry in entries
        if entry.volume_lots > min(entry.bid_lots, entry.ask_lots)
        or entry.fills > entry.orders
        or entry.fee > entry.quote_volume
        or entry.flags & MISMATCH
    ]
    ascends = epochs == sorted(set(epochs))
    detail = f"{len(entries)} epochs" if not odd else f"epochs {', '.join(odd)}"
    yield Check("history holds only what can have happened", ascends and not odd, detail)
    volume, paid = sum(entry.volume_lots for entry in entries), sum(entry.quote_volume for entry in entries)
    yield Check(
        "history is not more than the totals",
        volume <= market.total_volume_lots and paid <= market.total_quote,
        f"{volume} of {market.total_volume_lots} lots, {paid} of {market.total_quote} atoms of money",
    )


def _levels(orders: Iterable[Order]) -> Counter[int]:
    found: Counter[int] = Counter()
    for order in orders:
        found[order.tick] += order.lots
    return found


def _filled(levels: Sequence[int]) -> Counter[int]:
    return Counter({tick: lots for tick, lots in enumerate(levels) if lots})
