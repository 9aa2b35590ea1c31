//! Registry: who may trade, and which meter belongs to whom.
//!
//! * `initialize_registry`: once, by the program's upgrade authority
//! * `register_user`, `update_user`, `set_user_status`: the department's list of users
//! * `assign_meter`: a metering point gets a device, an owner and a key that has proved itself
//! * `set_meter_status`: maintenance, decommissioning, a stolen key
//! * `set_key_level`: where the meter's key lies (file, board, chip)
//! * `set_meter_limits`, `rotate_meter_key`, `replace_meter`, `rebase_meter`: another bound, node, device, register
//! * `reassign_meter`, `unassign_meter`: another owner, or none
//! * `set_authority`: governance tells who decides now
//! * `verify_user`, `verify_meter`: views for foreign programs; ours read the accounts
//!
//! The accounts are in `registry_interface`, where the other programs read them.
#![cfg_attr(target_os = "solana", no_std)]
extern crate alloc;

use anchor_lang::prelude::*;

pub mod errors;
pub mod events;
pub mod instructions;
pub mod places;
pub mod possession;
pub mod rules;

pub use errors::RegistryError;
pub use instructions::*;

declare_id!("GQWuVL3rDnV1mU7iJ6KFS2NFL7QUEM1A78F4wRTghLqm");
common::entrypoint!(RegistryError);

const _: () = assert!(common::pda::same(&ID, &registry_interface::ID), "two ids for one program");

#[program]
pub mod registry {
    use super::*;

    /// Creates the one RegistryConfig. `domain` names this site in every signed record and never changes.
    ///
    /// Refused unless the signer is this program's upgrade authority. Governance must be initialised first.
    pub fn initialize_registry(
        ctx: &mut Context<InitializeRegistry>,
        building_location: [u8; 64],
        domain: [u8; 8],
    ) -> Result<()> {
        ctx.accounts.run(ctx.bumps.config, building_location, domain)
    }

    /// Creates the User of `wallet`, Active. The wallet does not sign: the department vouches for it.
    ///
    /// Engineering authority only; stopped by REGISTRY_WRITE. `external_id_hash` is an HMAC under the site's secret salt:
    /// nothing that names a person comes on chain. A wallet is registered once.
    pub fn register_user(
        ctx: &mut Context<RegisterUser>,
        user_type: u8,
        role: u8,
        location: [u8; 32],
        external_id_hash: [u8; 32],
    ) -> Result<()> {
        ctx.accounts.run(ctx.bumps.user, user_type, role, location, external_id_hash)
    }

    /// Corrects what a user is; what is not given stays. Engineering authority only; stopped by REGISTRY_WRITE.
    pub fn update_user(
        ctx: &mut Context<UpdateUser>,
        user_type: Option<u8>,
        role: Option<u8>,
        location: Option<[u8; 32]>,
    ) -> Result<()> {
        ctx.accounts.run(user_type, role, location)
    }

    /// Sets a user's status to another one. Engineering authority only; never paused.
    pub fn set_user_status(ctx: &mut Context<SetUserStatus>, status: u8) -> Result<()> {
        ctx.accounts.run(status)
    }

    /// Creates a Meter, Active, install 1, for the Active user `user`, who must have a place left.
    ///
    /// Engineering authority only; stopped by REGISTRY_WRITE. The instruction right before this one must be an Ed25519
    /// precompile call whose first signature covers, by `meter_key` and in its own data, the 68 bytes
    /// `"GMRPOP1\0" ‖ domain 8 ‖ meter_id 16 ‖ owner wallet 32 ‖ install_id u32 LE`. The id, the key and the device (model and
    /// serial) must all be new. Refused by CPI.
    #[allow(clippy::too_many_arguments)]
    pub fn assign_meter(
        ctx: &mut Context<AssignMeter>,
        meter_id: [u8; 16],
        kind: u8,
        meter_key: Address,
        limits: MeterLimits,
        register_modulus_mwh: u64,
        baseline_export: u64,
        baseline_import: u64,
        serial: [u8; 24],
        model: [u8; 16],
        building: [u8; 32],
        cert_hash: [u8; 32],
    ) -> Result<()> {
        let bumps = AssignedBumps {
            meter: ctx.bumps.meter,
            key_index: ctx.bumps.key_index,
            serial_index: ctx.bumps.serial_index,
        };
        let device = Device { kind, meter_key, limits, register_modulus_mwh, serial, model, building, cert_hash };
        ctx.accounts.run(bumps, meter_id, &device, baseline_export, baseline_import)
    }

    /// Moves a meter to another status. Never paused.
    ///
    /// The engineering authority: Active and Maintenance to each other, to Decommissioned (for ever) or Compromised (until
    /// the device is replaced). The meter's owner: Active to Maintenance only.
    pub fn set_meter_status(ctx: &mut Context<SetMeterStatus>, status: u8) -> Result<()> {
        ctx.accounts.run(status)
    }

