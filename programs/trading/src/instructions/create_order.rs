use anchor_lang::{accounts::Slab, address_eq, prelude::*};
use anchor_spl::TokenAccount;
use common::units::now;
use governance_interface::{GovernanceConfig, GOVERNANCE};
use registry_interface::{User, UserType};
use trading_interface::{Book, Market, Order, Seat, Seats, Side};

use crate::{errors::TradingError, events::OrderPlaced, order_entry, vault};

/// Accounts of `create_sell_order` and `create_buy_order`.
#[derive(Accounts)]
pub struct CreateOrder {
    pub trader: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(
        constraint = user.wallet == *trader.address() @ TradingError::NotOwner,
        constraint = user.is_active() @ TradingError::UserInactive,
    )]
    pub user: Account<User>,
    #[account(mut)]
    pub market: Account<Market>,
    /// The book that collects for this epoch, or the Idle one that this order opens for it.
    #[account(mut)]
    pub book: Slab<Book, Order>,
    #[account(mut, address = market.seats @ TradingError::WrongAccount)]
    pub seats: Slab<Seats, Seat>,
    /// Where the shortfall comes from: the trader's GRID to sell, quote to buy.
    #[account(mut, constraint = token_account.owner() == trader.address() @ TradingError::NotOwner)]
    pub token_account: Account<TokenAccount>,
    /// The vault of the same token.
    #[account(mut)]
    pub vault: Account<TokenAccount>,
    pub token_program: Program<Token>,
}

impl CreateOrder {
    /// Returns the order's id.
    pub fn run(&mut self, request: &order_entry::Request) -> Result<u64> {
        let sells = request.side == Side::Sell;
        require!(!sells || self.user.user_type == UserType::Prosumer, TradingError::NotProsumer);
        let asset = request.side.asset();
        require!(address_eq(self.vault.address(), self.market.vault(asset)), TradingError::WrongAccount);
        require!(self.token_account.mint() == self.vault.mint(), TradingError::BadMint);
        let trader = self.trader.address();
        let placed = order_entry::place(
            &mut self.market,
            &mut self.book,
            &mut self.seats,
            &self.governance,
            trader,
            now()?,
            request,
        )?;
        if placed.shortfall > 0 {
            require!(self.token_account.amount() >= placed.shortfall, TradingError::InsufficientFunds);
            vault::pull(&mut self.token_account, &mut self.vault, &self.trader, placed.shortfall);
            vault::check(&self.vault, *self.market.liability(asset))?;
        }
        let order = placed.order;
        emit!(OrderPlaced {
            market: *self.market.address(),
            epoch: placed.epoch.into(),
            id: order.id.into(),
            client_id: order.client_id.into(),
            slot: placed.slot.into(),
            seat: order.seat.into(),
            lots: order.lots.into(),
            tick: order.tick.into(),
            side: order.side,
            pulled: placed.shortfall.into(),
        });
        Ok(order.id)
    }
}
