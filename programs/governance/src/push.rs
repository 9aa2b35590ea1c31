//! The one CPI that governance makes: `set_authority`, signed by the GovernanceConfig's own address.
//!
//! That signature is worth something to four programs only, and only they get it: their ids are constants, whatever the
//! list of authorised programs says. None of them passes it on.

use anchor_lang::{address_eq, pinocchio::instruction::InstructionAccount, prelude::*, unchecked_invoke_signed_fixed};
use governance_interface::{GovernanceConfig, GOVERNANCE_BUMP, GOVERNANCE_SEED};

use crate::errors::GovernanceError;

/// sha256("global:set_authority")[..8], the same in all four.
const SET_AUTHORITY: [u8; 8] = [133, 250, 37, 21, 110, 163, 26, 121];

/// The programs whose configs mirror the authority.
const MIRRORS: [Address; 4] =
    [registry_interface::ID, energy_token_interface::ID, oracle_interface::ID, trading_interface::ID];

/// Has `program` write the present authority into its config; `accounts` are the program and that config. Address of the
/// config. Whether it is one, and that program's, the program checks.
pub fn set_authority(
    governance: &Account<GovernanceConfig>,
    program: &Address,
    accounts: &[AccountView],
) -> Result<Address> {
    let &[target, mut config] = accounts else { return Err(GovernanceError::CpiTargetMismatch.into()) };
    let is_mirror = MIRRORS.iter().any(|mirror| address_eq(mirror, program));
    require!(is_mirror && address_eq(target.address(), program), GovernanceError::CpiTargetMismatch);
    let address = *config.address();
    let signer = governance.cpi_handle();
    let config = CpiHandle::writable(&mut config);
    let metas = [InstructionAccount::readonly_signer(signer.address()), InstructionAccount::writable(config.address())];
    let seeds: &[&[&[u8]]] = &[&[GOVERNANCE_SEED, &[GOVERNANCE_BUMP]]];
    unchecked_invoke_signed_fixed(program, &SET_AUTHORITY, &metas, &[signer, config], seeds);
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_discriminator_is_that_of_the_name() {
        assert_eq!(anchor_lang::sha256(b"global:set_authority")[..8], SET_AUTHORITY);
    }
}
