//! `initialize_token`: creates GRID, once.

use anchor_lang::prelude::*;
use anchor_spl::{prelude::*, Mint};
use common::{
    events,
    units::{self, ATOMS_PER_MWH, GRID_DECIMALS},
    upgrade,
};
use energy_token_interface::{TokenConfig, BURNER_BUMP, MINT_AUTH, MINT_AUTH_BUMP};
use governance_interface::{GovernanceConfig, ParamId, GOVERNANCE};
use oracle_interface::ORACLE_AUTH;

use crate::{errors::TokenError, events::TokenInitialized};

const PROGRAM_DATA: Address = upgrade::program_data(&crate::ID);

#[derive(Accounts)]
pub struct InitializeToken {
    /// This program's upgrade authority; pays.
    #[account(mut)]
    pub authority: Signer,
    /// This program's ProgramData; its owner, tag and authority are checked.
    #[account(
        address = PROGRAM_DATA,
        constraint = upgrade::is_authority(program_data.account(), authority.address()) @ TokenError::Unauthorized
    )]
    pub program_data: UncheckedAccount,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(init, payer = authority, seeds = [b"token_config"], bump)]
    pub config: Account<TokenConfig>,
    /// The mint's SPL authority: a PDA that only this program signs for.
    #[account(address = MINT_AUTH)]
    pub mint_auth: UncheckedAccount,
    /// GRID. No freeze authority.
    #[account(
        init, payer = authority, seeds = [b"grid_mint"], bump,
        mint::decimals = GRID_DECIMALS, mint::authority = mint_auth
    )]
    pub mint: Account<Mint>,
    pub token_program: Program<Token>,
    pub system_program: Program<System>,
}

impl InitializeToken {
    pub fn run(&mut self, bump: u8, name: [u8; 32], symbol: [u8; 16]) -> Result<()> {
        let cap = self
            .governance
            .param(ParamId::MintCapMwhPerEpoch)
            .checked_mul(ATOMS_PER_MWH)
            .ok_or(TokenError::Overflow)?;
        let config = &mut self.config;
        config.version = TokenConfig::VERSION;
        config.bump = bump;
        config.mint_auth_bump = MINT_AUTH_BUMP;
        config.burner_bump = BURNER_BUMP;
        config.decimals = GRID_DECIMALS;
        config.mint_authority = self.governance.engineering_authority;
        config.mint = *self.mint.address();
        config.oracle_minter = ORACLE_AUTH;
        config.registry_program = registry_interface::ID;
        config.mint_cap_per_epoch = cap.into();
        config.created_at = units::now()?.into();
        config.name = name;
        config.symbol = symbol;
        events::emit(TokenInitialized { mint: config.mint, mint_authority: config.mint_authority });
        Ok(())
    }
}
