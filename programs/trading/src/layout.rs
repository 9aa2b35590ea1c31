//! What an IDL cannot say: where the rows of Book, Seats and History lie, and how long they are.

use anchor_lang::{accounts::Slab, prelude::*};
use trading_interface::{Book, History, HistoryEntry, Order, Seat, Seats};

/// First [`Order`] of a book, bytes from the account's start; the number of rows is the u32 before the padding.
#[constant]
pub const BOOK_ROWS_AT: u64 = Slab::<Book, Order>::space_for(0) as u64;
/// Bytes of an [`Order`].
#[constant]
pub const BOOK_ROW: u64 = core::mem::size_of::<Order>() as u64;
/// First [`Seat`].
#[constant]
pub const SEATS_ROWS_AT: u64 = Slab::<Seats, Seat>::space_for(0) as u64;
/// Bytes of a [`Seat`].
#[constant]
pub const SEATS_ROW: u64 = core::mem::size_of::<Seat>() as u64;
/// First [`HistoryEntry`].
#[constant]
pub const HISTORY_ROWS_AT: u64 = Slab::<History, HistoryEntry>::space_for(0) as u64;
/// Bytes of a [`HistoryEntry`].
#[constant]
pub const HISTORY_ROW: u64 = core::mem::size_of::<HistoryEntry>() as u64;
/// Prices that an order may name.
#[constant]
pub const TICKS: u64 = trading_interface::N_TICKS as u64;