    /// Sets what the device can do at most, and where its registers wrap (mWh, 0: they do not). Holds for records from now on.
    ///
    /// Engineering authority only; stopped by REGISTRY_WRITE. Bounds as for `assign_meter`; the baselines must stay below the
    /// modulus.
    pub fn set_meter_limits(
        ctx: &mut Context<SetMeterLimits>,
        limits: MeterLimits,
        register_modulus_mwh: u64,
    ) -> Result<()> {
        ctx.accounts.run(&limits, register_modulus_mwh)
    }

    /// Gives the same device another node: records must be signed by `new_key` from now on. Install and sequence go on.
    ///
    /// Engineering authority only; never paused. The Ed25519 instruction right before must hold the proof of possession by
    /// `new_key` for the present install, as for `assign_meter`. If its second signature covers, by the old key and in its
    /// own data, the 68 bytes `"GMRHOV1\0" ‖ domain 8 ‖ meter_id 16 ‖ new_key 32 ‖ install_id u32 LE`, the event says that the old
    /// key agreed. A key that was ever a meter's is refused.
    pub fn rotate_meter_key(ctx: &mut Context<RotateMeterKey>, new_key: Address) -> Result<()> {
        ctx.accounts.run(ctx.bumps.key_index, new_key)
    }

    /// States where the meter's key lies: 0 not stated, 1 file, 2 board, 3 chip. It moves nothing and stops nothing.
    ///
    /// Engineering authority only; never paused, so that it can go with a rotation. `meter_key` is the key that it is said of:
    /// refused if the meter has another one now. After `rotate_meter_key` and `replace_meter` it is 0.
    pub fn set_key_level(ctx: &mut Context<SetKeyLevel>, meter_key: Address, level: u8) -> Result<()> {
        ctx.accounts.run(meter_key, level)
    }

    /// Puts another device, read by another node, to the metering point: the next install, Active.
    ///
    /// Engineering authority only; stopped by REGISTRY_WRITE. From Maintenance, or from Compromised: then what was measured
    /// and not minted is forfeited. Needs the proof of possession by `new_key` for the next install. The device must be new,
    /// or have stood here before. The final registers go into the event only: energy after the last signed record is credited
    /// only if a signed final record came before this.
    #[allow(clippy::too_many_arguments)]
    pub fn replace_meter(
        ctx: &mut Context<ReplaceMeter>,
        new_key: Address,
        new_serial: [u8; 24],
        new_model: [u8; 16],
        cert_hash: [u8; 32],
        final_export: u64,
        final_import: u64,
        baseline_export: u64,
        baseline_import: u64,
    ) -> Result<()> {
        let bumps = ReplacedBumps { key_index: ctx.bumps.key_index, serial_index: ctx.bumps.serial_index };
        let new = Replacement {
            key: new_key,
            serial: new_serial,
            model: new_model,
            cert_hash,
            final_export,
            final_import,
            baseline_export,
            baseline_import,
        };
        ctx.accounts.run(bumps, &new)
    }

    /// Lets the same device's registers count from these values on: the next install, same key. The way out after a register
    /// reset or an absurd reading.
    ///
    /// Engineering authority only; stopped by REGISTRY_WRITE. The meter is in Maintenance and stays there. `reason` goes into
    /// the event.
    pub fn rebase_meter(
        ctx: &mut Context<RebaseMeter>,
        baseline_export: u64,
        baseline_import: u64,
        reason: u16,
    ) -> Result<()> {
        ctx.accounts.run(baseline_export, baseline_import, reason)
    }

    /// Gives a meter to `new_owner`, an Active user with a place left.
    ///
    /// Engineering authority only; stopped by REGISTRY_WRITE. The oracle takes no record until its `sync_owner`, and pays
    /// the old owner until then.
    pub fn reassign_meter(ctx: &mut Context<ReassignMeter>, new_owner: Address) -> Result<()> {
        ctx.accounts.run(new_owner)
    }

    /// Frees the place that a Decommissioned meter takes in its owner's list; once.
    ///
    /// Engineering authority only; stopped by REGISTRY_WRITE. Id, key and device stay used up.
    pub fn unassign_meter(ctx: &mut Context<UnassignMeter>) -> Result<()> {
        ctx.accounts.run()
    }

    /// Mirrors the present authority and MAX_METERS_PER_USER. Only governance signs for it, by CPI. Never paused.
    pub fn set_authority(ctx: &mut Context<SetAuthority>) -> Result<()> {
        ctx.accounts.run()
    }

    /// Returns what is known about the user of `wallet`; refused unless Active.
    pub fn verify_user(ctx: &mut Context<VerifyUser>, wallet: Address) -> Result<VerifiedUser> {
        ctx.accounts.run(&wallet)
    }

    /// Returns owner, status, key and install of the meter `meter_id`, whatever its status.
    pub fn verify_meter(ctx: &mut Context<VerifyMeter>, meter_id: [u8; 16]) -> Result<VerifiedMeter> {
        ctx.accounts.run(&meter_id)
    }
}
