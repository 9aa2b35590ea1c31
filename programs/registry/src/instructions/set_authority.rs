use anchor_lang::prelude::*;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use registry_interface::{RegistryConfig, REGISTRY};

use crate::{errors::RegistryError, instructions::mirror};

#[derive(Accounts)]
pub struct SetAuthority {
    /// Governance itself, by CPI: no wallet can give this signature.
    #[account(signer, address = GOVERNANCE @ RegistryError::Unauthorized)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut, address = REGISTRY)]
    pub config: Account<RegistryConfig>,
}

impl SetAuthority {
    pub fn run(&mut self) -> Result<()> {
        self.config.engineering_authority = self.governance.engineering_authority;
        self.config.max_meters_per_user = mirror(&self.governance);
        Ok(())
    }
}
