use anchor_lang::prelude::*;
use common::units::now;
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use registry_interface::{RegistryConfig, Role, User, UserStatus, UserType, REGISTRY};

use crate::{errors::RegistryError, events::UserRegistered};

#[derive(Accounts)]
pub struct RegisterUser {
    /// The engineering authority; pays. May be `wallet` itself.
    #[account(mut, unsafe(dup), constraint = governance.is_authority(authority.address()) @ RegistryError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE, constraint = !governance.is_paused(pause::REGISTRY_WRITE, now)? @ RegistryError::Paused)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut, address = REGISTRY)]
    pub config: Account<RegistryConfig>,
    /// The new user's wallet: any address but zero. Nothing else about it is checked.
    #[account(constraint = wallet.address() != &Address::default() @ RegistryError::NotOwner)]
    pub wallet: UncheckedAccount,
    #[account(init, payer = authority, seeds = [b"user", wallet], bump)]
    pub user: Account<User>,
    pub system_program: Program<System>,
}

impl RegisterUser {
    pub fn run(
        &mut self,
        bump: u8,
        user_type: u8,
        role: u8,
        location: [u8; 32],
        external_id_hash: [u8; 32],
    ) -> Result<()> {
        require!(UserType::from_u8(user_type).is_some(), RegistryError::LimitOutOfBounds);
        require!(Role::from_u8(role).is_some(), RegistryError::LimitOutOfBounds);
        let count = self.config.user_count.get().checked_add(1).ok_or(RegistryError::Overflow)?;
        self.config.user_count = count.into();

        let now = now()?;
        let wallet = *self.wallet.address();
        let user = &mut self.user;
        user.version = User::VERSION;
        user.bump = bump;
        user.user_type = user_type;
        user.role = role;
        user.status = UserStatus::Active as u8;
        user.wallet = wallet;
        user.registered_at = now.into();
        user.status_changed_at = now.into();
        user.location = location;
        user.external_id_hash = external_id_hash;
        emit!(UserRegistered { wallet, user_type, role, at: now.into() });
        Ok(())
    }
}
