//! What Governance reports.  Times in Unix seconds.
use anchor_lang::prelude::*;

/// The site's governance exists.
#[event(bytemuck)]
pub struct GovernanceInitialized {
    pub engineering_authority: Address,
    pub guardian: Address,
    pub single_validator: Address,
    pub campus_network: [u8; 32],
    pub at: PodI64,
}

/// One parameter has a new value; one event for each.
#[event(bytemuck)]
pub struct ParameterUpdated {
    pub id: u8,
    pub old: PodU64,
    pub new: PodU64,
    pub nonce: PodU64,
}

/// Something was stopped.
#[event(bytemuck)]
pub struct EmergencyPaused {
    /// The bits that this call named.
    pub mask: PodU32,
    /// All bits that are stopped now.
    pub pause_mask: PodU32,
    pub reason: PodU16,
    pub by: Address,
    pub at: PodI64,
    /// 0: no end.
    pub expires_at: PodI64,
}

/// Something may run again.
#[event(bytemuck)]
pub struct EmergencyUnpaused {
    /// The bits that this call named.
    pub mask: PodU32,
    /// All bits that are still stopped.
    pub pause_mask: PodU32,
    pub by: Address,
    pub at: PodI64,
}

/// Another key may take over.
#[event(bytemuck)]
pub struct AuthorityProposed {
    pub current: Address,
    pub proposed: Address,
    /// From then on it may accept.
    pub eta: PodI64,
    /// From then on it may not.
    pub expires_at: PodI64,
}

/// Another key decides.
#[event(bytemuck)]
pub struct AuthorityAccepted {
    pub old: Address,
    pub new: Address,
    pub at: PodI64,
}

/// The proposal is forgotten.
#[event(bytemuck)]
pub struct AuthorityCancelled {
    pub proposed: Address,
    pub at: PodI64,
}

/// Another key, or none (zero), may pause.
#[event(bytemuck)]
pub struct GuardianSet {
    pub old: Address,
    pub new: Address,
    pub at: PodI64,
}

/// Another key, or none (zero), may pause as the guardian may.
#[event(bytemuck)]
pub struct SingleValidatorSet {
    pub old: Address,
    pub new: Address,
    pub at: PodI64,
}

/// A program stands in the list.
#[event(bytemuck)]
pub struct ProgramAdded {
    pub program: Address,
    pub slot: u8,
    pub at: PodI64,
}

/// A program stands in the list no more.
#[event(bytemuck)]
pub struct ProgramRemoved {
    pub program: Address,
    pub slot: u8,
    pub at: PodI64,
}

/// A program's config names the present authority.
#[event(bytemuck)]
pub struct AuthorityPushed {
    pub program: Address,
    pub config: Address,
    pub authority: Address,
    pub slot: u8,
}
