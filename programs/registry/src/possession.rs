//! Proof of possession: the meter's key says, once per install, which meter of which owner at which site it reads.
//! Handover: the key that goes says which key comes. Both 68 bytes, never the same ones:
//!
//! ```text
//! "GMRPOP1\0" ‖ domain 8 ‖ meter_id 16 ‖ owner 32   ‖ install_id u32 LE
//! "GMRHOV1\0" ‖ domain 8 ‖ meter_id 16 ‖ new key 32 ‖ install_id u32 LE
//! ```

use anchor_lang::prelude::*;
use common::signature::Signatures;

use crate::errors::RegistryError;

const POSSESSION: &[u8; 8] = b"GMRPOP1\0";
const HANDOVER: &[u8; 8] = b"GMRHOV1\0";
/// Length of either message.
pub const MESSAGE_LEN: usize = 68;

/// The message that a key must have signed to be taken.
pub fn message(domain: &[u8; 8], meter_id: &[u8; 16], owner: &Address, install_id: u32) -> [u8; MESSAGE_LEN] {
    pack(POSSESSION, domain, meter_id, owner, install_id)
}

/// The message by which the old key agrees to `new_key`.
pub fn handover(domain: &[u8; 8], meter_id: &[u8; 16], new_key: &Address, install_id: u32) -> [u8; MESSAGE_LEN] {
    pack(HANDOVER, domain, meter_id, new_key, install_id)
}

fn pack(magic: &[u8; 8], domain: &[u8; 8], meter_id: &[u8; 16], who: &Address, install_id: u32) -> [u8; MESSAGE_LEN] {
    let mut bytes = [0; MESSAGE_LEN];
    bytes[..8].copy_from_slice(magic);
    bytes[8..16].copy_from_slice(domain);
    bytes[16..32].copy_from_slice(meter_id);
    bytes[32..64].copy_from_slice(who.as_ref());
    bytes[64..].copy_from_slice(&install_id.to_le_bytes());
    bytes
}

/// Refuses unless the first signature of the Ed25519 instruction right before ours covers `message` by `key`.
pub fn require(instructions: &SysvarInstructions, message: &[u8; MESSAGE_LEN], key: &Address) -> Result<()> {
    let signatures =
        Signatures::before(instructions, &crate::ID, 1).map_err(|_| RegistryError::BadProofOfPossession)?;
    require!(signatures.covers(0, message, key), RegistryError::BadProofOfPossession);
    Ok(())
}

/// Does the second signature of that instruction cover `message` by `key`?
pub fn is_seconded(instructions: &SysvarInstructions, message: &[u8; MESSAGE_LEN], key: &Address) -> bool {
    Signatures::before(instructions, &crate::ID, 2).is_ok_and(|signatures| signatures.covers(1, message, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors that Python signs by (tests/vectors/records.json).
    #[test]
    fn the_message_is_the_one_that_the_shared_vectors_hold() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/records.json");
        let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let proofs = vectors["proofs_of_possession"].as_array().unwrap();
        assert!(!proofs.is_empty());
        for proof in proofs {
            let fields = &proof["fields"];
            let mut meter_id = [0; 16];
            let text = fields["meter_id"].as_str().unwrap().as_bytes();
            meter_id[..text.len()].copy_from_slice(text);
            let owner = Address::try_from(hex(&fields["owner"]).as_slice()).unwrap();
            let install_id = u32::try_from(fields["install_id"].as_u64().unwrap()).unwrap();
            let domain = hex(&fields["domain"]).try_into().unwrap();
            assert_eq!(message(&domain, &meter_id, &owner, install_id).to_vec(), hex(&proof["message"]));
        }
    }

    fn hex(text: &serde_json::Value) -> Vec<u8> {
        let digits = text.as_str().unwrap();
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }
}
