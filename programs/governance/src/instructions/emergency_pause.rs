use anchor_lang::prelude::*;
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};

use crate::{errors::GovernanceError, events::EmergencyPaused};

#[derive(Accounts)]
pub struct EmergencyPause {
    /// The engineering authority, the guardian or the single_validator.
    #[account(constraint = governance.may_pause(authority.address()) @ GovernanceError::Unauthorized)]
    pub authority: Signer,
    #[account(mut, address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
}

impl EmergencyPause {
    pub fn run(&mut self, mask: u32, reason: u16) -> Result<()> {
        require!(mask != 0 && mask & !pause::ALL == 0, GovernanceError::BadMask);
        let now = common::units::now()?;
        let config = &mut self.governance;
        config.pause(mask, now)?;
        emit!(EmergencyPaused {
            mask: mask.into(),
            pause_mask: config.pause_mask,
            reason: reason.into(),
            by: *self.authority.address(),
            at: now.into(),
            expires_at: config.pause_expires_at,
        });
        Ok(())
    }
}
