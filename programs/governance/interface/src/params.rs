//! The parameters of a site: number, default and hard bounds of each.

/// Number of a parameter: its index in `GovernanceConfig.system_parameters` and in [`PARAMS`].
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamId {
    EpochSecs = 0,
    MaxMetersPerUser = 1,
    MaxOrdersPerUser = 2,
    FeeBps = 3,
    MaxFutureSkewSecs = 4,
    MaxReadingAgeSecs = 5,
    MinReadingIntervalSecs = 6,
    PlausibilityPct = 7,
    PlausibilityFloorMwh = 8,
    CancelFreezeSecs = 9,
    SettleDelaySecs = 10,
    MinLots = 11,
    MarginRule = 12,
    PauseMaxSecs = 13,
    AuthTimelockSecs = 14,
    AuthExpirySecs = 15,
    MintCapMwhPerEpoch = 16,
    MaxSweep = 17,
    MaxCatchupSecs = 18,
}

/// A parameter's default and the bounds that no authority can leave.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    pub default: u64,
    pub min: u64,
    pub max: u64,
    /// 0 is allowed below `min` and means "off".
    pub zero_is_off: bool,
}

impl Param {
    const fn new(default: u64, min: u64, max: u64) -> Self {
        Self { default, min, max, zero_is_off: false }
    }

    /// Does `value` lie within the bounds?
    pub const fn accepts(&self, value: u64) -> bool {
        (self.min <= value && value <= self.max) || (self.zero_is_off && value == 0)
    }
}

/// Every known parameter, by its number.
#[rustfmt::skip]
pub const PARAMS: [Param; 19] = [
    Param::new(900, 900, 900),                                              // EPOCH_SECS
    Param::new(10, 1, 16),                                                  // MAX_METERS_PER_USER
    Param::new(100, 1, 1_000),                                              // MAX_ORDERS_PER_USER
    Param::new(25, 0, 500),                                                 // FEE_BPS
    Param::new(30, 0, 300),                                                 // MAX_FUTURE_SKEW_SECS
    Param::new(604_800, 900, 2_592_000),                                    // MAX_READING_AGE_SECS
    Param::new(60, 1, 600),                                                 // MIN_READING_INTERVAL_SECS
    Param::new(120, 100, 200),                                              // PLAUSIBILITY_PCT
    Param::new(1_000, 0, 10_000),                                           // PLAUSIBILITY_FLOOR_MWH
    Param::new(60, 0, 300),                                                 // CANCEL_FREEZE_SECS
    Param::new(0, 0, 300),                                                  // SETTLE_DELAY_SECS
    Param::new(10, 1, 100_000),                                             // MIN_LOTS
    Param::new(0, 0, 1),                                                    // MARGIN_RULE
    Param { default: 604_800, min: 900, max: 31_536_000, zero_is_off: true }, // PAUSE_MAX_SECS (0: no expiry)
    Param::new(0, 0, 2_592_000),                                            // AUTH_TIMELOCK_SECS (off campus ≥ 86,400)
    Param::new(172_800, 3_600, 2_592_000),                                  // AUTH_EXPIRY_SECS
    Param::new(1_000_000_000, 0, 1_000_000_000_000_000),                    // MINT_CAP_MWH_PER_EPOCH
    Param::new(1_024, 1, 4_096),                                            // MAX_SWEEP
    Param::new(604_800, 86_400, 2_592_000),                                 // MAX_CATCHUP_SECS
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_lies_within_its_bounds() {
        assert_eq!(PARAMS.len(), ParamId::MaxCatchupSecs as usize + 1);
        for (id, param) in PARAMS.iter().enumerate() {
            assert!(param.accepts(param.default) && !param.accepts(param.max + 1), "{id}");
        }
    }
}
