//! One price for everybody: the tick at which most lots trade.
//!
//! Demand at a tick is all that is bid at it or above, supply all that is asked at it or below.  Most volume wins; among ticks
//! with that volume the smallest imbalance; among those, which are neighbours, the middle one.

use anchor_lang::prelude::PodU32;
use trading_interface::{Levels, N_TICKS};

/// Who is served in part at one side's marginal tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margin {
    pub tick: u32,
    /// Lots that trade at this tick…
    pub fill: u64,
    /// …of the lots that stand there.
    pub lots: u64,
}

/// Where supply and demand cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// Lots that trade, at least 1.
    pub volume: u64,
    /// |demand - supply| at the price, lots.
    pub imbalance: u64,
    /// The price, as a tick.
    pub tick: u32,
    pub bid: Margin,
    pub ask: Margin,
}

/// Finds the price; None if nothing crosses.  `total_bid` is the sum of `bids`.
///
/// Between two ticks at which a bid leaves or an ask enters, nothing changes: such a run is looked at once.
pub fn discover(bids: &Levels, asks: &Levels, total_bid: u64) -> Option<Crossing> {
    if total_bid == 0 {
        return None;
    }
    let (mut demand, mut supply, mut leaving) = (total_bid, 0, 0);
    let (mut volume, mut imbalance, mut low, mut high) = (0, u64::MAX, 0, 0);
    let mut in_best_run = false;
    let mut tick = 0u32;
    for (bid, ask) in bids.iter().zip(asks) {
        let (bid, ask) = (bid.get(), ask.get());
        if ask | leaving != 0 {
            if in_best_run {
                high = tick.wrapping_sub(1);
            }
            demand = u64::wrapping_sub(demand, u64::from(leaving));
            supply = u64::wrapping_add(supply, u64::from(ask));
            let short = demand < supply;
            let (here, off) =
                if short { (demand, supply.wrapping_sub(demand)) } else { (supply, demand.wrapping_sub(supply)) };
            if here > volume || (here == volume && off < imbalance && here != 0) {
                (volume, imbalance, low, in_best_run) = (here, off, tick, true);
            } else {
                in_best_run = here == volume && off == imbalance;
                if short && here < volume {
                    break;
                }
            }
        }
        leaving = bid;
        tick = tick.wrapping_add(1);
    }
    if volume == 0 {
        return None;
    }
    if in_best_run {
        high = tick.wrapping_sub(1);
    }
    Some(Crossing {
        volume,
        imbalance,
        tick: low.wrapping_add(high) / 2,
        bid: margin(bids.iter().zip(0..N_TICKS as u32).rev(), volume),
        ask: margin(asks.iter().zip(0..N_TICKS as u32), volume),
    })
}

/// Serves a side from its best tick on, until `volume` is reached.
#[inline(always)]
fn margin<'a>(levels: impl Iterator<Item = (&'a PodU32, u32)>, volume: u64) -> Margin {
    let mut served = 0u64;
    for (lots, tick) in levels {
        let lots = u64::from(lots.get());
        let with = served.wrapping_add(lots);
        if with >= volume {
            return Margin { tick, fill: volume.wrapping_sub(served), lots };
        }
        served = with;
    }
    Margin::default()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn levels(at: &[(usize, u32)]) -> Levels {
        let mut levels = [PodU32::ZERO; N_TICKS];
        at.iter().for_each(|(tick, lots)| levels[*tick] = (*lots).into());
        levels
    }

    fn run(bids: &[(usize, u32)], asks: &[(usize, u32)]) -> Option<Crossing> {
        let total = bids.iter().map(|(_, lots)| u64::from(*lots)).sum();
        discover(&levels(bids), &levels(asks), total)
    }

    /// The rule, tick by tick, with no short cut.
    fn slow(bids: &Levels, asks: &Levels) -> Option<(u64, u64, u32)> {
        let at = |t: usize| {
            let demand: u64 = bids[t..].iter().map(|l| u64::from(l.get())).sum();
            let supply: u64 = asks[..=t].iter().map(|l| u64::from(l.get())).sum();
            (demand.min(supply), demand.abs_diff(supply))
        };
        let all: Vec<_> = (0..N_TICKS).map(at).collect();
        let volume = all.iter().map(|(v, _)| *v).max().unwrap();
        let imbalance = all.iter().filter(|(v, _)| *v == volume).map(|(_, i)| *i).min().unwrap();
        let best: Vec<_> = (0..N_TICKS).filter(|t| all[*t] == (volume, imbalance)).collect();
        (volume > 0).then(|| (volume, imbalance, ((best[0] + best[best.len() - 1]) / 2) as u32))
    }

    #[test]
    fn nothing_trades_without_a_crossing() {
        assert_eq!(run(&[], &[]), None);
        assert_eq!(run(&[(5, 10)], &[]), None);
        assert_eq!(run(&[], &[(5, 10)]), None);
        assert_eq!(run(&[(5, 10)], &[(6, 10)]), None);
    }

    #[test]
    fn a_crossing_at_one_tick_trades_there() {
        let found = run(&[(7, 10)], &[(7, 4)]).unwrap();
        assert_eq!((found.volume, found.imbalance, found.tick), (4, 6, 7));
        assert_eq!(found.bid, Margin { tick: 7, fill: 4, lots: 10 });
        assert_eq!(found.ask, Margin { tick: 7, fill: 4, lots: 4 });
    }

    #[test]
    fn the_price_is_the_middle_of_equally_good_ticks() {
        assert_eq!(run(&[(900, 10)], &[(100, 10)]).unwrap().tick, 500);
        assert_eq!(run(&[(1023, 10)], &[(0, 10)]).unwrap().tick, 511);
    }

    #[test]
    fn levels_at_the_limit_do_not_overflow() {
        let full = [PodU32::MAX; N_TICKS];
        let total = u64::from(u32::MAX) * N_TICKS as u64;
        let found = discover(&full, &full, total).unwrap();
        assert_eq!(Some((found.volume, found.imbalance, found.tick)), slow(&full, &full));
    }

    #[test]
    fn random_books_agree_with_the_rule_tick_by_tick() {
        let mut state = 1u64;
        let mut next = move |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % n
        };
        for round in 0..400 {
            let (spread, lots) = ([3, 40, 1024][round % 3], [2, 5, 1 << 32][round % 4 % 3]);
            let mut side = |n: u64| {
                let at: Vec<_> = (0..n).map(|_| (next(spread) as usize, next(lots) as u32)).collect();
                levels(&at)
            };
            let (bids, asks) = (side(12), side(12));
            let found = discover(&bids, &asks, bids.iter().map(|l| u64::from(l.get())).sum());
            assert_eq!(found.map(|c| (c.volume, c.imbalance, c.tick)), slow(&bids, &asks), "{round}");
            if let Some(c) = found {
                assert!(c.bid.tick >= c.tick && c.ask.tick <= c.tick, "limits are respected");
                assert!(c.bid.fill > 0 && c.bid.fill <= c.bid.lots && c.ask.fill > 0 && c.ask.fill <= c.ask.lots);
            }
        }
    }
}
