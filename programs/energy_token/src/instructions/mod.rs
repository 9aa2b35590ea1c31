//! One file for each instruction: its accounts with their checks, and what it does.

pub mod approve_consumption;
pub mod burn;
pub mod burn_for_consumption;
pub mod create_associated_token_account;
pub mod initialize_token;
pub mod mint_to;
pub mod revoke_consumption;
pub mod set_authority;
pub mod sync_total_supply;
pub mod transfer;

pub use approve_consumption::*;
pub use burn::*;
pub use burn_for_consumption::*;
pub use create_associated_token_account::*;
pub use initialize_token::*;
pub use mint_to::*;
pub use revoke_consumption::*;
pub use set_authority::*;
pub use sync_total_supply::*;
pub use transfer::*;
