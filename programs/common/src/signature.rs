//! Was this message signed?  The Ed25519 precompile has checked it if its instruction stands in this transaction and
//! points at the very bytes that we are about to believe.
//!
//! Layout of the precompile's instruction data: count u8, padding u8, then for each signature 14 bytes of offsets, u16 LE:
//! signature offset, its instruction, public key offset, its instruction, message offset, message length, its instruction.
//! An instruction index of 0xFFFF means the precompile's own.

use anchor_lang::{
    address_eq,
    bytemuck::{self, Pod, Zeroable},
    prelude::*,
};

/// The Ed25519 precompile.
pub const ED25519: Address = anchor_lang::address!("Ed25519SigVerify111111111111111111111111111");

const OFFSETS_START: usize = 2;
const OFFSETS_LEN: usize = 14;
const OWN_INSTRUCTION: u16 = 0xffff;

/// Why a signature cannot be believed.  Each program maps these to its own codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Called by CPI: the sysvar shows the caller's bytes as the current instruction, not ours.
    NotTopLevel,
    /// There is no Ed25519 instruction at that index before ours, or it holds too few signatures.
    Missing,
}

/// The Ed25519 instruction that precedes ours.
pub struct Signatures<'a> {
    /// Its instruction data, whole.
    data: &'a [u8],
    /// The offsets of the first `count` signatures.
    entries: &'a [Entry],
    own_index: u16,
    ed_index: u16,
}

impl<'a> Signatures<'a> {
    /// Opens instruction `ed_index` of this transaction, which must hold at least `count` signatures.
    ///
    /// The sysvar counts top-level instructions only.  Called by CPI, "our" bytes would be the caller's, and it could
    /// show signed ones there while it hands us others: so the top-level instruction must be `program` itself.
    #[inline(always)]
    pub fn at(
        instructions: &'a SysvarInstructions,
        program: &Address,
        ed_index: u16,
        count: usize,
    ) -> core::result::Result<Self, Flaw> {
        let own_index = instructions.load_current_index();
        let own = instructions.load_instruction_at(own_index as usize).map_err(|_| Flaw::NotTopLevel)?;
        if !address_eq(own.get_program_id(), program) {
            return Err(Flaw::NotTopLevel);
        }
        if ed_index >= own_index {
            return Err(Flaw::Missing);
        }
        let ed = instructions.load_instruction_at(ed_index as usize).map_err(|_| Flaw::Missing)?;
        // SAFETY: the slice lies in the sysvar's account data, which `instructions` keeps borrowed for 'a.
        let data: &'a [u8] = unsafe { core::mem::transmute(ed.get_instruction_data()) };
        let enough = data.first().is_some_and(|n| usize::from(*n) >= count);
        let offsets = data.get(OFFSETS_START..OFFSETS_START + OFFSETS_LEN * count).ok_or(Flaw::Missing)?;
        if !enough || !address_eq(ed.get_program_id(), &ED25519) {
            return Err(Flaw::Missing);
        }
        let entries = bytemuck::cast_slice(offsets);
        Ok(Self { data, entries, own_index, ed_index })
    }

    /// Opens the instruction right before ours.
    #[inline(always)]
    pub fn before(
        instructions: &'a SysvarInstructions,
        program: &Address,
        count: usize,
    ) -> core::result::Result<Self, Flaw> {
        let previous = instructions.load_current_index().checked_sub(1).ok_or(Flaw::Missing)?;
        Self::at(instructions, program, previous, count)
    }

    /// Does signature `k` cover `len` bytes at `offset` of *our own* instruction data, by `key`?
    #[inline(always)]
    pub fn covers_own_data(&self, k: usize, offset: usize, len: usize, key: &Address) -> bool {
        let Some(entry) = self.entries.get(k) else { return false };
        entry.message_index.get() == self.own_index
            && usize::from(entry.message_offset.get()) == offset
            && usize::from(entry.message_len.get()) == len
            && self.is_by(entry, key)
    }

    /// Does signature `k` cover exactly `message`, which lies in the precompile's own data, by `key`?
    pub fn covers(&self, k: usize, message: &[u8], key: &Address) -> bool {
        let Some(entry) = self.entries.get(k) else { return false };
        let start = usize::from(entry.message_offset.get());
        self.is_there(entry.message_index.get())
            && usize::from(entry.message_len.get()) == message.len()
            && self.data.get(start..start + message.len()) == Some(message)
            && self.is_by(entry, key)
    }

    /// Signature and public key must lie in the precompile's own data; there we compare the key.
    #[inline(always)]
    fn is_by(&self, entry: &Entry, key: &Address) -> bool {
        let start = usize::from(entry.key_offset.get());
        let Some(bytes) = self.data.get(start..).and_then(|rest| rest.first_chunk()) else { return false };
        let signer = Address::new_from_array(*bytes);
        self.is_there(entry.signature_index.get()) && self.is_there(entry.key_index.get()) && address_eq(&signer, key)
    }

    #[inline(always)]
    fn is_there(&self, index: u16) -> bool {
        index == OWN_INSTRUCTION || index == self.ed_index
    }
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
#[bytemuck(crate = "anchor_lang::bytemuck")]
struct Entry {
    signature_offset: PodU16,
    signature_index: PodU16,
    key_offset: PodU16,
    key_index: PodU16,
    message_offset: PodU16,
    message_len: PodU16,
    message_index: PodU16,
}

const _: () = assert!(core::mem::size_of::<Entry>() == OFFSETS_LEN);
