use anchor_lang::{address_eq, prelude::*};
use registry_interface::User;

use crate::errors::RegistryError;

#[derive(Accounts)]
pub struct VerifyUser {
    pub user: Account<User>,
}

/// What `verify_user` returns; the numbers as in User.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct VerifiedUser {
    pub status: u8,
    pub user_type: u8,
    pub role: u8,
    pub meter_count: u8,
}

impl VerifyUser {
    pub fn run(&self, wallet: &Address) -> Result<VerifiedUser> {
        let user = &self.user;
        require!(address_eq(&user.wallet, wallet), RegistryError::NotOwner);
        require!(user.is_active(), RegistryError::UserInactive);
        Ok(VerifiedUser {
            status: user.status,
            user_type: user.user_type,
            role: user.role,
            meter_count: user.meter_count,
        })
    }
}
