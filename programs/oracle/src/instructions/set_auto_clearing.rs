//! `set_auto_clearing`: whether anyone may trigger the market's clearing.

use anchor_lang::prelude::*;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use oracle_interface::{OracleConfig, ORACLE};

use crate::{errors::OracleError, events::AutoClearingSet};

#[derive(Accounts)]
pub struct SetAutoClearing {
    /// The engineering authority as governance has it now.
    #[account(constraint = governance.is_authority(authority.address()) @ OracleError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut, address = ORACLE)]
    pub config: Account<OracleConfig>,
}

impl SetAutoClearing {
    pub fn run(&mut self, enabled: u8) -> Result<()> {
        require!(enabled <= 1, ProgramError::InvalidArgument);
        self.config.auto_clearing_enabled = enabled;
        emit!(AutoClearingSet { authority: *self.authority.address(), enabled });
        Ok(())
    }
}
