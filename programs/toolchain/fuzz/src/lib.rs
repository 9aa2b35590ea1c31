//! Instruction data: seed, rounds, kind (u64 little-endian each).  Return data: the digest (u64 little-endian).
#![no_std]
extern crate alloc;

mod work;

use pinocchio::{
    default_allocator, error::ProgramError, nostd_panic_handler, program_entrypoint, AccountView, Address,
    ProgramResult,
};

program_entrypoint!(process);
default_allocator!();
nostd_panic_handler!();

fn process(_program: &Address, _accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let word = |at: usize| -> Result<u64, ProgramError> {
        let bytes = data.get(at..at + 8).ok_or(ProgramError::InvalidInstructionData)?;
        Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| ProgramError::InvalidInstructionData)?))
    };
    let digest = work::run(word(0)?, word(8)?, word(16)?).to_le_bytes();
    // SAFETY: the pointer and the length are those of a live array.
    unsafe { pinocchio::syscalls::sol_set_return_data(digest.as_ptr(), digest.len() as u64) };
    Ok(())
}
