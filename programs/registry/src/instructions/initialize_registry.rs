use anchor_lang::prelude::*;
use governance_interface::{GovernanceConfig, ParamId, GOVERNANCE};
use registry_interface::RegistryConfig;

use crate::{errors::RegistryError, events::RegistryInitialized};

const PROGRAM_DATA: Address = common::upgrade::program_data(&crate::ID);

#[derive(Accounts)]
pub struct InitializeRegistry {
    /// This program's upgrade authority; pays.
    #[account(mut)]
    pub authority: Signer,
    /// Where the loader keeps the upgrade authority.
    #[account(
        address = PROGRAM_DATA @ RegistryError::Unauthorized,
        constraint = common::upgrade::is_authority(program_data.account(), authority.address()) @ RegistryError::Unauthorized,
    )]
    pub program_data: UncheckedAccount,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(init, payer = authority, seeds = [b"registry"], bump)]
    pub config: Account<RegistryConfig>,
    pub system_program: Program<System>,
}

impl InitializeRegistry {
    pub fn run(&mut self, bump: u8, building_location: [u8; 64], domain: [u8; 8]) -> Result<()> {
        let now = common::units::now()?;
        let config = &mut self.config;
        config.version = RegistryConfig::VERSION;
        config.bump = bump;
        config.max_meters_per_user = mirror(&self.governance);
        config.next_meter_no = 1.into();
        config.engineering_authority = self.governance.engineering_authority;
        config.created_at = now.into();
        config.building_location = building_location;
        config.domain = domain;
        emit!(RegistryInitialized { domain, at: now.into() });
        Ok(())
    }
}

/// MAX_METERS_PER_USER as the config mirrors it; its hard bound is 16.
pub fn mirror(governance: &GovernanceConfig) -> u8 {
    u8::try_from(governance.param(ParamId::MaxMetersPerUser)).unwrap_or(u8::MAX)
}
