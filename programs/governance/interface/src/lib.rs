//! Governance as other programs see it: its id, its account, the pause and the parameters.
//!
//! Every program reads [`GovernanceConfig`] live from the one account [`GOVERNANCE`]; nothing here is copied.
#![cfg_attr(target_os = "solana", no_std)]

use anchor_lang::prelude::*;

mod config;
mod params;

pub use config::GovernanceConfig;
pub use params::{Param, ParamId, PARAMS};

declare_id!("DShv4ajzMpSq5SHy4k2JWEomWdLFvqYnwCage2Ec8EG4");

/// Seed of the one GovernanceConfig.
pub const GOVERNANCE_SEED: &[u8] = b"governance";

const FOUND: (Address, u8) = common::pda::find(GOVERNANCE_SEED, &ID);
/// Address of the one GovernanceConfig; also the signer of governance's own CPIs.
pub const GOVERNANCE: Address = FOUND.0;
/// Bump of [`GOVERNANCE`].
pub const GOVERNANCE_BUMP: u8 = FOUND.1;

/// What a pause can stop, as bits of `GovernanceConfig.pause_mask`.
pub mod pause {
    /// Registering users, assigning and changing meters.
    pub const REGISTRY_WRITE: u32 = 1 << 0;
    /// Accepting readings, creating meter states.
    pub const ORACLE_SUBMIT: u32 = 1 << 1;
    /// Minting for measured export.
    pub const MINT: u32 = 1 << 2;
    /// Burning for measured import.
    pub const BURN: u32 = 1 << 3;
    /// Seats, deposits, new orders.
    pub const ORDER_ENTRY: u32 = 1 << 4;
    /// Clearing an epoch.
    pub const CLEARING: u32 = 1 << 5;
    /// All of them: an emergency.
    pub const ALL: u32 = 0x3f;
}
