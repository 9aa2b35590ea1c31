//! One file for each instruction: its accounts, their constraints, its handler.
//! The two orders share one (`create_order`), and so do the views.

mod cancel_order;
mod clear_epoch;
mod close_seat;
mod create_order;
mod deposit;
mod initialize_market;
mod match_orders;
mod open_seat;
mod payout;
mod set_authority;
mod set_seat_flags;
mod settle_trade;
mod sweep_fees;
mod update_market_params;
mod views;
mod void_epoch;
mod withdraw;

pub use cancel_order::*;
pub use clear_epoch::*;
pub use close_seat::*;
pub use create_order::*;
pub use deposit::*;
pub use initialize_market::*;
pub use match_orders::*;
pub use open_seat::*;
pub use payout::*;
pub use set_authority::*;
pub use set_seat_flags::*;
pub use settle_trade::*;
pub use sweep_fees::*;
pub use update_market_params::*;
pub use views::*;
pub use void_epoch::*;
pub use withdraw::*;
