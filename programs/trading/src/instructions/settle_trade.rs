use anchor_lang::{accounts::Slab, bytemuck::Zeroable, prelude::*};
use governance_interface::{GovernanceConfig, GOVERNANCE};
use trading_interface::{
    Book, BookState, Clear, History, HistoryEntry, Market, Order, OrderState, Seat, Seats, Side, EVENT_AUTHORITY,
};

use crate::{
    auction::settlement::{buy, sell, Terms},
    errors::TradingError,
    events::{EpochSettled, Fill, LedgerMismatch},
    reports::{report, Fills},
};

#[derive(Accounts)]
pub struct SettleTrade {
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut, constraint = market.halted == 0 @ TradingError::Halted)]
    pub market: Account<Market>,
    #[account(
        mut,
        constraint = market.index_of(book.address()).is_some() @ TradingError::WrongBook,
        constraint = book.state == BookState::Settling @ TradingError::WrongPhase,
    )]
    pub book: Slab<Book, Order>,
    #[account(mut, address = market.seats @ TradingError::WrongAccount)]
    pub seats: Slab<Seats, Seat>,
    #[account(mut, address = market.history @ TradingError::WrongAccount)]
    pub history: Slab<History, HistoryEntry>,
    #[account(address = EVENT_AUTHORITY)]
    pub event_authority: UncheckedAccount,
    #[account(address = crate::ID)]
    pub program: UncheckedAccount,
}

impl SettleTrade {
    /// Settles the next `max` orders (at most MAX_SWEEP); after the last one the epoch is written into history and the book is Idle.
    pub fn run(&mut self, max: u32) -> Result<()> {
        let start = self.market.clear.cursor.get() as usize;
        let end = super::sweep_end(&self.governance, start, max, self.book.len());
        self.sweep(start, end);
        self.market.clear.cursor = (end as u32).into();
        if end == self.book.len() {
            self.finish()?;
        }
        Ok(())
    }

    fn sweep(&mut self, start: usize, end: usize) {
        let market = &mut self.market;
        let trades = market.clear.volume.get() != 0;
        let price = if trades { market.price(market.clear.p.get()) } else { 0 };
        let rows = if trades { end - start } else { 0 };
        let handle = self.event_authority.cpi_handle();
        let mut fills = Fills::new(handle, market.address(), market.clear.epoch.get(), price, rows);
        let terms =
            Terms { value: market.clear.v_clear.get(), lot: market.lot_size.get(), fee_bps: self.book.fee_bps.get() };
        let (floor, step) = (market.value_floor.get(), market.value_step.get());
        let mut sums = Sums::default();
        let seats = self.seats.as_mut_slice();
        for (i, order) in self.book.as_mut_slice()[start..end].iter_mut().enumerate() {
            if order.state == OrderState::Cancelled {
                continue;
            }
            let Some(seat) = seats.get_mut(order.seat as usize) else { continue };
            let filled = if trades { order.filled } else { 0 };
            if order.side == Side::Buy {
                let limit = floor.wrapping_add(u64::from(order.tick).wrapping_mul(step));
                sums.cost = sums.cost.wrapping_add(buy(seat, order, limit, filled, &terms));
                sums.buy = sums.buy.wrapping_add(u64::from(filled));
            } else {
                let sale = sell(seat, order, filled, &terms);
                sums.sell = sums.sell.wrapping_add(sale.lots);
                sums.net = sums.net.wrapping_add(sale.net);
                sums.fee = sums.fee.wrapping_add(sale.fee);
            }
            order.filled = filled;
            order.state = OrderState::Settled as u8;
            if filled != 0 {
                let slot = start.wrapping_add(i) as u32;
                fills.push(Fill { slot, seat: order.seat, lots: filled });
            }
        }
        fills.flush();
        sums.add_to(&mut market.clear);
        market.fee_accrued = market.fee_accrued.get().wrapping_add(sums.fee).into();
    }

    fn finish(&mut self) -> Result<()> {
        let slot = Clock::get()?.slot;
        let address = *self.market.address();
        let (market, book) = (&mut self.market, &mut self.book);
        let clear = core::mem::replace(&mut market.clear, Clear::zeroed());
        let traded = clear.volume.get() != 0;
        let paid = clear.sum_net.get().wrapping_add(clear.sum_fee.get());
        let agrees = clear.sum_buy == clear.volume && clear.sum_sell == clear.volume && clear.sum_cost == paid;
        let price = if traded { market.price(clear.p.get()) } else { 0 };
        let entry = HistoryEntry {
            epoch: clear.epoch.get(),
            price,
            volume_lots: clear.volume.get(),
            quote_volume: clear.sum_cost.get(),
            fee: clear.sum_fee.get(),
            bid_lots: book.total_bid_lots.get(),
            ask_lots: book.total_ask_lots.get(),
            cleared_slot: clear.cleared_slot.get(),
            settled_slot: slot,
            orders: book.live.get(),
            fills: clear.nfills.get(),
            tick: clear.p.get() as u16,
            flags: clear.flags.get() | if agrees { 0 } else { HistoryEntry::MISMATCH },
            fills_digest: clear.digest,
            reserved: [0; 4],
        };
        market.last_settled_epoch = clear.epoch;
        market.total_volume_lots = market.total_volume_lots.saturating_add(clear.volume);
        market.total_quote = market.total_quote.saturating_add(clear.sum_cost);
        market.total_trades = market.total_trades.saturating_add(u64::from(entry.fills));
        if traded {
            market.last_price = price.into();
        }
        book.reset();
        book.clear();
        market.set_book_state(book, BookState::Idle);
        remember(&mut self.history, entry)?;

        if !agrees {
            emit!(LedgerMismatch {
                market: address,
                epoch: clear.epoch,
                volume_lots: clear.volume,
                sum_buy: clear.sum_buy,
                sum_sell: clear.sum_sell,
                sum_cost: clear.sum_cost,
                sum_net: clear.sum_net,
                sum_fee: clear.sum_fee,
            });
        }
        report(
            self.event_authority.cpi_handle(),
            &EpochSettled {
                market: address,
                epoch: clear.epoch,
                price: price.into(),
                volume_lots: clear.volume,
                quote_volume: clear.sum_cost,
                fee: clear.sum_fee,
                orders: entry.orders.into(),
                fills: entry.fills.into(),
                flags: entry.flags.into(),
                fills_digest: clear.digest,
            },
        );
        Ok(())
    }
}

/// What a sweep moved; the counters of the same names in Clear.
#[derive(Default)]
struct Sums {
    buy: u64,
    sell: u64,
    cost: u64,
    net: u64,
    fee: u64,
}

impl Sums {
    fn add_to(&self, clear: &mut Clear) {
        let add = |sum: &mut PodU64, more: u64| *sum = sum.get().wrapping_add(more).into();
        add(&mut clear.sum_buy, self.buy);
        add(&mut clear.sum_sell, self.sell);
        add(&mut clear.sum_cost, self.cost);
        add(&mut clear.sum_net, self.net);
        add(&mut clear.sum_fee, self.fee);
    }
}

/// Writes the next entry of the ring.
fn remember(history: &mut Slab<History, HistoryEntry>, entry: HistoryEntry) -> Result<()> {
    let count = history.settled_count.get();
    if history.is_full() {
        let at = (count % history.capacity() as u64) as usize;
        history[at] = entry;
    } else {
        history.try_push(entry)?;
    }
    history.settled_count = count.wrapping_add(1).into();
    Ok(())
}
