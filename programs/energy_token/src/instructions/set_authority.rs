//! `set_authority`: governance tells who the department is now.

use anchor_lang::prelude::*;
use common::units::ATOMS_PER_MWH;
use energy_token_interface::{TokenConfig, TOKEN_CONFIG};
use governance_interface::{GovernanceConfig, ParamId, GOVERNANCE};

use crate::errors::TokenError;

#[derive(Accounts)]
pub struct SetAuthority {
    /// Governance itself, by CPI: no wallet can give this signature.
    #[account(signer, address = GOVERNANCE @ TokenError::Unauthorized)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut, address = TOKEN_CONFIG)]
    pub config: Account<TokenConfig>,
}

impl SetAuthority {
    pub fn run(&mut self) -> Result<()> {
        let cap_mwh = self.governance.param(ParamId::MintCapMwhPerEpoch);
        self.config.mint_authority = self.governance.engineering_authority;
        self.config.mint_cap_per_epoch = cap_mwh.checked_mul(ATOMS_PER_MWH).ok_or(TokenError::Overflow)?.into();
        Ok(())
    }
}
