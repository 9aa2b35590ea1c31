//! `sync_total_supply`: takes note of what plain SPL instructions burned.

use anchor_lang::prelude::*;
use anchor_spl::Mint;
use energy_token_interface::{TokenConfig, GRID_MINT, TOKEN_CONFIG};

use crate::{errors::TokenError, events::SupplySynced};

#[derive(Accounts)]
pub struct SyncTotalSupply {
    #[account(mut, address = TOKEN_CONFIG)]
    pub config: Account<TokenConfig>,
    #[account(address = GRID_MINT @ TokenError::WrongMint)]
    pub mint: Account<Mint>,
}

impl SyncTotalSupply {
    pub fn run(&mut self) -> Result<()> {
        let (old, new) = (self.config.total_supply, self.mint.supply());
        self.config.total_supply = new.into();
        emit!(SupplySynced { old, new: new.into() });
        Ok(())
    }
}
