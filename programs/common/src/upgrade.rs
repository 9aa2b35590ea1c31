//! Who may initialise a program: the wallet that the upgradeable loader names as its upgrade authority.
//!
//! ProgramData, PDA `[program]` of the loader: tag u32 LE = 3, slot u64, option u8, authority 32, then the program's bytes.

use anchor_lang::{address_eq, prelude::*};

/// BPF Loader Upgradeable.
pub const LOADER: Address = anchor_lang::address!("BPFLoaderUpgradeab1e11111111111111111111111");

const TAG_PROGRAM_DATA: [u8; 4] = [3, 0, 0, 0];
const OPTION_AT: usize = 12;
const AUTHORITY_AT: usize = 13;
const AUTHORITY_END: usize = 45;

/// Address of a program's ProgramData account.
pub const fn program_data(program: &Address) -> Address {
    crate::pda::find(program.as_array(), &LOADER).0
}

/// Is `signer` the upgrade authority written in `account`?
///
/// Checks the loader's ownership and the layout.  Which program it is the caller's `address = PROGRAM_DATA` says, and that
/// `signer` signed its type.  A program whose authority was given up has none: nobody is it.
pub fn is_authority(account: &AccountView, signer: &Address) -> bool {
    if !account.owned_by(&LOADER) {
        return false;
    }
    let Ok(data) = account.try_borrow() else { return false };
    data.len() >= AUTHORITY_END
        && data[..4] == TAG_PROGRAM_DATA
        && data[OPTION_AT] == 1
        && Address::try_from(&data[AUTHORITY_AT..AUTHORITY_END]).is_ok_and(|authority| address_eq(&authority, signer))
}
