//! What the Energy Token program tells the world. Amounts in atoms (1e-9 GRID).

use anchor_lang::prelude::*;

#[event(bytemuck)]
pub struct TokenInitialized {
    pub mint: Address,
    pub mint_authority: Address,
}

/// Minted for the export that record `seq` of meter `meter_no` was the last of.
#[event(bytemuck)]
pub struct TokensMinted {
    pub owner: Address,
    pub amount: PodU64,
    pub seq: PodU64,
    pub meter_no: PodU32,
}

/// Burned for measured import, as the owner had approved.
#[event(bytemuck)]
pub struct ConsumptionBurned {
    pub owner: Address,
    pub amount: PodU64,
}

/// Burned by the owner.
#[event(bytemuck)]
pub struct TokensRetired {
    pub owner: Address,
    pub amount: PodU64,
}

/// The supply that the config names is the mint's again: `old - new` was burned by plain SPL instructions.
#[event(bytemuck)]
pub struct SupplySynced {
    pub old: PodU64,
    pub new: PodU64,
}
