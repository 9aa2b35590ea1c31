//! What the Registry reports.  Times in Unix seconds; nothing that names a person.
use anchor_lang::prelude::*;

/// The site's registry exists.
#[event(bytemuck)]
pub struct RegistryInitialized {
    pub domain: [u8; 8],
    pub at: PodI64,
}

/// A wallet may trade.
#[event(bytemuck)]
pub struct UserRegistered {
    pub wallet: Address,
    pub user_type: u8,
    pub role: u8,
    pub at: PodI64,
}

/// A user was suspended, revoked or taken back.
#[event(bytemuck)]
pub struct UserStatusChanged {
    pub wallet: Address,
    pub old: u8,
    pub new: u8,
    pub at: PodI64,
}

/// A meter has a device, an owner and a key.
#[event(bytemuck)]
pub struct MeterAssigned {
    pub meter_no: PodU32,
    pub meter_id: [u8; 16],
    pub owner: Address,
    pub meter_key: Address,
    pub install_id: PodU32,
    pub baseline_export_mwh: PodU64,
    pub baseline_import_mwh: PodU64,
    pub at: PodI64,
}

/// A meter's status is another one.
#[event(bytemuck)]
pub struct MeterStatusChanged {
    pub meter_no: PodU32,
    pub old: u8,
    pub new: u8,
    /// The engineering authority or the owner.
    pub by: Address,
    pub at: PodI64,
}

/// What a user is was corrected; all three as they are now.
#[event(bytemuck)]
pub struct UserUpdated {
    pub wallet: Address,
    pub user_type: u8,
    pub role: u8,
    pub location: [u8; 32],
    pub at: PodI64,
}

/// What a meter can do at most was corrected.
#[event(bytemuck)]
pub struct MeterLimitsChanged {
    pub meter_no: PodU32,
    pub old_max_export_w: PodU32,
    pub new_max_export_w: PodU32,
    pub old_max_import_w: PodU32,
    pub new_max_import_w: PodU32,
    pub old_resolution_mwh: PodU32,
    pub new_resolution_mwh: PodU32,
    pub old_register_modulus_mwh: PodU64,
    pub new_register_modulus_mwh: PodU64,
    pub at: PodI64,
}

/// The same device is read by a node with another key.
#[event(bytemuck)]
pub struct MeterKeyRotated {
    pub meter_no: PodU32,
    pub install_id: PodU32,
    pub old_key: Address,
    pub new_key: Address,
    /// 1: the old key signed the handover. It may be lost or stolen, so it need not.
    pub old_key_agreed: u8,
    pub at: PodI64,
}

/// The authority states where a meter's present key lies.
#[event(bytemuck)]
pub struct MeterKeyLevelSet {
    pub meter_no: PodU32,
    pub meter_key: Address,
    pub old: u8,
    pub new: u8,
    pub at: PodI64,
}

/// Another device stands at the metering point.
#[event(bytemuck)]
pub struct MeterReplaced {
    pub meter_no: PodU32,
    /// The new one's.
    pub install_id: PodU32,
    pub old_key: Address,
    pub new_key: Address,
    /// What the old device showed at the end; nothing is credited for it that no record signed.
    pub final_export_mwh: PodU64,
    pub final_import_mwh: PodU64,
    pub baseline_export_mwh: PodU64,
    pub baseline_import_mwh: PodU64,
    /// 1: the old key was compromised, and what it measured and nobody minted is forfeited.
    pub forfeits: u8,
    pub at: PodI64,
}

/// The device's registers count from other values on.
#[event(bytemuck)]
pub struct MeterRebaseOrdered {
    pub meter_no: PodU32,
    pub install_id: PodU32,
    pub baseline_export_mwh: PodU64,
    pub baseline_import_mwh: PodU64,
    pub reason: PodU16,
    pub at: PodI64,
}

/// A meter has another owner.
#[event(bytemuck)]
pub struct MeterReassigned {
    pub meter_no: PodU32,
    pub old_owner: Address,
    pub new_owner: Address,
    pub at: PodI64,
}

/// A decommissioned meter takes no place of its owner's any more.
#[event(bytemuck)]
pub struct MeterUnassigned {
    pub meter_no: PodU32,
    pub owner: Address,
    pub at: PodI64,
}
