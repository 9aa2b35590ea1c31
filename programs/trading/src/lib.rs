//! Trading: the epoch call auction.
//!
//! Every 900 s the orders of an epoch meet at one price.  Both sides are escrowed when an order comes; settlement is delivery
//! against payment inside one ledger of seats; tokens move only in and out of the two vaults.
//!
//! * set-up: `initialize_market`, `update_market_params`, `sweep_fees`, `set_authority`
//! * a trader's place and money: `open_seat`, `close_seat`, `set_seat_flags`, `deposit`, `withdraw`
//! * orders: `create_sell_order`, `create_buy_order`, `cancel_order`
//! * an epoch: `clear_epoch` (by the oracle), then by anyone `match_orders`, `settle_trade`, `payout`; `void_epoch`
//! * views: `get_order`, `get_orders_of`, `get_seat`, `get_epoch`
//!
//! The arithmetic is in [`auction`], free of accounts; entry rules in [`order_entry`]; the accounts are in `trading_interface`.
#![cfg_attr(target_os = "solana", no_std)]
extern crate alloc;

use alloc::vec::Vec;
use anchor_lang::prelude::*;
use trading_interface::{HistoryEntry, Order, Seat, Side};

pub mod auction;
pub mod errors;
pub mod events;
pub mod grid;
pub mod instructions;
pub mod layout;
pub mod order_entry;
pub mod reports;
pub mod seats;
pub mod vault;

pub use errors::TradingError;
pub use instructions::*;

declare_id!("AX4ie8DUAXYnUdQ7sBxRqu3E1pWK4Mi85htuNNLNekiE");
common::entrypoint!(TradingError);

const _: () = assert!(common::pda::same(&ID, &trading_interface::ID), "two ids for one program");

#[program]
pub mod trading {
    use super::*;

    /// Creates the market of a quote mint: pins two books, seats, history and vaults.
    ///
    /// Engineering authority only.  Refuses GRID or a Token-2022 mint as quote, a freezable one unless it is accepted, and a grid
    /// on which the value of a lot is not a whole number of quote atoms.
    pub fn initialize_market(ctx: &mut Context<InitializeMarket>, params: MarketParams) -> Result<()> {
        ctx.accounts.run(ctx.bumps.market, &params)
    }

    /// Gives the trader a seat and returns its index.  Active users, one seat each.  Paused by ORDER_ENTRY.
    pub fn open_seat(ctx: &mut Context<OpenSeat>) -> Result<u32> {
        ctx.accounts.run(ctx.bumps.seat_index)
    }

    /// Gives a seat back once it holds nothing and has no open order.  Never paused.
    pub fn close_seat(ctx: &mut Context<CloseSeat>) -> Result<()> {
        ctx.accounts.run()
    }

    /// Sets the seat's flags; bit 0 HOLD keeps `payout` away.  Never paused.
    pub fn set_seat_flags(ctx: &mut Context<SetSeatFlags>, seat: u32, flags: u8) -> Result<()> {
        ctx.accounts.run(seat, flags)
    }

    /// Moves `amount` atoms of base (side 0) or quote (side 1) from the trader into the seat.  Paused by ORDER_ENTRY.
    pub fn deposit(ctx: &mut Context<Deposit>, seat: u32, side: u8, amount: u64) -> Result<()> {
        ctx.accounts.run(seat, side, amount)
    }

    /// Moves `amount` free atoms of base (side 0) or quote (side 1) out of the seat.  Never paused.
    pub fn withdraw(ctx: &mut Context<Withdraw>, seat: u32, side: u8, amount: u64) -> Result<()> {
        ctx.accounts.run(seat, side, amount)
    }

    /// Offers `energy` base atoms at `price` quote atoms per kWh or more.  Returns the order's id.
    ///
    /// Active prosumers only.  Locks the energy: what the seat has free first, the rest from the token account.  Paused by
    /// ORDER_ENTRY.
    pub fn create_sell_order(
        ctx: &mut Context<CreateOrder>,
        seat: u32,
        energy: u64,
        price: u64,
        client_id: u64,
    ) -> Result<u64> {
        ctx.accounts.run(&order_entry::Request { side: Side::Sell, seat, energy, price, client_id })
    }

