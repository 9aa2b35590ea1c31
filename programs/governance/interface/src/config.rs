//! GovernanceConfig: who decides, what is paused, what the parameters are.

use anchor_lang::{address_eq, prelude::*};

use crate::{pause, ParamId};

/// One account, PDA `["governance"]`: the only source of authority, pause and parameters for all five programs.
#[account]
pub struct GovernanceConfig {
    /// Layout version, 1.
    pub version: u8,
    pub bump: u8,
    /// 1 while all six bits are paused.
    pub emergency_pause: u8,
    /// How many of `authorized_programs` are set.
    pub authorized_count: u8,
    /// Bits of what is stopped; counts only until `pause_expires_at`.
    pub pause_mask: PodU32,
    /// The department's wallet, whose signature decides.
    pub engineering_authority: Address,
    /// Proposed next authority, zero if none.
    pub pending_authority: Address,
    /// May pause, and nothing else.
    pub guardian: Address,
    /// May pause, as the guardian may.
    pub single_validator: Address,
    /// When the proposal may be accepted, Unix seconds.
    pub pending_eta: PodI64,
    /// When the proposal lapses, Unix seconds.
    pub pending_expires: PodI64,
    /// When the last pause was set, Unix seconds.
    pub paused_at: PodI64,
    /// When the pause lapses by itself, Unix seconds; 0: never.
    pub pause_expires_at: PodI64,
    /// Grows by one with each `update_parameters`.
    pub params_nonce: PodU64,
    /// Unix seconds.
    pub created_at: PodI64,
    /// Programs that mirror the authority.
    pub authorized_programs: [Address; 8],
    /// Values by ParamId.
    pub system_parameters: [PodU64; 32],
    /// Name of the campus network, UTF-8, zero-padded.
    pub campus_network: [u8; 32],
    pub reserved: [u8; 64],
}

impl GovernanceConfig {
    /// Layout version that this code reads and writes.
    pub const VERSION: u8 = 1;

    /// Is `signer` the department?
    #[inline(always)]
    pub fn is_authority(&self, signer: &Address) -> bool {
        address_eq(&self.engineering_authority, signer)
    }

    /// May `signer` pause?
    pub fn may_pause(&self, signer: &Address) -> bool {
        self.is_authority(signer) || address_eq(&self.guardian, signer) || address_eq(&self.single_validator, signer)
    }

    /// The bits that are stopped at `now` (Unix seconds): none once the pause has expired.
    pub fn effective_pause(&self, now: i64) -> u32 {
        let expires = self.pause_expires_at.get();
        if expires == 0 || now < expires {
            self.pause_mask.get()
        } else {
            0
        }
    }

    /// Is any of `bits` (see [`pause`]) stopped at `now`?  Asks for the time only if something was ever paused.
    #[inline(always)]
    pub fn is_paused(&self, bits: u32, now: impl FnOnce() -> Result<i64>) -> Result<bool> {
        Ok(self.pause_mask.get() & bits != 0 && self.effective_pause(now()?) & bits != 0)
    }

    /// Value of one parameter.
    #[inline(always)]
    pub fn param(&self, id: ParamId) -> u64 {
        self.system_parameters[id as usize].get()
    }

    /// Stops `bits` from `now` on.
    ///
    /// What has expired does not come back.  The end is `now + PAUSE_MAX`, never earlier than the end of the pause that is
    /// already there; without end if PAUSE_MAX is 0 or the pause that is there has none.
    pub fn pause(&mut self, bits: u32, now: i64) -> Result<()> {
        let active = self.effective_pause(now);
        let longest = self.param(ParamId::PauseMaxSecs);
        let old_end = self.pause_expires_at.get();
        let end = if longest == 0 || (active != 0 && old_end == 0) {
            0
        } else {
            let end = i64::try_from(longest).ok().and_then(|secs| now.checked_add(secs));
            let end = end.ok_or(ProgramError::ArithmeticOverflow)?;
            if active == 0 {
                end
            } else {
                end.max(old_end)
            }
        };
        self.set_pause(active | bits);
        self.pause_expires_at = end.into();
        self.paused_at = now.into();
        Ok(())
    }

    /// Lets `bits` run again; with nothing left, the end is forgotten too.
    pub fn unpause(&mut self, bits: u32, now: i64) {
        let left = self.effective_pause(now) & !bits;
        self.set_pause(left);
        if left == 0 {
            self.pause_expires_at = PodI64::ZERO;
        }
    }

    fn set_pause(&mut self, mask: u32) {
        self.pause_mask = mask.into();
        self.emergency_pause = u8::from(mask == pause::ALL);
    }
}
