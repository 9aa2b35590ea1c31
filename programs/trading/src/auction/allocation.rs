//! How many lots each order gets, in order of arrival.

use trading_interface::{Clear, MarginRule, Order, OrderState, Side};

use super::discovery::Margin;

/// The orders at one side's marginal tick, served as they come.
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    margin: Margin,
    /// Lots of the orders served before, and what they got together.
    seen: u64,
    given: u64,
    rule: MarginRule,
}

impl Queue {
    pub fn new(margin: Margin, seen: u64, rule: MarginRule) -> Self {
        let mut queue = Self { margin, seen, given: 0, rule };
        queue.given = queue.due();
        queue
    }

    /// Lots for the next order, which wants `lots`.
    ///
    /// Should the levels ever disagree with the orders, the result is some number of at most `lots`, the sums disagree, and the
    /// market halts: nothing here may fail.
    #[inline(always)]
    pub fn serve(&mut self, lots: u32) -> u32 {
        self.seen = self.seen.wrapping_add(u64::from(lots));
        let due = self.due();
        let share = due.wrapping_sub(self.given);
        self.given = due;
        share.min(u64::from(lots)) as u32
    }

    /// What the orders seen so far get together.
    ///
    /// Pro rata: floor(c·F/Q).  The differences sum to exactly F over the tick, and each is less than one lot off q·F/Q.  No
    /// overflow: a tick holds less than 2^32 lots.
    #[inline(always)]
    fn due(&self) -> u64 {
        match self.rule {
            MarginRule::ProRata => self.seen.wrapping_mul(self.margin.fill).checked_div(self.margin.lots).unwrap_or(0),
            MarginRule::Time => self.seen.min(self.margin.fill),
        }
    }
}

/// The running state of matching: what `Clear` keeps between two calls.
#[derive(Clone, Copy, Debug)]
pub struct Allocation {
    bids: Queue,
    asks: Queue,
    /// Lots given to buyers and sellers so far.
    pub sum_buy: u64,
    pub sum_sell: u64,
    /// Orders that got something.
    pub fills: u32,
}

impl Allocation {
    /// Takes up where the last call stopped.
    pub fn load(clear: &Clear, rule: MarginRule) -> Self {
        let bid = Margin { tick: clear.m_bid.get(), fill: clear.f_bid.get(), lots: clear.q_bid.get() };
        let ask = Margin { tick: clear.m_ask.get(), fill: clear.f_ask.get(), lots: clear.q_ask.get() };
        Self {
            bids: Queue::new(bid, clear.cum_bid.get(), rule),
            asks: Queue::new(ask, clear.cum_ask.get(), rule),
            sum_buy: clear.sum_buy.get(),
            sum_sell: clear.sum_sell.get(),
            fills: clear.nfills.get(),
        }
    }

    /// Keeps the state for the next call.
    pub fn store(&self, clear: &mut Clear) {
        clear.cum_bid = self.bids.seen.into();
        clear.cum_ask = self.asks.seen.into();
        clear.sum_buy = self.sum_buy.into();
        clear.sum_sell = self.sum_sell.into();
        clear.nfills = self.fills.into();
    }

    /// Decides what an open order gets; leaves any other alone.
    #[inline(always)]
    pub fn allocate(&mut self, order: &mut Order) {
        if order.state != OrderState::Open {
            return;
        }
        let tick = u32::from(order.tick);
        let filled = if order.side == Side::Buy {
            let filled = serve(tick.cmp(&self.bids.margin.tick), &mut self.bids, order.lots);
            self.sum_buy = self.sum_buy.wrapping_add(u64::from(filled));
            filled
        } else {
            let filled = serve(self.asks.margin.tick.cmp(&tick), &mut self.asks, order.lots);
            self.sum_sell = self.sum_sell.wrapping_add(u64::from(filled));
            filled
        };
        order.filled = filled;
        order.state = OrderState::Allocated as u8;
        self.fills = self.fills.wrapping_add(u32::from(filled != 0));
    }
}

/// All for a better price than the margin's, a share at it, nothing for a worse.
#[inline(always)]
fn serve(price: core::cmp::Ordering, queue: &mut Queue, lots: u32) -> u32 {
    match price {
        core::cmp::Ordering::Greater => lots,
        core::cmp::Ordering::Equal => queue.serve(lots),
        core::cmp::Ordering::Less => 0,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn shares(rule: MarginRule, fill: u64, lots: &[u32]) -> Vec<u32> {
        let all = lots.iter().map(|l| u64::from(*l)).sum();
        let mut queue = Queue::new(Margin { tick: 0, fill, lots: all }, 0, rule);
        lots.iter().map(|l| queue.serve(*l)).collect()
    }

    #[test]
    fn pro_rata_shares_sum_to_the_fill_and_are_less_than_a_lot_off() {
        for fill in [1, 2, 5, 99, 100, 101, 110] {
            let lots = [1, 100, 3, 3, 3];
            let got = shares(MarginRule::ProRata, fill, &lots);
            assert_eq!(got.iter().map(|g| u64::from(*g)).sum::<u64>(), fill);
            for (g, q) in got.iter().zip(lots) {
                assert!((u64::from(*g) * 110).abs_diff(u64::from(q) * fill) < 110, "{got:?}");
            }
        }
    }

    #[test]
    fn time_priority_serves_the_first_first() {
        assert_eq!(shares(MarginRule::Time, 7, &[3, 3, 3]), [3, 3, 1]);
        assert_eq!(shares(MarginRule::Time, 9, &[3, 3, 3]), [3, 3, 3]);
        assert_eq!(shares(MarginRule::Time, 2, &[3, 3, 3]), [2, 0, 0]);
    }

    #[test]
    fn a_giant_and_dust_at_the_limit_of_a_level_do_not_overflow() {
        let lots = [1, u32::MAX - 2, 1];
        let fill = u64::from(u32::MAX) - 1;
        let got = shares(MarginRule::ProRata, fill, &lots);
        assert_eq!(got.iter().map(|g| u64::from(*g)).sum::<u64>(), fill);
        assert!(got.iter().zip(lots).all(|(g, q)| *g <= q));
    }

    #[test]
    fn levels_that_disagree_with_the_orders_fail_nowhere() {
        let mut queue = Queue::new(Margin { tick: 0, fill: 5, lots: 0 }, 0, MarginRule::ProRata);
        assert_eq!(queue.serve(3), 0);
        let mut queue = Queue::new(Margin { tick: 0, fill: u64::MAX, lots: 2 }, u64::MAX, MarginRule::ProRata);
        assert!(queue.serve(3) <= 3);
    }

    #[test]
    fn a_cancelled_order_gets_nothing() {
        let mut order: Order = anchor_lang::bytemuck::Zeroable::zeroed();
        (order.lots, order.state) = (5, OrderState::Cancelled as u8);
        let mut clear: Clear = anchor_lang::bytemuck::Zeroable::zeroed();
        clear.f_bid = 5.into();
        clear.q_bid = 5.into();
        let mut allocation = Allocation::load(&clear, MarginRule::ProRata);
        let before = order;
        allocation.allocate(&mut order);
        assert_eq!((order, allocation.sum_buy, allocation.fills), (before, 0, 0));
    }
}
