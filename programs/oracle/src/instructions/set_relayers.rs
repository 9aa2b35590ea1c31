//! `set_relayers`: who may deliver records.

use anchor_lang::{address_eq, prelude::*};
use governance_interface::{GovernanceConfig, GOVERNANCE};
use oracle_interface::{OracleConfig, RelayerMode, ORACLE};

use crate::{errors::OracleError, events::RelayersSet};

#[derive(Accounts)]
pub struct SetRelayers {
    /// The engineering authority as governance has it now.
    #[account(constraint = governance.is_authority(authority.address()) @ OracleError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(mut, address = ORACLE)]
    pub config: Account<OracleConfig>,
}

impl SetRelayers {
    /// A list that is too long, or names the zero address or somebody twice, is a mistake.
    pub fn run(&mut self, mode: u8, relayers: &[Address]) -> Result<()> {
        let config = &mut self.config;
        require!(mode <= RelayerMode::Listed as u8, ProgramError::InvalidArgument);
        require!(relayers.len() <= config.relayers.len(), ProgramError::InvalidArgument);
        for (k, relayer) in relayers.iter().enumerate() {
            let twice = relayers[..k].iter().any(|earlier| address_eq(earlier, relayer));
            require!(!twice && !address_eq(relayer, &Address::default()), ProgramError::InvalidArgument);
        }
        config.relayer_mode = mode;
        config.relayer_count = relayers.len() as u8;
        config.relayers = Default::default();
        config.relayers[..relayers.len()].copy_from_slice(relayers);
        emit!(RelayersSet {
            authority: *self.authority.address(),
            relayer_mode: mode,
            relayer_count: config.relayer_count,
            relayers: config.relayers,
        });
        Ok(())
    }
}
