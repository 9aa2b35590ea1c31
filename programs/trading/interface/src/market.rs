//! The market: its configuration, its totals and the epoch that is being settled.

use anchor_lang::bytemuck::{Pod, Zeroable};
use anchor_lang::prelude::*;

use crate::{Book, BookState};

/// How lots are shared among the orders at the marginal tick.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarginRule {
    /// In proportion to their size.
    ProRata = 0,
    /// First come, first served.
    Time = 1,
}

/// One of the two tokens of a market.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asset {
    /// GRID.
    Base = 0,
    /// What it is paid in.
    Quote = 1,
}

impl Asset {
    /// The asset of that number, if there is one.
    pub const fn from_u8(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Base),
            1 => Some(Self::Quote),
            _ => None,
        }
    }
}

/// The arithmetic of the epoch that is being matched or settled; zeros otherwise.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable, IdlType)]
#[bytemuck(crate = "anchor_lang::bytemuck")]
pub struct Clear {
    pub epoch: PodI64,
    /// Lots that trade; 0: nobody trades, orders are only released.
    pub volume: PodU64,
    /// Tick of the price.
    pub p: PodU32,
    /// Buyers above this tick are filled, those at it in part.
    pub m_bid: PodU32,
    /// Sellers below this tick are filled, those at it in part.
    pub m_ask: PodU32,
    /// Next slot to be matched or settled.
    pub cursor: PodU32,
    /// Lots that the buyers at `m_bid` get, of `q_bid` that they want.
    pub f_bid: PodU64,
    pub q_bid: PodU64,
    /// Lots that the sellers at `m_ask` give, of `q_ask` that they offer.
    pub f_ask: PodU64,
    pub q_ask: PodU64,
    /// Lots of marginal buyers seen so far.
    pub cum_bid: PodU64,
    pub cum_ask: PodU64,
    /// Value of one lot at the price, quote atoms.
    pub v_clear: PodU64,
    /// Lots bought: allocated so far while Matching, settled so far while Settling.
    pub sum_buy: PodU64,
    pub sum_sell: PodU64,
    /// Quote atoms that settled buyers paid, settled sellers received, and the market kept.
    pub sum_cost: PodU64,
    pub sum_net: PodU64,
    pub sum_fee: PodU64,
    /// Slot of the chain in which the price was found.
    pub cleared_slot: PodU64,
    pub nfills: PodU32,
    /// Of HistoryEntry.
    pub flags: PodU16,
    /// fills_digest so far.
    pub digest: [u8; 32],
}

/// PDA `["market", quote_mint]`.  Base is GRID.  Amounts in atoms, prices in quote atoms per kWh, times in Unix seconds.
#[account]
pub struct Market {
    /// Layout version, 1.
    pub version: u8,
    pub bump: u8,
    /// 0: no orders, no clearing; cancel and withdraw work.
    pub clearing_enabled: u8,
    /// Mirror of MARGIN_RULE.
    pub margin_rule: u8,
    /// Index of the book that is Matching or Settling, 255 if none.
    pub settling_book: u8,
    /// 1: matching did not sum up; see `void_epoch`.
    pub halted: u8,
    /// 1: the quote mint has a freeze authority, and whoever made this market accepted that.
    pub accept_freezable: u8,
    /// Mirror of FEE_BPS.
    pub fee_bps: PodU16,
    pub halted_at: PodI64,
    /// Mirror of GovernanceConfig.engineering_authority; never what is checked.
    pub engineering_authority: Address,
    pub registry_program: Address,
    /// The Energy Token program.
    pub token_program: Address,
    pub base_mint: Address,
    pub quote_mint: Address,
    pub base_vault: Address,
    pub quote_vault: Address,
    /// Quote token account that `sweep_fees` pays.
    pub fee_destination: Address,
    pub books: [Address; 2],
    /// Epoch of each book, as in the book.
    pub book_epoch: [PodI64; 2],
    /// BookState of each book, as in the book.
    pub book_state: [u8; 2],
    pub seats: Address,
    pub history: Address,
    /// Base atoms in a lot.
    pub lot_size: PodU64,
    /// Price of tick 0.
    pub price_floor: PodU64,
    /// Price between ticks.
    pub tick_size: PodU64,
    /// Value of a lot at tick 0, quote atoms.
    pub value_floor: PodU64,
    /// Value of a lot between ticks, quote atoms.
    pub value_step: PodU64,
    /// Capacity of a book.
    pub n_slots: PodU32,
    /// Capacity of the seats.
    pub n_seats: PodU32,
    pub open_seats: PodU32,
    /// Mirror of MAX_ORDERS_PER_USER.
    pub max_orders_per_user: PodU32,
    /// Mirror of MIN_LOTS.
    pub min_lots: PodU32,
    /// Mirror of SETTLE_DELAY_SECS.
    pub settle_delay_secs: PodU16,
    /// Mirror of CANCEL_FREEZE_SECS.
    pub cancel_freeze_secs: PodU16,
    /// Mirror of EPOCH_SECS.
    pub market_epoch_length: PodU64,
    /// Epoch of the book that was opened last.
    pub current_epoch_start: PodI64,
    pub last_market_clearing: PodI64,
    pub last_settled_epoch: PodI64,
    pub next_order_id: PodU64,
    pub total_volume_lots: PodU64,
    pub total_quote: PodU64,
    /// Fills.
    pub total_trades: PodU64,
    /// Fees not yet swept.
    pub fee_accrued: PodU64,
    /// Base deposited and not withdrawn: what the base vault owes.
    pub liab_base: PodU64,
    pub liab_quote: PodU64,
    /// Price of the last epoch that traded.
    pub last_price: PodU64,
    pub clear: Clear,
    pub reserved: [u8; 64],
}

