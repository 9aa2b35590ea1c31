use anchor_lang::{accounts::Slab, address_eq, bytemuck::Zeroable, prelude::*};
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use oracle_interface::ORACLE_AUTH;
use trading_interface::{Book, BookState, Clear, Market, Order, EVENT_AUTHORITY};

use crate::{auction::discovery::discover, errors::TradingError, events::EpochCleared, reports::report};

#[derive(Accounts)]
pub struct ClearEpoch {
    /// The oracle's signature: no wallet can give it, and the oracle says when.
    #[account(address = ORACLE_AUTH @ TradingError::Unauthorized)]
    pub oracle_auth: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut)]
    pub market: Account<Market>,
    /// The Collecting book of the earlier epoch.
    #[account(mut)]
    pub book: Slab<Book, Order>,
    #[account(address = EVENT_AUTHORITY)]
    pub event_authority: UncheckedAccount,
    #[account(address = crate::ID)]
    pub program: UncheckedAccount,
}

impl ClearEpoch {
    pub fn run(&mut self) -> Result<()> {
        let clock = Clock::get()?;
        let now = clock.unix_timestamp;
        let (market, book) = (&mut self.market, &mut self.book);
        require!(!self.governance.is_paused(pause::CLEARING, || Ok(now))?, TradingError::Paused);
        require!(market.halted == 0, TradingError::Halted);
        require!(market.clearing_enabled != 0, TradingError::MarketClosed);
        require!(market.settling_book == Market::NO_BOOK, TradingError::WrongPhase);
        let due = market.due_book().ok_or(TradingError::WrongPhase)?;
        require!(address_eq(&market.books[due], book.address()), TradingError::WrongBook);
        let epoch = book.epoch.get();
        let over = epoch.checked_add(market.market_epoch_length.get() as i64).ok_or(TradingError::Overflow)?;
        let delay = i64::from(market.settle_delay_secs.get());
        require!(now >= over.checked_add(delay).ok_or(TradingError::Overflow)?, TradingError::EpochNotOver);

        let mut clear = Clear { epoch: epoch.into(), cleared_slot: clock.slot.into(), ..Clear::zeroed() };
        let mut price = 0;
        let mut imbalance = book.total_bid_lots.get().abs_diff(book.total_ask_lots.get());
        match discover(&book.bid_lots, &book.ask_lots, book.total_bid_lots.get()) {
            Some(found) => {
                clear.volume = found.volume.into();
                clear.p = found.tick.into();
                (clear.m_bid, clear.f_bid, clear.q_bid) =
                    (found.bid.tick.into(), found.bid.fill.into(), found.bid.lots.into());
                (clear.m_ask, clear.f_ask, clear.q_ask) =
                    (found.ask.tick.into(), found.ask.fill.into(), found.ask.lots.into());
                clear.v_clear = market.value(found.tick).into();
                price = market.price(found.tick);
                imbalance = found.imbalance;
                market.set_book_state(book, BookState::Matching);
            }
            None => market.set_book_state(book, BookState::Settling),
        }
        market.clear = clear;
        market.last_market_clearing = now.into();
        report(
            self.event_authority.cpi_handle(),
            &EpochCleared {
                market: *market.address(),
                epoch: epoch.into(),
                price: price.into(),
                tick: clear.p,
                volume_lots: clear.volume,
                bid_lots: book.total_bid_lots,
                ask_lots: book.total_ask_lots,
                imbalance: imbalance.into(),
                orders: book.live,
            },
        );
        Ok(())
    }
}
