//! `transfer`: moves GRID.

use anchor_lang::prelude::*;
use energy_token_interface::GRID_MINT;

use crate::{errors::TokenError, spl};

#[derive(Accounts)]
pub struct Transfer {
    /// Owner or delegate of `from`, as SPL checks.
    pub owner: Signer,
    #[account(address = GRID_MINT @ TokenError::WrongMint)]
    pub mint: UncheckedAccount,
    /// Any GRID account; SPL checks owner, mint and balance.
    #[account(mut, unsafe(dup))]
    pub from: UncheckedAccount,
    /// Any GRID account; SPL checks the mint.
    #[account(mut, unsafe(dup))]
    pub to: UncheckedAccount,
    pub token_program: Program<Token>,
}

impl Transfer {
    pub fn run(&mut self, amount: u64) -> Result<()> {
        require!(amount > 0, TokenError::ZeroAmount);
        spl::transfer_checked(
            self.token_program.address(),
            self.from.cpi_handle_mut(),
            self.mint.cpi_handle(),
            self.to.cpi_handle_mut(),
            self.owner.cpi_handle(),
            amount,
        );
        Ok(())
    }
}
