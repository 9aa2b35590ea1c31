//! The record: the 96 bytes that a meter's key signs, once per slot.
//!
//! Layout GMR1, little-endian:
//!
//! ```text
//! off size field
//!   0    4 magic "GMR1"
//!   4    1 version = 1
//!   5    1 time_status 'U' unknown, 'I' informative, 'S' synchronised, 'R' relative
//!   6    2 status_flags
//!   8    8 domain: which site
//!  16   16 meter_id, ASCII, zero-padded
//!  32    4 install_id
//!  36    1 reason 'P' periodic, 'B' begin, 'E' end, 'F' final, 'X' exception
//!  37    3 zero
//!  40    8 seq, from 1 per install
//!  48    8 epoch: start of the slot that this reading closes, Unix seconds
//!  56    8 ts: when it was read, Unix seconds
//!  64    8 export register, mWh
//!  72    8 import register, mWh
//!  80   16 sha256(previous record)[..16], zero for seq 1
//! ```

use anchor_lang::{
    bytemuck::{self, Pod, Zeroable},
    prelude::*,
};

/// Size of a record in bytes.
pub const RECORD_LEN: usize = 96;

const MAGIC: [u8; 4] = *b"GMR1";
const VERSION: u8 = 1;

/// How well the time of a reading is known.
pub mod time_status {
    pub const UNKNOWN: u8 = b'U';
    pub const INFORMATIVE: u8 = b'I';
    pub const SYNCHRONISED: u8 = b'S';
    pub const RELATIVE: u8 = b'R';
}

/// Why a record was made.
pub mod reason {
    pub const PERIODIC: u8 = b'P';
    pub const BEGIN: u8 = b'B';
    pub const END: u8 = b'E';
    pub const FINAL: u8 = b'F';
    pub const EXCEPTION: u8 = b'X';
}

/// What was wrong or noteworthy at the meter.
pub mod status_flag {
    pub const METER_ERROR: u16 = 1 << 0;
    pub const CLOCK_ADJUSTED: u16 = 1 << 1;
    pub const POWER_FAIL: u16 = 1 << 2;
    pub const CT_PT_CHANGED: u16 = 1 << 3;
    pub const TAMPER: u16 = 1 << 4;
    pub const ESTIMATED: u16 = 1 << 5;
    pub const REGISTER_RESET: u16 = 1 << 6;
    pub const TEST: u16 = 1 << 7;
    /// Every flag there is.
    pub const KNOWN: u16 = 0xff;
    /// A record with one of these never moves money.
    pub const NEVER_MONEY: u16 = METER_ERROR | ESTIMATED | REGISTER_RESET | TEST;
}

/// Reason and the three zero bytes after it, but for `PERIODIC`.
const OTHER_REASONS: [u32; 4] =
    [reason::BEGIN as u32, reason::END as u32, reason::FINAL as u32, reason::EXCEPTION as u32];
const REASON_AT: usize = core::mem::offset_of!(Record, reason);

/// A record, read in place.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[bytemuck(crate = "anchor_lang::bytemuck")]
pub struct Record {
    pub magic: [u8; 4],
    pub version: u8,
    pub time_status: u8,
    pub status_flags: PodU16,
    pub domain: [u8; 8],
    pub meter_id: [u8; 16],
    pub install_id: PodU32,
    pub reason: u8,
    pub zero: [u8; 3],
    pub seq: PodU64,
    pub epoch: PodI64,
    pub ts: PodI64,
    pub export_reg_mwh: PodU64,
    pub import_reg_mwh: PodU64,
    pub prev: [u8; 16],
}

const _: () = assert!(core::mem::size_of::<Record>() == RECORD_LEN);

impl Record {
    /// The record in `bytes`, unchecked.
    #[inline(always)]
    pub fn view(bytes: &[u8; RECORD_LEN]) -> &Self {
        bytemuck::cast_ref(bytes)
    }

    /// Is this a record of version 1 with nothing in it that we do not know?  Says nothing about whose it is.
    #[inline(always)]
    pub fn is_well_formed(&self) -> bool {
        // in one piece: byte by byte it costs three times as much
        let bytes = bytemuck::bytes_of(self);
        let reason = bytes[REASON_AT..].first_chunk().map_or(0, |chunk| u32::from_le_bytes(*chunk));
        self.magic == MAGIC
            && self.version == VERSION
            && (self.time_status == time_status::SYNCHRONISED || matches!(self.time_status, b'U' | b'I' | b'R'))
            && (reason == u32::from(reason::PERIODIC) || OTHER_REASONS.contains(&reason))
            && self.seq.get() > 0
            && self.status_flags.get() & !status_flag::KNOWN == 0
    }

    /// May it move money?  A meter in error, an estimate, a reset register and a test may not.
    #[inline(always)]
    pub fn is_billable(&self) -> bool {
        self.status_flags.get() & status_flag::NEVER_MONEY == 0
    }

    /// Is it the slot's own record?
    #[inline(always)]
    pub fn is_periodic(&self) -> bool {
        self.reason == reason::PERIODIC
    }

    /// Is its time only a guess?
    #[inline(always)]
    pub fn has_vague_time(&self) -> bool {
        matches!(self.time_status, time_status::UNKNOWN | time_status::RELATIVE)
    }
}
