use anchor_lang::prelude::*;
use anchor_spl::TokenAccount;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use trading_interface::Market;

use crate::{errors::TradingError, events::FeesSwept, vault};

#[derive(Accounts)]
pub struct SweepFees {
    /// The engineering authority.
    #[account(constraint = governance.is_authority(authority.address()) @ TradingError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut)]
    pub market: Account<Market>,
    #[account(mut, address = market.quote_vault @ TradingError::WrongAccount)]
    pub quote_vault: Account<TokenAccount>,
    #[account(mut, address = market.fee_destination @ TradingError::WrongAccount)]
    pub fee_destination: Account<TokenAccount>,
    pub token_program: Program<Token>,
}

impl SweepFees {
    pub fn run(&mut self) -> Result<()> {
        let market = &mut self.market;
        let amount = market.fee_accrued;
        market.fee_accrued = PodU64::ZERO;
        market.liab_quote = market.liab_quote.checked_sub(amount).ok_or(TradingError::Overflow)?;
        vault::push(&mut self.quote_vault, self.fee_destination.cpi_handle_mut(), market, amount.get());
        vault::check(&self.quote_vault, market.liab_quote)?;
        emit!(FeesSwept { market: *market.address(), to: market.fee_destination, amount });
        Ok(())
    }
}
