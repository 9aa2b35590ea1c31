//! The Registry's accounts.  Energy in mWh, power in W, times in Unix seconds; text is UTF-8, zero-padded.

use anchor_lang::{address_eq, prelude::*};

use crate::{MeterKind, UserStatus};

/// One account, PDA `["registry"]`: counters, and the domain that every signed record names.
#[account]
pub struct RegistryConfig {
    /// Layout version, 1.
    pub version: u8,
    pub bump: u8,
    /// Mirror of MAX_METERS_PER_USER.
    pub max_meters_per_user: u8,
    /// Number of the next meter; starts at 1, so that 0 is "none" in `User.meters`.
    pub next_meter_no: PodU32,
    /// Mirror of GovernanceConfig.engineering_authority; never what is checked.
    pub engineering_authority: Address,
    pub user_count: PodU64,
    /// Meters ever assigned.
    pub meter_count: PodU64,
    /// Meters that are Active.
    pub active_meter_count: PodU64,
    pub created_at: PodI64,
    pub building_location: [u8; 64],
    /// Which site: a record signed for another one is not for us.
    pub domain: [u8; 8],
    pub reserved: [u8; 64],
}

/// PDA `["user", wallet]`.  Holds nothing that names a person.
#[account]
pub struct User {
    /// Layout version, 1.
    pub version: u8,
    pub bump: u8,
    /// 0 Prosumer, 1 Consumer.
    pub user_type: u8,
    /// 0 Student, 1 Faculty, 2 Department.
    pub role: u8,
    /// 0 Active, 1 Suspended, 2 Revoked.
    pub status: u8,
    /// How many of `meters` are set.
    pub meter_count: u8,
    pub wallet: Address,
    pub registered_at: PodI64,
    pub status_changed_at: PodI64,
    pub location: [u8; 32],
    /// HMAC(secret salt, student id).
    pub external_id_hash: [u8; 32],
    /// meter_no of each meter, 0 where there is none.
    pub meters: [PodU32; 16],
    pub reserved: [u8; 64],
}

/// PDA `["meter", meter_id]`: a metering point, the device that stands there and the key that signs its readings.
#[account]
pub struct Meter {
    /// Layout version, 1.
    pub version: u8,
    pub bump: u8,
    /// 0 bidirectional, 1 generation-only, 2 consumption-only.
    pub kind: u8,
    /// 0 Provisioned, 1 Active, 2 Maintenance, 3 Decommissioned, 4 Compromised.
    pub status: u8,
    /// Its number, from 1, in the order of assignment.
    pub meter_no: PodU32,
    /// `[A-Z0-9_-]`, zero-padded, at least one character.
    pub meter_id: [u8; 16],
    /// Wallet whose tokens this meter's energy mints and burns.
    pub owner: Address,
    /// Ed25519 public key of the node that reads the meter.
    pub meter_key: Address,
    /// 1 at first; one more with each device or rebase.
    pub install_id: PodU32,
    /// Step of the register, mWh.
    pub resolution_mwh: PodU32,
    /// Rated power, at most 1,000,000 W.
    pub max_export_w: PodU32,
    pub max_import_w: PodU32,
    /// Registers wrap to 0 here, mWh; 0: they do not.
    pub register_modulus_mwh: PodU64,
    /// Registers when this install began, mWh.
    pub baseline_export_mwh: PodU64,
    pub baseline_import_mwh: PodU64,
    pub baseline_ts: PodI64,
    pub assigned_at: PodI64,
    pub status_changed_at: PodI64,
    pub key_rotated_at: PodI64,
    /// Installs below this one forfeit what they measured and was not minted yet: their key was compromised. Never lowered.
    pub forfeit_install: PodU32,
    pub serial: [u8; 24],
    pub model: [u8; 16],
    pub building: [u8; 32],
    /// sha256 of the meter's certificate file, which the site keeps.
    pub cert_hash: [u8; 32],
    /// What a thief must beat to get `meter_key`: 0 not stated, 1 file, 2 board, 3 chip. Every new key begins at 0.
    pub key_level: u8,
    pub reserved: [u8; 48],
}

/// PDA `["mkey", meter_key]`: a key belongs to one meter for ever; it is never closed, so never reused.
#[account]
pub struct KeyIndex {
    /// Layout version, 1.
    pub version: u8,
    pub bump: u8,
    /// The Meter account.
    pub meter: Address,
    /// When the key was replaced, 0 while it is in use.
    pub retired_at: PodI64,
    pub reserved: [u8; 32],
}

/// PDA `["serial", sha256(model ‖ serial)]`: a device is registered once.
#[account]
pub struct SerialIndex {
    /// Layout version, 1.
    pub version: u8,
    pub bump: u8,
    /// The Meter account.
    pub meter: Address,
    pub reserved: [u8; 32],
}

impl RegistryConfig {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;
}

impl User {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;

    /// May this user trade and own meters?
    pub fn is_active(&self) -> bool {
        self.status == UserStatus::Active
    }
}

impl Meter {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;

    /// Does this meter's export mint?
    pub fn generates(&self) -> bool {
        self.kind != MeterKind::ConsumptionOnly as u8
    }

    /// Does this meter's import burn?
    pub fn consumes(&self) -> bool {
        self.kind != MeterKind::GenerationOnly as u8
    }
}

impl KeyIndex {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;

    /// Is it the index of the key that `meter` has now?  A meter has one such key at any time.
    pub fn is_in_use_by(&self, meter: &Address) -> bool {
        address_eq(&self.meter, meter) && self.retired_at.is_zero()
    }
}

impl SerialIndex {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;
}
