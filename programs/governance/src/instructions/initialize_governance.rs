use anchor_lang::prelude::*;
use governance_interface::{GovernanceConfig, PARAMS};

use crate::{errors::GovernanceError, events::GovernanceInitialized};

const PROGRAM_DATA: Address = common::upgrade::program_data(&crate::ID);

#[derive(Accounts)]
pub struct InitializeGovernance {
    /// This program's upgrade authority; pays.
    #[account(mut)]
    pub authority: Signer,
    /// Where the loader keeps the upgrade authority.
    #[account(
        address = PROGRAM_DATA @ GovernanceError::Unauthorized,
        constraint = common::upgrade::is_authority(program_data.account(), authority.address()) @ GovernanceError::Unauthorized,
    )]
    pub program_data: UncheckedAccount,
    #[account(init, payer = authority, seeds = [b"governance"], bump)]
    pub governance: Account<GovernanceConfig>,
    pub system_program: Program<System>,
}

impl InitializeGovernance {
    pub fn run(
        &mut self,
        bump: u8,
        engineering_authority: Address,
        guardian: Address,
        single_validator: Address,
        campus_network: [u8; 32],
    ) -> Result<()> {
        require!(engineering_authority != Address::default(), GovernanceError::Unauthorized);
        let now = common::units::now()?;
        let config = &mut self.governance;
        config.version = GovernanceConfig::VERSION;
        config.bump = bump;
        config.engineering_authority = engineering_authority;
        config.guardian = guardian;
        config.single_validator = single_validator;
        config.created_at = now.into();
        config.campus_network = campus_network;
        for (value, param) in config.system_parameters.iter_mut().zip(&PARAMS) {
            *value = param.default.into();
        }
        emit!(GovernanceInitialized {
            engineering_authority,
            guardian,
            single_validator,
            campus_network,
            at: now.into(),
        });
        Ok(())
    }
}
