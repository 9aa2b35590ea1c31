//! Units: energy in mWh (u64), GRID in atoms (1e-9 token), time in Unix seconds (i64).

use anchor_lang::prelude::{Clock, PinocchioSysvar as _, Result};

/// 1 mWh of measured export is worth 1,000 atoms; so 1 kWh is 1 GRID.
pub const ATOMS_PER_MWH: u64 = 1_000;

/// Decimals of GRID: one token is 1e9 atoms.
pub const GRID_DECIMALS: u8 = 9;

/// Length of a slot, an epoch and a billing interval, in seconds.
pub const EPOCH_SECS: i64 = 900;

/// The chain's time, Unix seconds.
#[inline(always)]
pub fn now() -> Result<i64> {
    Ok(Clock::get()?.unix_timestamp)
}

/// Start of the epoch that holds time `t` (Unix seconds, also before 1970).
pub const fn epoch_of(t: i64) -> i64 {
    t.saturating_sub(t.rem_euclid(EPOCH_SECS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_starts_at_a_multiple_of_900_at_or_before_the_time() {
        for t in [-901, -900, -1, 0, 1, 899, 900, 1_750_000_123] {
            let start = epoch_of(t);
            assert!(start % 900 == 0 && start <= t && t - start < 900, "{t} -> {start}");
        }
        let _no_panic = (epoch_of(i64::MIN), epoch_of(i64::MAX));
    }
}
