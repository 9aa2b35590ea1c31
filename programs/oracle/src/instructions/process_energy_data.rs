//! `process_energy_data`: turns measured energy into tokens, by CPI to the Energy Token program.

use anchor_lang::{address_eq, prelude::*, programs::AssociatedToken, verify_program_address};
use anchor_spl::TokenAccount;
use common::units::{self, ATOMS_PER_MWH};
use energy_token_interface::{BurnForConsumption, MintTo, TokenConfig, BURNER, GRID_MINT, MINT_AUTH, TOKEN_CONFIG};
use governance_interface::{pause, GovernanceConfig, ParamId, GOVERNANCE};
use oracle_interface::{MeterState, OracleConfig, ORACLE, ORACLE_AUTH, ORACLE_AUTH_BUMP, ORACLE_AUTH_SEED};
use registry_interface::{Meter, MeterStatus, User};

use crate::errors::OracleError;

#[derive(Accounts)]
pub struct ProcessEnergyData {
    #[account(address = ORACLE)]
    pub config: Account<OracleConfig>,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    /// Not frozen.
    #[account(
        mut,
        constraint = address_eq(&meter_state.meter, meter.address()) @ OracleError::MeterMismatch,
        constraint = !meter_state.is_frozen() @ OracleError::Frozen
    )]
    pub meter_state: Account<MeterState>,
    /// Not Compromised, and no device that replaced a compromised one is waiting for its first record.
    #[account(
        constraint = meter.status != MeterStatus::Compromised @ OracleError::MeterInactive,
        constraint = meter_state.install_id.get() >= meter.forfeit_install.get() @ OracleError::InstallMismatch
    )]
    pub meter: Account<Meter>,
    /// Who is paid: the owner in `meter_state`, an Active user.
    #[account(
        constraint = address_eq(&user.wallet, &meter_state.owner) @ OracleError::MeterMismatch,
        constraint = user.is_active() @ OracleError::UserInactive
    )]
    pub user: Account<User>,
    /// The oracle's signer for the CPIs.
    #[account(address = ORACLE_AUTH)]
    pub oracle_auth: UncheckedAccount,
    #[account(address = energy_token_interface::ID)]
    pub energy_token: UncheckedAccount,
    #[account(mut, address = TOKEN_CONFIG)]
    pub token_config: Account<TokenConfig>,
    #[account(mut, address = GRID_MINT)]
    pub mint: UncheckedAccount,
    #[account(address = MINT_AUTH)]
    pub mint_auth: UncheckedAccount,
    #[account(address = BURNER)]
    pub burner: UncheckedAccount,
    /// The owner's associated GRID account, checked against `ata_bump`.
    #[account(mut)]
    pub token_account: Account<TokenAccount>,
    pub token_program: Program<Token>,
}

impl ProcessEnergyData {
    pub fn run(&mut self, ata_bump: u8) -> Result<()> {
        let owners = address_eq(self.token_account.owner(), &self.meter_state.owner);
        require!(owners, OracleError::BadTokenAccount);
        let now = units::now()?;
        let minted = !self.governance.is_paused(pause::MINT, || Ok(now))? && mint(self, ata_bump, now)?;
        if !minted {
            // minting has checked it already: the derivation is dear
            check_canonical(self, ata_bump)?;
        }
        if !self.governance.is_paused(pause::BURN, || Ok(now))? {
            burn(self)?;
        }
        Ok(())
    }
}

/// Is it the associated account, the only one that is ever paid into or burned from?
#[inline(always)]
fn check_canonical(a: &ProcessEnergyData, ata_bump: u8) -> Result<()> {
    let token_program = Token::id();
    let seeds: [&[u8]; 4] = [a.meter_state.owner.as_ref(), token_program.as_ref(), GRID_MINT.as_ref(), &[ata_bump]];
    let canonical = verify_program_address(&seeds, &AssociatedToken::id(), a.token_account.address()).is_ok();
    require!(canonical, OracleError::BadTokenAccount);
    Ok(())
}

/// Mints the accrued export, as far as the epoch's cap goes; false if there was nothing to mint. State first, then the CPI;
/// a failure reverts both.
#[inline(always)]
fn mint(a: &mut ProcessEnergyData, ata_bump: u8, now: i64) -> Result<bool> {
    let unminted = a.meter_state.unminted_mwh();
    let cap_left = a.token_config.cap_left(a.governance.param(ParamId::MintCapMwhPerEpoch), now);
    let mwh = unminted.min(cap_left / ATOMS_PER_MWH);
    if mwh == 0 {
        return Ok(false);
    }
    let atoms = mwh.checked_mul(ATOMS_PER_MWH).ok_or(OracleError::Overflow)?;
    let minted = a.meter_state.minted_mwh.get().checked_add(mwh).ok_or(OracleError::Overflow)?;
    a.meter_state.minted_mwh = minted.into();
    energy_token_interface::mint_to(
        MintTo {
            oracle_minter: a.oracle_auth.cpi_handle(),
            config: a.token_config.cpi_handle_mut(),
            governance: a.governance.cpi_handle(),
            user: a.user.cpi_handle(),
            mint: a.mint.cpi_handle_mut(),
            mint_auth: a.mint_auth.cpi_handle(),
            to: a.token_account.cpi_handle_mut(),
            token_program: a.token_program.cpi_handle(),
        },
        &[&[ORACLE_AUTH_SEED, &[ORACLE_AUTH_BUMP]]],
        atoms,
        a.meter.meter_no.get(),
        a.meter_state.seq.get(),
        ata_bump,
    );
    Ok(true)
}

/// Burns for the accrued import what the owner approved and has. The rest stays in the state: the grid-import ledger.
#[inline(always)]
fn burn(a: &mut ProcessEnergyData) -> Result<()> {
    let unburned = a.meter_state.unburned_mwh();
    let account = &a.token_account;
    let approved = match account.delegate() {
        Some(delegate) if address_eq(delegate, &BURNER) => account.delegated_amount(),
        _ => 0,
    };
    let mwh = unburned.min(approved / ATOMS_PER_MWH).min(account.amount() / ATOMS_PER_MWH);
    if mwh == 0 {
        return Ok(());
    }
    let atoms = mwh.checked_mul(ATOMS_PER_MWH).ok_or(OracleError::Overflow)?;
    let burned = a.meter_state.burned_mwh.get().checked_add(mwh).ok_or(OracleError::Overflow)?;
    a.meter_state.burned_mwh = burned.into();
    energy_token_interface::burn_for_consumption(
        BurnForConsumption {
            oracle_minter: a.oracle_auth.cpi_handle(),
            config: a.token_config.cpi_handle_mut(),
            mint: a.mint.cpi_handle_mut(),
            burner: a.burner.cpi_handle(),
            from: a.token_account.cpi_handle_mut(),
            token_program: a.token_program.cpi_handle(),
        },
        &[&[ORACLE_AUTH_SEED, &[ORACLE_AUTH_BUMP]]],
        atoms,
    );
    Ok(())
}
