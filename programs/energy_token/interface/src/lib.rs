//! Energy Token as other programs see it: its id, its account, its addresses and the CPIs that the oracle makes.
#![cfg_attr(target_os = "solana", no_std)]

use anchor_lang::prelude::*;

mod config;
mod cpi;

pub use config::TokenConfig;
pub use cpi::{burn_for_consumption, mint_to, BurnForConsumption, MintTo};

declare_id!("6gVALda8uKoVDLtDKfmQ95RC9fUWHQZG3d1hPYy8359P");

/// Seed of the one TokenConfig.
pub const TOKEN_CONFIG_SEED: &[u8] = b"token_config";
/// Seed of GRID's mint.
pub const GRID_MINT_SEED: &[u8] = b"grid_mint";
/// Seed of the mint's SPL authority.
pub const MINT_AUTH_SEED: &[u8] = b"mint_auth";
/// Seed of the delegate that burns for consumption.
pub const BURNER_SEED: &[u8] = b"burner";

const FOUND_CONFIG: (Address, u8) = common::pda::find(TOKEN_CONFIG_SEED, &ID);
/// Address of the one TokenConfig.
pub const TOKEN_CONFIG: Address = FOUND_CONFIG.0;
/// Bump of [`TOKEN_CONFIG`].
pub const TOKEN_CONFIG_BUMP: u8 = FOUND_CONFIG.1;

const FOUND_MINT: (Address, u8) = common::pda::find(GRID_MINT_SEED, &ID);
/// GRID's mint.
pub const GRID_MINT: Address = FOUND_MINT.0;
/// Bump of [`GRID_MINT`].
pub const GRID_MINT_BUMP: u8 = FOUND_MINT.1;

const FOUND_MINT_AUTH: (Address, u8) = common::pda::find(MINT_AUTH_SEED, &ID);
/// The mint's SPL authority: this program alone signs for it.
pub const MINT_AUTH: Address = FOUND_MINT_AUTH.0;
/// Bump of [`MINT_AUTH`].
pub const MINT_AUTH_BUMP: u8 = FOUND_MINT_AUTH.1;

const FOUND_BURNER: (Address, u8) = common::pda::find(BURNER_SEED, &ID);
/// The delegate that owners approve for consumption.
pub const BURNER: Address = FOUND_BURNER.0;
/// Bump of [`BURNER`].
pub const BURNER_BUMP: u8 = FOUND_BURNER.1;
