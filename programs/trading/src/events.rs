//! What Trading reports.  Amounts in atoms, prices in quote atoms per kWh, times in Unix seconds.
//!
//! EpochCleared, FillBatch and EpochSettled are sent by self-CPI (see `reports`), the others as logs.
extern crate alloc;

use alloc::vec::Vec;
use anchor_lang::prelude::*;

/// A market exists.
#[event(bytemuck)]
pub struct MarketInitialized {
    pub market: Address,
    pub base_mint: Address,
    pub quote_mint: Address,
    pub lot_size: PodU64,
    pub price_floor: PodU64,
    pub tick_size: PodU64,
    pub n_slots: PodU32,
    pub n_seats: PodU32,
    /// 1: whoever made the market accepted that its quote token can be frozen.
    pub accept_freezable: u8,
}

/// The market's own parameters have new values.
#[event(bytemuck)]
pub struct MarketParamsUpdated {
    pub market: Address,
    pub lot_size: PodU64,
    pub price_floor: PodU64,
    pub tick_size: PodU64,
    pub fee_destination: Address,
    pub clearing_enabled: u8,
}

/// A wallet has a seat.
#[event(bytemuck)]
pub struct SeatOpened {
    pub market: Address,
    pub wallet: Address,
    pub seat: PodU32,
}

/// A wallet has no seat any more.
#[event(bytemuck)]
pub struct SeatClosed {
    pub market: Address,
    pub wallet: Address,
    pub seat: PodU32,
    pub by: Address,
}

/// Tokens came into a seat.
#[event(bytemuck)]
pub struct Deposited {
    pub market: Address,
    pub seat: PodU32,
    /// 0 base, 1 quote.
    pub side: u8,
    pub amount: PodU64,
}

/// Tokens left a seat at its owner's wish.
#[event(bytemuck)]
pub struct Withdrawn {
    pub market: Address,
    pub seat: PodU32,
    /// 0 base, 1 quote.
    pub side: u8,
    pub amount: PodU64,
}

/// An order stands in the book.
#[event(bytemuck)]
pub struct OrderPlaced {
    pub market: Address,
    pub epoch: PodI64,
    pub id: PodU64,
    pub client_id: PodU64,
    pub slot: PodU32,
    pub seat: PodU32,
    pub lots: PodU32,
    pub tick: PodU16,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// What was pulled from the token account, atoms; the rest was free in the seat.
    pub pulled: PodU64,
}

/// An order does not stand any more.
#[event(bytemuck)]
pub struct OrderCancelled {
    pub market: Address,
    pub epoch: PodI64,
    pub id: PodU64,
    pub slot: PodU32,
    pub seat: PodU32,
    pub by: Address,
}

/// The price of an epoch is known.
#[event(bytemuck)]
pub struct EpochCleared {
    pub market: Address,
    pub epoch: PodI64,
    /// 0 if nothing trades.
    pub price: PodU64,
    pub tick: PodU32,
    pub volume_lots: PodU64,
    pub bid_lots: PodU64,
    pub ask_lots: PodU64,
    /// |demand - supply| at the price.
    pub imbalance: PodU64,
    pub orders: PodU32,
}

/// One order's trade.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct Fill {
    pub slot: u32,
    pub seat: u32,
    pub lots: u32,
}

/// Trades of an epoch, in the order of the book; settled when this is reported.
#[event]
pub struct FillBatch {
    pub market: Address,
    pub epoch: i64,
    pub price: u64,
    pub fills: Vec<Fill>,
}

/// An epoch is settled; the same as its HistoryEntry.
#[event(bytemuck)]
pub struct EpochSettled {
    pub market: Address,
    pub epoch: PodI64,
    pub price: PodU64,
    pub volume_lots: PodU64,
    pub quote_volume: PodU64,
    pub fee: PodU64,
    pub orders: PodU32,
    pub fills: PodU32,
    pub flags: PodU16,
    pub fills_digest: [u8; 32],
}

/// What was allocated is not what trades: orders, clearing, matching and settling stop until `void_epoch`.
#[event(bytemuck)]
pub struct MarketHalted {
    pub market: Address,
    pub epoch: PodI64,
    pub volume_lots: PodU64,
    pub sum_buy: PodU64,
    pub sum_sell: PodU64,
    pub at: PodI64,
}

/// The matching of an epoch was given up: its orders are released.
#[event(bytemuck)]
pub struct EpochVoided {
    pub market: Address,
    pub epoch: PodI64,
    pub by: Address,
    pub was_halted: u8,
}

/// What was settled does not sum up; the epoch ended all the same.
#[event(bytemuck)]
pub struct LedgerMismatch {
    pub market: Address,
    pub epoch: PodI64,
    pub volume_lots: PodU64,
    pub sum_buy: PodU64,
    pub sum_sell: PodU64,
    pub sum_cost: PodU64,
    pub sum_net: PodU64,
    pub sum_fee: PodU64,
}

/// A seat's free balances went to its owner's token accounts.
#[event(bytemuck)]
pub struct PaidOut {
    pub market: Address,
    pub seat: PodU32,
    pub base: PodU64,
    pub quote: PodU64,
}

/// A balance stays in its seat: the token account is not the owner's canonical one, is closed or frozen, or the vault is.
#[event(bytemuck)]
pub struct PayoutSkipped {
    pub market: Address,
    pub seat: PodU32,
    /// 0 base, 1 quote.
    pub side: u8,
    pub amount: PodU64,
}

/// Fees left the market.
#[event(bytemuck)]
pub struct FeesSwept {
    pub market: Address,
    pub to: Address,
    pub amount: PodU64,
}
