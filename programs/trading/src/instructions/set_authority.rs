use anchor_lang::prelude::*;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use trading_interface::Market;

use crate::errors::TradingError;

#[derive(Accounts)]
pub struct SetAuthority {
    /// Governance itself, by CPI: no wallet can give this signature.
    #[account(signer, address = GOVERNANCE @ TradingError::Unauthorized)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut)]
    pub config: Account<Market>,
}

impl SetAuthority {
    pub fn run(&mut self) -> Result<()> {
        self.config.engineering_authority = self.governance.engineering_authority;
        Ok(())
    }
}
