//! What a meter id, a key, a limit and a change of status must fulfil.  Pure functions.

use anchor_lang::prelude::*;
use registry_interface::{MeterStatus, MAX_RATED_W};

use crate::{errors::RegistryError, instructions::MeterLimits};

/// No register counts in steps above 1 kWh.
const MAX_RESOLUTION_MWH: u32 = 1_000_000;

/// 1 to 16 of `[A-Z0-9_-]`, then zeros to the end.
pub fn is_meter_id(id: &[u8; 16]) -> bool {
    let len = id.iter().position(|byte| *byte == 0).unwrap_or(id.len());
    let (name, padding) = id.split_at(len);
    let allowed = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    !name.is_empty() && name.iter().all(allowed) && padding.iter().all(|byte| *byte == 0)
}

/// y coordinates of the eight low-order points, little-endian without the sign bit; 1 is the identity.
const LOW_ORDER_Y: [[u8; 32]; 5] = [
    [0; 32],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
];

/// Is the key a point of low order (any message has a signature by it) or a second encoding of another point (y ≥ 2^255-19)?
pub fn is_weak_key(key: &Address) -> bool {
    let mut y = *key.as_array();
    y[31] &= 0x7f;
    let not_canonical = y[0] >= 0xed && y[1..31].iter().all(|byte| *byte == 0xff) && y[31] == 0x7f;
    not_canonical || LOW_ORDER_Y.contains(&y)
}

/// Refuses power beyond 1 MW, a register step of nothing or beyond 1 kWh, and a baseline at or above the modulus.
pub fn check_limits(limits: &MeterLimits, modulus: u64, baseline_export: u64, baseline_import: u64) -> Result<()> {
    let power = limits.max_export_w <= MAX_RATED_W && limits.max_import_w <= MAX_RATED_W;
    let step = (1..=MAX_RESOLUTION_MWH).contains(&limits.resolution_mwh);
    require!(power && step, RegistryError::LimitOutOfBounds);
    check_baselines(modulus, baseline_export, baseline_import)
}

/// Refuses a baseline at or above the modulus, where no register can stand.
pub fn check_baselines(modulus: u64, baseline_export: u64, baseline_import: u64) -> Result<()> {
    let within = modulus == 0 || (baseline_export < modulus && baseline_import < modulus);
    require!(within, RegistryError::LimitOutOfBounds);
    Ok(())
}

/// The install after `install_id`.
pub fn next_install(install_id: PodU32) -> Result<u32> {
    Ok(install_id.get().checked_add(1).ok_or(RegistryError::Overflow)?)
}

/// May the authority move a meter from `old` to `new`?  Decommissioned is terminal; Compromised is left only by a new device.
pub fn may_move(old: MeterStatus, new: MeterStatus) -> bool {
    use MeterStatus::*;
    match old {
        Provisioned => matches!(new, Active | Decommissioned),
        Active => matches!(new, Maintenance | Decommissioned | Compromised),
        Maintenance => matches!(new, Active | Decommissioned | Compromised),
        Decommissioned | Compromised => false,
    }
}

/// May a meter of this status get another device?  What is at work is taken to Maintenance first, so that its journal drains.
pub fn may_replace(status: u8) -> bool {
    status == MeterStatus::Maintenance || status == MeterStatus::Compromised
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meter_ids_are_upper_case_and_zero_padded() {
        let id = |text: &[u8]| {
            let mut bytes = [0; 16];
            bytes[..text.len()].copy_from_slice(text);
            bytes
        };
        for good in [&b"METER_001"[..], b"A", b"0123456789ABCDEF", b"X-9_"] {
            assert!(is_meter_id(&id(good)), "{good:?}");
        }
        for bad in [&b""[..], b"meter_001", b"METER 1", b"A\0B", b"\0A", b"M\xc3\x89TER", b"A\x7f"] {
            assert!(!is_meter_id(&id(bad)), "{bad:?}");
        }
    }

    #[test]
    fn the_low_order_points_are_those_that_dalek_knows() {
        use curve25519_dalek::constants::EIGHT_TORSION;
        for point in EIGHT_TORSION {
            assert!(is_weak_key(&Address::new_from_array(point.compress().to_bytes())));
        }
    }

    #[test]
    fn second_encodings_are_weak_and_ordinary_keys_are_not() {
        for low in 0xed..=0xff {
            for sign in [0x7f, 0xff] {
                let mut bytes = [0xff; 32];
                (bytes[0], bytes[31]) = (low, sign);
                assert!(is_weak_key(&Address::new_from_array(bytes)));
            }
        }
        assert!(!is_weak_key(&Address::new_from_array(anchor_lang::sha256(b"a key"))));
    }
}