impl Market {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;
    /// `settling_book`: none.
    pub const NO_BOOK: u8 = u8::MAX;

    /// The vault that holds `asset`.
    #[inline(always)]
    pub fn vault(&self, asset: Asset) -> &Address {
        match asset {
            Asset::Base => &self.base_vault,
            Asset::Quote => &self.quote_vault,
        }
    }

    /// What the vault of `asset` owes.
    #[inline(always)]
    pub fn liability(&mut self, asset: Asset) -> &mut PodU64 {
        match asset {
            Asset::Base => &mut self.liab_base,
            Asset::Quote => &mut self.liab_quote,
        }
    }

    /// Place of the book at `address` in `books`.
    #[inline(always)]
    pub fn index_of(&self, address: &Address) -> Option<usize> {
        self.books.iter().position(|book| anchor_lang::address_eq(book, address))
    }

    /// The book that collects for `epoch`; the Idle one, to be opened for it, if there is none.
    #[inline(always)]
    pub fn entry_book(&self, epoch: i64) -> Option<usize> {
        let collects = |i: &usize| self.book_state[*i] == BookState::Collecting && self.book_epoch[*i].get() == epoch;
        let idle = |i: &usize| self.book_state[*i] == BookState::Idle;
        (0..2).find(collects).or_else(|| (0..2).find(idle))
    }

    /// The Collecting book of the earlier epoch: the next to be cleared.
    #[inline(always)]
    pub fn due_book(&self) -> Option<usize> {
        let collecting = |i: &usize| self.book_state[*i] == BookState::Collecting;
        (0..2).filter(collecting).min_by_key(|i| self.book_epoch[*i].get())
    }

    /// Writes a book's state in both places.
    #[inline(always)]
    pub fn set_book_state(&mut self, book: &mut Book, state: BookState) {
        book.state = state as u8;
        self.book_state[book.index as usize & 1] = state as u8;
        self.settling_book = match state {
            BookState::Matching | BookState::Settling => book.index,
            _ if self.settling_book == book.index => Self::NO_BOOK,
            _ => self.settling_book,
        };
    }

    /// Value of one lot at `tick`, quote atoms.  No overflow: `initialize_market` bounds the last tick's.
    #[inline(always)]
    pub fn value(&self, tick: u32) -> u64 {
        self.value_floor.get().wrapping_add(u64::from(tick).wrapping_mul(self.value_step.get()))
    }

    /// Price at `tick`, quote atoms per kWh.
    #[inline(always)]
    pub fn price(&self, tick: u32) -> u64 {
        self.price_floor.get().wrapping_add(u64::from(tick).wrapping_mul(self.tick_size.get()))
    }
}
