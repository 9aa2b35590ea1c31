use anchor_lang::prelude::*;
use governance_interface::{GovernanceConfig, GOVERNANCE};

#[derive(Accounts)]
pub struct GetStatus {
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
}

/// What `get_status` returns.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct GovernanceStatus {
    /// Bits that are stopped now.
    pub pause_mask: u32,
    /// Parameter updates so far.
    pub params_nonce: u64,
}

impl GetStatus {
    pub fn run(&self) -> Result<GovernanceStatus> {
        let config = &self.governance;
        Ok(GovernanceStatus {
            pause_mask: config.effective_pause(common::units::now()?),
            params_nonce: config.params_nonce.get(),
        })
    }
}
