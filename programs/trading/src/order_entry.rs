//! Order entry: which book, the limits, and the lock behind the order.

use anchor_lang::{accounts::Slab, address_eq, prelude::*};
use common::units::{epoch_of, EPOCH_SECS};
use governance_interface::{pause, GovernanceConfig, ParamId};
use trading_interface::{Book, BookState, Market, Order, OrderState, Seat, Seats, Side, N_TICKS};

use crate::{errors::TradingError, seats::owned};

/// What a trader asks for.
pub struct Request {
    pub side: Side,
    /// Index of the trader's seat.
    pub seat: u32,
    /// Base atoms.
    pub energy: u64,
    /// Limit, quote atoms per kWh.
    pub price: u64,
    pub client_id: u64,
}

/// What came of it.
pub struct Placed {
    pub order: Order,
    pub slot: u32,
    pub epoch: i64,
    /// Atoms that the seat lacks for the lock: to be pulled from the trader's token account.
    pub shortfall: u64,
}

/// Puts an order into the book of `now`'s epoch and locks what stands behind it.
pub fn place(
    market: &mut Market,
    book: &mut Slab<Book, Order>,
    seats: &mut Slab<Seats, Seat>,
    governance: &GovernanceConfig,
    trader: &Address,
    now: i64,
    request: &Request,
) -> Result<Placed> {
    require!(!governance.is_paused(pause::ORDER_ENTRY, || Ok(now))?, TradingError::Paused);
    require!(market.halted == 0, TradingError::Halted);
    require!(market.clearing_enabled != 0, TradingError::MarketClosed);
    let address = *book.address();
    let epoch = enter(market, book, &address, governance, now)?;

    let Request { side, seat: seat_index, energy, price, client_id } = *request;
    let lot = market.lot_size.get();
    let lots = u32::try_from(energy / lot).ok().filter(|_| energy % lot == 0).ok_or(TradingError::BadLot)?;
    require!(lots >= market.min_lots.get(), TradingError::BelowMin);
    let above = price.checked_sub(market.price_floor.get()).ok_or(TradingError::BadTick)?;
    let (tick, off) = (above / market.tick_size.get(), above % market.tick_size.get());
    require!(off == 0 && tick < N_TICKS as u64, TradingError::BadTick);
    let tick = tick as usize;

    let seat = owned(seats, seat_index, trader)?;
    if seat.order_epoch != epoch {
        (seat.order_epoch, seat.placed, seat.side) = (epoch, 0, side as u8);
    }
    require!(seat.side == side, TradingError::OppositeSide);
    require!(seat.placed < book.max_orders.get(), TradingError::TooManyOrders);
    let kept = if seat.placed == 0 {
        book.seats_used = book.seats_used.checked_add(1).ok_or(TradingError::Overflow)?.into();
        0
    } else {
        book.kept_for_others(market.n_seats.get()) as usize
    };
    require!(book.len().saturating_add(kept) < market.n_slots.get() as usize, TradingError::BookFull);
    seat.placed = seat.placed.checked_add(1).ok_or(TradingError::Overflow)?;
    seat.open_orders = seat.open_orders.checked_add(1).ok_or(TradingError::Overflow)?;

    let level = &mut book.levels(side)[tick];
    *level = level.checked_add(lots).ok_or(TradingError::LevelOverflow)?;
    let total = book.total(side);
    *total = total.checked_add(u64::from(lots)).ok_or(TradingError::Overflow)?;
    book.live = book.live.checked_add(1).ok_or(TradingError::Overflow)?;

    let asset = side.asset();
    let needed = lock(market, side, lots, tick as u32);
    let free = seat.free(asset);
    let shortfall = needed.saturating_sub(*free);
    *free = free.saturating_sub(needed);
    let locked = seat.locked(asset);
    *locked = locked.checked_add(needed).ok_or(TradingError::Overflow)?;
    let liability = market.liability(asset);
    *liability = liability.checked_add(shortfall).ok_or(TradingError::Overflow)?;

    let id = market.next_order_id.get();
    market.next_order_id = id.checked_add(1).ok_or(TradingError::Overflow)?.into();
    let slot = book.len() as u32;
    let state = OrderState::Open as u8;
    let order = Order { id, client_id, lots, filled: 0, tick: tick as u16, side: side as u8, state, seat: seat_index };
    book.try_push(order)?;
    Ok(Placed { order, slot, epoch, shortfall })
}

/// Atoms that stand behind an order.  No overflow: `initialize_market` bounds lot and value for 2^32 lots.
#[inline(always)]
pub fn lock(market: &Market, side: Side, lots: u32, tick: u32) -> u64 {
    let each = match side {
        Side::Buy => market.value(tick),
        Side::Sell => market.lot_size.get(),
    };
    u64::from(lots).wrapping_mul(each)
}

/// Makes sure that `book` is the one that collects for the epoch of `now`, opening it if need be.  Returns the epoch.
fn enter(
    market: &mut Market,
    book: &mut Book,
    book_address: &Address,
    governance: &GovernanceConfig,
    now: i64,
) -> Result<i64> {
    let epoch = epoch_of(now);
    let index = market.entry_book(epoch).ok_or(TradingError::MarketBusy)?;
    require!(address_eq(&market.books[index], book_address), TradingError::WrongBook);
    if market.book_state[index] == BookState::Idle {
        open(market, book, governance, epoch);
    }
    let freeze = i64::from(market.cancel_freeze_secs.get());
    require!(now < epoch.wrapping_add(EPOCH_SECS).wrapping_sub(freeze), TradingError::MarketClosed);
    Ok(epoch)
}

/// Opens an Idle book for `epoch`: from now on, this epoch's rules are what the parameters say at this moment.
///
/// `max_orders` shares the slots among the seats that are open now. Whoever takes a seat later has the same, as far as there
/// are slots, and one in any case: `place` keeps a slot for everybody's first order, so that all others together cannot
/// fill the book before it by placing and cancelling.
fn open(market: &mut Market, book: &mut Book, governance: &GovernanceConfig, epoch: i64) {
    let param = |id| governance.param(id);
    market.fee_bps = (param(ParamId::FeeBps) as u16).into();
    market.margin_rule = param(ParamId::MarginRule) as u8;
    market.max_orders_per_user = (param(ParamId::MaxOrdersPerUser) as u32).into();
    market.min_lots = (param(ParamId::MinLots) as u32).into();
    market.settle_delay_secs = (param(ParamId::SettleDelaySecs) as u16).into();
    market.cancel_freeze_secs = (param(ParamId::CancelFreezeSecs) as u16).into();
    market.market_epoch_length = param(ParamId::EpochSecs).into();
    market.current_epoch_start = epoch.into();

    let share = market.n_slots.get() / market.open_seats.get().max(1);
    book.max_orders = (share.min(market.max_orders_per_user.get()).max(1) as u16).into();
    book.fee_bps = market.fee_bps;
    book.margin_rule = market.margin_rule;
    book.epoch = epoch.into();
    market.book_epoch[usize::from(book.index & 1)] = epoch.into();
    market.set_book_state(book, BookState::Collecting);
}
