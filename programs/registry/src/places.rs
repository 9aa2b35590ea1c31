//! The list of meters in a User: `meters` holds meter_no or 0, `meter_count` says how many are set.

use governance_interface::{GovernanceConfig, ParamId};
use registry_interface::{User, METER_SLOTS};

use crate::errors::RegistryError;

/// Puts a meter into a free place.  A limit lowered below what a user has refuses new ones only.
pub fn give(user: &mut User, meter_no: u32, governance: &GovernanceConfig) -> Result<(), RegistryError> {
    let limit = governance.param(ParamId::MaxMetersPerUser).min(METER_SLOTS as u64);
    if u64::from(user.meter_count) >= limit {
        return Err(RegistryError::TooManyMeters);
    }
    let free = user.meters.iter_mut().find(|place| place.is_zero()).ok_or(RegistryError::TooManyMeters)?;
    *free = meter_no.into();
    user.meter_count = user.meter_count.checked_add(1).ok_or(RegistryError::Overflow)?;
    Ok(())
}

/// Empties the place of a meter, which must be there.
pub fn take(user: &mut User, meter_no: u32) -> Result<(), RegistryError> {
    let place = user.meters.iter_mut().find(|place| place.get() == meter_no).ok_or(RegistryError::NotOwner)?;
    *place = 0.into();
    user.meter_count = user.meter_count.checked_sub(1).ok_or(RegistryError::Overflow)?;
    Ok(())
}
