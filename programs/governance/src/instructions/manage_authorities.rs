use anchor_lang::{address_eq, prelude::*};
use governance_interface::{GovernanceConfig, ParamId, GOVERNANCE};

use crate::{
    errors::GovernanceError,
    events::{
        AuthorityAccepted, AuthorityCancelled, AuthorityProposed, AuthorityPushed, GuardianSet, ProgramAdded,
        ProgramRemoved, SingleValidatorSet,
    },
    push,
};

const NOBODY: Address = Address::new_from_array([0; 32]);

/// What `manage_authorities` does.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Propose = 0,
    Accept = 1,
    Cancel = 2,
    SetGuardian = 3,
    SetSingleValidator = 4,
    AddProgram = 5,
    RemoveProgram = 6,
    PushAuthority = 7,
}

impl Action {
    const ALL: [Self; 8] = [
        Self::Propose,
        Self::Accept,
        Self::Cancel,
        Self::SetGuardian,
        Self::SetSingleValidator,
        Self::AddProgram,
        Self::RemoveProgram,
        Self::PushAuthority,
    ];

    /// The action of that number, if there is one.
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

#[derive(Accounts)]
pub struct ManageAuthorities {
    /// The engineering authority; for Accept the proposed one, for PushAuthority anyone.
    pub authority: Signer,
    #[account(mut, address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
}

impl ManageAuthorities {
    /// `others`: for PushAuthority the target program and its config.
    pub fn run(&mut self, others: &[AccountView], action: u8, key: Address, slot: u8) -> Result<()> {
        let action = Action::from_u8(action).ok_or(ProgramError::InvalidArgument)?;
        let decides = self.governance.is_authority(self.authority.address());
        require!(decides || matches!(action, Action::Accept | Action::PushAuthority), GovernanceError::Unauthorized);
        let now = common::units::now()?;
        match action {
            Action::Propose => self.propose(key, now),
            Action::Accept => self.accept(now),
            Action::Cancel => self.cancel(now),
            Action::SetGuardian => {
                let old = core::mem::replace(&mut self.governance.guardian, key);
                emit!(GuardianSet { old, new: key, at: now.into() });
                Ok(())
            }
            Action::SetSingleValidator => {
                let old = core::mem::replace(&mut self.governance.single_validator, key);
                emit!(SingleValidatorSet { old, new: key, at: now.into() });
                Ok(())
            }
            Action::AddProgram => self.add_program(key, slot, now),
            Action::RemoveProgram => self.remove_program(slot, now),
            Action::PushAuthority => self.push_authority(others, slot),
        }
    }

    /// The window opens after the timelock and stays open for the expiry, so that it is never empty.
    fn propose(&mut self, key: Address, now: i64) -> Result<()> {
        require!(key != NOBODY, GovernanceError::Unauthorized);
        let config = &mut self.governance;
        let eta = later(now, config.param(ParamId::AuthTimelockSecs))?;
        let expires = later(eta, config.param(ParamId::AuthExpirySecs))?;
        config.pending_authority = key;
        config.pending_eta = eta.into();
        config.pending_expires = expires.into();
        emit!(AuthorityProposed {
            current: config.engineering_authority,
            proposed: key,
            eta: eta.into(),
            expires_at: expires.into(),
        });
        Ok(())
    }

    fn accept(&mut self, now: i64) -> Result<()> {
        let config = &mut self.governance;
        let new = config.pending_authority;
        require!(new != NOBODY, GovernanceError::NothingPending);
        require!(address_eq(&new, self.authority.address()), GovernanceError::Unauthorized);
        require!(now >= config.pending_eta.get(), GovernanceError::TimelockActive);
        require!(now < config.pending_expires.get(), GovernanceError::ProposalExpired);
        let old = core::mem::replace(&mut config.engineering_authority, new);
        forget_proposal(config);
        emit!(AuthorityAccepted { old, new, at: now.into() });
        Ok(())
    }

    fn cancel(&mut self, now: i64) -> Result<()> {
        let config = &mut self.governance;
        let proposed = config.pending_authority;
        require!(proposed != NOBODY, GovernanceError::NothingPending);
        forget_proposal(config);
        emit!(AuthorityCancelled { proposed, at: now.into() });
        Ok(())
    }

    fn add_program(&mut self, key: Address, slot: u8, now: i64) -> Result<()> {
        let config = &mut self.governance;
        let new = key != NOBODY && !config.authorized_programs.contains(&key);
        let place = config.authorized_programs.get_mut(usize::from(slot)).ok_or(GovernanceError::SlotInvalid)?;
        require!(new && *place == NOBODY, GovernanceError::SlotInvalid);
        *place = key;
        count_programs(config);
        emit!(ProgramAdded { program: key, slot, at: now.into() });
        Ok(())
    }

    fn remove_program(&mut self, slot: u8, now: i64) -> Result<()> {
        let program = self.program_in(slot)?;
        let config = &mut self.governance;
        config.authorized_programs[usize::from(slot)] = NOBODY;
        count_programs(config);
        emit!(ProgramRemoved { program, slot, at: now.into() });
        Ok(())
    }

    fn push_authority(&self, others: &[AccountView], slot: u8) -> Result<()> {
        let program = self.program_in(slot)?;
        let config = push::set_authority(&self.governance, &program, others)?;
        emit!(AuthorityPushed { program, config, authority: self.governance.engineering_authority, slot });
        Ok(())
    }

    /// What stands in a slot that exists and is not empty.
    fn program_in(&self, slot: u8) -> Result<Address> {
        match self.governance.authorized_programs.get(usize::from(slot)) {
            Some(program) if *program != NOBODY => Ok(*program),
            _ => Err(GovernanceError::SlotInvalid.into()),
        }
    }
}

fn forget_proposal(config: &mut GovernanceConfig) {
    config.pending_authority = NOBODY;
    config.pending_eta = PodI64::ZERO;
    config.pending_expires = PodI64::ZERO;
}

fn count_programs(config: &mut GovernanceConfig) {
    let set = config.authorized_programs.iter().filter(|program| **program != NOBODY).count();
    config.authorized_count = set as u8;
}

/// `secs` after `t`.
fn later(t: i64, secs: u64) -> Result<i64> {
    let end = i64::try_from(secs).ok().and_then(|secs| t.checked_add(secs));
    end.ok_or(ProgramError::ArithmeticOverflow)
}
