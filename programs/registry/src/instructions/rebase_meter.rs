use anchor_lang::prelude::*;
use common::units::now;
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use registry_interface::{Meter, MeterStatus};

use crate::{errors::RegistryError, events::MeterRebaseOrdered, rules};

#[derive(Accounts)]
pub struct RebaseMeter {
    /// The engineering authority.
    #[account(constraint = governance.is_authority(authority.address()) @ RegistryError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE, constraint = !governance.is_paused(pause::REGISTRY_WRITE, now)? @ RegistryError::Paused)]
    pub governance: Account<GovernanceConfig>,
    /// In Maintenance.
    #[account(mut, constraint = meter.status == MeterStatus::Maintenance @ RegistryError::BadStatusTransition)]
    pub meter: Account<Meter>,
}

impl RebaseMeter {
    pub fn run(&mut self, baseline_export: u64, baseline_import: u64, reason: u16) -> Result<()> {
        let meter = &mut self.meter;
        rules::check_baselines(meter.register_modulus_mwh.get(), baseline_export, baseline_import)?;
        let now = now()?;
        meter.install_id = rules::next_install(meter.install_id)?.into();
        meter.baseline_export_mwh = baseline_export.into();
        meter.baseline_import_mwh = baseline_import.into();
        meter.baseline_ts = now.into();
        emit!(MeterRebaseOrdered {
            meter_no: meter.meter_no,
            install_id: meter.install_id,
            baseline_export_mwh: baseline_export.into(),
            baseline_import_mwh: baseline_import.into(),
            reason: reason.into(),
            at: now.into(),
        });
        Ok(())
    }
}
