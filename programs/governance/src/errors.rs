//! What Governance refuses, numbered from 6000 in this order for ever.
use anchor_lang::prelude::*;

common::error_codes! {
    pub enum GovernanceError {
        #[msg("the signer may not do this, or the zero address was named as authority")]
        Unauthorized,
        #[msg("a parameter id is unknown, comes twice, or has no value beside it (1 to 8 pairs)")]
        ParamUnknown,
        #[msg("the value lies outside the parameter's hard bounds")]
        ParamOutOfBounds,
        #[msg("no authority is proposed")]
        NothingPending,
        #[msg("the proposal may not be accepted yet")]
        TimelockActive,
        #[msg("the proposal has lapsed: propose again")]
        ProposalExpired,
        #[msg("there is no such slot, or it is empty or taken")]
        SlotInvalid,
        #[msg("the mask is zero or names bits beyond 5")]
        BadMask,
        #[msg("the program is not one of those that mirror the authority")]
        CpiTargetMismatch,
    }
}
