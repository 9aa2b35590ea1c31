//! Whose seat is it?

use anchor_lang::{accounts::Slab, address_eq, prelude::*};
use trading_interface::{Seat, Seats};

use crate::errors::TradingError;

/// The seat at `index`, if `owner` sits there.
#[inline(always)]
pub fn owned<'a>(seats: &'a mut Slab<Seats, Seat>, index: u32, owner: &Address) -> Result<&'a mut Seat> {
    let seat = seats.get_mut(index as usize).ok_or(TradingError::NotOwner)?;
    require!(address_eq(&seat.owner, owner), TradingError::NotOwner);
    Ok(seat)
}
