//! `initialize_oracle`: creates the config, once.

use anchor_lang::prelude::*;
use common::{units, upgrade};
use governance_interface::{GovernanceConfig, GOVERNANCE};
use oracle_interface::{OracleConfig, RelayerMode, ORACLE_AUTH_BUMP};
use registry_interface::{RegistryConfig, REGISTRY};

use crate::{errors::OracleError, events::OracleInitialized};

const PROGRAM_DATA: Address = upgrade::program_data(&crate::ID);

#[derive(Accounts)]
pub struct InitializeOracle {
    /// This program's upgrade authority; pays.
    #[account(mut)]
    pub authority: Signer,
    /// This program's ProgramData; its owner, tag and authority are checked.
    #[account(
        address = PROGRAM_DATA,
        constraint = upgrade::is_authority(program_data.account(), authority.address()) @ OracleError::Unauthorized
    )]
    pub program_data: UncheckedAccount,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    /// Gives the domain.
    #[account(address = REGISTRY)]
    pub registry: Account<RegistryConfig>,
    #[account(init, payer = authority, seeds = [b"oracle"], bump)]
    pub config: Account<OracleConfig>,
    pub system_program: Program<System>,
}

impl InitializeOracle {
    pub fn run(&mut self, bump: u8, ami_endpoint: [u8; 64]) -> Result<()> {
        let config = &mut self.config;
        config.version = OracleConfig::VERSION;
        config.bump = bump;
        config.auth_bump = ORACLE_AUTH_BUMP;
        config.active = 1;
        config.decimals = units::GRID_DECIMALS;
        config.relayer_mode = RelayerMode::Anyone as u8;
        config.engineering_authority = self.governance.engineering_authority;
        config.registry_program = registry_interface::ID;
        config.token_program = energy_token_interface::ID;
        config.trading_program = trading_interface::ID;
        config.domain = self.registry.domain;
        config.market_clearing_interval = (units::EPOCH_SECS as u64).into();
        config.ami_endpoint = ami_endpoint;
        emit!(OracleInitialized { authority: config.engineering_authority, domain: config.domain });
        Ok(())
    }
}
