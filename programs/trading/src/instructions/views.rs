//! What programs and clients without our layouts may ask; the answers are return data.
extern crate alloc;

use alloc::vec::Vec;
use anchor_lang::{accounts::Slab, prelude::*};
use trading_interface::{Book, History, HistoryEntry, Order, OrderState, Seat, Seats};

use crate::errors::TradingError;

/// Slots that `get_orders_of` returns at most: return data ends at 1,024 bytes.
const MOST_SLOTS: usize = 100;

/// Accounts of `get_order` and `get_orders_of`.
#[derive(Accounts)]
pub struct ReadBook {
    pub book: Slab<Book, Order>,
}

impl ReadBook {
    pub fn order(&self, slot: u32) -> Result<Order> {
        Ok(*self.book.get(slot as usize).ok_or(TradingError::OrderNotFound)?)
    }

    pub fn orders_of(&self, seat: u32) -> Result<Vec<u32>> {
        let rows = self.book.iter().zip(0u32..);
        let open = rows.filter(|(order, _)| order.seat == seat && order.state != OrderState::Cancelled);
        Ok(open.map(|(_, slot)| slot).take(MOST_SLOTS).collect())
    }
}

/// Accounts of `get_seat`.
#[derive(Accounts)]
pub struct ReadSeats {
    pub seats: Slab<Seats, Seat>,
}

impl ReadSeats {
    pub fn seat(&self, seat: u32) -> Result<Seat> {
        Ok(*self.seats.get(seat as usize).ok_or(TradingError::NotOwner)?)
    }
}

/// Accounts of `get_epoch`.
#[derive(Accounts)]
pub struct ReadHistory {
    pub history: Slab<History, HistoryEntry>,
}

impl ReadHistory {
    /// Epochs only grow, so the ring is sorted from its oldest entry on.
    pub fn epoch(&self, epoch: i64) -> Result<HistoryEntry> {
        let rows = self.history.as_slice();
        let oldest = if self.history.is_full() {
            (self.history.settled_count.get() % self.history.capacity() as u64) as usize
        } else {
            0
        };
        let (newer, older) = rows.split_at(oldest);
        let find = |part: &[HistoryEntry]| part.binary_search_by_key(&epoch, |entry| entry.epoch).ok().map(|i| part[i]);
        Ok(find(older).or_else(|| find(newer)).ok_or(TradingError::WrongPhase)?)
    }
}
