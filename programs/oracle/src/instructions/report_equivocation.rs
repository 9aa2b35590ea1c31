//! `report_equivocation`: whoever holds two records that contradict each other stops their meter.
//!
//! An honest node signs one record for each sequence number. Two of them mean that its key is in somebody else's hands, or
//! that the node lies: then nothing that it signs is believed until the department has dealt with it.

use anchor_lang::{address_eq, bytemuck, prelude::*};
use common::{signature::Signatures, units};
use oracle_interface::{MeterState, OracleConfig, Record, FROZEN, ORACLE, RECORD_LEN};
use registry_interface::Meter;

use crate::{errors::OracleError, events::EquivocationProved};

/// The two records lie here in our data: discriminator 8, ed_ix 1.
const EVIDENCE_AT: [usize; 2] = [9, 9 + RECORD_LEN];

#[derive(Accounts)]
pub struct ReportEquivocation {
    /// Anyone; trusted with nothing.
    pub reporter: Signer,
    /// Gives the domain.
    #[account(address = ORACLE)]
    pub config: Account<OracleConfig>,
    /// Shows the Ed25519 instruction, and that we were not called by CPI.
    pub instructions: Sysvar<SysvarInstructions>,
    /// Of whatever status.
    pub meter: Account<Meter>,
    /// Of the meter's present install, and not frozen yet.
    #[account(
        mut,
        constraint = address_eq(&meter_state.meter, meter.address()) @ OracleError::MeterMismatch,
        constraint = meter_state.install_id.get() == meter.install_id.get() @ OracleError::InstallMismatch,
        constraint = !meter_state.is_frozen() @ OracleError::Frozen
    )]
    pub meter_state: Account<MeterState>,
}

impl ReportEquivocation {
    pub fn run(&mut self, ed_ix: u8, first: &[u8; RECORD_LEN], second: &[u8; RECORD_LEN]) -> Result<()> {
        let (one, other) = (Record::view(first), Record::view(second));
        self.check_belonging(one)?;
        self.check_belonging(other)?;
        require!(one.seq.get() == other.seq.get() && first != second, OracleError::NoContradiction);
        self.check_signatures(ed_ix)?;

        let (now, meter_no, state) = (units::now()?, self.meter.meter_no, &mut self.meter_state);
        state.flags = (state.flags.get() | FROZEN).into();
        state.frozen_at = now.into();
        emit!(EquivocationProved {
            meter: state.meter,
            seq: one.seq,
            at: now.into(),
            meter_no,
            install_id: state.install_id,
            first_digest: sha256(bytemuck::bytes_of(one)),
            second_digest: sha256(bytemuck::bytes_of(other)),
        });
        Ok(())
    }

    /// Only what could have been paid counts: a record for this site, of this meter and of its present install.
    fn check_belonging(&self, record: &Record) -> Result<()> {
        require!(record.is_well_formed() && record.is_billable(), OracleError::BadRecord);
        require!(record.domain == self.config.domain, OracleError::BadDomain);
        require!(record.meter_id == self.meter.meter_id, OracleError::MeterMismatch);
        require!(record.install_id.get() == self.meter.install_id.get(), OracleError::InstallMismatch);
        Ok(())
    }

    /// Both by the key that the meter has now, by the same rules as a record that is submitted.
    fn check_signatures(&self, ed_ix: u8) -> Result<()> {
        let signatures = Signatures::at(&self.instructions, &crate::ID, ed_ix.into(), EVIDENCE_AT.len())
            .map_err(OracleError::from)?;
        for (k, at) in EVIDENCE_AT.into_iter().enumerate() {
            let signed = signatures.covers_own_data(k, at, RECORD_LEN, &self.meter.meter_key);
            require!(signed, OracleError::SignatureMismatch);
        }
        Ok(())
    }
}
