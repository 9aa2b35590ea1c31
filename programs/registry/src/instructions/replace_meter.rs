#![allow(unused_variables)] // rc.2 reads the arguments of #[instruction] a second time, and uses none then
use anchor_lang::{address_eq, prelude::*};
use common::units::now;
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use registry_interface::{serial_digest, KeyIndex, KeyLevel, Meter, MeterStatus, RegistryConfig, SerialIndex, REGISTRY};

use crate::{errors::RegistryError, events::MeterReplaced, possession, rules};

#[derive(Accounts)]
#[instruction(new_key: Address, new_serial: [u8; 24], new_model: [u8; 16])]
pub struct ReplaceMeter {
    /// The engineering authority; pays.
    #[account(mut, constraint = governance.is_authority(authority.address()) @ RegistryError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE, constraint = !governance.is_paused(pause::REGISTRY_WRITE, now)? @ RegistryError::Paused)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut, address = REGISTRY)]
    pub config: Account<RegistryConfig>,
    /// In Maintenance, or Compromised.
    #[account(mut, constraint = rules::may_replace(meter.status) @ RegistryError::BadStatusTransition)]
    pub meter: Account<Meter>,
    /// Of the key that goes; it stays, so that the key is never used again.
    #[account(mut, constraint = old_key_index.is_in_use_by(meter.address()) @ RegistryError::NotOwner)]
    pub old_key_index: Account<KeyIndex>,
    /// Exists for every key that was ever a meter's.
    #[account(init, payer = authority, seeds = [b"mkey", new_key], bump)]
    pub key_index: Account<KeyIndex>,
    /// Exists for every device; its seed is sha256(model ‖ serial). A device may stay or come back where it stood before,
    /// and nowhere else.
    #[account(init_if_needed, payer = authority, seeds = [b"serial", serial_digest(&new_model, &new_serial)], bump)]
    pub serial_index: Account<SerialIndex>,
    pub instructions: Sysvar<SysvarInstructions>,
    pub system_program: Program<System>,
}

/// Bumps of the accounts that may be made.
pub struct ReplacedBumps {
    pub key_index: u8,
    pub serial_index: u8,
}

/// What comes, and what the registers show when it does, mWh.
pub struct Replacement {
    pub key: Address,
    pub serial: [u8; 24],
    pub model: [u8; 16],
    pub cert_hash: [u8; 32],
    pub final_export: u64,
    pub final_import: u64,
    pub baseline_export: u64,
    pub baseline_import: u64,
}

impl ReplaceMeter {
    pub fn run(&mut self, bumps: ReplacedBumps, new: &Replacement) -> Result<()> {
        let meter = &mut self.meter;
        rules::check_baselines(meter.register_modulus_mwh.get(), new.baseline_export, new.baseline_import)?;
        require!(!rules::is_weak_key(&new.key), RegistryError::WeakKey);
        let install_id = rules::next_install(meter.install_id)?;
        let message = possession::message(&self.config.domain, &meter.meter_id, &meter.owner, install_id);
        possession::require(&self.instructions, &message, &new.key)?;

        let now = now()?;
        let forfeits = meter.status == MeterStatus::Compromised;
        if forfeits {
            meter.forfeit_install = install_id.into();
        }
        let old_key = core::mem::replace(&mut meter.meter_key, new.key);
        meter.key_level = KeyLevel::NotStated as u8;
        meter.install_id = install_id.into();
        meter.status = MeterStatus::Active as u8;
        meter.status_changed_at = now.into();
        meter.key_rotated_at = now.into();
        meter.baseline_export_mwh = new.baseline_export.into();
        meter.baseline_import_mwh = new.baseline_import.into();
        meter.baseline_ts = now.into();
        meter.serial = new.serial;
        meter.model = new.model;
        meter.cert_hash = new.cert_hash;
        let active = &mut self.config.active_meter_count;
        *active = active.checked_add(1).ok_or(RegistryError::Overflow)?;
        self.index(bumps, now)?;
        emit!(MeterReplaced {
            meter_no: self.meter.meter_no,
            install_id: install_id.into(),
            old_key,
            new_key: new.key,
            final_export_mwh: new.final_export.into(),
            final_import_mwh: new.final_import.into(),
            baseline_export_mwh: new.baseline_export.into(),
            baseline_import_mwh: new.baseline_import.into(),
            forfeits: u8::from(forfeits),
            at: now.into(),
        });
        Ok(())
    }

    /// Retires the old key, writes down the new one and the device; the device of another meter is refused.
    fn index(&mut self, bumps: ReplacedBumps, now: i64) -> Result<()> {
        let meter = *self.meter.address();
        self.old_key_index.retired_at = now.into();
        self.key_index.version = KeyIndex::VERSION;
        self.key_index.bump = bumps.key_index;
        self.key_index.meter = meter;
        let device = &mut self.serial_index;
        if device.version == 0 {
            device.version = SerialIndex::VERSION;
            device.bump = bumps.serial_index;
            device.meter = meter;
        }
        require!(address_eq(&device.meter, &meter), RegistryError::NotOwner);
        Ok(())
    }
}
