use anchor_lang::prelude::*;
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};

use crate::{errors::GovernanceError, events::EmergencyUnpaused};

#[derive(Accounts)]
pub struct EmergencyUnpause {
    /// The engineering authority.
    #[account(constraint = governance.is_authority(authority.address()) @ GovernanceError::Unauthorized)]
    pub authority: Signer,
    #[account(mut, address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
}

impl EmergencyUnpause {
    pub fn run(&mut self, mask: u32) -> Result<()> {
        require!(mask != 0 && mask & !pause::ALL == 0, GovernanceError::BadMask);
        let now = common::units::now()?;
        let config = &mut self.governance;
        config.unpause(mask, now);
        emit!(EmergencyUnpaused {
            mask: mask.into(),
            pause_mask: config.pause_mask,
            by: *self.authority.address(),
            at: now.into(),
        });
        Ok(())
    }
}