    /// Bids for `energy` base atoms at `max_price` quote atoms per kWh or less.  Returns the order's id.
    ///
    /// Active users.  Locks the energy's value at `max_price`.  Paused by ORDER_ENTRY.
    pub fn create_buy_order(
        ctx: &mut Context<CreateOrder>,
        seat: u32,
        energy: u64,
        max_price: u64,
        client_id: u64,
    ) -> Result<u64> {
        ctx.accounts.run(&order_entry::Request { side: Side::Buy, seat, energy, price: max_price, client_id })
    }

    /// Takes an open order out of a Collecting book and unlocks what stood behind it.  Never paused.
    ///
    /// The trader; the engineering authority while the user is not Active.  Not in the last CANCEL_FREEZE_SECS of the epoch and
    /// the 900 s after it, unless clearing is paused or off, or the market is halted.
    pub fn cancel_order(ctx: &mut Context<CancelOrder>, slot: u32, id: u64) -> Result<()> {
        ctx.accounts.run(slot, id)
    }

    /// Finds the price of the earlier Collecting book once its epoch is over.  The oracle only.  Paused by CLEARING.
    pub fn clear_epoch(ctx: &mut Context<ClearEpoch>) -> Result<()> {
        ctx.accounts.run()
    }

    /// Allocates lots to the next `max` orders (MAX_SWEEP at most).  Anyone.  Never paused.
    ///
    /// When the last is done and the sums disagree, the market halts; the call itself succeeds, or the halt would be undone.
    pub fn match_orders(ctx: &mut Context<MatchOrders>, max: u32) -> Result<()> {
        ctx.accounts.run(max)
    }

    /// Settles the next `max` orders (MAX_SWEEP at most); after the last, writes history and frees the book.  Anyone.  Never paused.
    pub fn settle_trade(ctx: &mut Context<SettleTrade>, max: u32) -> Result<()> {
        ctx.accounts.run(max)
    }

    /// Sends the free balances of seats to their owners' canonical token accounts.  Anyone.  Never paused.
    ///
    /// A seat on HOLD is left alone; an account that is closed, frozen or not the canonical one is skipped with an event.
    pub fn payout(ctx: &mut Context<Payout>, seats: Vec<PayoutSeat>) -> Result<()> {
        let accounts = ctx.remaining_accounts()?;
        ctx.accounts.run(&seats, &accounts)
    }

    /// Gives up the matching of an epoch: nobody trades, `settle_trade` then releases every order.  Never paused.
    ///
    /// The engineering authority; anyone 24 h after the market halted.
    pub fn void_epoch(ctx: &mut Context<VoidEpoch>) -> Result<()> {
        ctx.accounts.run()
    }

    /// Changes the grid (both books Idle), the fee destination, or switches the market.  Engineering authority only.
    pub fn update_market_params(ctx: &mut Context<UpdateMarketParams>, update: MarketUpdate) -> Result<()> {
        ctx.accounts.run(&update)
    }

    /// Sends the fees to the fee destination.  Engineering authority only.
    pub fn sweep_fees(ctx: &mut Context<SweepFees>) -> Result<()> {
        ctx.accounts.run()
    }

    /// Mirrors the live authority.  Governance only, by CPI.
    pub fn set_authority(ctx: &mut Context<SetAuthority>) -> Result<()> {
        ctx.accounts.run()
    }

    /// Returns the order in `slot`, as it lies in the book.
    pub fn get_order(ctx: &mut Context<ReadBook>, slot: u32) -> Result<Order> {
        ctx.accounts.order(slot)
    }

    /// Returns the slots of a seat's orders in this book, cancelled ones left out, 100 at most.
    pub fn get_orders_of(ctx: &mut Context<ReadBook>, seat: u32) -> Result<Vec<u32>> {
        ctx.accounts.orders_of(seat)
    }

    /// Returns a seat, as it lies in the ledger.
    pub fn get_seat(ctx: &mut Context<ReadSeats>, seat: u32) -> Result<Seat> {
        ctx.accounts.seat(seat)
    }

    /// Returns what the epoch that starts at `epoch` (Unix seconds) came to; WrongPhase if it is not in history.
    pub fn get_epoch(ctx: &mut Context<ReadHistory>, epoch: i64) -> Result<HistoryEntry> {
        ctx.accounts.epoch(epoch)
    }
}
