#![allow(unused_variables)] // rc.2 reads the arguments of #[instruction] a second time, and uses none then
use anchor_lang::prelude::*;
use common::units::now;
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use registry_interface::{
    serial_digest, KeyIndex, Meter, MeterKind, MeterStatus, RegistryConfig, SerialIndex, User, REGISTRY,
};

use crate::{errors::RegistryError, events::MeterAssigned, instructions::mirror, places, possession, rules};

/// A meter begins with this install.
const FIRST_INSTALL: u32 = 1;

/// What the device can do at most.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct MeterLimits {
    /// At most 1,000,000 W.
    pub max_export_w: u32,
    /// At most 1,000,000 W.
    pub max_import_w: u32,
    /// Step of the register, 1 to 1,000,000 mWh.
    pub resolution_mwh: u32,
}

#[derive(Accounts)]
#[instruction(
    meter_id: [u8; 16], kind: u8, meter_key: Address, limits: MeterLimits, register_modulus_mwh: u64, baseline_export: u64,
    baseline_import: u64, serial: [u8; 24], model: [u8; 16]
)]
pub struct AssignMeter {
    /// The engineering authority; pays.
    #[account(mut, constraint = governance.is_authority(authority.address()) @ RegistryError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE, constraint = !governance.is_paused(pause::REGISTRY_WRITE, now)? @ RegistryError::Paused)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut, address = REGISTRY)]
    pub config: Account<RegistryConfig>,
    /// The owner to be.
    #[account(mut, constraint = user.is_active() @ RegistryError::UserInactive)]
    pub user: Account<User>,
    #[account(init, payer = authority, seeds = [b"meter", meter_id], bump)]
    pub meter: Account<Meter>,
    /// Exists for every key that was ever a meter's.
    #[account(init, payer = authority, seeds = [b"mkey", meter_key], bump)]
    pub key_index: Account<KeyIndex>,
    /// Exists for every device; its seed is sha256(model ‖ serial).
    #[account(init, payer = authority, seeds = [b"serial", serial_digest(&model, &serial)], bump)]
    pub serial_index: Account<SerialIndex>,
    pub instructions: Sysvar<SysvarInstructions>,
    pub system_program: Program<System>,
}

/// Bumps of the three accounts that are made.
pub struct AssignedBumps {
    pub meter: u8,
    pub key_index: u8,
    pub serial_index: u8,
}

/// What stands at the metering point.
pub struct Device {
    pub kind: u8,
    pub meter_key: Address,
    pub limits: MeterLimits,
    pub register_modulus_mwh: u64,
    pub serial: [u8; 24],
    pub model: [u8; 16],
    pub building: [u8; 32],
    pub cert_hash: [u8; 32],
}

impl AssignMeter {
    pub fn run(
        &mut self,
        bumps: AssignedBumps,
        meter_id: [u8; 16],
        device: &Device,
        baseline_export: u64,
        baseline_import: u64,
    ) -> Result<()> {
        require!(rules::is_meter_id(&meter_id), RegistryError::BadMeterId);
        require!(MeterKind::from_u8(device.kind).is_some(), RegistryError::LimitOutOfBounds);
        rules::check_limits(&device.limits, device.register_modulus_mwh, baseline_export, baseline_import)?;
        require!(!rules::is_weak_key(&device.meter_key), RegistryError::WeakKey);
        let owner = self.user.wallet;
        let message = possession::message(&self.config.domain, &meter_id, &owner, FIRST_INSTALL);
        possession::require(&self.instructions, &message, &device.meter_key)?;

        let meter_no = self.count_meter()?;
        places::give(&mut self.user, meter_no, &self.governance)?;
        let now = now()?;
        let meter_address = *self.meter.address();
        let meter = &mut self.meter;
        meter.version = Meter::VERSION;
        meter.bump = bumps.meter;
        meter.kind = device.kind;
        meter.status = MeterStatus::Active as u8;
        meter.meter_no = meter_no.into();
        meter.meter_id = meter_id;
        meter.owner = owner;
        meter.meter_key = device.meter_key;
        meter.install_id = FIRST_INSTALL.into();
        meter.resolution_mwh = device.limits.resolution_mwh.into();
        meter.max_export_w = device.limits.max_export_w.into();
        meter.max_import_w = device.limits.max_import_w.into();
        meter.register_modulus_mwh = device.register_modulus_mwh.into();
        meter.baseline_export_mwh = baseline_export.into();
        meter.baseline_import_mwh = baseline_import.into();
        meter.baseline_ts = now.into();
        meter.assigned_at = now.into();
        meter.status_changed_at = now.into();
        meter.serial = device.serial;
        meter.model = device.model;
        meter.building = device.building;
        meter.cert_hash = device.cert_hash;

        self.key_index.version = KeyIndex::VERSION;
        self.key_index.bump = bumps.key_index;
        self.key_index.meter = meter_address;
        self.serial_index.version = SerialIndex::VERSION;
        self.serial_index.bump = bumps.serial_index;
        self.serial_index.meter = meter_address;
        emit!(MeterAssigned {
            meter_no: meter_no.into(),
            meter_id,
            owner,
            meter_key: device.meter_key,
            install_id: FIRST_INSTALL.into(),
            baseline_export_mwh: baseline_export.into(),
            baseline_import_mwh: baseline_import.into(),
            at: now.into(),
        });
        Ok(())
    }

    /// Takes the next number and counts the meter, which is Active.
    fn count_meter(&mut self) -> Result<u32> {
        let config = &mut self.config;
        let number = config.next_meter_no.get();
        config.next_meter_no = number.checked_add(1).ok_or(RegistryError::Overflow)?.into();
        config.meter_count = config.meter_count.checked_add(1).ok_or(RegistryError::Overflow)?;
        config.active_meter_count = config.active_meter_count.checked_add(1).ok_or(RegistryError::Overflow)?;
        config.max_meters_per_user = mirror(&self.governance);
        Ok(number)
    }
}
