#![allow(unused_variables)] // rc.2 reads the arguments of #[instruction] a second time, and uses none then
use anchor_lang::prelude::*;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use registry_interface::{KeyIndex, KeyLevel, Meter, MeterStatus, RegistryConfig, REGISTRY};

use crate::{errors::RegistryError, events::MeterKeyRotated, possession, rules};

#[derive(Accounts)]
#[instruction(new_key: Address)]
pub struct RotateMeterKey {
    /// The engineering authority; pays.
    #[account(mut, constraint = governance.is_authority(authority.address()) @ RegistryError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    /// Gives the domain.
    #[account(address = REGISTRY)]
    pub config: Account<RegistryConfig>,
    #[account(mut, constraint = meter.status != MeterStatus::Decommissioned @ RegistryError::BadStatusTransition)]
    pub meter: Account<Meter>,
    /// Of the key that goes; it stays, so that the key is never used again.
    #[account(mut, constraint = old_key_index.is_in_use_by(meter.address()) @ RegistryError::NotOwner)]
    pub old_key_index: Account<KeyIndex>,
    /// Exists for every key that was ever a meter's.
    #[account(init, payer = authority, seeds = [b"mkey", new_key], bump)]
    pub key_index: Account<KeyIndex>,
    pub instructions: Sysvar<SysvarInstructions>,
    pub system_program: Program<System>,
}

impl RotateMeterKey {
    pub fn run(&mut self, bump: u8, new_key: Address) -> Result<()> {
        let meter = &mut self.meter;
        let (domain, install_id) = (&self.config.domain, meter.install_id.get());
        require!(!rules::is_weak_key(&new_key), RegistryError::WeakKey);
        let proof = possession::message(domain, &meter.meter_id, &meter.owner, install_id);
        possession::require(&self.instructions, &proof, &new_key)?;
        let consent = possession::handover(domain, &meter.meter_id, &new_key, install_id);
        let agreed = possession::is_seconded(&self.instructions, &consent, &meter.meter_key);

        let now = common::units::now()?;
        let old_key = core::mem::replace(&mut meter.meter_key, new_key);
        meter.key_level = KeyLevel::NotStated as u8;
        meter.key_rotated_at = now.into();
        self.old_key_index.retired_at = now.into();
        self.key_index.version = KeyIndex::VERSION;
        self.key_index.bump = bump;
        self.key_index.meter = *meter.address();
        emit!(MeterKeyRotated {
            meter_no: meter.meter_no,
            install_id: meter.install_id,
            old_key,
            new_key,
            old_key_agreed: u8::from(agreed),
            at: now.into(),
        });
        Ok(())
    }
}
