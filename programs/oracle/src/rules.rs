//! What makes a signed record true enough to pay for: steps 3 to 8 of a record's way, as plain functions of the meter,
//! what is known about it and the record.  Nothing here knows about accounts, signatures or who delivers.
//!
//! Every reading passes here, so the arithmetic avoids what is dear on this machine (128-bit products, checks of what
//! cannot happen) by bounding or comparing first; where it could overflow it is checked.

use anchor_lang::{bytemuck, prelude::*};
use common::{digest::sha256_into, events::emit, units::EPOCH_SECS};
use governance_interface::{GovernanceConfig, ParamId, PARAMS};
use oracle_interface::{window_flag, EpochEnergy, MeterState, Record, MAX_SEQ_JUMP};
use registry_interface::{Meter, MAX_RATED_W};

use crate::{
    accruals,
    errors::OracleError,
    events::{MeterReadingAccepted, MeterRebased, ReadingDuplicate, ReadingGap},
};

const SLOT_SECS: u64 = EPOCH_SECS as u64;
/// A slot's own record is read from 5 s before the slot's end …
const PERIODIC_FROM: u64 = SLOT_SECS - 5;
/// … to 2 min after it.
const SLOT_UNTIL: u64 = SLOT_SECS + 120;

/// What is the same for every record of one delivery.
pub struct Delivery<'a> {
    pub governance: &'a GovernanceConfig,
    /// The chain's time, Unix seconds.
    pub now: i64,
}

/// Takes a record whose signature was checked into `state`, or says why not; then `state` must be thrown away.
///
/// A record that is the last accepted one again changes nothing.
#[inline(never)] // a call has registers of its own, and its caller has none left: 15 units a record
pub fn accept(state: &mut MeterState, meter: &Meter, record: &Record, delivery: &Delivery) -> Result<()> {
    follow_install(state, meter, record)?;
    let Some(missing) = missing_before(state, record)? else {
        emit(ReadingDuplicate { seq: record.seq, meter_no: meter.meter_no });
        return Ok(());
    };
    sha256_into(bytemuck::bytes_of(record), &mut state.last_digest);
    state.seq = record.seq;
    let mut flags = u32::from(record.status_flags.get());
    if missing > 0 {
        flags |= window_flag::GAP;
        note_gap(state, meter, record, missing);
    }

    let elapsed = elapsed(state, record, delivery)?;
    state.last_ts = record.ts;
    let slot = slot_of(state, record)?;
    if record.has_vague_time() {
        flags |= window_flag::VAGUE_TIME;
    }
    if record.is_periodic() {
        if covers_several_slots(state, record) {
            flags |= window_flag::MULTI_EPOCH;
            state.multi_epoch = state.multi_epoch.get().saturating_add(1).into();
        }
        state.last_epoch = record.epoch;
    }

    if !is_in_step(state, elapsed, delivery.now) || state.claimed_secs.get() != 0 {
        catch_up(state, meter, record, delivery, elapsed)?;
    }
    state.last_accept_ts = delivery.now.into();
    let modulus = meter.register_modulus_mwh.get();
    let bound = Bound::new(delivery.governance, elapsed, record.is_periodic(), meter.resolution_mwh.get());
    let export = advance(state.export_reg_mwh.get(), record.export_reg_mwh.get(), modulus)?;
    state.export_reg_mwh = record.export_reg_mwh;
    let d_export = if meter.generates() { bound.check(export.energy, meter.max_export_w.get())? } else { 0 };
    let export_wh = credit(&mut state.cum_export_mwh, d_export)?;
    let import = advance(state.import_reg_mwh.get(), record.import_reg_mwh.get(), modulus)?;
    state.import_reg_mwh = record.import_reg_mwh;
    let d_import = if meter.consumes() { bound.check(import.energy, meter.max_import_w.get())? } else { 0 };
    let import_wh = credit(&mut state.cum_import_mwh, d_import)?;
    if export.wrapped || import.wrapped {
        flags |= window_flag::ROLLOVER;
        let wraps = u32::from(export.wrapped) + u32::from(import.wrapped);
        state.rollovers = state.rollovers.get().saturating_add(wraps).into();
    }
    note_energy(&mut state.window, slot, export_wh, import_wh, flags);
    state.readings = state.readings.get().saturating_add(1).into();

    emit(MeterReadingAccepted {
        seq: record.seq.get(),
        epoch: record.epoch.get(),
        ts: record.ts.get(),
        d_export,
        d_import,
        meter_no: meter.meter_no.get(),
        flags,
    });
    Ok(())
}

