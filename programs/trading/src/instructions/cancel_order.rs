use anchor_lang::{accounts::Slab, prelude::*};
use common::units::{now, EPOCH_SECS};
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use registry_interface::{User, UserStatus};
use trading_interface::{Book, BookState, Market, Order, OrderState, Seat, Seats};

use crate::{errors::TradingError, events::OrderCancelled, order_entry, seats::owned};

#[derive(Accounts)]
pub struct CancelOrder {
    /// The trader; or, while the user is not Active, the engineering authority.
    #[account(
        constraint = authority.address() == &user.wallet
            || (governance.is_authority(authority.address()) && user.status != UserStatus::Active) @ TradingError::NotOwner,
    )]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    pub user: Account<User>,
    pub market: Account<Market>,
    #[account(mut, constraint = market.index_of(book.address()).is_some() @ TradingError::WrongBook)]
    pub book: Slab<Book, Order>,
    #[account(mut, address = market.seats @ TradingError::WrongAccount)]
    pub seats: Slab<Seats, Seat>,
}

impl CancelOrder {
    pub fn run(&mut self, slot: u32, id: u64) -> Result<()> {
        let (book, market) = (&mut self.book, &self.market);
        require!(book.state == BookState::Collecting, TradingError::WrongPhase);
        let order = book.get_mut(slot as usize).ok_or(TradingError::OrderNotFound)?;
        require!(order.id == id && order.state == OrderState::Open, TradingError::OrderNotFound);
        order.state = OrderState::Cancelled as u8;
        let order = *order;
        let seat = owned(&mut self.seats, order.seat, &self.user.wallet)?;
        require!(may_cancel(market, book, &self.governance, now()?)?, TradingError::CancelFrozen);

        let side = order.side();
        let level = &mut book.levels(side)[usize::from(order.tick)];
        *level = level.checked_sub(order.lots).ok_or(TradingError::Overflow)?;
        let total = book.total(side);
        *total = total.checked_sub(u64::from(order.lots)).ok_or(TradingError::Overflow)?;
        book.live = book.live.checked_sub(1).ok_or(TradingError::Overflow)?;

        let amount = order_entry::lock(market, side, order.lots, u32::from(order.tick));
        let locked = seat.locked(side.asset());
        *locked = locked.checked_sub(amount).ok_or(TradingError::Overflow)?;
        let free = seat.free(side.asset());
        *free = free.checked_add(amount).ok_or(TradingError::Overflow)?;
        seat.open_orders = seat.open_orders.checked_sub(1).ok_or(TradingError::Overflow)?;
        emit!(OrderCancelled {
            market: *market.address(),
            epoch: book.epoch,
            id: id.into(),
            slot: slot.into(),
            seat: order.seat.into(),
            by: *self.authority.address(),
        });
        Ok(())
    }
}

/// Until the freeze; and always when the epoch will not clear by itself: overdue by 900 s, paused, switched off, or halted.
fn may_cancel(market: &Market, book: &Book, governance: &GovernanceConfig, now: i64) -> Result<bool> {
    let end = book.epoch.get().wrapping_add(EPOCH_SECS);
    let freeze = i64::from(market.cancel_freeze_secs.get());
    Ok(now < end.wrapping_sub(freeze)
        || now >= end.wrapping_add(EPOCH_SECS)
        || market.halted != 0
        || market.clearing_enabled == 0
        || governance.is_paused(pause::CLEARING, || Ok(now))?)
}
