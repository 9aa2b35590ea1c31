//! Why the Energy Token program says no. Numbers from 6000 in this order, never renumbered.

use anchor_lang::prelude::*;

common::error_codes! {
    /// Errors of the Energy Token program.
    pub enum TokenError {
        #[msg("the signer may not do this")]
        Unauthorized,
        #[msg("paused by governance")]
        Paused,
        #[msg("the wallet is not an active user")]
        UserInactive,
        #[msg("more than this epoch may still mint")]
        MintCapExceeded,
        #[msg("not GRID's mint, or an account of another mint")]
        WrongMint,
        #[msg("not the owner's canonical GRID account")]
        BadTokenAccount,
        #[msg("the amount is zero")]
        ZeroAmount,
        #[msg("the burner is not this account's delegate")]
        NotApproved,
        #[msg("a number overflowed")]
        Overflow,
    }
}
