//! `set_active`: switches the reception of records on and off.

use anchor_lang::prelude::*;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use oracle_interface::{OracleConfig, ORACLE};

use crate::{errors::OracleError, events::OracleActiveSet};

#[derive(Accounts)]
pub struct SetActive {
    /// The engineering authority as governance has it now.
    #[account(constraint = governance.is_authority(authority.address()) @ OracleError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut, address = ORACLE)]
    pub config: Account<OracleConfig>,
}

impl SetActive {
    pub fn run(&mut self, active: u8) -> Result<()> {
        require!(active <= 1, ProgramError::InvalidArgument);
        self.config.active = active;
        emit!(OracleActiveSet { authority: *self.authority.address(), active });
        Ok(())
    }
}
