use anchor_lang::prelude::*;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use registry_interface::{User, UserStatus};

use crate::{errors::RegistryError, events::UserStatusChanged};

#[derive(Accounts)]
pub struct SetUserStatus {
    /// The engineering authority.
    #[account(constraint = governance.is_authority(authority.address()) @ RegistryError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut)]
    pub user: Account<User>,
}

impl SetUserStatus {
    pub fn run(&mut self, status: u8) -> Result<()> {
        require!(UserStatus::from_u8(status).is_some(), RegistryError::LimitOutOfBounds);
        let user = &mut self.user;
        let old = user.status;
        require!(old != status, RegistryError::BadStatusTransition);
        let now = common::units::now()?;
        user.status = status;
        user.status_changed_at = now.into();
        emit!(UserStatusChanged { wallet: user.wallet, old, new: status, at: now.into() });
        Ok(())
    }
}
