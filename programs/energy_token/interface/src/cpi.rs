//! The two CPIs that the oracle makes, encoded by hand: a crate with Anchor's `cpi` feature cannot be linked into another program.
//! Account order is that of the instructions in the program; a golden test in the oracle's attack tests runs both.

use anchor_lang::{pinocchio::instruction::InstructionAccount, prelude::*, unchecked_invoke_signed_fixed};

/// sha256("global:mint_to")[..8]
const MINT_TO: [u8; 8] = [241, 34, 48, 186, 37, 179, 123, 192];
/// sha256("global:burn_for_consumption")[..8]
const BURN_FOR_CONSUMPTION: [u8; 8] = [96, 55, 212, 67, 7, 41, 26, 18];

/// Accounts of `mint_to`, in its order.
pub struct MintTo<'a> {
    pub oracle_minter: CpiHandle<'a>,
    pub config: CpiHandleMut<'a>,
    pub governance: CpiHandle<'a>,
    pub user: CpiHandle<'a>,
    pub mint: CpiHandleMut<'a>,
    pub mint_auth: CpiHandle<'a>,
    pub to: CpiHandleMut<'a>,
    pub token_program: CpiHandle<'a>,
}

/// Mints `amount` atoms for record `seq` of meter `meter_no`; `seeds` sign for the oracle.
#[inline(always)]
pub fn mint_to<'a>(
    accounts: MintTo<'a>,
    seeds: &'a [&'a [&'a [u8]]],
    amount: u64,
    meter_no: u32,
    seq: u64,
    ata_bump: u8,
) {
    let mut data = [0u8; 29];
    data[..8].copy_from_slice(&MINT_TO);
    data[8..16].copy_from_slice(&amount.to_le_bytes());
    data[16..20].copy_from_slice(&meter_no.to_le_bytes());
    data[20..28].copy_from_slice(&seq.to_le_bytes());
    data[28] = ata_bump;
    let a = accounts;
    let metas = [
        InstructionAccount::readonly_signer(a.oracle_minter.address()),
        InstructionAccount::writable(a.config.address()),
        InstructionAccount::readonly(a.governance.address()),
        InstructionAccount::readonly(a.user.address()),
        InstructionAccount::writable(a.mint.address()),
        InstructionAccount::readonly(a.mint_auth.address()),
        InstructionAccount::writable(a.to.address()),
        InstructionAccount::readonly(a.token_program.address()),
    ];
    let handles = [
        a.oracle_minter,
        a.config.into(),
        a.governance,
        a.user,
        a.mint.into(),
        a.mint_auth,
        a.to.into(),
        a.token_program,
    ];
    unchecked_invoke_signed_fixed(&crate::ID, &data, &metas, &handles, seeds);
}

/// Accounts of `burn_for_consumption`, in its order.
pub struct BurnForConsumption<'a> {
    pub oracle_minter: CpiHandle<'a>,
    pub config: CpiHandleMut<'a>,
    pub mint: CpiHandleMut<'a>,
    pub burner: CpiHandle<'a>,
    pub from: CpiHandleMut<'a>,
    pub token_program: CpiHandle<'a>,
}

/// Burns `amount` atoms out of an account that approved the burner; `seeds` sign for the oracle.
#[inline(always)]
pub fn burn_for_consumption<'a>(accounts: BurnForConsumption<'a>, seeds: &'a [&'a [&'a [u8]]], amount: u64) {
    let mut data = [0u8; 16];
    data[..8].copy_from_slice(&BURN_FOR_CONSUMPTION);
    data[8..].copy_from_slice(&amount.to_le_bytes());
    let a = accounts;
    let metas = [
        InstructionAccount::readonly_signer(a.oracle_minter.address()),
        InstructionAccount::writable(a.config.address()),
        InstructionAccount::writable(a.mint.address()),
        InstructionAccount::readonly(a.burner.address()),
        InstructionAccount::writable(a.from.address()),
        InstructionAccount::readonly(a.token_program.address()),
    ];
    let handles = [a.oracle_minter, a.config.into(), a.mint.into(), a.burner, a.from.into(), a.token_program];
    unchecked_invoke_signed_fixed(&crate::ID, &data, &metas, &handles, seeds);
}
