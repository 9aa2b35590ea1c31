//! Governance: pause, parameters and authorities of one site.
//!
//! * `initialize_governance`: once, by the program's upgrade authority
//! * `update_parameters`: by the engineering authority, within bounds that are code
//! * `emergency_pause`, `emergency_unpause`: stop and resume parts of the market
//! * `manage_authorities`: who decides, who may pause, which programs mirror the authority
//! * `get_status`: what is paused, which parameters are in force
//!
//! The account and its rules are in `governance_interface`, where the other programs read them.
#![cfg_attr(target_os = "solana", no_std)]
extern crate alloc;

use alloc::vec::Vec;
use anchor_lang::prelude::*;

pub mod errors;
pub mod events;
pub mod instructions;
pub mod push;

pub use errors::GovernanceError;
pub use instructions::*;

declare_id!("DShv4ajzMpSq5SHy4k2JWEomWdLFvqYnwCage2Ec8EG4");
common::entrypoint!(GovernanceError);

const _: () = assert!(common::pda::same(&ID, &governance_interface::ID), "two ids for one program");

#[program]
pub mod governance {
    use super::*;

    /// Creates the one GovernanceConfig with default parameters.
    ///
    /// Refused unless the signer is this program's upgrade authority. The engineering authority must not be the zero
    /// address; guardian and single_validator may be (then there is none).
    pub fn initialize_governance(
        ctx: &mut Context<InitializeGovernance>,
        engineering_authority: Address,
        guardian: Address,
        single_validator: Address,
        campus_network: [u8; 32],
    ) -> Result<()> {
        ctx.accounts.run(ctx.bumps.governance, engineering_authority, guardian, single_validator, campus_network)
    }

    /// Sets parameter `ids[i]` to `values[i]`; 1 to 8 pairs, no id twice, each value within its hard bounds.
    ///
    /// Engineering authority only. Never paused. All or nothing.
    pub fn update_parameters(ctx: &mut Context<UpdateParameters>, ids: Vec<u8>, values: Vec<u64>) -> Result<()> {
        ctx.accounts.run(&ids, &values)
    }

    /// Stops the parts named by `mask` (bits 0 to 5) until PAUSE_MAX_SECS from now; `reason` goes into the event.
    ///
    /// Engineering authority, guardian or single_validator. What has expired is not revived, and an end that lies later
    /// is not brought forward.
    pub fn emergency_pause(ctx: &mut Context<EmergencyPause>, mask: u32, reason: u16) -> Result<()> {
        ctx.accounts.run(mask, reason)
    }

    /// Lets the parts named by `mask` run again. Engineering authority only.
    pub fn emergency_unpause(ctx: &mut Context<EmergencyUnpause>, mask: u32) -> Result<()> {
        ctx.accounts.run(mask)
    }

    /// Changes who decides; `action` says how, and unused arguments are not read. Never paused.
    ///
    /// | action | who signs | what |
    /// |---|---|---|
    /// | 0 Propose | engineering authority | `key` (not zero) may accept from now + AUTH_TIMELOCK_SECS on, for AUTH_EXPIRY_SECS; replaces an earlier proposal |
    /// | 1 Accept | the proposed key | it is the engineering authority at once, in all five programs |
    /// | 2 Cancel | engineering authority | forgets the proposal |
    /// | 3 SetGuardian | engineering authority | `key` may pause; zero: nobody |
    /// | 4 SetSingleValidator | engineering authority | `key` may pause; zero: nobody |
    /// | 5 AddProgram | engineering authority | writes `key` (not zero, not listed yet) into the empty `slot`, 0 to 7 |
    /// | 6 RemoveProgram | engineering authority | empties `slot` |
    /// | 7 PushAuthority | anyone | CPI `set_authority` to the program in `slot`, which must be one of the four that mirror the authority; remaining accounts: that program, its config or Market (writable) |
    pub fn manage_authorities(ctx: &mut Context<ManageAuthorities>, action: u8, key: Address, slot: u8) -> Result<()> {
        let others = if action == Action::PushAuthority as u8 { ctx.remaining_accounts()? } else { Vec::new() };
        ctx.accounts.run(&others, action, key, slot)
    }

    /// Returns what is stopped now (an expired pause counts as none) and the number of parameter updates so far.
    pub fn get_status(ctx: &mut Context<GetStatus>) -> Result<GovernanceStatus> {
        ctx.accounts.run()
    }
}
