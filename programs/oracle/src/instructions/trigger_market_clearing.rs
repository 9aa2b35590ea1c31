//! `trigger_market_clearing`: the clock of the market. Trading finds the price; whoever comes when it is time may ask for it.

use anchor_lang::prelude::*;
use common::units;
use governance_interface::{pause, GovernanceConfig, ParamId, GOVERNANCE};
use oracle_interface::{OracleConfig, ORACLE, ORACLE_AUTH, ORACLE_AUTH_BUMP, ORACLE_AUTH_SEED};
use trading_interface::{
    cpi::{clear_epoch, match_orders, settle_trade, ClearEpoch, MatchOrders, SettleTrade},
    BookState, Market, EVENT_AUTHORITY,
};

use crate::errors::OracleError;

#[derive(Accounts)]
pub struct TriggerMarketClearing {
    /// Anyone while auto-clearing is on, else the engineering authority.
    pub caller: Signer,
    #[account(mut, address = ORACLE)]
    pub config: Account<OracleConfig>,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    /// The oracle's signer for the CPI.
    #[account(address = ORACLE_AUTH)]
    pub oracle_auth: UncheckedAccount,
    #[account(address = trading_interface::ID)]
    pub trading: UncheckedAccount,
    #[account(mut)]
    pub market: Account<Market>,
    /// The market's book that is due; Trading checks it.
    #[account(mut)]
    pub book: UncheckedAccount,
    /// Trading's signer of its events.
    #[account(address = EVENT_AUTHORITY)]
    pub event_authority: UncheckedAccount,
    /// The market's seats and history: needed if `inline_sweep` is not 0; Trading checks them.
    #[account(mut)]
    pub seats: Option<UncheckedAccount>,
    #[account(mut)]
    pub history: Option<UncheckedAccount>,
}

impl TriggerMarketClearing {
    pub fn run(&mut self, inline_sweep: u32) -> Result<()> {
        let now = units::now()?;
        let anyone = self.config.auto_clearing_enabled != 0;
        require!(anyone || self.governance.is_authority(self.caller.address()), OracleError::Unauthorized);
        require!(!self.governance.is_paused(pause::CLEARING, || Ok(now))?, OracleError::Paused);
        require!(self.is_due(now)?, OracleError::EpochNotOver);
        self.config.last_market_clearing = now.into();
        clear_epoch(
            ClearEpoch {
                oracle_auth: self.oracle_auth.cpi_handle(),
                governance: self.governance.cpi_handle(),
                market: self.market.cpi_handle_mut(),
                book: self.book.cpi_handle_mut(),
                event_authority: self.event_authority.cpi_handle(),
                program: self.trading.cpi_handle(),
            },
            &[&[ORACLE_AUTH_SEED, &[ORACLE_AUTH_BUMP]]],
        );
        if inline_sweep > 0 {
            self.sweep(inline_sweep)?;
        }
        Ok(())
    }

    /// Is the epoch of the book that clears next over, delay included? If no book waits, Trading says so.
    fn is_due(&self, now: i64) -> Result<bool> {
        let Some(index) = self.market.due_book() else { return Ok(true) };
        let wait = self.config.market_clearing_interval.get() + self.governance.param(ParamId::SettleDelaySecs);
        let wait = i64::try_from(wait).map_err(|_| OracleError::Overflow)?;
        let due = self.market.book_epoch[index].get().checked_add(wait).ok_or(OracleError::Overflow)?;
        Ok(now >= due)
    }

    /// Matches and settles up to `most` orders in the same transaction: a campus-sized epoch is finished at once.
    fn sweep(&mut self, most: u32) -> Result<()> {
        if self.is_settling(BookState::Matching) {
            match_orders(
                MatchOrders {
                    governance: self.governance.cpi_handle(),
                    market: self.market.cpi_handle_mut(),
                    book: self.book.cpi_handle_mut(),
                },
                most,
            );
        }
        if self.is_settling(BookState::Settling) {
            let seats = self.seats.as_mut().ok_or(ProgramError::NotEnoughAccountKeys)?;
            let history = self.history.as_mut().ok_or(ProgramError::NotEnoughAccountKeys)?;
            settle_trade(
                SettleTrade {
                    governance: self.governance.cpi_handle(),
                    market: self.market.cpi_handle_mut(),
                    book: self.book.cpi_handle_mut(),
                    seats: seats.cpi_handle_mut(),
                    history: history.cpi_handle_mut(),
                    event_authority: self.event_authority.cpi_handle(),
                    program: self.trading.cpi_handle(),
                },
                most,
            );
        }
        Ok(())
    }

    /// Is the book that the market is settling in this state, after what the CPIs have done? A halted one goes no further.
    fn is_settling(&self, state: BookState) -> bool {
        let book = self.market.book_state.get(usize::from(self.market.settling_book));
        self.market.halted == 0 && book.is_some_and(|found| *found == state)
    }
}
