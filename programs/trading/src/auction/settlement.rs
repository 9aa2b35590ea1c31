//! What a fill moves.  Delivery against payment: the buyer's lock pays the seller, the seller's lock delivers to the buyer.
//!
//! These functions cannot fail: every amount was locked when the order came.  Should a lock ever be short, what is there is used,
//! the sums disagree, and LedgerMismatch says so; but the epoch ends and nobody's money stays locked.
//!
//! Additions do not overflow: what all seats hold together is in the vaults, and a token's supply is below 2^64.

use trading_interface::{Order, Seat};

/// What is the same for all orders of an epoch.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Value of one lot at the price, quote atoms.
    pub value: u64,
    /// Base atoms in a lot.
    pub lot: u64,
    /// Fee on proceeds in 1/10,000.
    pub fee_bps: u16,
}

/// Fee on `proceeds`, rounded up: ceil(proceeds·bps / 10,000), at most `proceeds` while bps ≤ 10,000.
#[inline(always)]
pub fn fee(proceeds: u64, bps: u16) -> u64 {
    const WHOLE: u64 = 10_000;
    let bps = u64::from(bps);
    let rest = (proceeds % WHOLE).wrapping_mul(bps);
    (proceeds / WHOLE).wrapping_mul(bps).wrapping_add(rest.wrapping_add(WHOLE - 1) / WHOLE)
}

/// Settles a buy order whose lock was `order.lots` at `limit` quote atoms each; `filled` lots trade.  Returns what was paid.
#[inline(always)]
pub fn buy(seat: &mut Seat, order: &Order, limit: u64, filled: u32, terms: &Terms) -> u64 {
    let locked = u64::from(order.lots).wrapping_mul(limit).min(seat.quote_locked);
    let cost = u64::from(filled).wrapping_mul(terms.value).min(locked);
    seat.quote_locked = seat.quote_locked.wrapping_sub(locked);
    seat.quote_free = seat.quote_free.wrapping_add(locked.wrapping_sub(cost));
    seat.base_free = seat.base_free.wrapping_add(u64::from(filled).wrapping_mul(terms.lot));
    release(seat, filled);
    cost
}

/// What a seller's settlement came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sale {
    /// Lots delivered.
    pub lots: u64,
    /// Quote atoms that the seller received, and that the market kept.
    pub net: u64,
    pub fee: u64,
}

/// Settles a sell order whose lock was `order.lots`; `filled` lots trade.
#[inline(always)]
pub fn sell(seat: &mut Seat, order: &Order, filled: u32, terms: &Terms) -> Sale {
    let needed = u64::from(order.lots).wrapping_mul(terms.lot);
    let (locked, lots) = if needed <= seat.base_locked {
        (needed, u64::from(filled))
    } else {
        (seat.base_locked, u64::from(filled).min(seat.base_locked / terms.lot))
    };
    let proceeds = lots.wrapping_mul(terms.value);
    let fee = fee(proceeds, terms.fee_bps);
    let net = proceeds.wrapping_sub(fee);
    seat.base_locked = seat.base_locked.wrapping_sub(locked);
    seat.base_free = seat.base_free.wrapping_add(locked.wrapping_sub(lots.wrapping_mul(terms.lot)));
    seat.quote_free = seat.quote_free.wrapping_add(net);
    release(seat, filled);
    Sale { lots, net, fee }
}

#[inline(always)]
fn release(seat: &mut Seat, filled: u32) {
    seat.open_orders = seat.open_orders.wrapping_sub(1);
    seat.volume_lots = seat.volume_lots.wrapping_add(u64::from(filled));
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { value: 3_000, lot: 1_000_000, fee_bps: 25 };

    fn order(lots: u32) -> Order {
        Order { lots, ..anchor_lang::bytemuck::Zeroable::zeroed() }
    }

    #[test]
    fn the_fee_is_rounded_up_and_never_above_the_proceeds() {
        assert_eq!([fee(0, 500), fee(1, 0), fee(1, 1), fee(10_000, 25), fee(10_001, 25)], [0, 0, 1, 25, 26]);
        for proceeds in [0, 1, 2, 9_999, 10_000, 10_001, (1 << 63) - 1] {
            for bps in [0, 1, 25, 500, 10_000] {
                let exact = (u128::from(proceeds) * u128::from(bps)).div_ceil(10_000);
                assert_eq!(u128::from(fee(proceeds, bps)), exact);
                assert!(fee(proceeds, bps) <= proceeds);
            }
        }
    }

    #[test]
    fn a_buyer_pays_the_price_and_gets_the_rest_of_the_lock_back() {
        let mut seat = Seat { quote_locked: 10 * 4_000, open_orders: 1, ..Seat::default() };
        assert_eq!(buy(&mut seat, &order(10), 4_000, 6, &TERMS), 18_000);
        assert_eq!((seat.quote_free, seat.quote_locked, seat.base_free), (22_000, 0, 6_000_000));
        assert_eq!((seat.open_orders, seat.volume_lots), (0, 6));
    }

    #[test]
    fn a_seller_delivers_and_receives_the_proceeds_less_the_fee() {
        let mut seat = Seat { base_locked: 10_000_000, open_orders: 1, ..Seat::default() };
        assert_eq!(sell(&mut seat, &order(10), 6, &TERMS), Sale { lots: 6, net: 17_955, fee: 45 });
        assert_eq!((seat.base_free, seat.base_locked, seat.quote_free), (4_000_000, 0, 17_955));
    }

    #[test]
    fn an_order_that_did_not_trade_is_only_released() {
        let mut seat = Seat { base_locked: 10_000_000, quote_locked: 40_000, open_orders: 2, ..Seat::default() };
        assert_eq!(sell(&mut seat, &order(10), 0, &TERMS), Sale { lots: 0, net: 0, fee: 0 });
        assert_eq!(buy(&mut seat, &order(10), 4_000, 0, &TERMS), 0);
        assert_eq!((seat.base_free, seat.quote_free), (10_000_000, 40_000));
        assert_eq!((seat.base_locked, seat.quote_locked, seat.open_orders), (0, 0, 0));
    }

    #[test]
    fn a_short_lock_is_used_up_and_shows_in_what_was_paid() {
        let mut seat = Seat { quote_locked: 5, open_orders: 1, ..Seat::default() };
        assert_eq!(buy(&mut seat, &order(10), 4_000, 10, &TERMS), 5);
        assert_eq!((seat.quote_free, seat.quote_locked), (0, 0));
        let mut seat = Seat { base_locked: 2_500_000, open_orders: 1, ..Seat::default() };
        assert_eq!(sell(&mut seat, &order(10), 10, &TERMS).lots, 2);
        assert_eq!((seat.base_free, seat.base_locked), (500_000, 0));
    }
}
