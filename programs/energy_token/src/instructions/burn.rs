//! `burn`: voluntary retirement.

use anchor_lang::prelude::*;
use common::events;
use energy_token_interface::{TokenConfig, GRID_MINT, TOKEN_CONFIG};

use crate::{errors::TokenError, events::TokensRetired, spl};

#[derive(Accounts)]
pub struct Burn {
    /// Owner of `from`, as SPL checks.
    pub owner: Signer,
    #[account(mut, address = TOKEN_CONFIG)]
    pub config: Account<TokenConfig>,
    #[account(mut, address = GRID_MINT @ TokenError::WrongMint)]
    pub mint: UncheckedAccount,
    /// Any GRID account; SPL checks owner, mint and balance.
    #[account(mut)]
    pub token_account: UncheckedAccount,
    pub token_program: Program<Token>,
}

impl Burn {
    pub fn run(&mut self, amount: u64) -> Result<()> {
        require!(amount > 0, TokenError::ZeroAmount);
        let burned = self.config.total_burned_voluntary.get().checked_add(amount).ok_or(TokenError::Overflow)?;
        let supply = self.config.total_supply.get().checked_sub(amount).ok_or(TokenError::Overflow)?;
        self.config.total_burned_voluntary = burned.into();
        self.config.total_supply = supply.into();
        spl::burn(
            self.token_program.address(),
            self.token_account.cpi_handle_mut(),
            self.mint.cpi_handle_mut(),
            self.owner.cpi_handle(),
            &[],
            amount,
        );
        events::emit(TokensRetired { owner: *self.owner.address(), amount: amount.into() });
        Ok(())
    }
}
