//! MeterState: what the chain believes about one meter.

use anchor_lang::{
    bytemuck::{Pod, Zeroable},
    prelude::*,
    IdlType,
};

/// Bit 0 of `MeterState.flags`: two records with one sequence number were proved; nothing is accepted or paid.
pub const FROZEN: u16 = 1 << 0;

/// Bits of `EpochEnergy.flags` above the record's own sixteen status flags.
pub mod window_flag {
    /// The meter did not know the time well.
    pub const VAGUE_TIME: u32 = 1 << 16;
    /// The record also covers earlier slots that had none of their own.
    pub const MULTI_EPOCH: u32 = 1 << 17;
    /// Sequence numbers before it are missing.
    pub const GAP: u32 = 1 << 18;
    /// A register wrapped.
    pub const ROLLOVER: u32 = 1 << 19;
}

/// Energy credited to one slot, in whole Wh; the remainders stay in the running totals, so that the slots add up.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable, IdlType)]
#[bytemuck(crate = "anchor_lang::bytemuck")]
pub struct EpochEnergy {
    /// The slot's start in Unix seconds, divided by 900; 0: unused.
    pub epoch_no: PodU32,
    pub export_wh: PodU32,
    pub import_wh: PodU32,
    /// Status flags of its records (bits 0 to 15) and `window_flag`s.
    pub flags: PodU32,
}

/// PDA `["mstate", meter]`. Energy in mWh, times in Unix seconds.
#[account]
pub struct MeterState {
    /// Layout version, 1.
    pub version: u8,
    pub bump: u8,
    /// Bit 0: FROZEN.
    pub flags: PodU16,
    /// Install that the registers below belong to.
    pub install_id: PodU32,
    /// The Meter account.
    pub meter: Address,
    /// Who is paid.
    pub owner: Address,
    /// Sequence number of the last accepted record, 0: none of this install.
    pub seq: PodU64,
    /// When the last accepted reading was taken.
    pub last_ts: PodI64,
    /// When it was accepted.
    pub last_accept_ts: PodI64,
    /// Slot of the last periodic record.
    pub last_epoch: PodI64,
    pub frozen_at: PodI64,
    pub export_reg_mwh: PodU64,
    pub import_reg_mwh: PodU64,
    /// Energy credited since the meter was assigned.
    pub cum_export_mwh: PodU64,
    pub cum_import_mwh: PodU64,
    /// Part of `cum_export_mwh` that was minted.
    pub minted_mwh: PodU64,
    /// Part of `cum_import_mwh` that was burned.
    pub burned_mwh: PodU64,
    /// Part of `cum_import_mwh` that was billed off chain and is never burned.
    pub written_off_import_mwh: PodU64,
    /// sha256 of the last accepted record.
    pub last_digest: [u8; 32],
    /// Records accepted.
    pub readings: PodU32,
    /// Sequence numbers that never came.
    pub gaps: PodU32,
    /// Times that a register wrapped.
    pub rollovers: PodU32,
    /// Records that covered more than one slot.
    pub multi_epoch: PodU32,
    /// The last eight slots, at `epoch_no % 8`.
    pub window: [EpochEnergy; 8],
    /// Part of `cum_export_mwh` that was given up and is never minted.
    pub forfeited_mwh: PodU64,
    /// Seconds of rated power that were claimed ahead of the chain's clock, which gives them back; see the oracle's rules.
    pub claimed_secs: PodU64,
    pub reserved: [u8; 48],
}

impl MeterState {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;

    #[inline(always)]
    pub fn is_frozen(&self) -> bool {
        self.flags.get() & FROZEN != 0
    }

    /// Export that was measured, not given up and not yet minted, mWh.
    #[inline(always)]
    pub fn unminted_mwh(&self) -> u64 {
        let settled = self.minted_mwh.get().saturating_add(self.forfeited_mwh.get());
        self.cum_export_mwh.get().saturating_sub(settled)
    }

    /// Import that was measured, not billed off chain and not yet burned, mWh.
    #[inline(always)]
    pub fn unburned_mwh(&self) -> u64 {
        let settled = self.written_off_import_mwh.get().saturating_add(self.burned_mwh.get());
        self.cum_import_mwh.get().saturating_sub(settled)
    }
}