/// Step 3. The record must be of the meter's install; the first one of a new install starts from its baselines.
#[inline(always)]
fn follow_install(state: &mut MeterState, meter: &Meter, record: &Record) -> Result<()> {
    let install = meter.install_id.get();
    require!(record.install_id.get() == install, OracleError::InstallMismatch);
    if state.install_id.get() < install {
        rebase(state, meter);
    }
    Ok(())
}

#[cold]
#[inline(never)]
fn rebase(state: &mut MeterState, meter: &Meter) {
    if state.install_id.get() < meter.forfeit_install.get() {
        accruals::disown(state, meter.meter_no);
    }
    emit(MeterRebased {
        baseline_export_mwh: meter.baseline_export_mwh,
        baseline_import_mwh: meter.baseline_import_mwh,
        meter_no: meter.meter_no,
        old_install_id: state.install_id,
        install_id: meter.install_id,
    });
    state.export_reg_mwh = meter.baseline_export_mwh;
    state.import_reg_mwh = meter.baseline_import_mwh;
    state.seq = 0.into();
    state.last_digest = [0; 32];
    state.last_ts = state.last_ts.get().max(meter.baseline_ts.get()).into();
    state.claimed_secs = PodU64::ZERO;
    state.install_id = meter.install_id;
}

/// Step 4. How many records are missing before this one; None if it is the last accepted one again.
#[inline(always)]
fn missing_before(state: &MeterState, record: &Record) -> Result<Option<u64>> {
    let (seq, last) = (record.seq.get(), state.seq.get());
    let Some(step) = seq.checked_sub(last) else {
        return Err(OracleError::StaleSequence.into());
    };
    match step {
        1 if record.prev == state.last_digest[..16] => Ok(Some(0)),
        1 => Err(OracleError::BrokenChain.into()),
        0 if state.last_digest == sha256(bytemuck::bytes_of(record)) => Ok(None),
        0 => Err(OracleError::Equivocation.into()),
        2..=MAX_SEQ_JUMP => Ok(Some(step - 1)),
        _ => Err(OracleError::SeqJump.into()),
    }
}

/// Step 5, first part: neither from the future nor too old, and not too soon. Seconds since the last accepted reading.
#[inline(always)]
fn elapsed(state: &MeterState, record: &Record, delivery: &Delivery) -> Result<u64> {
    let (ts, now, last) = (record.ts.get(), delivery.now, state.last_ts.get());
    let param = |id| delivery.governance.param(id);
    if ts > now {
        require!(ts.abs_diff(now) <= param(ParamId::MaxFutureSkewSecs), OracleError::FutureReading);
    } else {
        require!(now.abs_diff(ts) <= param(ParamId::MaxReadingAgeSecs), OracleError::ReadingTooOld);
    }
    require!(ts > last, OracleError::ReadingTooFrequent);
    let elapsed = ts.abs_diff(last);
    require!(elapsed >= param(ParamId::MinReadingIntervalSecs), OracleError::ReadingTooFrequent);
    Ok(elapsed)
}

/// Step 5, second part: the time belongs to the slot, and the slot comes after the last one. Number of the slot.
#[inline(always)]
fn slot_of(state: &MeterState, record: &Record) -> Result<u32> {
    let (ts, epoch, last) = (record.ts.get(), record.epoch.get(), state.last_epoch.get());
    require!(epoch >= 0 && ts >= epoch, OracleError::EpochMisaligned);
    let into = ts.abs_diff(epoch);
    if record.is_periodic() {
        require!((PERIODIC_FROM..=SLOT_UNTIL).contains(&into) && epoch > last, OracleError::EpochMisaligned);
    } else {
        require!(into < SLOT_UNTIL && epoch >= last, OracleError::EpochMisaligned);
    }
    require!(epoch as u64 % SLOT_SECS == 0, OracleError::EpochMisaligned);
    // fits 32 bits for 122,000 years: the time was compared with the chain's
    Ok((epoch as u64 / SLOT_SECS) as u32)
}

