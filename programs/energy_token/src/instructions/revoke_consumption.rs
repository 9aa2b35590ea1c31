//! `revoke_consumption`: takes the burner's allowance back.

use anchor_lang::{address_eq, prelude::*};
use anchor_spl::TokenAccount;
use energy_token_interface::{BURNER, GRID_MINT};

use crate::{errors::TokenError, spl};

#[derive(Accounts)]
pub struct RevokeConsumption {
    /// Owner of `token_account`, as SPL checks.
    pub owner: Signer,
    /// A GRID account whose delegate is the burner.
    #[account(
        mut,
        constraint = address_eq(token_account.mint(), &GRID_MINT) @ TokenError::WrongMint,
        constraint = token_account.delegate().is_some_and(|delegate| address_eq(delegate, &BURNER)) @ TokenError::NotApproved
    )]
    pub token_account: Account<TokenAccount>,
    pub token_program: Program<Token>,
}

impl RevokeConsumption {
    pub fn run(&mut self) -> Result<()> {
        spl::revoke(self.token_program.address(), self.token_account.cpi_handle_mut(), self.owner.cpi_handle());
        Ok(())
    }
}
