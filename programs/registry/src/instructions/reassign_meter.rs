use anchor_lang::{address_eq, prelude::*};
use common::units::now;
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use registry_interface::{Meter, MeterStatus, User};

use crate::{errors::RegistryError, events::MeterReassigned, places};

#[derive(Accounts)]
pub struct ReassignMeter {
    /// The engineering authority.
    #[account(constraint = governance.is_authority(authority.address()) @ RegistryError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE, constraint = !governance.is_paused(pause::REGISTRY_WRITE, now)? @ RegistryError::Paused)]
    pub governance: Account<GovernanceConfig>,
    /// Not Decommissioned.
    #[account(mut, constraint = meter.status != MeterStatus::Decommissioned @ RegistryError::BadStatusTransition)]
    pub meter: Account<Meter>,
    /// Who has it, whatever that user's status.
    #[account(mut, constraint = address_eq(&old_user.wallet, &meter.owner) @ RegistryError::NotOwner)]
    pub old_user: Account<User>,
    /// Who gets it.
    #[account(mut, constraint = new_user.is_active() @ RegistryError::UserInactive)]
    pub new_user: Account<User>,
}

impl ReassignMeter {
    pub fn run(&mut self, new_owner: Address) -> Result<()> {
        require!(address_eq(&self.new_user.wallet, &new_owner), RegistryError::NotOwner);
        let meter_no = self.meter.meter_no;
        places::take(&mut self.old_user, meter_no.get())?;
        places::give(&mut self.new_user, meter_no.get(), &self.governance)?;
        let old_owner = core::mem::replace(&mut self.meter.owner, new_owner);
        emit!(MeterReassigned { meter_no, old_owner, new_owner, at: now()?.into() });
        Ok(())
    }
}