/// How far a register went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    pub energy: u64,
    pub wrapped: bool,
}

/// Step 6. From `old` to `new`, wrapping at `modulus` unless that is 0.
#[inline(always)]
pub fn advance(old: u64, new: u64, modulus: u64) -> Result<Advance> {
    let in_range = modulus == 0 || new < modulus;
    if new >= old && in_range {
        return Ok(Advance { energy: new.wrapping_sub(old), wrapped: false });
    }
    require!(old < modulus && in_range, OracleError::RegisterRegression);
    let energy = (modulus - old).checked_add(new).ok_or(OracleError::Overflow)?;
    Ok(Advance { energy, wrapped: true })
}

/// Step 7. What a meter can have measured: rated power × time × PCT, and a floor for the slot's own record.
///
/// 1 W·s is 10/36 mWh and PCT counts hundredths, so energy in mWh ≤ floor + W × s × 10 × PCT / 3,600; compared without
/// the division. Governance and registry bound the factors in their own code, so that no product leaves 64 bits: asserted
/// below, not checked for each record.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// 10 × PCT: 1/3,600 mWh for each W and second.
    scale: u64,
    secs: u64,
    floor_mwh: u64,
}

const MOST_SECS: u64 = PARAMS[ParamId::MaxCatchupSecs as usize].max;
const MOST_PCT: u64 = PARAMS[ParamId::PlausibilityPct as usize].max;
const MWH: u64 = 3_600;
/// Far more than any bound, and small enough to be multiplied.
const MOST_MWH: u64 = 1 << 52;
const _: () = assert!(MOST_MWH.checked_mul(MWH).is_some());
const _: () = assert!(MOST_SECS * 10 * MOST_PCT * (MAX_RATED_W as u64) < MOST_MWH * MWH);

impl Bound {
    #[inline(always)]
    pub fn new(governance: &GovernanceConfig, elapsed_secs: u64, periodic: bool, resolution_mwh: u32) -> Self {
        let secs = elapsed_secs.min(governance.param(ParamId::MaxCatchupSecs));
        let scale = governance.param(ParamId::PlausibilityPct).wrapping_mul(10);
        let floor = governance.param(ParamId::PlausibilityFloorMwh).max(resolution_mwh.into());
        Self { scale, secs, floor_mwh: if periodic { floor } else { 0 } }
    }

    /// `energy_mwh`, if a meter of `max_w` can have measured it.
    #[inline(always)]
    pub fn check(&self, energy_mwh: u64, max_w: u32) -> Result<u64> {
        let most = self.scale.wrapping_mul(self.secs).wrapping_mul(max_w.into());
        let plausible = energy_mwh <= self.floor_mwh || self.beyond_floor(energy_mwh) <= most;
        require!(plausible, OracleError::Implausible);
        Ok(energy_mwh)
    }

    /// How long a meter of `max_w` needs for an energy that was checked, in whole seconds.
    pub fn seconds(&self, energy_mwh: u64, max_w: u32) -> u64 {
        if energy_mwh <= self.floor_mwh {
            return 0;
        }
        self.beyond_floor(energy_mwh).div_ceil(self.scale.wrapping_mul(max_w.into()).max(1))
    }

    /// In 1/3,600 mWh; `energy_mwh` is above the floor.
    #[inline(always)]
    fn beyond_floor(&self, energy_mwh: u64) -> u64 {
        energy_mwh.wrapping_sub(self.floor_mwh).min(MOST_MWH) * MWH
    }
}

/// A record that comes no later than this after the one before it, by both clocks, claims nothing ahead of time.
pub const IN_STEP_SECS: u64 = 2 * SLOT_SECS;

