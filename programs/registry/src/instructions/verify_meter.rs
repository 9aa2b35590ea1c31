use anchor_lang::prelude::*;
use registry_interface::Meter;

use crate::errors::RegistryError;

#[derive(Accounts)]
pub struct VerifyMeter {
    pub meter: Account<Meter>,
}

/// What `verify_meter` returns; the status as in Meter.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct VerifiedMeter {
    pub owner: Address,
    pub status: u8,
    pub meter_key: Address,
    pub install_id: u32,
}

impl VerifyMeter {
    pub fn run(&self, meter_id: &[u8; 16]) -> Result<VerifiedMeter> {
        let meter = &self.meter;
        require!(meter.meter_id == *meter_id, RegistryError::BadMeterId);
        Ok(VerifiedMeter {
            owner: meter.owner,
            status: meter.status,
            meter_key: meter.meter_key,
            install_id: meter.install_id.get(),
        })
    }
}
