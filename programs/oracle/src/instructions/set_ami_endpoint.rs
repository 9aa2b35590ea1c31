//! `set_ami_endpoint`: where the readings can be had off chain.

use anchor_lang::prelude::*;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use oracle_interface::{OracleConfig, ORACLE};

use crate::{errors::OracleError, events::AmiEndpointSet};

#[derive(Accounts)]
pub struct SetAmiEndpoint {
    /// The engineering authority as governance has it now.
    #[account(constraint = governance.is_authority(authority.address()) @ OracleError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut, address = ORACLE)]
    pub config: Account<OracleConfig>,
}

impl SetAmiEndpoint {
    pub fn run(&mut self, ami_endpoint: [u8; 64]) -> Result<()> {
        self.config.ami_endpoint = ami_endpoint;
        emit!(AmiEndpointSet { authority: *self.authority.address(), ami_endpoint });
        Ok(())
    }
}
