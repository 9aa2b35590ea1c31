use anchor_lang::{address_eq, prelude::*};
use common::units::now;
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use registry_interface::{Meter, MeterStatus, User};

use crate::{errors::RegistryError, events::MeterUnassigned, places};

#[derive(Accounts)]
pub struct UnassignMeter {
    /// The engineering authority.
    #[account(constraint = governance.is_authority(authority.address()) @ RegistryError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE, constraint = !governance.is_paused(pause::REGISTRY_WRITE, now)? @ RegistryError::Paused)]
    pub governance: Account<GovernanceConfig>,
    /// Decommissioned; it still names its last owner, who is paid what it measured.
    #[account(constraint = meter.status == MeterStatus::Decommissioned @ RegistryError::BadStatusTransition)]
    pub meter: Account<Meter>,
    /// Its owner.
    #[account(mut, constraint = address_eq(&user.wallet, &meter.owner) @ RegistryError::NotOwner)]
    pub user: Account<User>,
}

impl UnassignMeter {
    pub fn run(&mut self) -> Result<()> {
        let meter_no = self.meter.meter_no;
        places::take(&mut self.user, meter_no.get())?;
        emit!(MeterUnassigned { meter_no, owner: self.user.wallet, at: now()?.into() });
        Ok(())
    }
}
