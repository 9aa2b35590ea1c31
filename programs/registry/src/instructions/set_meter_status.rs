use anchor_lang::{address_eq, prelude::*};
use governance_interface::{GovernanceConfig, GOVERNANCE};
use registry_interface::{Meter, MeterStatus, RegistryConfig, REGISTRY};

use crate::{errors::RegistryError, events::MeterStatusChanged, rules};

#[derive(Accounts)]
pub struct SetMeterStatus {
    /// The engineering authority, or the meter's owner for Active to Maintenance.
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut, address = REGISTRY)]
    pub config: Account<RegistryConfig>,
    #[account(mut)]
    pub meter: Account<Meter>,
}

impl SetMeterStatus {
    pub fn run(&mut self, status: u8) -> Result<()> {
        let new = MeterStatus::from_u8(status).ok_or(RegistryError::LimitOutOfBounds)?;
        let old = MeterStatus::from_u8(self.meter.status).ok_or(RegistryError::BadStatusTransition)?;
        self.check_signer(old, new)?;
        require!(rules::may_move(old, new), RegistryError::BadStatusTransition);

        let now = common::units::now()?;
        let active = &mut self.config.active_meter_count;
        if new == MeterStatus::Active {
            *active = active.checked_add(1).ok_or(RegistryError::Overflow)?;
        } else if old == MeterStatus::Active {
            *active = active.checked_sub(1).ok_or(RegistryError::Overflow)?;
        }
        self.meter.status = status;
        self.meter.status_changed_at = now.into();
        emit!(MeterStatusChanged {
            meter_no: self.meter.meter_no,
            old: old as u8,
            new: status,
            by: *self.authority.address(),
            at: now.into(),
        });
        Ok(())
    }

    fn check_signer(&self, old: MeterStatus, new: MeterStatus) -> Result<()> {
        let signer = self.authority.address();
        if self.governance.is_authority(signer) {
            return Ok(());
        }
        require!(address_eq(&self.meter.owner, signer), RegistryError::NotOwner);
        let allowed = old == MeterStatus::Active && new == MeterStatus::Maintenance;
        require!(allowed, RegistryError::Unauthorized);
        Ok(())
    }
}
