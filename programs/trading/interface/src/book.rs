//! A book: the orders of one epoch, in order of arrival, and how many lots stand at each tick.

use anchor_lang::bytemuck::{self, Pod, Zeroable};
use anchor_lang::prelude::*;

use crate::Asset;

/// Prices that an order may name.
pub const N_TICKS: usize = 1024;

/// Lots at each tick.
pub type Levels = [PodU32; N_TICKS];

/// What is being done with a book.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookState {
    /// Empty, free for the next epoch.
    Idle = 0,
    /// Takes orders until its epoch ends, then waits for its clearing.
    Collecting = 1,
    /// The price is known; fills are being computed.
    Matching = 2,
    /// Fills are known; seats are being credited and debited.
    Settling = 3,
}

/// Which way an order goes.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Buy = 0,
    Sell = 1,
}

impl Side {
    /// What an order of this side locks.
    #[inline(always)]
    pub const fn asset(self) -> Asset {
        match self {
            Self::Buy => Asset::Quote,
            Self::Sell => Asset::Base,
        }
    }
}

/// What became of an order.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    Empty = 0,
    Open = 1,
    /// `filled` is known.
    Allocated = 2,
    /// The seat has been credited and debited.
    Settled = 3,
    /// The slot stays taken for this epoch.
    Cancelled = 4,
}

macro_rules! compares_with_bytes {
    ($($name:ty),+) => {$(
        impl PartialEq<$name> for u8 {
            fn eq(&self, other: &$name) -> bool {
                *self == *other as u8
            }
        }
    )+};
}
compares_with_bytes!(BookState, Side, OrderState);

/// Header of a book; [`Order`]s follow.  Not a PDA: pinned in `Market.books[index]`.
#[account]
pub struct Book {
    /// Layout version, 1.
    pub version: u8,
    /// Not a PDA: 0.
    pub bump: u8,
    /// 0 or 1: its place in `Market.books`.
    pub index: u8,
    /// A [`BookState`]; the same stands in `Market.book_state`.
    pub state: u8,
    /// A MarginRule, as it was when the book was opened.
    pub margin_rule: u8,
    /// Fee on proceeds in 1/10,000, as it was when the book was opened.
    pub fee_bps: PodU16,
    /// Orders a seat may place in this epoch.
    pub max_orders: PodU16,
    pub market: Address,
    /// Start of the epoch, Unix seconds.
    pub epoch: PodI64,
    /// Open lots of all buyers.
    pub total_bid_lots: PodU64,
    /// Open lots of all sellers.
    pub total_ask_lots: PodU64,
    /// Orders placed and not cancelled.
    pub live: PodU32,
    pub bid_lots: [PodU32; 1024],
    pub ask_lots: [PodU32; 1024],
    /// Seats with an order in this epoch, cancelled ones too.
    pub seats_used: PodU32,
    pub reserved: [u8; 28],
}

impl Book {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;

    /// Slots that are kept for the first order of whoever has none in this epoch; `n_seats` is the market's.
    #[inline(always)]
    pub fn kept_for_others(&self, n_seats: u32) -> u32 {
        n_seats.saturating_sub(self.seats_used.get())
    }

    /// Lots at each tick of one side.
    #[inline(always)]
    pub fn levels(&mut self, side: Side) -> &mut Levels {
        match side {
            Side::Buy => &mut self.bid_lots,
            Side::Sell => &mut self.ask_lots,
        }
    }

    /// Open lots of one side.
    #[inline(always)]
    pub fn total(&mut self, side: Side) -> &mut PodU64 {
        match side {
            Side::Buy => &mut self.total_bid_lots,
            Side::Sell => &mut self.total_ask_lots,
        }
    }

    /// Empties totals and levels; the orders are the slab's, the state is `Market::set_book_state`'s.
    pub fn reset(&mut self) {
        self.total_bid_lots = PodU64::ZERO;
        self.total_ask_lots = PodU64::ZERO;
        self.live = PodU32::ZERO;
        self.seats_used = PodU32::ZERO;
        bytemuck::bytes_of_mut(&mut self.bid_lots).fill(0); // one system call; element by element it costs 10,000 CU
        bytemuck::bytes_of_mut(&mut self.ask_lots).fill(0);
    }
}

/// One order.  Its slot is its place in the book, and so its place in time.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable, AnchorSerialize, AnchorDeserialize, IdlType)]
#[bytemuck(crate = "anchor_lang::bytemuck")]
pub struct Order {
    /// Unique in the market, from 1.
    pub id: u64,
    /// Whatever the client wants to know it by.
    pub client_id: u64,
    pub lots: u32,
    /// Lots traded; known from Allocated on.
    pub filled: u32,
    /// Limit, as a tick.
    pub tick: u16,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// 0 empty, 1 open, 2 allocated, 3 settled, 4 cancelled.
    pub state: u8,
    /// Index of the owner's seat.
    pub seat: u32,
}

impl Order {
    /// Which way it goes.
    #[inline(always)]
    pub fn side(&self) -> Side {
        if self.side == Side::Buy {
            Side::Buy
        } else {
            Side::Sell
        }
    }
}
