//! What no program owns, and nothing else.
//!
//! * [`pda`]: addresses of singletons, computed by the compiler from the program's id
//! * [`signature`]: did this key sign these bytes? (introspection of the Ed25519 precompile)
//! * [`upgrade`]: who may initialise a program: its upgrade authority
//! * [`units`]: energy, tokens, time
//! * [`digest`]: sha256 in place
//! * [`events`]: events without the heap
//! * [`errors`]: the entrypoint that names the error it returns
#![cfg_attr(target_os = "solana", no_std)]

#[doc(hidden)]
pub use anchor_lang;

pub mod digest;
pub mod errors;
pub mod events;
pub mod pda;
pub mod signature;
pub mod units;
pub mod upgrade;
