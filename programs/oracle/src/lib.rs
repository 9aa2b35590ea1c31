//! Oracle: takes what meters signed, and has GRID minted and burned for it.
//!
//! A record (`oracle_interface::Record`) is believed because the meter's own key signed it, which the Ed25519 precompile has
//! checked in the same transaction; whoever delivers it is trusted with nothing.
//!
//! | instruction | who | what |
//! |---|---|---|
//! | `initialize_oracle` | upgrade authority | creates the config, once |
//! | `set_authority` | governance, by CPI | mirrors the engineering authority |
//! | `set_active` | engineering authority | switches reception on and off |
//! | `set_ami_endpoint` | engineering authority | says where the readings can be had off chain |
//! | `set_relayers` | engineering authority | says who may deliver |
//! | `init_meter_state` | anyone who pays | creates a meter's state from its baselines |
//! | `submit_meter_data` | anyone (relayer_mode 1: listed) | takes 1 to 5 signed records |
//! | `process_energy_data` | anyone | mints and burns what has accrued |
//! | `sync_owner` | anyone; with a forfeit the engineering authority | begins the account of a meter's new owner |
//! | `close_billing` | engineering authority | leaves import that was billed off chain unburned for ever |
//! | `report_equivocation` | anyone | freezes a meter whose key said two things |
//! | `clear_freeze` | engineering authority | lets it go on, under a new key or install; or pay out, once Decommissioned |
//! | `set_auto_clearing` | engineering authority | lets anyone trigger the market, or nobody else |
//! | `trigger_market_clearing` | anyone, or the engineering authority | has Trading clear the epoch that is over |
//!
//! The rules for a record stand in [`rules`], apart from accounts and signatures; what is never paid in [`accruals`].
#![cfg_attr(target_os = "solana", no_std)]
extern crate alloc;

use alloc::vec::Vec;
use anchor_lang::prelude::*;

pub mod accruals;
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

    /// Creates the oracle's config, active, with the site's domain as the registry holds it. Only this program's upgrade
    /// authority may; only once.
    pub fn initialize_oracle(ctx: &mut Context<InitializeOracle>, ami_endpoint: [u8; 64]) -> Result<()> {
        ctx.accounts.run(ctx.bumps.config, ami_endpoint)
    }

    /// Switches the reception of records on (1) or off (0). Only the engineering authority may.
    pub fn set_active(ctx: &mut Context<SetActive>, active: u8) -> Result<()> {
        ctx.accounts.run(active)
    }

    /// Mirrors the live engineering authority. Only governance itself may, by its PushAuthority.
    pub fn set_authority(ctx: &mut Context<SetAuthority>) -> Result<()> {
        ctx.accounts.run()
    }

    /// Writes down where the readings can be had off chain; UTF-8, zero-padded. Only the engineering authority may.
    pub fn set_ami_endpoint(ctx: &mut Context<SetAmiEndpoint>, ami_endpoint: [u8; 64]) -> Result<()> {
        ctx.accounts.run(ami_endpoint)
    }

    /// Says who may deliver: mode 0 anyone, 1 these wallets (at most 8) and each meter's owner. Replaces the list of
    /// before. Only the engineering authority may.
    pub fn set_relayers(ctx: &mut Context<SetRelayers>, mode: u8, relayers: &[Address]) -> Result<()> {
        ctx.accounts.run(mode, relayers)
    }

    /// Creates the state of an Active meter: its owner, install and baselines as the registry has them. Anyone may pay.
    pub fn init_meter_state(ctx: &mut Context<InitMeterState>) -> Result<()> {
        ctx.accounts.run(ctx.bumps.meter_state)
    }

    /// Mints what the meter exported and burns what it imported since the last time, for the owner in its state.
    ///
    /// Minting stops at the epoch's cap and goes on in the next epoch. Burning needs the owner's `approve_consumption`
    /// and takes what allowance and balance give. `ata_bump`: bump of the owner's associated GRID account.
    pub fn process_energy_data(ctx: &mut Context<ProcessEnergyData>, ata_bump: u8) -> Result<()> {
        ctx.accounts.run(ata_bump)
    }

    /// Gives the state the owner that the Meter has, once the old one was paid: anyone may with `forfeit` 0.
    ///
    /// With `forfeit` 1 what is still to be minted is given up: only the engineering authority may. Either way the old
    /// owner's import that was not burned yet never will be: it is on his last bill.
    pub fn sync_owner(ctx: &mut Context<SyncOwner>, forfeit: u8) -> Result<()> {
        ctx.accounts.run(forfeit)
    }

    /// Writes off the import that was not burned yet, because it is billed off chain; the event says how much. Only the
    /// engineering authority may.
    pub fn close_billing(ctx: &mut Context<CloseBilling>) -> Result<()> {
        ctx.accounts.run()
    }

    /// Freezes a meter: two different records of its install have one sequence number and are both signed by its key.
    ///
    /// Instruction `ed_ix` of the transaction, before this one, is the Ed25519 precompile's; its first two signatures
    /// cover the 96 bytes of each record where they lie in this instruction's data, at 9 and 105. Top level only. Never
    /// paused.
    pub fn report_equivocation(
        ctx: &mut Context<ReportEquivocation>,
        ed_ix: u8,
        first: &[u8; 96],
        second: &[u8; 96],
    ) -> Result<()> {
        ctx.accounts.run(ed_ix, first, second)
    }

    /// Lets a frozen meter go on, after its key was rotated or its install replaced since; or pay what it is owed, when
    /// it is Decommissioned. Only the engineering authority may.
    pub fn clear_freeze(ctx: &mut Context<ClearFreeze>) -> Result<()> {
        ctx.accounts.run()
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
