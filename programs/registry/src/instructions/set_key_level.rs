use anchor_lang::{address_eq, prelude::*};
use common::units::now;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use registry_interface::{KeyLevel, Meter};

use crate::{errors::RegistryError, events::MeterKeyLevelSet};

#[derive(Accounts)]
pub struct SetKeyLevel {
    /// The engineering authority.
    #[account(constraint = governance.is_authority(authority.address()) @ RegistryError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut)]
    pub meter: Account<Meter>,
}

impl SetKeyLevel {
    pub fn run(&mut self, meter_key: Address, level: u8) -> Result<()> {
        require!(KeyLevel::from_u8(level).is_some(), RegistryError::LimitOutOfBounds);
        let meter = &mut self.meter;
        require!(address_eq(&meter.meter_key, &meter_key), RegistryError::NotOwner);
        let old = core::mem::replace(&mut meter.key_level, level);
        emit!(MeterKeyLevelSet { meter_no: meter.meter_no, meter_key, old, new: level, at: now()?.into() });
        Ok(())
    }
}