/// Step 7, all records together. Each by itself is bounded, but many that are delivered at once could claim MAX_CATCHUP
/// again and again, as far back as MAX_READING_AGE lets them.
///
/// So the seconds at full power that a record claims are added up unless it comes in step, and the chain's clock gives
/// them back; the sum never passes MAX_CATCHUP. A meter that was silent for a year has that to claim, in however
/// many records, and one that reports in step owes nothing. Energy counts, not time: an honest meter delivers a journal
/// of many weeks at once, as long as it did not run at full power all the while.
///
/// Rare, so it works out for itself what `accept` does for every record.
#[cold]
#[inline(never)]
fn catch_up(
    state: &mut MeterState,
    meter: &Meter,
    record: &Record,
    delivery: &Delivery,
    elapsed_secs: u64,
) -> Result<()> {
    let modulus = meter.register_modulus_mwh.get();
    let bound = Bound::new(delivery.governance, elapsed_secs, record.is_periodic(), meter.resolution_mwh.get());
    let mut secs = 0;
    for (counts, old, new, max_w) in [
        (meter.generates(), state.export_reg_mwh, record.export_reg_mwh, meter.max_export_w),
        (meter.consumes(), state.import_reg_mwh, record.import_reg_mwh, meter.max_import_w),
    ] {
        let energy_mwh = advance(old.get(), new.get(), modulus)?.energy;
        if counts {
            secs = bound.seconds(bound.check(energy_mwh, max_w.get())?, max_w.get()).max(secs);
        }
    }
    let rested = u64::try_from(delivery.now.wrapping_sub(state.last_accept_ts.get())).unwrap_or(0);
    let in_step = is_in_step(state, elapsed_secs, delivery.now);
    let owed = owed(state.claimed_secs.get(), rested, secs, in_step);
    // what is owed from before a lower MAX_CATCHUP bars nobody who claims nothing
    require!(owed <= delivery.governance.param(ParamId::MaxCatchupSecs) || secs == 0, OracleError::Implausible);
    state.claimed_secs = owed.into();
    Ok(())
}

/// Does the record come `elapsed_secs` after the one before it, soon and not ahead of the chain's clock?
#[inline(always)]
fn is_in_step(state: &MeterState, elapsed_secs: u64, now: i64) -> bool {
    elapsed_secs <= IN_STEP_SECS && elapsed_secs as i64 <= now.wrapping_sub(state.last_accept_ts.get())
}

/// Seconds of full power that are owed once `rested_secs` were given back and `secs` more are claimed.
pub fn owed(before: u64, rested_secs: u64, secs: u64, in_step: bool) -> u64 {
    match before.saturating_sub(rested_secs) {
        0 if in_step => 0,
        left => left.saturating_add(secs),
    }
}

/// Does the slot's own record also cover slots before it that had none?
#[inline(always)]
fn covers_several_slots(state: &MeterState, record: &Record) -> bool {
    let last = state.last_epoch.get();
    last != 0 && record.epoch.get().abs_diff(last) > SLOT_SECS
}

/// Adds to a running total. Whole Wh that came with it: the parts of a Wh are never lost, only counted later.
#[inline(always)]
fn credit(total_mwh: &mut PodU64, energy_mwh: u64) -> Result<u32> {
    let before = total_mwh.get();
    let after = before.wrapping_add(energy_mwh);
    require!(after >= before, OracleError::Overflow);
    *total_mwh = after.into();
    // a bounded energy is far below 2^32 Wh, and after ≥ before
    Ok((after / 1_000).wrapping_sub(before / 1_000) as u32)
}

#[cold]
#[inline(never)]
fn note_gap(state: &mut MeterState, meter: &Meter, record: &Record, missing: u64) {
    state.gaps = state.gaps.get().saturating_add(missing as u32).into();
    emit(ReadingGap { missing: missing.into(), seq: record.seq, meter_no: meter.meter_no });
}

/// Adds to a slot's energy; the slot of eight before gives way.
#[inline(always)]
fn note_energy(window: &mut [EpochEnergy; 8], slot: u32, export_wh: u32, import_wh: u32, flags: u32) {
    let place = &mut window[slot as usize % 8];
    if place.epoch_no.get() != slot {
        *place = EpochEnergy {
            epoch_no: slot.into(),
            export_wh: export_wh.into(),
            import_wh: import_wh.into(),
            flags: flags.into(),
        };
        return;
    }
    place.export_wh = place.export_wh.get().saturating_add(export_wh).into();
    place.import_wh = place.import_wh.get().saturating_add(import_wh).into();
    place.flags = (place.flags.get() | flags).into();
}
