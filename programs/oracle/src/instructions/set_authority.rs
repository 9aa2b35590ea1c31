//! `set_authority`: takes note of who decides. What is checked is governance itself; this is for people.

use anchor_lang::prelude::*;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use oracle_interface::{OracleConfig, ORACLE};

use crate::errors::OracleError;

#[derive(Accounts)]
pub struct SetAuthority {
    /// Governance itself, by CPI: no wallet can give this signature.
    #[account(signer, address = GOVERNANCE @ OracleError::Unauthorized)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut, address = ORACLE)]
    pub config: Account<OracleConfig>,
}

impl SetAuthority {
    pub fn run(&mut self) -> Result<()> {
        self.config.engineering_authority = self.governance.engineering_authority;
        Ok(())
    }
}
