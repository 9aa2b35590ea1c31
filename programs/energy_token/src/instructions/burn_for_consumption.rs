//! `burn_for_consumption`: takes GRID for measured import, out of what its owner approved.

use anchor_lang::prelude::*;
use anchor_spl::TokenAccount;
use common::events;
use energy_token_interface::{TokenConfig, BURNER, BURNER_BUMP, BURNER_SEED, GRID_MINT, TOKEN_CONFIG};
use oracle_interface::ORACLE_AUTH;

use crate::{errors::TokenError, events::ConsumptionBurned, spl};

#[derive(Accounts)]
pub struct BurnForConsumption {
    /// The oracle's PDA; its signature exists only in a CPI of the oracle.
    #[account(address = ORACLE_AUTH @ TokenError::Unauthorized)]
    pub oracle_minter: Signer,
    #[account(mut, address = TOKEN_CONFIG)]
    pub config: Account<TokenConfig>,
    #[account(mut, address = GRID_MINT @ TokenError::WrongMint)]
    pub mint: UncheckedAccount,
    /// The delegate that the owner approved; SPL checks the allowance.
    #[account(address = BURNER)]
    pub burner: UncheckedAccount,
    /// Which account it is the oracle has checked; SPL checks its mint.
    #[account(mut)]
    pub from: Account<TokenAccount>,
    pub token_program: Program<Token>,
}

impl BurnForConsumption {
    pub fn run(&mut self, amount: u64) -> Result<()> {
        require!(amount > 0, TokenError::ZeroAmount);
        let burned = self.config.total_burned_consumption.get().checked_add(amount).ok_or(TokenError::Overflow)?;
        let supply = self.config.total_supply.get().checked_sub(amount).ok_or(TokenError::Overflow)?;
        self.config.total_burned_consumption = burned.into();
        self.config.total_supply = supply.into();
        let owner = *self.from.owner();
        spl::burn(
            self.token_program.address(),
            self.from.cpi_handle_mut(),
            self.mint.cpi_handle_mut(),
            self.burner.cpi_handle(),
            &[&[BURNER_SEED, &[BURNER_BUMP]]],
            amount,
        );
        events::emit(ConsumptionBurned { owner, amount: amount.into() });
        Ok(())
    }
}
