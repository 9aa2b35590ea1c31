//! Oracle: takes what meters signed, and has GRID minted and burned for it.
//!
//! A record (`oracle_interface::Record`) is believed because the meter's own key signed it, which the Ed25519 precompile has
//! checked in the same transaction; whoever delivers it is trusted with nothing.
//!
//! | instruction | who | what |
//! |---|---|---|
//! | `initialize_oracle` | upgrade authority | creates the config, once |
//! | `set_active` | engineering authority | switches reception on and off |
//! | `init_meter_state` | anyone who pays | creates a meter's state from its baselines |
//! | `submit_meter_data` | anyone (relayer_mode 1: listed) | takes 1 to 5 signed records |
//! | `process_energy_data` | anyone | mints and burns what has accrued |
//! | `set_auto_clearing` | engineering authority | lets anyone trigger the market, or nobody else |
//! | `trigger_market_clearing` | anyone, or the engineering authority | has Trading clear the epoch that is over |
//!
//! The rules for a record stand in [`rules`], apart from accounts and signatures.
#![cfg_attr(target_os = "solana", no_std)]
extern crate alloc;

use alloc::vec::Vec;
use anchor_lang::prelude::*;

pub mod errors;
pub mod events;
pub mod instructions;
pub mod rules;

pub use errors::OracleError;
pub use instructions::*;

declare_id!("ExjFuRux4wEfkjSYdzUGr1AgLm4KHof7V4uJ9AG8XCHF");
common::entrypoint!(OracleError);

const _: () = assert!(common::pda::same(&ID, &oracle_interface::ID), "two ids for one program");

#[program]
pub mod oracle {
    use super::*;

    /// Creates the oracle's config, active, with the site's domain as the registry holds it. Only this program's upgrade
    /// authority may; only once.
    pub fn initialize_oracle(ctx: &mut Context<InitializeOracle>, ami_endpoint: [u8; 64]) -> Result<()> {
        ctx.accounts.run(ctx.bumps.config, ami_endpoint)
    }

    /// Switches the reception of records on (1) or off (0). Only the engineering authority may.
    pub fn set_active(ctx: &mut Context<SetActive>, active: u8) -> Result<()> {
        ctx.accounts.run(active)
    }

    /// Creates the state of an Active meter: its owner, install and baselines as the registry has them. Anyone may pay.
    pub fn init_meter_state(ctx: &mut Context<InitMeterState>) -> Result<()> {
        ctx.accounts.run(ctx.bumps.meter_state)
    }

    /// Takes 1 to 5 records, each signed by its meter's key; all or none.
    ///
    /// Remaining accounts: for each record after the first, in order, its Meter (read) and its MeterState (write); a
    /// meter may repeat.
    /// Instruction `ed_ix` of the transaction, before this one, is the Ed25519 precompile's; its k-th signature covers
    /// the 96 bytes of record k where they lie in this instruction's data, at 13 + 96k. Top level only, never by CPI.
    /// A record that is its meter's last accepted one again changes nothing and succeeds.
    #[inline(always)]
    pub fn submit_meter_data(ctx: &mut Context<SubmitMeterData>, ed_ix: u8, records: &[[u8; 96]]) -> Result<()> {
        let others = if records.len() > 1 { ctx.remaining_accounts()? } else { Vec::new() };
        ctx.accounts.run(&others, ed_ix, records)
    }

    /// Mints what the meter exported and burns what it imported since the last time, for the owner in its state.
    ///
    /// Minting stops at the epoch's cap and goes on in the next epoch. Burning needs the owner's `approve_consumption`
    /// and takes what allowance and balance give. `ata_bump`: bump of the owner's associated GRID account.
    pub fn process_energy_data(ctx: &mut Context<ProcessEnergyData>, ata_bump: u8) -> Result<()> {
        ctx.accounts.run(ata_bump)
    }

    /// Lets anyone trigger the market's clearing (1), or the engineering authority alone (0). Only the latter may.
    pub fn set_auto_clearing(ctx: &mut Context<SetAutoClearing>, enabled: u8) -> Result<()> {
        ctx.accounts.run(enabled)
    }

    /// Has Trading find the price of the epoch that is over, and match and settle up to `inline_sweep` orders at once.
    ///
    /// Paused by CLEARING. The rest of a large book anyone cranks at Trading itself.
    pub fn trigger_market_clearing(ctx: &mut Context<TriggerMarketClearing>, inline_sweep: u32) -> Result<()> {
        ctx.accounts.run(inline_sweep)
    }
}
