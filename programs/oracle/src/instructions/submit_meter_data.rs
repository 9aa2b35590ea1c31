//! `submit_meter_data`: steps 1 and 2 of a record's way, whose it is and who signed it; [`rules`](crate::rules) does the rest.

use anchor_lang::{address_eq, prelude::*};
use common::{signature::Signatures, units};
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use oracle_interface::{reason, MeterState, OracleConfig, Record, MAX_RECORDS, ORACLE, RECORDS_AT, RECORD_LEN};
use registry_interface::{Meter, MeterStatus};

use crate::{
    errors::OracleError,
    rules::{self, Delivery},
};

#[derive(Accounts)]
pub struct SubmitMeterData {
    /// Whoever delivers; pays the fee and is otherwise trusted with nothing.
    pub relayer: Signer,
    #[account(address = ORACLE)]
    pub config: Account<OracleConfig>,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    /// Shows the Ed25519 instruction, and that we were not called by CPI.
    pub instructions: Sysvar<SysvarInstructions>,
    /// Meter of the first record; those of further records follow as remaining accounts.
    pub meter: UncheckedAccount,
    /// MeterState of the first record. It may come again among the remaining accounts: checked and written one by one.
    #[account(mut, unsafe(dup))]
    pub meter_state: UncheckedAccount,
}

impl SubmitMeterData {
    /// `others`: Meter and MeterState of each record after the first.
    #[inline(always)]
    pub fn run(&self, others: &[AccountView], ed_ix: u8, records: &[[u8; RECORD_LEN]]) -> Result<()> {
        require!((1..=MAX_RECORDS).contains(&records.len()), OracleError::BadRecord);
        require!(others.len() == 2 * (records.len() - 1), OracleError::MeterMismatch);
        require!(self.config.active == 1, OracleError::Inactive);
        let now = units::now()?;
        require!(!self.governance.is_paused(pause::ORACLE_SUBMIT, || Ok(now))?, OracleError::Paused);
        let signatures =
            Signatures::at(&self.instructions, &crate::ID, ed_ix.into(), records.len()).map_err(OracleError::from)?;
        let batch = Batch {
            config: &self.config,
            signatures,
            delivery: Delivery { governance: &self.governance, now },
            relayer: self.relayer.address(),
        };
        let (meter, meter_state) = (*self.meter.account(), *self.meter_state.account());
        take(&batch, 0, &records[0], meter, meter_state)?;
        for (k, (record, pair)) in records.iter().skip(1).zip(others.chunks_exact(2)).enumerate() {
            take(&batch, k + 1, record, pair[0], pair[1])?;
        }
        Ok(())
    }
}

/// What is the same for every record of a transaction.
struct Batch<'a> {
    config: &'a OracleConfig,
    signatures: Signatures<'a>,
    delivery: Delivery<'a>,
    relayer: &'a Address,
}

/// Steps 1 and 2 for record `k`, then the rules.
#[inline(never)]
fn take(batch: &Batch, k: usize, bytes: &[u8; RECORD_LEN], meter: AccountView, state: AccountView) -> Result<()> {
    let record = Record::view(bytes);
    let meter = Account::<Meter>::load(meter)?;
    // SAFETY: the state of the record before was dropped, and no declared account is loaded as this type: nobody else
    // holds it.
    let mut state = unsafe { Account::<MeterState>::load_mut(state)? };
    check_belonging(record, &meter, &state, batch)?;
    let at = RECORDS_AT.wrapping_add(RECORD_LEN.wrapping_mul(k)); // k < MAX_RECORDS
    let signed = batch.signatures.covers_own_data(k, at, RECORD_LEN, &meter.meter_key);
    require!(signed, OracleError::SignatureMismatch);
    rules::accept(&mut state, &meter, record, &batch.delivery)
}

/// Step 1. Is it a record, for this site, of this meter, which is at work, and may this relayer bring it?
#[inline(always)]
fn check_belonging(record: &Record, meter: &Account<Meter>, state: &MeterState, batch: &Batch) -> Result<()> {
    require!(record.is_well_formed() && record.is_billable(), OracleError::BadRecord);
    require!(record.domain == batch.config.domain, OracleError::BadDomain);
    let together = record.meter_id == meter.meter_id && address_eq(&state.meter, meter.address());
    require!(together, OracleError::MeterMismatch);
    require!(address_eq(&state.owner, &meter.owner), OracleError::OwnerChangePending);
    require!(batch.config.allows(batch.relayer, &meter.owner), OracleError::Unauthorized);
    require!(!state.is_frozen(), OracleError::Frozen);
    let at_work = meter.status == MeterStatus::Active
        || (meter.status == MeterStatus::Maintenance && record.reason == reason::FINAL);
    require!(at_work, OracleError::MeterInactive);
    Ok(())
}
