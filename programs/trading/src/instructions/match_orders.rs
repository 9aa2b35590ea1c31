use anchor_lang::{accounts::Slab, bytemuck, prelude::*, solana_program::hash::hashv};
use common::units::now;
use governance_interface::{GovernanceConfig, ParamId, GOVERNANCE};
use trading_interface::{Book, BookState, MarginRule, Market, Order};

use crate::{auction::allocation::Allocation, errors::TradingError, events::MarketHalted};

/// Rows under one link of the fills digest: whoever cranks in whatever steps, the blocks are the same.
const BLOCK: usize = 64;

#[derive(Accounts)]
pub struct MatchOrders {
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut, constraint = market.halted == 0 @ TradingError::Halted)]
    pub market: Account<Market>,
    #[account(
        mut,
        constraint = market.index_of(book.address()).is_some() @ TradingError::WrongBook,
        constraint = book.state == BookState::Matching @ TradingError::WrongPhase,
    )]
    pub book: Slab<Book, Order>,
}

impl MatchOrders {
    /// Allocates the next `max` orders (at most MAX_SWEEP); after the last one the sums decide: on to Settling, or halt.
    pub fn run(&mut self, max: u32) -> Result<()> {
        let (market, book) = (&mut self.market, &mut self.book);
        let rule = if book.margin_rule == MarginRule::Time as u8 { MarginRule::Time } else { MarginRule::ProRata };
        let clear = &mut market.clear;
        let mut at = clear.cursor.get() as usize;
        let end = super::sweep_end(&self.governance, at, max, book.len());
        let mut allocation = Allocation::load(clear, rule);
        let orders = book.as_mut_slice();
        while at < end {
            let block = at / BLOCK;
            let block_end = (block * BLOCK + BLOCK).min(orders.len());
            let stop = block_end.min(end);
            for order in &mut orders[at..stop] {
                allocation.allocate(order);
            }
            at = stop;
            if stop == block_end {
                let rows = bytemuck::cast_slice(&orders[block * BLOCK..block_end]);
                clear.digest = hashv(&[&clear.digest, &(block as u32).to_le_bytes(), rows]).to_bytes();
            }
        }
        allocation.store(clear);
        clear.cursor = (at as u32).into();
        if at < orders.len() {
            return Ok(());
        }
        if clear.sum_buy == clear.volume && clear.sum_sell == clear.volume {
            clear.cursor = PodU32::ZERO;
            clear.sum_buy = PodU64::ZERO;
            clear.sum_sell = PodU64::ZERO;
            market.set_book_state(book, BookState::Settling);
            return Ok(());
        }
        // An error would undo the halt itself.
        let (at, address) = (PodI64::from(now()?), *market.address());
        market.halted = 1;
        market.halted_at = at;
        let clear = &market.clear;
        emit!(MarketHalted {
            market: address,
            epoch: clear.epoch,
            volume_lots: clear.volume,
            sum_buy: clear.sum_buy,
            sum_sell: clear.sum_sell,
            at,
        });
        Ok(())
    }
}

/// Where a sweep that starts at slot `at` ends: `max` orders further, at most MAX_SWEEP, at most `all`.
pub fn sweep_end(governance: &GovernanceConfig, at: usize, max: u32, all: usize) -> usize {
    let most = u64::from(max).min(governance.param(ParamId::MaxSweep)) as usize;
    at.saturating_add(most).min(all)
}
