//! `clear_freeze`: the department has dealt with a key that said two things, or its meter is out of service for ever.

use anchor_lang::{address_eq, prelude::*};
use common::units;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use oracle_interface::{MeterState, FROZEN};
use registry_interface::{Meter, MeterStatus};

use crate::{errors::OracleError, events::FreezeCleared};

#[derive(Accounts)]
pub struct ClearFreeze {
    /// The engineering authority as governance has it now.
    #[account(constraint = governance.is_authority(authority.address()) @ OracleError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    /// With another key or install than when it was frozen, so that the same evidence cannot freeze it again; or
    /// Decommissioned: it gets neither, its key is never believed again, and what it is owed must have a way out.
    pub meter: Account<Meter>,
    #[account(
        mut,
        constraint = address_eq(&meter_state.meter, meter.address()) @ OracleError::MeterMismatch,
        constraint = meter_state.is_frozen() @ OracleError::NotFrozen
    )]
    pub meter_state: Account<MeterState>,
}

impl ClearFreeze {
    pub fn run(&mut self) -> Result<()> {
        let (meter, state) = (&self.meter, &mut self.meter_state);
        // within one second the two could have come in either order: then the key is rotated once more
        let new_key = meter.key_rotated_at.get() > state.frozen_at.get();
        // a frozen state takes no record, so it still has the install that was frozen
        let new_install = meter.install_id.get() > state.install_id.get();
        let out_of_service = meter.status == MeterStatus::Decommissioned;
        require!(new_key || new_install || out_of_service, OracleError::Frozen);
        let frozen_at = core::mem::take(&mut state.frozen_at);
        state.flags = (state.flags.get() & !FROZEN).into();
        emit!(FreezeCleared { meter: state.meter, frozen_at, at: units::now()?.into(), meter_no: meter.meter_no });
        Ok(())
    }
}
