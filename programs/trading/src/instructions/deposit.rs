use anchor_lang::{accounts::Slab, address_eq, prelude::*};
use anchor_spl::TokenAccount;
use common::units::now;
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use trading_interface::{Asset, Market, Seat, Seats};

use crate::{errors::TradingError, events::Deposited, seats::owned, vault};

#[derive(Accounts)]
pub struct Deposit {
    pub trader: Signer,
    #[account(address = GOVERNANCE, constraint = !governance.is_paused(pause::ORDER_ENTRY, now)? @ TradingError::Paused)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut)]
    pub market: Account<Market>,
    #[account(mut, address = market.seats @ TradingError::WrongAccount)]
    pub seats: Slab<Seats, Seat>,
    #[account(mut, constraint = token_account.owner() == trader.address() @ TradingError::NotOwner)]
    pub token_account: Account<TokenAccount>,
    /// The vault of `side`.
    #[account(mut)]
    pub vault: Account<TokenAccount>,
    pub token_program: Program<Token>,
}

impl Deposit {
    pub fn run(&mut self, seat: u32, side: u8, amount: u64) -> Result<()> {
        let asset = Asset::from_u8(side).ok_or(TradingError::WrongAccount)?;
        require!(address_eq(self.vault.address(), self.market.vault(asset)), TradingError::WrongAccount);
        require!(self.token_account.mint() == self.vault.mint(), TradingError::BadMint);
        require!(self.token_account.amount() >= amount, TradingError::InsufficientFunds);
        let free = owned(&mut self.seats, seat, self.trader.address())?.free(asset);
        *free = free.checked_add(amount).ok_or(TradingError::Overflow)?;
        let liability = self.market.liability(asset);
        *liability = liability.checked_add(amount).ok_or(TradingError::Overflow)?;
        let owed = *liability;
        vault::pull(&mut self.token_account, &mut self.vault, &self.trader, amount);
        vault::check(&self.vault, owed)?;
        emit!(Deposited { market: *self.market.address(), seat: seat.into(), side, amount: amount.into() });
        Ok(())
    }
}
