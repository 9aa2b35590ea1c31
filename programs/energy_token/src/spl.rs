//! The SPL Token instructions that this program makes, by their tags, without allocating.

use anchor_lang::{pinocchio::instruction::InstructionAccount, prelude::*, unchecked_invoke_signed_fixed};
use common::units::GRID_DECIMALS;

const APPROVE: u8 = 4;
const REVOKE: u8 = 5;
const MINT_TO: u8 = 7;
const BURN: u8 = 8;
const TRANSFER_CHECKED: u8 = 12;

/// Seeds that sign for a PDA; empty where the authority signed the transaction.
pub type Seeds<'a> = &'a [&'a [&'a [u8]]];

/// Tag and amount.
fn with_amount(tag: u8, amount: u64) -> [u8; 9] {
    let mut data = [tag; 9];
    data[1..].copy_from_slice(&amount.to_le_bytes());
    data
}

#[inline(always)]
pub fn mint_to<'a>(
    program: &'a Address,
    mint: CpiHandleMut<'a>,
    to: CpiHandleMut<'a>,
    authority: CpiHandle<'a>,
    seeds: Seeds<'a>,
    amount: u64,
) {
    let metas = [
        InstructionAccount::writable(mint.address()),
        InstructionAccount::writable(to.address()),
        InstructionAccount::readonly_signer(authority.address()),
    ];
    let handles = [mint.into(), to.into(), authority];
    unchecked_invoke_signed_fixed(program, &with_amount(MINT_TO, amount), &metas, &handles, seeds);
}

#[inline(always)]
pub fn burn<'a>(
    program: &'a Address,
    from: CpiHandleMut<'a>,
    mint: CpiHandleMut<'a>,
    authority: CpiHandle<'a>,
    seeds: Seeds<'a>,
    amount: u64,
) {
    let metas = [
        InstructionAccount::writable(from.address()),
        InstructionAccount::writable(mint.address()),
        InstructionAccount::readonly_signer(authority.address()),
    ];
    let handles = [from.into(), mint.into(), authority];
    unchecked_invoke_signed_fixed(program, &with_amount(BURN, amount), &metas, &handles, seeds);
}

pub fn transfer_checked<'a>(
    program: &'a Address,
    from: CpiHandleMut<'a>,
    mint: CpiHandle<'a>,
    to: CpiHandleMut<'a>,
    owner: CpiHandle<'a>,
    amount: u64,
) {
    let mut data = [GRID_DECIMALS; 10];
    data[..9].copy_from_slice(&with_amount(TRANSFER_CHECKED, amount));
    let metas = [
        InstructionAccount::writable(from.address()),
        InstructionAccount::readonly(mint.address()),
        InstructionAccount::writable(to.address()),
        InstructionAccount::readonly_signer(owner.address()),
    ];
    let handles = [from.into(), mint, to.into(), owner];
    unchecked_invoke_signed_fixed(program, &data, &metas, &handles, &[]);
}

pub fn approve<'a>(
    program: &'a Address,
    source: CpiHandleMut<'a>,
    delegate: CpiHandle<'a>,
    owner: CpiHandle<'a>,
    amount: u64,
) {
    let metas = [
        InstructionAccount::writable(source.address()),
        InstructionAccount::readonly(delegate.address()),
        InstructionAccount::readonly_signer(owner.address()),
    ];
    let handles = [source.into(), delegate, owner];
    unchecked_invoke_signed_fixed(program, &with_amount(APPROVE, amount), &metas, &handles, &[]);
}

pub fn revoke<'a>(program: &'a Address, source: CpiHandleMut<'a>, owner: CpiHandle<'a>) {
    let metas = [InstructionAccount::writable(source.address()), InstructionAccount::readonly_signer(owner.address())];
    let handles = [source.into(), owner];
    unchecked_invoke_signed_fixed(program, &[REVOKE], &metas, &handles, &[]);
}
