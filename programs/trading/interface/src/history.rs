//! History: a ring with one entry for each settled epoch.

use anchor_lang::bytemuck::{Pod, Zeroable};
use anchor_lang::prelude::*;

/// Header of the ring; [`HistoryEntry`]s follow.  Not a PDA: pinned in `Market.history`.
///
/// Entry number `settled_count mod capacity` is the next to be written: pushed until the ring is full, overwritten from then on.
#[account]
pub struct History {
    /// Layout version, 1.
    pub version: u8,
    /// Not a PDA: 0.
    pub bump: u8,
    pub market: Address,
    /// Epochs settled ever.
    pub settled_count: PodU64,
    pub reserved: [u8; 32],
}

impl History {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;
}

/// What one epoch came to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable, AnchorSerialize, AnchorDeserialize, IdlType)]
#[bytemuck(crate = "anchor_lang::bytemuck")]
pub struct HistoryEntry {
    /// Start of the epoch, Unix seconds.
    pub epoch: i64,
    /// Quote atoms per kWh; 0 if nothing traded.
    pub price: u64,
    pub volume_lots: u64,
    /// What the buyers paid, in quote atoms.
    pub quote_volume: u64,
    /// What of it the market kept, in quote atoms.
    pub fee: u64,
    /// Open lots of all buyers at the clearing.
    pub bid_lots: u64,
    pub ask_lots: u64,
    /// Slot of the chain in which the price was found.
    pub cleared_slot: u64,
    pub settled_slot: u64,
    /// Orders that stood in the book at the clearing.
    pub orders: u32,
    /// How many of them traded.
    pub fills: u32,
    pub tick: u16,
    /// Bit 0 VOID, bit 1 MISMATCH.
    pub flags: u16,
    /// Chain over blocks of 64 order rows after allocation; zeros if nothing traded.
    pub fills_digest: [u8; 32],
    pub reserved: [u8; 4],
}

impl HistoryEntry {
    /// `flags`: the authority (or, after a day's halt, anybody) cancelled the matching; every order was released.
    pub const VOID: u16 = 1;
    /// `flags`: payments did not sum up; LedgerMismatch tells more.
    pub const MISMATCH: u16 = 2;
}
