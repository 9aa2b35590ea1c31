"""Classic SPL Token as we use it: addresses, the two account layouts, the associated account.

Layouts, little-endian; coption is u32 tag + value:

    Mint 82 B     mint authority coption 36 · supply u64 · decimals u8 · initialised u8 · freeze authority coption 36
    Account 165 B mint 32 · owner 32 · amount u64 · delegate coption 36 · state u8 · native coption 12 · delegated u64 ·
                  close authority coption 36
"""

import struct
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM

from meterchain.chain import AccountInfo
from meterchain.units import Atoms

TOKEN_PROGRAM = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ASSOCIATED_TOKEN_PROGRAM = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")

_MINT = struct.Struct("<I32sQBBI32s")
_ACCOUNT = struct.Struct("<32s32sQI32sBIQQI32s")


class NotAToken(ValueError):
    """The account is no mint or token account of the classic token program."""


@dataclass(frozen=True, slots=True)
class Mint:
    """A mint; `supply` in atoms."""

    address: Pubkey
    mint_authority: Pubkey | None
    freeze_authority: Pubkey | None
    supply: Atoms
    decimals: int


@dataclass(frozen=True, slots=True)
class TokenAccount:
    """A balance; `amount` and `delegated_amount` in atoms."""

    address: Pubkey
    mint: Pubkey
    owner: Pubkey
    amount: Atoms
    delegate: Pubkey | None
    delegated_amount: Atoms
    frozen: bool


def associated_token_account(owner: Pubkey, mint: Pubkey) -> tuple[Pubkey, int]:
    """The canonical token account of `owner` for `mint`, and its bump."""
    seeds = [bytes(owner), bytes(TOKEN_PROGRAM), bytes(mint)]
    return Pubkey.find_program_address(seeds, ASSOCIATED_TOKEN_PROGRAM)


def create_associated_token_account(payer: Pubkey, owner: Pubkey, mint: Pubkey) -> Instruction:
    """Create it if it is not there (the associated-token program's CreateIdempotent)."""
    return Instruction(
        ASSOCIATED_TOKEN_PROGRAM,
        b"\x01",
        [
            AccountMeta(payer, is_signer=True, is_writable=True),
            AccountMeta(associated_token_account(owner, mint)[0], is_signer=False, is_writable=True),
            AccountMeta(owner, is_signer=False, is_writable=False),
            AccountMeta(mint, is_signer=False, is_writable=False),
            AccountMeta(SYSTEM, is_signer=False, is_writable=False),
            AccountMeta(TOKEN_PROGRAM, is_signer=False, is_writable=False),
        ],
    )


def revoke_any(account: Pubkey, owner: Pubkey) -> Instruction:
    """Take back what anybody may spend of `account` (the token program's Revoke)."""
    return Instruction(
        TOKEN_PROGRAM,
        b"\x05",
        [
            AccountMeta(account, is_signer=False, is_writable=True),
            AccountMeta(owner, is_signer=True, is_writable=False),
        ],
    )


def read_mint(info: AccountInfo) -> Mint:
    """Raises NotAToken unless `info` is an initialised mint."""
    if info.owner != TOKEN_PROGRAM or len(info.data) != _MINT.size or not info.data[45]:
        raise NotAToken(f"{info.address} is no mint of the token program")
    has_mint, mint_authority, supply, decimals, _, has_freeze, freeze_authority = _MINT.unpack(info.data)
    return Mint(
        info.address,
        _optional(has_mint, mint_authority),
        _optional(has_freeze, freeze_authority),
        Atoms(supply),
        decimals,
    )


def read_token_account(info: AccountInfo) -> TokenAccount:
    """Raises NotAToken unless `info` is an initialised token account."""
    if info.owner != TOKEN_PROGRAM or len(info.data) != _ACCOUNT.size or not info.data[108]:
        raise NotAToken(f"{info.address} is no account of the token program")
    mint, owner, amount, has_delegate, delegate, state, _, _, delegated, _, _ = _ACCOUNT.unpack(info.data)
    return TokenAccount(
        info.address, Pubkey(mint), Pubkey(owner), Atoms(amount), _optional(has_delegate, delegate), Atoms(delegated),
        frozen=state == 2,
    )  # fmt: skip


def _optional(tag: int, key: bytes) -> Pubkey | None:
    return Pubkey(key) if tag else None
