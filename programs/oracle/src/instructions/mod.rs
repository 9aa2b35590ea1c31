//! One file for each instruction: its accounts with their checks, and what it does.

pub mod init_meter_state;
pub mod initialize_oracle;
pub mod process_energy_data;
pub mod set_active;
pub mod set_auto_clearing;
pub mod submit_meter_data;
pub mod trigger_market_clearing;

pub use init_meter_state::*;
pub use initialize_oracle::*;
pub use process_energy_data::*;
pub use set_active::*;
pub use set_auto_clearing::*;
pub use submit_meter_data::*;
pub use trigger_market_clearing::*;
