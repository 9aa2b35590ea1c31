//! Oracle as other programs see it: its id, its accounts, their addresses and the record that a meter's key signs.
#![cfg_attr(target_os = "solana", no_std)]

use anchor_lang::prelude::*;

mod config;
mod meter_state;
mod record;

pub use config::{OracleConfig, RelayerMode};
pub use meter_state::{window_flag, EpochEnergy, MeterState, FROZEN};
pub use record::{reason, status_flag, time_status, Record, RECORD_LEN};

declare_id!("ExjFuRux4wEfkjSYdzUGr1AgLm4KHof7V4uJ9AG8XCHF");

/// Seed of the one OracleConfig.
pub const ORACLE_SEED: &[u8] = b"oracle";
/// Seed of the oracle's signature: it is what may mint and burn.
pub const ORACLE_AUTH_SEED: &[u8] = b"oracle_auth";
/// MeterState: `[METER_STATE_SEED, address of the Meter]`.
pub const METER_STATE_SEED: &[u8] = b"mstate";

const FOUND_CONFIG: (Address, u8) = common::pda::find(ORACLE_SEED, &ID);
/// Address of the one OracleConfig.
pub const ORACLE: Address = FOUND_CONFIG.0;
/// Bump of [`ORACLE`].
pub const ORACLE_BUMP: u8 = FOUND_CONFIG.1;

const FOUND_AUTH: (Address, u8) = common::pda::find(ORACLE_AUTH_SEED, &ID);
/// The oracle's signer for CPIs. No wallet has its key, and no other program can sign for it.
pub const ORACLE_AUTH: Address = FOUND_AUTH.0;
/// Bump of [`ORACLE_AUTH`].
pub const ORACLE_AUTH_BUMP: u8 = FOUND_AUTH.1;

/// Most records in one `submit_meter_data`.
pub const MAX_RECORDS: usize = 5;
/// Record 0 lies here in the data of `submit_meter_data`: discriminator 8, ed_ix 1, vec length 4.
pub const RECORDS_AT: usize = 13;
/// A jump of the sequence number beyond this is refused: a bad record cannot brick a meter.
pub const MAX_SEQ_JUMP: u64 = 1_000_000;
