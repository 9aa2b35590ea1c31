//! What was measured and will never be tokens: forfeited export and written-off import.

use anchor_lang::prelude::*;
use oracle_interface::MeterState;

use crate::events::{write_off, AccrualForfeited, ImportWrittenOff};

/// Gives up what was exported and not minted yet.
pub fn forfeit_export(state: &mut MeterState, meter_no: PodU32) {
    let export_mwh = state.unminted_mwh();
    // at most cum_export: cannot overflow
    state.forfeited_mwh = state.forfeited_mwh.get().saturating_add(export_mwh).into();
    emit!(AccrualForfeited { export_mwh: export_mwh.into(), owner: state.owner, meter_no });
}

/// Leaves what was imported and not burned yet to the bill: it is never burned. `reason` is a `write_off`.
pub fn write_off_import(state: &mut MeterState, meter_no: PodU32, reason: u8) {
    let import_mwh = state.unburned_mwh();
    // at most cum_import: cannot overflow
    state.written_off_import_mwh = state.written_off_import_mwh.get().saturating_add(import_mwh).into();
    emit!(ImportWrittenOff { import_mwh: import_mwh.into(), owner: state.owner, meter_no, reason });
}

/// Nothing that a compromised install reported and that was not paid yet counts, for its owner or against him: its key
/// could have been anybody's.
pub fn disown(state: &mut MeterState, meter_no: PodU32) {
    forfeit_export(state, meter_no);
    write_off_import(state, meter_no, write_off::COMPROMISED);
}
