//! OracleConfig: one account for the whole site.

use anchor_lang::{address_eq, prelude::*};

/// Who may deliver records, as `OracleConfig.relayer_mode`.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayerMode {
    /// Anyone: the meter's signature is the authority.
    Anyone = 0,
    /// Those in `relayers`, and each meter's owner.
    Listed = 1,
}

/// One account, PDA `["oracle"]`.
#[account]
pub struct OracleConfig {
    /// Layout version, 1.
    pub version: u8,
    pub bump: u8,
    /// Bump of the oracle's signer, PDA `["oracle_auth"]`.
    pub auth_bump: u8,
    /// 0: no record is accepted.
    pub active: u8,
    /// 1: anyone may trigger the market's clearing.
    pub auto_clearing_enabled: u8,
    /// Of GRID, 9.
    pub decimals: u8,
    /// 0 anyone delivers, 1 only `relayers` and the meter's owner.
    pub relayer_mode: u8,
    /// How many of `relayers` are set.
    pub relayer_count: u8,
    /// Mirror of GovernanceConfig.engineering_authority; never what is checked.
    pub engineering_authority: Address,
    pub registry_program: Address,
    /// The Energy Token program.
    pub token_program: Address,
    /// The Trading program.
    pub trading_program: Address,
    /// Which site: copied from RegistryConfig, in every signed record.
    pub domain: [u8; 8],
    /// Seconds, 900.
    pub market_clearing_interval: PodU64,
    /// Unix seconds, 0: never.
    pub last_market_clearing: PodI64,
    pub relayers: [Address; 8],
    /// Where the readings can be had off chain; UTF-8, zero-padded.
    pub ami_endpoint: [u8; 64],
    pub reserved: [u8; 64],
}

impl OracleConfig {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;

    /// May `relayer` deliver records of a meter of `owner`?
    #[inline(always)]
    pub fn allows(&self, relayer: &Address, owner: &Address) -> bool {
        self.relayer_mode == RelayerMode::Anyone as u8 || address_eq(relayer, owner) || self.lists(relayer)
    }

    /// Is `relayer` one of `relayers`?
    #[inline(never)]
    fn lists(&self, relayer: &Address) -> bool {
        self.relayers.iter().take(usize::from(self.relayer_count)).any(|known| address_eq(known, relayer))
    }
}
