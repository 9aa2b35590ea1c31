//! The arithmetic of the rules, apart from any chain.

use anchor_lang::bytemuck::Zeroable;
use governance_interface::{GovernanceConfig, ParamId, PARAMS};
use oracle::rules::{advance, owed, Advance, Bound};

fn governance() -> GovernanceConfig {
    let mut config = GovernanceConfig::zeroed();
    for (id, param) in PARAMS.iter().enumerate() {
        config.system_parameters[id] = param.default.into();
    }
    config
}

#[test]
fn a_register_advances_wraps_once_or_is_refused() {
    let straight = |energy| Some(Advance { energy, wrapped: false });
    let wrapped = |energy| Some(Advance { energy, wrapped: true });
    for (old, new, modulus, expected) in [
        (5, 5, 0, straight(0)),
        (5, 9, 0, straight(4)),
        (0, u64::MAX, 0, straight(u64::MAX)),
        (5, 4, 0, None),
        (8, 2, 10, wrapped(4)),
        (9, 0, 10, wrapped(1)),
        (0, 9, 10, straight(9)),
        (3, 10, 10, None),
        (12, 3, 10, None),
        (12, 13, 10, None),
        (u64::MAX - 1, 0, u64::MAX, wrapped(1)),
    ] {
        assert_eq!(advance(old, new, modulus).ok(), expected, "{old} -> {new} of {modulus}");
    }
}

#[test]
fn the_bound_is_the_formula_in_whole_numbers() {
    let config = governance();
    for watts in [0, 1, 3, 5_000, 999_999, 1_000_000] {
        for secs in [60, 61, 900, 902, 604_800, u64::MAX] {
            for (periodic, floor) in [(true, 1_000), (false, 0)] {
                let bound = Bound::new(&config, secs, periodic, 10);
                let capped = secs.min(604_800);
                let most =
                    u64::try_from(u128::from(watts) * u128::from(capped) * 10 * 120 / 3_600).expect("small") + floor;
                assert!(bound.check(most, watts).is_ok(), "{watts} W {secs} s");
                assert!(bound.check(most + 1, watts).is_err(), "{watts} W {secs} s");
                assert!(bound.check(u64::MAX, watts).is_err());
                assert_eq!(bound.seconds(floor, watts), 0);
                assert!(bound.seconds(most, watts) <= capped);
                if watts > 3 {
                    assert_eq!((bound.seconds(most, watts), bound.seconds(floor + 1, watts)), (capped, 1));
                }
            }
        }
    }
}

#[test]
fn what_was_claimed_ahead_comes_back_with_the_chains_time() {
    assert_eq!(owed(0, 0, 500, false), 500);
    assert_eq!(owed(500, 0, 500, false), 1_000);
    assert_eq!(owed(500, 200, 100, false), 400);
    assert_eq!(owed(500, 501, 100, false), 100);
    // in step nothing is added, unless something is still owed
    assert_eq!(owed(0, 900, 900, true), 0);
    assert_eq!(owed(900, 900, 900, true), 0);
    assert_eq!(owed(1_000, 900, 900, true), 1_000);
    assert_eq!(owed(u64::MAX, 0, u64::MAX, false), u64::MAX);
}

#[test]
fn no_parameter_and_no_meter_makes_the_bound_panic() {
    let mut config = GovernanceConfig::zeroed();
    for value in [0, 1, u64::MAX] {
        for id in [ParamId::MaxCatchupSecs, ParamId::PlausibilityPct, ParamId::PlausibilityFloorMwh] {
            config.system_parameters[id as usize] = value.into();
        }
        let bound = Bound::new(&config, u64::MAX, true, u32::MAX);
        for (energy, watts) in [(u64::MAX, u32::MAX), (0, 0), (u64::MAX, 0), (0, u32::MAX)] {
            let _no_panic = (bound.check(energy, watts), bound.seconds(energy, watts));
        }
    }
}
