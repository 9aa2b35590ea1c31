//! TokenConfig: what was minted and burned, and how much more this epoch may mint.

use anchor_lang::prelude::*;
use common::units::{epoch_of, ATOMS_PER_MWH};

/// One account, PDA `["token_config"]`. Amounts in atoms (1e-9 GRID), times in Unix seconds.
#[account]
pub struct TokenConfig {
    /// Layout version, 1.
    pub version: u8,
    pub bump: u8,
    /// Bump of the mint's SPL authority, PDA `["mint_auth"]`.
    pub mint_auth_bump: u8,
    /// Bump of the delegate that burns, PDA `["burner"]`.
    pub burner_bump: u8,
    /// 9.
    pub decimals: u8,
    /// The department, which decides cap and pause; it cannot mint. The SPL authority is the PDA `["mint_auth"]`.
    pub mint_authority: Address,
    /// GRID's mint.
    pub mint: Address,
    /// The only signer that mints and burns for consumption: the oracle's PDA, a constant of the program.
    pub oracle_minter: Address,
    pub registry_program: Address,
    /// Minted less burned by this program; plain SPL burns come off at the next `sync_total_supply`.
    pub total_supply: PodU64,
    pub total_minted: PodU64,
    pub total_burned_consumption: PodU64,
    pub total_burned_voluntary: PodU64,
    /// Mirror of MINT_CAP_MWH_PER_EPOCH, in atoms.
    pub mint_cap_per_epoch: PodU64,
    /// Start of the epoch that `epoch_minted` counts for.
    pub epoch_no: PodI64,
    pub epoch_minted: PodU64,
    pub created_at: PodI64,
    /// UTF-8, zero-padded.
    pub name: [u8; 32],
    /// UTF-8, zero-padded.
    pub symbol: [u8; 16],
    pub reserved: [u8; 64],
}

impl TokenConfig {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;

    /// Atoms minted so far in the epoch that holds `now`.
    #[inline(always)]
    pub fn minted_in_epoch(&self, now: i64) -> u64 {
        if self.epoch_no.get() == epoch_of(now) {
            self.epoch_minted.get()
        } else {
            0
        }
    }

    /// Atoms that the epoch which holds `now` may still mint under a cap of `cap_mwh`.
    #[inline(always)]
    pub fn cap_left(&self, cap_mwh: u64, now: i64) -> u64 {
        cap_mwh.saturating_mul(ATOMS_PER_MWH).saturating_sub(self.minted_in_epoch(now))
    }
}
