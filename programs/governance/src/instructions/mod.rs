//! One file for each instruction: its accounts, what they must fulfil, what it does.
pub mod emergency_pause;
pub mod emergency_unpause;
pub mod get_status;
pub mod initialize_governance;
pub mod manage_authorities;
pub mod update_parameters;

pub use emergency_pause::*;
pub use emergency_unpause::*;
pub use get_status::*;
pub use initialize_governance::*;
pub use manage_authorities::*;
pub use update_parameters::*;
