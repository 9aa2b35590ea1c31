//! `mint_to`: GRID for measured export.

use anchor_lang::{address_eq, prelude::*, programs::AssociatedToken, verify_program_address};
use anchor_spl::TokenAccount;
use common::{
    events,
    units::{self, epoch_of, ATOMS_PER_MWH},
};
use energy_token_interface::{TokenConfig, GRID_MINT, MINT_AUTH, MINT_AUTH_BUMP, MINT_AUTH_SEED, TOKEN_CONFIG};
use governance_interface::{pause, GovernanceConfig, ParamId, GOVERNANCE};
use oracle_interface::ORACLE_AUTH;
use registry_interface::User;

use crate::{errors::TokenError, events::TokensMinted, spl};

#[derive(Accounts)]
pub struct MintTo {
    /// The oracle's PDA; its signature exists only in a CPI of the oracle.
    #[account(address = ORACLE_AUTH @ TokenError::Unauthorized)]
    pub oracle_minter: Signer,
    #[account(mut, address = TOKEN_CONFIG)]
    pub config: Account<TokenConfig>,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    /// Who is paid, Active.
    #[account(constraint = user.is_active() @ TokenError::UserInactive)]
    pub user: Account<User>,
    #[account(mut, address = GRID_MINT @ TokenError::WrongMint)]
    pub mint: UncheckedAccount,
    #[account(address = MINT_AUTH)]
    pub mint_auth: UncheckedAccount,
    /// The user's associated GRID account, checked against `ata_bump`, and still theirs.
    #[account(mut, constraint = address_eq(to.owner(), &user.wallet) @ TokenError::BadTokenAccount)]
    pub to: Account<TokenAccount>,
    pub token_program: Program<Token>,
}

impl MintTo {
    pub fn run(&mut self, amount: u64, meter_no: u32, seq: u64, ata_bump: u8) -> Result<()> {
        require!(amount > 0, TokenError::ZeroAmount);
        let now = units::now()?;
        require!(!self.governance.is_paused(pause::MINT, || Ok(now))?, TokenError::Paused);
        let token_program = Token::id();
        let seeds: [&[u8]; 4] = [self.user.wallet.as_ref(), token_program.as_ref(), GRID_MINT.as_ref(), &[ata_bump]];
        let canonical = verify_program_address(&seeds, &AssociatedToken::id(), self.to.address()).is_ok();
        require!(canonical, TokenError::BadTokenAccount);

        let cap_mwh = self.governance.param(ParamId::MintCapMwhPerEpoch);
        count(&mut self.config, amount, cap_mwh, now)?;
        let owner = self.user.wallet;
        spl::mint_to(
            self.token_program.address(),
            self.mint.cpi_handle_mut(),
            self.to.cpi_handle_mut(),
            self.mint_auth.cpi_handle(),
            &[&[MINT_AUTH_SEED, &[MINT_AUTH_BUMP]]],
            amount,
        );
        events::emit(TokensMinted { owner, amount: amount.into(), seq: seq.into(), meter_no: meter_no.into() });
        Ok(())
    }
}

/// Writes the totals, before the CPI. The cap is counted anew in each epoch.
#[inline(always)]
fn count(config: &mut TokenConfig, amount: u64, cap_mwh: u64, now: i64) -> Result<()> {
    require!(amount <= config.cap_left(cap_mwh, now), TokenError::MintCapExceeded);
    let add = |total: u64| total.checked_add(amount).ok_or(TokenError::Overflow);
    config.epoch_minted = add(config.minted_in_epoch(now))?.into();
    config.epoch_no = epoch_of(now).into();
    config.mint_cap_per_epoch = cap_mwh.checked_mul(ATOMS_PER_MWH).ok_or(TokenError::Overflow)?.into();
    config.total_minted = add(config.total_minted.get())?.into();
    config.total_supply = add(config.total_supply.get())?.into();
    Ok(())
}
