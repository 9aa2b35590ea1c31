//! Why the oracle says no. Numbers from 6000 in this order, never renumbered.

use anchor_lang::prelude::*;
use common::signature::Flaw;

common::error_codes! {
    /// Errors of the oracle.
    pub enum OracleError {
        #[msg("the signer may not do this here")]
        Unauthorized,
        #[msg("the oracle is switched off")]
        Inactive,
        #[msg("paused by governance")]
        Paused,
        #[msg("not 1 to 5 records of GMR1 that may move money")]
        BadRecord,
        #[msg("the record was signed for another site")]
        BadDomain,
        #[msg("the record, the meter, its state and its owner do not belong together")]
        MeterMismatch,
        #[msg("the meter is not active")]
        MeterInactive,
        #[msg("no Ed25519 instruction with enough signatures stands at that index before this one")]
        SignatureMissing,
        #[msg("the signature covers other bytes or is another key's")]
        SignatureMismatch,
        #[msg("records are taken from the top level of a transaction only, never by CPI")]
        NotTopLevel,
        #[msg("the record or the state belongs to another install of the meter")]
        InstallMismatch,
        #[msg("the sequence number is below the last accepted one")]
        StaleSequence,
        #[msg("the sequence number jumps by more than 1,000,000")]
        SeqJump,
        #[msg("a different record with this sequence number was accepted before")]
        Equivocation,
        #[msg("the record does not follow the last accepted one")]
        BrokenChain,
        #[msg("the reading lies in the future")]
        FutureReading,
        #[msg("the reading is too old")]
        ReadingTooOld,
        #[msg("the reading follows the last one too soon")]
        ReadingTooFrequent,
        #[msg("the time does not belong to the epoch, or the epoch is not after the last one")]
        EpochMisaligned,
        #[msg("a register went backwards or left its range: rebase the meter")]
        RegisterRegression,
        #[msg("more energy than the meter can have measured in that time")]
        Implausible,
        #[msg("the meter is frozen after contradicting records")]
        Frozen,
        #[msg("the meter has a new owner: sync_owner first")]
        OwnerChangePending,
        #[msg("export is still to be minted for the old owner")]
        AccrualPending,
        #[msg("the epoch is not over")]
        EpochNotOver,
        #[msg("not the owner's canonical GRID account")]
        BadTokenAccount,
        #[msg("a number overflowed")]
        Overflow,
        #[msg("the owner is not an active user")]
        UserInactive,
        #[msg("the state has the meter's owner already")]
        OwnerUnchanged,
        #[msg("the two records do not contradict each other")]
        NoContradiction,
        #[msg("the meter is not frozen")]
        NotFrozen,
    }
}

impl From<Flaw> for OracleError {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::NotTopLevel => Self::NotTopLevel,
            Flaw::Missing => Self::SignatureMissing,
        }
    }
}
