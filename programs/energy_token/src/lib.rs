//! Energy Token: GRID, a classic SPL token with 9 decimals. 1 kWh of measured export is 1 GRID.
//!
//! Only the oracle's PDA mints, and only by CPI; nobody mints by hand. The mint has no freeze authority. Plain SPL
//! instructions work on GRID as on any token; the wrappers here add the counters of `TokenConfig`.
//!
//! | instruction | who | what |
//! |---|---|---|
//! | `initialize_token` | upgrade authority | creates mint and config, once |
//! | `create_associated_token_account` | anyone who pays | for an Active user |
//! | `mint_to` | the oracle's PDA | for measured export, up to the epoch's cap |
//! | `burn_for_consumption` | the oracle's PDA | for measured import, out of what the owner approved |
//! | `transfer`, `burn` | the owner | |
//! | `approve_consumption`, `revoke_consumption` | the owner | the burner's allowance |
//! | `sync_total_supply` | anyone | takes note of plain SPL burns |
//! | `set_authority` | governance's PDA | mirrors who decides |
#![cfg_attr(target_os = "solana", no_std)]
extern crate alloc;

use anchor_lang::prelude::*;

pub mod errors;
pub mod events;
pub mod instructions;
mod spl;

pub use errors::TokenError;
pub use instructions::*;

declare_id!("6gVALda8uKoVDLtDKfmQ95RC9fUWHQZG3d1hPYy8359P");
common::entrypoint!(TokenError);

const _: () = assert!(common::pda::same(&ID, &energy_token_interface::ID), "two ids for one program");

#[program]
pub mod energy_token {
    use super::*;

    /// Creates GRID's mint (9 decimals, no freeze authority) and the config. Only this program's upgrade authority may;
    /// only once. Who may mint is a constant of the program: no argument names it.
    pub fn initialize_token(ctx: &mut Context<InitializeToken>, name: [u8; 32], symbol: [u8; 16]) -> Result<()> {
        ctx.accounts.run(ctx.bumps.config, name, symbol)
    }

    /// Creates the associated GRID account of an Active user; succeeds if it is there. Anyone may pay.
    pub fn create_associated_token_account(ctx: &mut Context<CreateAssociatedTokenAccount>) -> Result<()> {
        ctx.accounts.run()
    }

    /// Mints `amount` atoms to an Active user's associated account, for record `seq` of meter `meter_no`.
    ///
    /// Only the oracle's PDA can sign for it: no wallet ever can. Stops at MINT_CAP_MWH_PER_EPOCH in each epoch.
    /// `ata_bump`: bump of the associated account.
    pub fn mint_to(ctx: &mut Context<MintTo>, amount: u64, meter_no: u32, seq: u64, ata_bump: u8) -> Result<()> {
        ctx.accounts.run(amount, meter_no, seq, ata_bump)
    }

    /// Burns `amount` atoms out of an account whose owner approved the burner. Only the oracle's PDA can sign for it.
    pub fn burn_for_consumption(ctx: &mut Context<BurnForConsumption>, amount: u64) -> Result<()> {
        ctx.accounts.run(amount)
    }

    /// Burns `amount` atoms of the signer's own: voluntary retirement. Never paused.
    pub fn burn(ctx: &mut Context<Burn>, amount: u64) -> Result<()> {
        ctx.accounts.run(amount)
    }

    /// Moves `amount` atoms of the signer's own. Never paused; a plain SPL transfer does the same.
    pub fn transfer(ctx: &mut Context<Transfer>, amount: u64) -> Result<()> {
        ctx.accounts.run(amount)
    }

    /// Allows the burner to burn up to `amount` atoms for measured import.
    ///
    /// SPL keeps one delegate for each account, and approving replaces what was left of the allowance: to top up, approve
    /// the sum.
    pub fn approve_consumption(ctx: &mut Context<ApproveConsumption>, amount: u64) -> Result<()> {
        ctx.accounts.run(amount)
    }

    /// Takes the burner's allowance back. Never paused. Another delegate's allowance is left alone.
    pub fn revoke_consumption(ctx: &mut Context<RevokeConsumption>) -> Result<()> {
        ctx.accounts.run()
    }

    /// Sets `total_supply` to the mint's supply: plain SPL burns, which pass this program by, lower it. Anyone; never paused.
    pub fn sync_total_supply(ctx: &mut Context<SyncTotalSupply>) -> Result<()> {
        ctx.accounts.run()
    }

    /// Mirrors the present authority and MINT_CAP_MWH_PER_EPOCH. Only governance signs for it, by CPI. Never paused.
    pub fn set_authority(ctx: &mut Context<SetAuthority>) -> Result<()> {
        ctx.accounts.run()
    }
}
