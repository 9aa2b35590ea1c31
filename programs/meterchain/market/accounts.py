"""What a market consists of: Market, books with their orders, seats, history.  `reading` reads them from the chain.

Amounts are atoms, prices quote atoms per kWh, energy is in lots of `Market.lot_size` GRID atoms.
"""

from dataclasses import dataclass
from enum import IntEnum

from solders.pubkey import Pubkey

from meterchain.units import Slot, UnixTime

NO_BOOK = 255
"""`Market.settling_book` when no book is being matched or settled."""
VOID, MISMATCH = 1, 2
"""Bits of HistoryEntry.flags."""
HOLD = 1
"""Bit of Seat.flags: payout leaves this seat alone."""


class Asset(IntEnum):
    """The two tokens of a market."""

    BASE = 0
    QUOTE = 1


class Side(IntEnum):
    """Which way an order goes."""

    BUY = 0
    SELL = 1

    @property
    def asset(self) -> Asset:
        """What an order of this side locks."""
        return Asset.QUOTE if self is Side.BUY else Asset.BASE


class BookState(IntEnum):
    """What is being done with a book."""

    IDLE = 0
    COLLECTING = 1
    MATCHING = 2
    SETTLING = 3


class OrderState(IntEnum):
    """What became of an order."""

    EMPTY = 0
    OPEN = 1
    ALLOCATED = 2
    SETTLED = 3
    CANCELLED = 4


@dataclass(frozen=True, slots=True)
class Clear:
    """The arithmetic of the epoch that is being matched or settled; zeros otherwise."""

    epoch: Slot
    volume: int
    p: int
    m_bid: int
    m_ask: int
    cursor: int
    f_bid: int
    q_bid: int
    f_ask: int
    q_ask: int
    v_clear: int
    sum_buy: int
    sum_sell: int
    sum_cost: int
    sum_net: int
    sum_fee: int
    nfills: int
    flags: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Market:
    """One market: its rules, its totals, and which book is at what."""

    address: Pubkey
    clearing_enabled: int
    margin_rule: int
    settling_book: int
    halted: int
    accept_freezable: int
    fee_bps: int
    halted_at: UnixTime
    base_mint: Pubkey
    quote_mint: Pubkey
    base_vault: Pubkey
    quote_vault: Pubkey
    fee_destination: Pubkey
    books: tuple[Pubkey, Pubkey]
    book_epoch: tuple[Slot, Slot]
    book_state: tuple[BookState, BookState]
    seats: Pubkey
    history: Pubkey
    lot_size: int
    price_floor: int
    tick_size: int
    value_floor: int
    value_step: int
    n_slots: int
    n_seats: int
    open_seats: int
    min_lots: int
    settle_delay_secs: int
    cancel_freeze_secs: int
    market_epoch_length: int
    last_market_clearing: UnixTime
    last_settled_epoch: Slot
    next_order_id: int
    total_volume_lots: int
    total_quote: int
    total_trades: int
    fee_accrued: int
    liab_base: int
    liab_quote: int
    last_price: int
    clear: Clear

    def value(self, tick: int) -> int:
        """Quote atoms for one lot at `tick`."""
        return self.value_floor + tick * self.value_step

    def price(self, tick: int) -> int:
        """Quote atoms per kWh at `tick`."""
        return self.price_floor + tick * self.tick_size

    def mint(self, asset: Asset) -> Pubkey:
        """The mint of a token."""
        return self.quote_mint if asset is Asset.QUOTE else self.base_mint

    def vault(self, asset: Asset) -> Pubkey:
        """The vault of a token."""
        return self.quote_vault if asset is Asset.QUOTE else self.base_vault

    def entry_book(self, epoch: Slot) -> int | None:
        """Index of the book for an order of `epoch`: the one that collects for it, else an Idle one; None if busy."""
        collecting = [i for i in (0, 1) if self._collects(i) and self.book_epoch[i] == epoch]
        idle = [i for i in (0, 1) if self.book_state[i] is BookState.IDLE]
        return next(iter([*collecting, *idle]), None)

    def waiting_books(self) -> list[int]:
        """Indices of the Collecting books, the earlier epoch first: the order in which they clear."""
        return sorted((i for i in (0, 1) if self._collects(i)), key=lambda i: self.book_epoch[i])

    def _collects(self, index: int) -> bool:
        return self.book_state[index] is BookState.COLLECTING


@dataclass(frozen=True, slots=True)
class Order:
    """One order; `slot` is its place in the book and in time."""

    slot: int
    id: int
    client_id: int
    lots: int
    filled: int
    tick: int
    side: Side
    state: OrderState
    seat: int

    @property
    def stands(self) -> bool:
        """True unless it was cancelled."""
        return self.state is not OrderState.CANCELLED


@dataclass(frozen=True, slots=True)
class Book:
    """One epoch's orders, in order of arrival, and the lots at each tick."""

    address: Pubkey
    index: int
    state: BookState
    margin_rule: int
    fee_bps: int
    max_orders: int
    market: Pubkey
    epoch: Slot
    total_bid_lots: int
    total_ask_lots: int
    live: int
    bid_lots: tuple[int, ...]
    ask_lots: tuple[int, ...]
    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Seat:
    """One trader's ledger line; amounts in atoms."""

    index: int
    owner: Pubkey
    base_free: int
    base_locked: int
    quote_free: int
    quote_locked: int
    order_epoch: Slot
    volume_lots: int
    open_orders: int
    placed: int
    side: Side
    flags: int

    @property
    def is_taken(self) -> bool:
        """Somebody sits here."""
        return self.owner != Pubkey.default()

    def free(self, asset: Asset) -> int:
        """What may be withdrawn or locked behind an order."""
        return self.quote_free if asset is Asset.QUOTE else self.base_free


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """What one epoch came to; `price` is 0 if nothing traded."""

    epoch: Slot
    price: int
    volume_lots: int
    quote_volume: int
    fee: int
    bid_lots: int
    ask_lots: int
    cleared_slot: int
    settled_slot: int
    orders: int
    fills: int
    tick: int
    flags: int
    fills_digest: bytes
