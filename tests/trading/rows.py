"""Words and rows of a market, read without the client's help: what the program writes, byte by byte."""

import hashlib
import struct
from dataclasses import dataclass

from solders.keypair import Keypair
from solders.pubkey import Pubkey

SOL = 1_000_000_000
BASE, QUOTE = 0, 1
BUY, SELL = 0, 1
OPEN, ALLOCATED, SETTLED, CANCELLED = 1, 2, 3, 4
IDLE, COLLECTING, MATCHING, SETTLING = 0, 1, 2, 3
LOT = 1_000_000
FLOOR, STEP = 2_000_000, 5_000
"""Price of tick 0 and between ticks, quote atoms per kWh: 2.000 and 0.005 of a currency with 6 decimals."""
RICH = 1 << 62
"""Atoms that a trader starts with unless a test says otherwise."""


def key(name: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(f"trading {name}".encode()).digest())


def value(tick: int) -> int:
    """Quote atoms for one lot at `tick`."""
    return (FLOOR + tick * STEP) * LOT // 1_000_000_000


def price(tick: int) -> int:
    """Quote atoms per kWh at `tick`."""
    return FLOOR + tick * STEP


@dataclass(frozen=True)
class Order:
    """One row of a book, 32 bytes."""

    id: int
    client_id: int
    lots: int
    filled: int
    tick: int
    side: int
    state: int
    seat: int

    LAYOUT = struct.Struct("<QQIIHBBI")


@dataclass(frozen=True)
class Seat:
    """One row of the seats, 88 bytes."""

    owner: Pubkey
    base_free: int
    base_locked: int
    quote_free: int
    quote_locked: int
    order_epoch: int
    volume_lots: int
    open_orders: int
    placed: int
    side: int
    flags: int

    LAYOUT = struct.Struct("<32sQQQQqQHHBBxx")


@dataclass(frozen=True)
class Entry:
    """One row of history, 120 bytes."""

    epoch: int
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

    LAYOUT = struct.Struct("<qQQQQQQQQIIHH32s4x")


@dataclass(frozen=True)
class Trader:
    """Somebody with a seat."""

    key: Keypair
    seat: int

    @property
    def wallet(self) -> Pubkey:
        return self.key.pubkey()
