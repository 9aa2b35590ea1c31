//! `init_meter_state`: begins to account for a meter.

use anchor_lang::prelude::*;
use common::units;
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use oracle_interface::MeterState;
use registry_interface::{Meter, MeterStatus};

use crate::{errors::OracleError, events::MeterStateInitialized};

#[derive(Accounts)]
pub struct InitMeterState {
    /// Anyone; pays.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    /// Any Meter of the registry that is Active.
    #[account(constraint = meter.status == MeterStatus::Active @ OracleError::MeterInactive)]
    pub meter: Account<Meter>,
    #[account(init, payer = payer, seeds = [b"mstate", meter.address().as_ref()], bump)]
    pub meter_state: Account<MeterState>,
    pub system_program: Program<System>,
}

impl InitMeterState {
    pub fn run(&mut self, bump: u8) -> Result<()> {
        let paused = self.governance.is_paused(pause::ORACLE_SUBMIT, || Ok(units::now()?))?;
        require!(!paused, OracleError::Paused);
        let (meter, state) = (&self.meter, &mut self.meter_state);
        state.version = MeterState::VERSION;
        state.bump = bump;
        state.meter = *meter.address();
        state.owner = meter.owner;
        state.install_id = meter.install_id;
        state.last_ts = meter.baseline_ts;
        state.export_reg_mwh = meter.baseline_export_mwh;
        state.import_reg_mwh = meter.baseline_import_mwh;
        emit!(MeterStateInitialized {
            meter: state.meter,
            owner: state.owner,
            meter_no: meter.meter_no,
            install_id: meter.install_id,
        });
        Ok(())
    }
}
