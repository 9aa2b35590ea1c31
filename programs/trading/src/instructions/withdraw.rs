use anchor_lang::{accounts::Slab, address_eq, prelude::*};
use anchor_spl::TokenAccount;
use trading_interface::{Asset, Market, Seat, Seats};

use crate::{errors::TradingError, events::Withdrawn, seats::owned, vault};

#[derive(Accounts)]
pub struct Withdraw {
    pub trader: Signer,
    #[account(mut)]
    pub market: Account<Market>,
    #[account(mut, address = market.seats @ TradingError::WrongAccount)]
    pub seats: Slab<Seats, Seat>,
    /// Any account of the token: it is the trader who signs.
    #[account(mut)]
    pub token_account: Account<TokenAccount>,
    /// The vault of `side`.
    #[account(mut)]
    pub vault: Account<TokenAccount>,
    pub token_program: Program<Token>,
}

impl Withdraw {
    pub fn run(&mut self, seat: u32, side: u8, amount: u64) -> Result<()> {
        let asset = Asset::from_u8(side).ok_or(TradingError::WrongAccount)?;
        require!(address_eq(self.vault.address(), self.market.vault(asset)), TradingError::WrongAccount);
        require!(self.token_account.mint() == self.vault.mint(), TradingError::BadMint);
        let free = owned(&mut self.seats, seat, self.trader.address())?.free(asset);
        *free = free.checked_sub(amount).ok_or(TradingError::InsufficientFunds)?;
        let liability = self.market.liability(asset);
        *liability = liability.checked_sub(amount).ok_or(TradingError::Overflow)?;
        let owed = *liability;
        vault::push(&mut self.vault, self.token_account.cpi_handle_mut(), &self.market, amount);
        vault::check(&self.vault, owed)?;
        emit!(Withdrawn { market: *self.market.address(), seat: seat.into(), side, amount: amount.into() });
        Ok(())
    }
}
