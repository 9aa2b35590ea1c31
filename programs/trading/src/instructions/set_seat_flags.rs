use anchor_lang::{accounts::Slab, prelude::*};
use governance_interface::{GovernanceConfig, GOVERNANCE};
use registry_interface::{User, UserStatus};
use trading_interface::{Seat, Seats};

use crate::{errors::TradingError, seats::owned};

#[derive(Accounts)]
pub struct SetSeatFlags {
    /// The trader; or, once the user is Revoked, the engineering authority, which can only take HOLD away: then anyone
    /// pays the seat out to its owner, and it can be closed.
    #[account(
        constraint = authority.address() == &user.wallet
            || (governance.is_authority(authority.address()) && user.status == UserStatus::Revoked) @ TradingError::Unauthorized,
    )]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    /// Of the seat's owner.
    pub user: Account<User>,
    /// Any market's seats: those of this program are all pinned.
    #[account(mut)]
    pub seats: Slab<Seats, Seat>,
}

impl SetSeatFlags {
    pub fn run(&mut self, seat: u32, flags: u8) -> Result<()> {
        require!(flags & !Seat::HOLD == 0, TradingError::Overflow);
        let trader = self.authority.address() == &self.user.wallet;
        require!(trader || flags == 0, TradingError::Unauthorized);
        owned(&mut self.seats, seat, &self.user.wallet)?.flags = flags;
        Ok(())
    }
}
