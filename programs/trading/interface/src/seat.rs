//! Seats: who has what in the market, free or locked behind an order.

use anchor_lang::bytemuck::{Pod, Zeroable};
use anchor_lang::prelude::*;

use crate::Asset;

/// Header of the seats; [`Seat`]s follow.  Not a PDA: pinned in `Market.seats`.
#[account]
pub struct Seats {
    /// Layout version, 1.
    pub version: u8,
    /// Not a PDA: 0.
    pub bump: u8,
    pub market: Address,
    pub reserved: [u8; 32],
}

impl Seats {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;
}

/// One trader's place.  Amounts in atoms of the base (GRID) and quote mints.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable, AnchorSerialize, AnchorDeserialize, IdlType)]
#[bytemuck(crate = "anchor_lang::bytemuck")]
pub struct Seat {
    /// The zero address: nobody sits here.
    pub owner: Address,
    pub base_free: u64,
    pub base_locked: u64,
    pub quote_free: u64,
    pub quote_locked: u64,
    /// Epoch that `placed` and `side` speak of.
    pub order_epoch: i64,
    /// Lots traded ever.
    pub volume_lots: u64,
    /// Orders not yet cancelled or settled, in both books.
    pub open_orders: u16,
    /// Orders placed in `order_epoch`, cancelled ones too.
    pub placed: u16,
    /// The one side of `order_epoch`: 0 buy, 1 sell.
    pub side: u8,
    /// Bit 0 HOLD.
    pub flags: u8,
    pub reserved: [u8; 2],
}

impl Seat {
    /// `flags`: payout leaves this seat alone.
    pub const HOLD: u8 = 1;

    /// Does somebody sit here?
    pub fn is_taken(&self) -> bool {
        self.owner != Address::default()
    }

    /// What may be withdrawn of `asset`, or locked behind an order.
    #[inline(always)]
    pub fn free(&mut self, asset: Asset) -> &mut u64 {
        match asset {
            Asset::Base => &mut self.base_free,
            Asset::Quote => &mut self.quote_free,
        }
    }

    /// What of `asset` stands behind open orders.
    #[inline(always)]
    pub fn locked(&mut self, asset: Asset) -> &mut u64 {
        match asset {
            Asset::Base => &mut self.base_locked,
            Asset::Quote => &mut self.quote_locked,
        }
    }

    /// Is there nothing in it, and nothing coming?
    pub fn is_clear(&self) -> bool {
        self.base_free == 0
            && self.base_locked == 0
            && self.quote_free == 0
            && self.quote_locked == 0
            && self.open_orders == 0
    }
}

/// PDA `["seat", market, wallet]`: which seat is the wallet's; so it has one at most.
#[account]
pub struct SeatIndex {
    /// Layout version, 1.
    pub version: u8,
    pub bump: u8,
    pub seat: PodU32,
    pub reserved: [u8; 32],
}

impl SeatIndex {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;
}
