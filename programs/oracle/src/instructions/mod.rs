//! One file for each instruction: its accounts with their checks, and what it does.

pub mod clear_freeze;
pub mod close_billing;
pub mod init_meter_state;
pub mod initialize_oracle;
pub mod process_energy_data;
pub mod report_equivocation;
pub mod set_active;
pub mod set_ami_endpoint;
pub mod set_authority;
pub mod set_auto_clearing;
pub mod set_relayers;
pub mod submit_meter_data;
pub mod sync_owner;
pub mod trigger_market_clearing;

pub use clear_freeze::*;
pub use close_billing::*;
pub use init_meter_state::*;
pub use initialize_oracle::*;
pub use process_energy_data::*;
pub use report_equivocation::*;
pub use set_active::*;
pub use set_ami_endpoint::*;
pub use set_authority::*;
pub use set_auto_clearing::*;
pub use set_relayers::*;
pub use submit_meter_data::*;
pub use sync_owner::*;
pub use trigger_market_clearing::*;
