use anchor_lang::prelude::*;
use common::units::now;
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use registry_interface::Meter;

use crate::{errors::RegistryError, events::MeterLimitsChanged, instructions::MeterLimits, rules};

#[derive(Accounts)]
pub struct SetMeterLimits {
    /// The engineering authority.
    #[account(constraint = governance.is_authority(authority.address()) @ RegistryError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE, constraint = !governance.is_paused(pause::REGISTRY_WRITE, now)? @ RegistryError::Paused)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut)]
    pub meter: Account<Meter>,
}

impl SetMeterLimits {
    pub fn run(&mut self, limits: &MeterLimits, register_modulus_mwh: u64) -> Result<()> {
        let meter = &mut self.meter;
        let (export, import) = (meter.baseline_export_mwh.get(), meter.baseline_import_mwh.get());
        rules::check_limits(limits, register_modulus_mwh, export, import)?;
        emit!(MeterLimitsChanged {
            meter_no: meter.meter_no,
            old_max_export_w: meter.max_export_w,
            new_max_export_w: limits.max_export_w.into(),
            old_max_import_w: meter.max_import_w,
            new_max_import_w: limits.max_import_w.into(),
            old_resolution_mwh: meter.resolution_mwh,
            new_resolution_mwh: limits.resolution_mwh.into(),
            old_register_modulus_mwh: meter.register_modulus_mwh,
            new_register_modulus_mwh: register_modulus_mwh.into(),
            at: now()?.into(),
        });
        meter.max_export_w = limits.max_export_w.into();
        meter.max_import_w = limits.max_import_w.into();
        meter.resolution_mwh = limits.resolution_mwh.into();
        meter.register_modulus_mwh = register_modulus_mwh.into();
        Ok(())
    }
}
