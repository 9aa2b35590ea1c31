//! `sync_owner`: a meter was given to somebody else; from here on its energy is his.
//!
//! The old owner's export is minted first, by `process_energy_data`. Where that cannot be (his install was compromised, the
//! meter is frozen, he is not active) the department gives it up: whatever the state is in, one of the two ways is open.

use anchor_lang::{address_eq, prelude::*};
use governance_interface::{GovernanceConfig, GOVERNANCE};
use oracle_interface::MeterState;
use registry_interface::Meter;

use crate::{
    accruals,
    errors::OracleError,
    events::{write_off, OwnerSynced},
};

#[derive(Accounts)]
pub struct SyncOwner {
    /// Anyone; with a forfeit the engineering authority.
    pub caller: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    /// Of whatever status: its owner is read.
    pub meter: Account<Meter>,
    /// Has another owner. May be frozen, and stays so; may be of an older install, and stays so.
    #[account(
        mut,
        constraint = address_eq(&meter_state.meter, meter.address()) @ OracleError::MeterMismatch,
        constraint = !address_eq(&meter_state.owner, &meter.owner) @ OracleError::OwnerUnchanged
    )]
    pub meter_state: Account<MeterState>,
}

impl SyncOwner {
    pub fn run(&mut self, forfeit: u8) -> Result<()> {
        require!(forfeit <= 1, ProgramError::InvalidArgument);
        let (meter_no, state) = (self.meter.meter_no, &mut self.meter_state);
        if forfeit == 1 {
            require!(self.governance.is_authority(self.caller.address()), OracleError::Unauthorized);
            accruals::forfeit_export(state, meter_no);
        }
        require!(state.unminted_mwh() == 0, OracleError::AccrualPending);
        accruals::write_off_import(state, meter_no, write_off::OWNER_CHANGED);
        let old_owner = core::mem::replace(&mut state.owner, self.meter.owner);
        emit!(OwnerSynced { meter: state.meter, old_owner, new_owner: state.owner, meter_no });
        Ok(())
    }
}
