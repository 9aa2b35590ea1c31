//! Trading as other programs see it: its id, its accounts, the CPIs that clear, match and settle an epoch.
//!
//! * [`Market`]: one per quote mint; configuration, totals, and [`Clear`], the arithmetic of the epoch being settled
//! * [`Book`]: header of a slab of [`Order`]s; a market has two, so that one collects while the other is settled
//! * [`Seats`]: header of a slab of [`Seat`]s, the ledger of everybody's money
//! * [`History`]: header of a ring of [`HistoryEntry`]s, one for each settled epoch
//!
//! Book, Seats and History are created by the client, owned by this program and pinned in Market; their rows follow a header,
//! a length (u32) and padding to 8 bytes (`BOOK_ROWS_AT`, …), and are naturally aligned, so that views return them as they lie.
#![cfg_attr(target_os = "solana", no_std)]

use anchor_lang::prelude::*;

mod book;
pub mod cpi;
mod history;
mod market;
mod seat;

pub use book::{Book, BookState, Levels, Order, OrderState, Side, N_TICKS};
pub use history::{History, HistoryEntry};
pub use market::{Asset, Clear, MarginRule, Market};
pub use seat::{Seat, SeatIndex, Seats};

declare_id!("AX4ie8DUAXYnUdQ7sBxRqu3E1pWK4Mi85htuNNLNekiE");

/// Market: `[MARKET_SEED, quote_mint]`.
pub const MARKET_SEED: &[u8] = b"market";
/// Vault: `[VAULT_SEED, market, [asset]]`, asset 0 base, 1 quote.
pub const VAULT_SEED: &[u8] = b"vault";
/// SeatIndex: `[SEAT_SEED, market, wallet]`.
pub const SEAT_SEED: &[u8] = b"seat";
/// Signer of the event self-CPIs: `[EVENT_SEED]`, Anchor's name for it.
pub const EVENT_SEED: &[u8] = b"__event_authority";

const FOUND: (Address, u8) = common::pda::find(EVENT_SEED, &ID);
/// Address that signs the event self-CPIs.
pub const EVENT_AUTHORITY: Address = FOUND.0;
/// Bump of [`EVENT_AUTHORITY`].
pub const EVENT_AUTHORITY_BUMP: u8 = FOUND.1;
