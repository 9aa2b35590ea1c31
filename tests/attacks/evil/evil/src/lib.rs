//! A foreign program that passes calls on, as a thief would.
//!
//! Its own instruction data look like those of `submit_meter_data`, so that signed records lie where the oracle expects
//! them in *its* data; what it passes on may be anything. It signs for a PDA of its own with the oracle's seed.
#![cfg_attr(target_os = "solana", no_std)]
extern crate alloc;

use alloc::vec::Vec;
use anchor_lang::{
    address_eq,
    pinocchio::{
        cpi::{invoke_signed_unchecked, CpiAccount, Seed, Signer as Seeds},
        instruction::{InstructionAccount, InstructionView},
    },
    prelude::*,
};

declare_id!("5HCAheMtfbU1cydwinaaShnSM4tbpXAiK2MZw3qUFRvd");

/// The seed by which the oracle signs; here it gives an address of this program.
const SEED: &[u8] = b"oracle_auth";

#[derive(Accounts)]
pub struct Relay {
    pub victim: UncheckedAccount,
}

#[program]
pub mod evil {
    use super::*;

    /// Calls `victim` with `forward` and all remaining accounts, with the flags that they have here; the PDA of
    /// `["oracle_auth", bump]` of this program is passed on as a signer. `shown` is only there to be seen.
    pub fn relay(
        ctx: &mut Context<Relay>, _ed_ix: u8, _shown: &[[u8; 96]], bump: u8, forward: &[u8],
    ) -> Result<()> {
        let views = ctx.remaining_accounts()?;
        let own = create_program_address(&[SEED, &[bump]], &crate::ID)?;
        let metas: Vec<InstructionAccount> = views
            .iter()
            .map(|view| {
                let signer = view.is_signer() || address_eq(view.address(), &own);
                InstructionAccount::new(view.address(), view.is_writable(), signer)
            })
            .collect();
        let accounts: Vec<CpiAccount> = views.iter().map(CpiAccount::from).collect();
        let call = InstructionView { program_id: ctx.accounts.victim.address(), data: forward, accounts: &metas };
        let bump = [bump];
        let seeds = [Seed::from(SEED), Seed::from(&bump)];
        // SAFETY: no data of these accounts is borrowed here.
        unsafe { invoke_signed_unchecked(&call, &accounts, &[Seeds::from(&seeds)]) };
        Ok(())
    }
}
