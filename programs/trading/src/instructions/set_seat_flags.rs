use anchor_lang::{accounts::Slab, prelude::*};
use trading_interface::{Seat, Seats};

use crate::{errors::TradingError, seats::owned};

#[derive(Accounts)]
pub struct SetSeatFlags {
    pub trader: Signer,
    /// Any market's seats: those of this program are all pinned.
    #[account(mut)]
    pub seats: Slab<Seats, Seat>,
}

impl SetSeatFlags {
    pub fn run(&mut self, seat: u32, flags: u8) -> Result<()> {
        require!(flags & !Seat::HOLD == 0, TradingError::Overflow);
        owned(&mut self.seats, seat, self.trader.address())?.flags = flags;
        Ok(())
    }
}
