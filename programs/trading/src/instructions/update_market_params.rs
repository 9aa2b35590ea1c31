use anchor_lang::prelude::*;
use anchor_spl::TokenAccount;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use trading_interface::{BookState, Market};

use crate::{errors::TradingError, events::MarketParamsUpdated, grid::Grid};

/// New values; what is None stays.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct MarketUpdate {
    pub lot_size: Option<u64>,
    pub price_floor: Option<u64>,
    pub tick_size: Option<u64>,
    /// 0 switches orders and clearing off; cancel and withdraw work.
    pub clearing_enabled: Option<u8>,
}

#[derive(Accounts)]
pub struct UpdateMarketParams {
    /// The engineering authority.
    #[account(constraint = governance.is_authority(authority.address()) @ TradingError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut)]
    pub market: Account<Market>,
    /// Where fees go from now on; the present one to leave it.
    #[account(constraint = fee_destination.mint() == &market.quote_mint @ TradingError::BadMint)]
    pub fee_destination: Account<TokenAccount>,
}

impl UpdateMarketParams {
    pub fn run(&mut self, update: &MarketUpdate) -> Result<()> {
        let market = &mut self.market;
        if update.lot_size.is_some() || update.price_floor.is_some() || update.tick_size.is_some() {
            let idle = market.book_state.iter().all(|state| *state == BookState::Idle);
            require!(idle, TradingError::MarketBusy);
            let grid = Grid::new(
                update.lot_size.unwrap_or(market.lot_size.get()),
                update.price_floor.unwrap_or(market.price_floor.get()),
                update.tick_size.unwrap_or(market.tick_size.get()),
            )?;
            grid.write(market);
        }
        if let Some(enabled) = update.clearing_enabled {
            require!(enabled <= 1, TradingError::Overflow);
            market.clearing_enabled = enabled;
        }
        market.fee_destination = *self.fee_destination.address();
        market.engineering_authority = *self.authority.address();
        emit!(MarketParamsUpdated {
            market: *market.address(),
            lot_size: market.lot_size,
            price_floor: market.price_floor,
            tick_size: market.tick_size,
            fee_destination: market.fee_destination,
            clearing_enabled: market.clearing_enabled,
        });
        Ok(())
    }
}
