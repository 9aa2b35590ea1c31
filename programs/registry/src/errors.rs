//! What the Registry refuses, numbered from 6000 in this order for ever.
use anchor_lang::prelude::*;

common::error_codes! {
    pub enum RegistryError {
        #[msg("the signer may not do this")]
        Unauthorized,
        #[msg("governance has paused changes to the registry")]
        Paused,
        #[msg("the user is not Active")]
        UserInactive,
        #[msg("the user has as many meters as the site allows")]
        TooManyMeters,
        #[msg("no valid proof of possession by this key for this site, meter, owner and install")]
        BadProofOfPossession,
        #[msg("the key is a low-order point or not canonical: make a new one")]
        WeakKey,
        #[msg("a meter id is 1 to 16 of A-Z, 0-9, _ and -, zero-padded, and must be the account's own")]
        BadMeterId,
        #[msg("a number or enumeration lies outside its bounds")]
        LimitOutOfBounds,
        #[msg("there is no way from the present status to that one")]
        BadStatusTransition,
        #[msg("the account does not belong to that wallet or meter")]
        NotOwner,
        #[msg("a counter would overflow")]
        Overflow,
    }
}
