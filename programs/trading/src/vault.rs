//! Tokens in and out of the vaults: SPL Transfer.  Seats and liabilities are written by the caller, before.

use anchor_lang::{pinocchio::instruction::InstructionAccount, prelude::*, unchecked_invoke_signed_fixed};
use anchor_spl::TokenAccount;
use trading_interface::{Market, MARKET_SEED};

use crate::errors::TradingError;

const TRANSFER: u8 = 3;

/// Into a vault; the wallet that owns `from` has signed.
pub fn pull(from: &mut Account<TokenAccount>, vault: &mut Account<TokenAccount>, trader: &Signer, amount: u64) {
    let (from, to, authority) = (from.cpi_handle_mut(), vault.cpi_handle_mut(), trader.cpi_handle());
    transfer(from, to, authority, &[], amount);
}

/// Out of a vault; the market signs.
pub fn push(vault: &mut Account<TokenAccount>, to: CpiHandleMut<'_>, market: &Account<Market>, amount: u64) {
    let bump = [market.bump];
    let signer = CpiHandle::readonly(market.view());
    transfer(vault.cpi_handle_mut(), to, signer, &[&[MARKET_SEED, market.quote_mint.as_ref(), &bump]], amount);
}

#[inline(always)]
fn transfer<'a>(
    from: CpiHandleMut<'a>,
    to: CpiHandleMut<'a>,
    authority: CpiHandle<'a>,
    seeds: &'a [&'a [&'a [u8]]],
    amount: u64,
) {
    let mut data = [TRANSFER; 9];
    data[1..].copy_from_slice(&amount.to_le_bytes());
    let metas = [
        InstructionAccount::writable(from.address()),
        InstructionAccount::writable(to.address()),
        InstructionAccount::readonly_signer(authority.address()),
    ];
    let handles = [from.into(), to.into(), authority];
    unchecked_invoke_signed_fixed(&TOKEN_PROGRAM, &data, &metas, &handles, seeds);
}

const TOKEN_PROGRAM: Address = anchor_lang::address!("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");

/// The invariant after every movement: the vault holds at least what it owes.
#[inline(always)]
pub fn check(vault: &Account<TokenAccount>, liability: PodU64) -> Result<()> {
    require!(vault.amount() >= liability.get(), TradingError::VaultShortfall);
    Ok(())
}
