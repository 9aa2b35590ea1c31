"""Mints and token accounts, written as no transaction could."""

import struct

from solders.pubkey import Pubkey

from meterchain.embedded import EmbeddedChain
from meterchain.tokens import TOKEN_PROGRAM


def write_tokens(
    chain: EmbeddedChain, address: Pubkey, mint: Pubkey, owner: Pubkey, amount: int, *, state: int = 1
) -> None:
    data = struct.pack(
        "<32s32sQI32sBIQQI32s", bytes(mint), bytes(owner), amount, 0, bytes(32), state, 0, 0, 0, 0, bytes(32)
    )
    chain.set_account(address, owner=TOKEN_PROGRAM, data=data)


def write_mint(
    chain: EmbeddedChain, address: Pubkey, *, freezer: Pubkey | None = None, program: Pubkey = TOKEN_PROGRAM
) -> None:
    """A mint of 6 decimals."""
    freeze = (1, bytes(freezer)) if freezer else (0, bytes(32))
    chain.set_account(address, owner=program, data=struct.pack("<I32sQBBI32s", 0, bytes(32), 1 << 63, 6, 1, *freeze))
