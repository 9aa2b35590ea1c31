use anchor_lang::prelude::*;
use governance_interface::{GovernanceConfig, GOVERNANCE, PARAMS};

use crate::{errors::GovernanceError, events::ParameterUpdated};

/// Most parameters that one call changes.
const MAX_PAIRS: usize = 8;

#[derive(Accounts)]
pub struct UpdateParameters {
    /// The engineering authority.
    #[account(constraint = governance.is_authority(authority.address()) @ GovernanceError::Unauthorized)]
    pub authority: Signer,
    #[account(mut, address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
}

impl UpdateParameters {
    pub fn run(&mut self, ids: &[u8], values: &[u64]) -> Result<()> {
        require!(ids.len() == values.len(), GovernanceError::ParamUnknown);
        require!((1..=MAX_PAIRS).contains(&ids.len()), GovernanceError::ParamUnknown);
        let config = &mut self.governance;
        let nonce = config.params_nonce.get().checked_add(1).ok_or(ProgramError::ArithmeticOverflow)?;
        config.params_nonce = nonce.into();
        let mut seen = 0u32;
        for (&id, &new) in ids.iter().zip(values) {
            let param = PARAMS.get(usize::from(id)).ok_or(GovernanceError::ParamUnknown)?;
            let bit = 1u32 << id;
            require!(seen & bit == 0, GovernanceError::ParamUnknown);
            seen |= bit;
            require!(param.accepts(new), GovernanceError::ParamOutOfBounds);
            let value = &mut config.system_parameters[usize::from(id)];
            let old = *value;
            *value = new.into();
            emit!(ParameterUpdated { id, old, new: new.into(), nonce: nonce.into() });
        }
        Ok(())
    }
}
