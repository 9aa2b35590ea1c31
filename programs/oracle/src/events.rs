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

/// Where the readings can be had off chain has changed.
#[event(bytemuck)]
pub struct AmiEndpointSet {
    pub authority: Address,
    pub ami_endpoint: [u8; 64],
}

/// Who may deliver, as `OracleConfig`.
#[event(bytemuck)]
pub struct RelayersSet {
    pub authority: Address,
    pub relayer_mode: u8,
    pub relayer_count: u8,
    pub relayers: [Address; 8],
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

/// What was credited and nobody had minted yet is not paid.
#[event(bytemuck)]
pub struct AccrualForfeited {
    pub export_mwh: PodU64,
    pub owner: Address,
    pub meter_no: PodU32,
}

/// Why import was written off, as `ImportWrittenOff.reason`.
pub mod write_off {
    /// A billing date: it is on the bill.
    pub const BILLED: u8 = 0;
    /// The meter has a new owner: it is on the old one's last bill.
    pub const OWNER_CHANGED: u8 = 1;
    /// The key that reported it was compromised.
    pub const COMPROMISED: u8 = 2;
}

/// What was credited as import and not burned yet is never burned; `owner` settles it off chain, or nobody does.
#[event(bytemuck)]
pub struct ImportWrittenOff {
    pub import_mwh: PodU64,
    pub owner: Address,
    pub meter_no: PodU32,
    pub reason: u8,
}

/// From now on the meter's energy is the new owner's.
#[event(bytemuck)]
pub struct OwnerSynced {
    pub meter: Address,
    pub old_owner: Address,
    pub new_owner: Address,
    pub meter_no: PodU32,
}

/// Somebody showed two records with one sequence number: the meter's key says two things.
#[event(bytemuck)]
pub struct EquivocationProved {
    pub meter: Address,
    pub seq: PodU64,
    pub at: PodI64,
    pub meter_no: PodU32,
    pub install_id: PodU32,
    pub first_digest: [u8; 32],
    pub second_digest: [u8; 32],
}

/// The contradicting key or install is history: the meter is accounted for again.
#[event(bytemuck)]
pub struct FreezeCleared {
    pub meter: Address,
    pub frozen_at: PodI64,
    pub at: PodI64,
    pub meter_no: PodU32,
}
