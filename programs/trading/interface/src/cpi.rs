//! The CPIs by which the oracle drives an epoch, encoded by hand: a crate with Anchor's `cpi` feature cannot be linked into
//! another program.  Account order is that of the instructions in the program.

use anchor_lang::{pinocchio::instruction::InstructionAccount, prelude::*, unchecked_invoke_signed_fixed};

/// sha256("global:clear_epoch")[..8]
const CLEAR_EPOCH: [u8; 8] = [229, 1, 65, 77, 146, 44, 145, 110];
/// sha256("global:match_orders")[..8]
const MATCH_ORDERS: [u8; 8] = [17, 1, 201, 93, 7, 51, 251, 134];
/// sha256("global:settle_trade")[..8]
const SETTLE_TRADE: [u8; 8] = [252, 176, 98, 248, 73, 123, 8, 157];

/// Accounts of `clear_epoch`, in its order.
pub struct ClearEpoch<'a> {
    pub oracle_auth: CpiHandle<'a>,
    pub governance: CpiHandle<'a>,
    pub market: CpiHandleMut<'a>,
    pub book: CpiHandleMut<'a>,
    pub event_authority: CpiHandle<'a>,
    pub program: CpiHandle<'a>,
}

/// Finds the price of the due book; `seeds` sign for the oracle.
#[inline(always)]
pub fn clear_epoch<'a>(accounts: ClearEpoch<'a>, seeds: &'a [&'a [&'a [u8]]]) {
    let a = accounts;
    let metas = [
        InstructionAccount::readonly_signer(a.oracle_auth.address()),
        InstructionAccount::readonly(a.governance.address()),
        InstructionAccount::writable(a.market.address()),
        InstructionAccount::writable(a.book.address()),
        InstructionAccount::readonly(a.event_authority.address()),
        InstructionAccount::readonly(a.program.address()),
    ];
    let handles = [a.oracle_auth, a.governance, a.market.into(), a.book.into(), a.event_authority, a.program];
    unchecked_invoke_signed_fixed(&crate::ID, &CLEAR_EPOCH, &metas, &handles, seeds);
}

/// Accounts of `match_orders`, in its order.
pub struct MatchOrders<'a> {
    pub governance: CpiHandle<'a>,
    pub market: CpiHandleMut<'a>,
    pub book: CpiHandleMut<'a>,
}

/// Allocates up to `max` orders.
#[inline(always)]
pub fn match_orders(accounts: MatchOrders<'_>, max: u32) {
    let a = accounts;
    let metas = [
        InstructionAccount::readonly(a.governance.address()),
        InstructionAccount::writable(a.market.address()),
        InstructionAccount::writable(a.book.address()),
    ];
    let handles = [a.governance, a.market.into(), a.book.into()];
    unchecked_invoke_signed_fixed(&crate::ID, &sweep(&MATCH_ORDERS, max), &metas, &handles, &[]);
}

/// Accounts of `settle_trade`, in its order.
pub struct SettleTrade<'a> {
    pub governance: CpiHandle<'a>,
    pub market: CpiHandleMut<'a>,
    pub book: CpiHandleMut<'a>,
    pub seats: CpiHandleMut<'a>,
    pub history: CpiHandleMut<'a>,
    pub event_authority: CpiHandle<'a>,
    pub program: CpiHandle<'a>,
}

/// Settles up to `max` orders.
#[inline(always)]
pub fn settle_trade(accounts: SettleTrade<'_>, max: u32) {
    let a = accounts;
    let metas = [
        InstructionAccount::readonly(a.governance.address()),
        InstructionAccount::writable(a.market.address()),
        InstructionAccount::writable(a.book.address()),
        InstructionAccount::writable(a.seats.address()),
        InstructionAccount::writable(a.history.address()),
        InstructionAccount::readonly(a.event_authority.address()),
        InstructionAccount::readonly(a.program.address()),
    ];
    let handles =
        [a.governance, a.market.into(), a.book.into(), a.seats.into(), a.history.into(), a.event_authority, a.program];
    unchecked_invoke_signed_fixed(&crate::ID, &sweep(&SETTLE_TRADE, max), &metas, &handles, &[]);
}

fn sweep(discriminator: &[u8; 8], max: u32) -> [u8; 12] {
    let mut data = [0; 12];
    data[..8].copy_from_slice(discriminator);
    data[8..].copy_from_slice(&max.to_le_bytes());
    data
}
