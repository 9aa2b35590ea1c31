//! Lots, ticks and their values: the numbers that a market must get right once.

use trading_interface::{Market, N_TICKS};

use crate::errors::TradingError;

/// Base atoms in a kWh: prices are per kWh.
const KWH: u64 = 1_000_000_000;

/// A market's price grid.  Every value of a lot is a whole number of quote atoms, so money is never rounded but in the fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    lot_size: u64,
    price_floor: u64,
    tick_size: u64,
    value_floor: u64,
    value_step: u64,
}

impl Grid {
    /// Refuses a lot above 1 kWh (BadLot), and a grid that is not exact, has a value of 0, or whose last tick times 2^32 lots
    /// reaches 2^63 (BadTick).
    pub fn new(lot_size: u64, price_floor: u64, tick_size: u64) -> core::result::Result<Self, TradingError> {
        if lot_size == 0 || lot_size > KWH {
            return Err(TradingError::BadLot);
        }
        let value = |price: u64| {
            let product = u128::from(price) * u128::from(lot_size);
            let value = u64::try_from(product / u128::from(KWH)).ok()?;
            (product % u128::from(KWH) == 0 && value > 0).then_some(value)
        };
        let value_floor = value(price_floor).ok_or(TradingError::BadTick)?;
        let value_step = value(tick_size).ok_or(TradingError::BadTick)?;
        let steps = (N_TICKS - 1) as u128;
        let last = u128::from(value_floor) + steps * u128::from(value_step);
        let last_price = u128::from(price_floor) + steps * u128::from(tick_size);
        if last >= 1 << 31 || last_price > u128::from(u64::MAX) {
            return Err(TradingError::BadTick);
        }
        Ok(Self { lot_size, price_floor, tick_size, value_floor, value_step })
    }

    /// Makes it the grid of `market`.
    pub fn write(&self, market: &mut Market) {
        market.lot_size = self.lot_size.into();
        market.price_floor = self.price_floor.into();
        market.tick_size = self.tick_size.into();
        market.value_floor = self.value_floor.into();
        market.value_step = self.value_step.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WH: u64 = 1_000_000;

    #[test]
    fn the_campus_grid_is_exact() {
        let grid = Grid::new(WH, 2_000_000, 5_000).unwrap();
        assert_eq!((grid.value_floor, grid.value_step), (2_000, 5));
    }

    #[test]
    fn what_does_not_come_out_even_is_refused() {
        assert_eq!(Grid::new(WH, 2_000_001, 5_000), Err(TradingError::BadTick));
        assert_eq!(Grid::new(WH, 2_000_000, 5_001), Err(TradingError::BadTick));
        assert_eq!(Grid::new(WH, 0, 5_000), Err(TradingError::BadTick));
        assert_eq!(Grid::new(WH, 2_000_000, 0), Err(TradingError::BadTick));
        assert_eq!(Grid::new(0, 2_000_000, 5_000), Err(TradingError::BadLot));
        assert_eq!(Grid::new(KWH + 1, 2_000_000, 5_000), Err(TradingError::BadLot));
    }

    #[test]
    fn the_last_tick_times_2_to_the_32_lots_stays_below_2_to_the_63() {
        let step = 1_000_000;
        let floor = (1u64 << 31) - 1 - 1023 * 1_000;
        assert!(Grid::new(WH, floor * 1_000, step).is_ok());
        assert_eq!(Grid::new(WH, (floor + 1) * 1_000, step), Err(TradingError::BadTick));
        assert_eq!(Grid::new(1, u64::MAX / 2 / KWH * KWH, KWH), Err(TradingError::BadTick));
    }
}
