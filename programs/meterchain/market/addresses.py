"""Where a market's accounts live.

Market, vaults and seat indices are program-derived (programs.md 4.1).  Books, seats and history are too large to be
made by a program; their addresses follow from the department's wallet and the quote mint (System's `WithSeed`), so that
whoever creates a market can stop anywhere and go on, and nobody keeps keys for them.
"""

import hashlib

from solders.pubkey import Pubkey

from meterchain.programs import Programs
from meterchain.tokens import TOKEN_PROGRAM

PARTS = ("book 0", "book 1", "seats", "history")
"""The accounts that a client creates for a market."""
_SEED_SIZE = 32


def market(programs: Programs, quote_mint: Pubkey) -> Pubkey:
    """Market of a quote mint."""
    return _find(programs, b"market", bytes(quote_mint))


def vault(programs: Programs, market_address: Pubkey, asset: int) -> Pubkey:
    """The token account that holds everybody's GRID (asset 0) or money (asset 1)."""
    return _find(programs, b"vault", bytes(market_address), bytes([asset]))


def seat_index(programs: Programs, market_address: Pubkey, wallet: Pubkey) -> Pubkey:
    """SeatIndex: which seat is the wallet's."""
    return _find(programs, b"seat", bytes(market_address), bytes(wallet))


def part_seed(market_address: Pubkey, part: str) -> str:
    """The seed, 32 characters, of one of PARTS under the wallet that creates it."""
    return hashlib.sha256(bytes(market_address) + part.encode()).hexdigest()[:_SEED_SIZE]


def part(programs: Programs, creator: Pubkey, market_address: Pubkey, name: str) -> Pubkey:
    """The address of one of PARTS."""
    return Pubkey.create_with_seed(creator, part_seed(market_address, name), programs.id("trading"))


def mint_seed(name: str) -> str:
    """The seed, 32 characters, of the campus currency `name` under the wallet that creates it."""
    return hashlib.sha256(f"quote mint {name}".encode()).hexdigest()[:_SEED_SIZE]


def quote_mint(creator: Pubkey, name: str) -> Pubkey:
    """The mint of the campus currency that `creator` makes under `name`."""
    return Pubkey.create_with_seed(creator, mint_seed(name), TOKEN_PROGRAM)


def _find(programs: Programs, *seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), programs.id("trading"))[0]
