//! The arithmetic of the auction: no accounts, no clock, no errors.  What these functions are given was checked before.
//!
//! * [`discovery`]: which price, and who stands at the margin
//! * [`allocation`]: how many lots an order gets
//! * [`settlement`]: what a fill moves between free and locked
//!
//! Units: lots, ticks, atoms.  `tests/trading/model.py` says the same things in Python.

pub mod allocation;
pub mod discovery;
pub mod settlement;
