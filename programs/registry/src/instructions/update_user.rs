use anchor_lang::prelude::*;
use common::units::now;
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use registry_interface::{Role, User, UserType};

use crate::{errors::RegistryError, events::UserUpdated};

#[derive(Accounts)]
pub struct UpdateUser {
    /// The engineering authority.
    #[account(constraint = governance.is_authority(authority.address()) @ RegistryError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE, constraint = !governance.is_paused(pause::REGISTRY_WRITE, now)? @ RegistryError::Paused)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut)]
    pub user: Account<User>,
}

impl UpdateUser {
    pub fn run(&mut self, user_type: Option<u8>, role: Option<u8>, location: Option<[u8; 32]>) -> Result<()> {
        let user = &mut self.user;
        if let Some(user_type) = user_type {
            require!(UserType::from_u8(user_type).is_some(), RegistryError::LimitOutOfBounds);
            user.user_type = user_type;
        }
        if let Some(role) = role {
            require!(Role::from_u8(role).is_some(), RegistryError::LimitOutOfBounds);
            user.role = role;
        }
        if let Some(location) = location {
            user.location = location;
        }
        emit!(UserUpdated {
            wallet: user.wallet,
            user_type: user.user_type,
            role: user.role,
            location: user.location,
            at: now()?.into(),
        });
        Ok(())
    }
}
