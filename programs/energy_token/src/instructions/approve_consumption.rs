//! `approve_consumption`: what the burner may take for measured import.

use anchor_lang::{address_eq, prelude::*};
use anchor_spl::TokenAccount;
use energy_token_interface::{BURNER, GRID_MINT};

use crate::{errors::TokenError, spl};

#[derive(Accounts)]
pub struct ApproveConsumption {
    /// Owner of `token_account`, as SPL checks.
    pub owner: Signer,
    /// A GRID account. Only the associated one is ever burned from.
    #[account(mut, constraint = address_eq(token_account.mint(), &GRID_MINT) @ TokenError::WrongMint)]
    pub token_account: Account<TokenAccount>,
    #[account(address = BURNER)]
    pub burner: UncheckedAccount,
    pub token_program: Program<Token>,
}

impl ApproveConsumption {
    pub fn run(&mut self, amount: u64) -> Result<()> {
        require!(amount > 0, TokenError::ZeroAmount);
        spl::approve(
            self.token_program.address(),
            self.token_account.cpi_handle_mut(),
            self.burner.cpi_handle(),
            self.owner.cpi_handle(),
            amount,
        );
        Ok(())
    }
}
