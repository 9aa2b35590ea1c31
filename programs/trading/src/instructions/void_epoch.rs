use anchor_lang::{accounts::Slab, bytemuck::Zeroable, prelude::*};
use common::units::now;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use trading_interface::{Book, BookState, Clear, HistoryEntry, Market, Order};

use crate::{errors::TradingError, events::EpochVoided};

/// A market that has been halted this long may be released by anybody.
const HALT_MOST_SECS: i64 = 86_400;

#[derive(Accounts)]
pub struct VoidEpoch {
    /// The engineering authority; anybody once the market has been halted for 24 h.
    pub caller: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut)]
    pub market: Account<Market>,
    #[account(
        mut,
        constraint = market.index_of(book.address()).is_some() @ TradingError::WrongBook,
        constraint = book.state == BookState::Matching @ TradingError::WrongPhase,
    )]
    pub book: Slab<Book, Order>,
}

impl VoidEpoch {
    pub fn run(&mut self) -> Result<()> {
        let (market, book) = (&mut self.market, &mut self.book);
        let by = *self.caller.address();
        let was_halted = market.halted;
        let since = market.halted_at.get();
        let overdue = was_halted != 0 && now()? >= since.checked_add(HALT_MOST_SECS).ok_or(TradingError::Overflow)?;
        require!(overdue || self.governance.is_authority(&by), TradingError::Unauthorized);
        let epoch = market.clear.epoch;
        market.clear = Clear {
            epoch,
            cleared_slot: market.clear.cleared_slot,
            flags: HistoryEntry::VOID.into(),
            ..Clear::zeroed()
        };
        market.halted = 0;
        market.halted_at = PodI64::ZERO;
        market.set_book_state(book, BookState::Settling);
        emit!(EpochVoided { market: *market.address(), epoch, by, was_halted });
        Ok(())
    }
}
