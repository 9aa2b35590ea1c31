//! Registry as other programs see it: its id, its accounts, their addresses and enumerations.
//!
//! Other programs read [`User`] and [`Meter`] in place (`Account<registry_interface::Meter>`): no CPI.
//! A User or Meter is what its type says because this program alone creates such accounts; whose it is stands inside it.
#![cfg_attr(target_os = "solana", no_std)]

use anchor_lang::prelude::*;

mod accounts;
mod enums;

pub use accounts::{KeyIndex, Meter, RegistryConfig, SerialIndex, User};
pub use enums::{KeyLevel, MeterKind, MeterStatus, Role, UserStatus, UserType};

declare_id!("GQWuVL3rDnV1mU7iJ6KFS2NFL7QUEM1A78F4wRTghLqm");

/// Seed of the one RegistryConfig.
pub const REGISTRY_SEED: &[u8] = b"registry";
/// User: `[USER_SEED, wallet]`.
pub const USER_SEED: &[u8] = b"user";
/// Meter: `[METER_SEED, meter_id]`, the id zero-padded to 16 bytes.
pub const METER_SEED: &[u8] = b"meter";
/// KeyIndex: `[KEY_SEED, meter_key]`.
pub const KEY_SEED: &[u8] = b"mkey";
/// SerialIndex: `[SERIAL_SEED, serial_digest(model, serial)]`.
pub const SERIAL_SEED: &[u8] = b"serial";

const FOUND: (Address, u8) = common::pda::find(REGISTRY_SEED, &ID);
/// Address of the one RegistryConfig.
pub const REGISTRY: Address = FOUND.0;
/// Bump of [`REGISTRY`].
pub const REGISTRY_BUMP: u8 = FOUND.1;

/// No meter may claim more than this, in W, in either direction.
pub const MAX_RATED_W: u32 = 1_000_000;

/// Places for meters in a User; MAX_METERS_PER_USER is at most this.
pub const METER_SLOTS: usize = 16;

/// What identifies the physical device: sha256(model ‖ serial), both zero-padded.
pub fn serial_digest(model: &[u8; 16], serial: &[u8; 24]) -> [u8; 32] {
    let mut bytes = [0; 40];
    bytes[..16].copy_from_slice(model);
    bytes[16..].copy_from_slice(serial);
    anchor_lang::sha256(&bytes)
}
