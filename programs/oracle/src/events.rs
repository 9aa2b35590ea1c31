//! What the oracle tells the world. Energy in mWh, times in Unix seconds.

use anchor_lang::prelude::*;

#[event(bytemuck)]
pub struct OracleInitialized {
    pub authority: Address,
    pub domain: [u8; 8],
}

#[event(bytemuck)]
pub struct OracleActiveSet {
    pub authority: Address,
    pub active: u8,
}

#[event(bytemuck)]
pub struct AutoClearingSet {
    pub authority: Address,
    pub enabled: u8,
}

#[event(bytemuck)]
pub struct MeterStateInitialized {
    pub meter: Address,
    pub owner: Address,
    pub meter_no: PodU32,
    pub install_id: PodU32,
}

/// A record was accepted; `d_export` and `d_import` are what it credits. Who relayed it signed the instruction.
#[event(bytemuck)]
pub struct MeterReadingAccepted {
    pub seq: u64,
    pub epoch: i64,
    pub ts: i64,
    pub d_export: u64,
    pub d_import: u64,
    pub meter_no: u32,
    /// As `EpochEnergy.flags`.
    pub flags: u32,
}

/// The last accepted record came again; nothing changed.
#[event(bytemuck)]
pub struct ReadingDuplicate {
    pub seq: PodU64,
    pub meter_no: PodU32,
}

/// Sequence numbers are missing; their energy is in this record's registers.
#[event(bytemuck)]
pub struct ReadingGap {
    pub missing: PodU64,
    pub seq: PodU64,
    pub meter_no: PodU32,
}

/// The first record of a new install: registers start at the baselines.
#[event(bytemuck)]
pub struct MeterRebased {
    pub baseline_export_mwh: PodU64,
    pub baseline_import_mwh: PodU64,
    pub meter_no: PodU32,
    pub old_install_id: PodU32,
    pub install_id: PodU32,
}

/// What a compromised install had measured and nobody had minted yet is not paid.
#[event(bytemuck)]
pub struct AccrualForfeited {
    pub export_mwh: PodU64,
    pub owner: Address,
    pub meter_no: PodU32,
}
