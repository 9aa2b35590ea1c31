//! `close_billing`: what was imported up to here is billed off chain, and never burned later.

use anchor_lang::{address_eq, prelude::*};
use governance_interface::{GovernanceConfig, GOVERNANCE};
use oracle_interface::MeterState;
use registry_interface::Meter;

use crate::{accruals, errors::OracleError, events::write_off};

#[derive(Accounts)]
pub struct CloseBilling {
    /// The engineering authority as governance has it now.
    #[account(constraint = governance.is_authority(authority.address()) @ OracleError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    pub meter: Account<Meter>,
    #[account(mut, constraint = address_eq(&meter_state.meter, meter.address()) @ OracleError::MeterMismatch)]
    pub meter_state: Account<MeterState>,
}

impl CloseBilling {
    pub fn run(&mut self) -> Result<()> {
        accruals::write_off_import(&mut self.meter_state, self.meter.meter_no, write_off::BILLED);
        Ok(())
    }
}
