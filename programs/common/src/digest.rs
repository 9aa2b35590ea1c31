//! sha256 written where it belongs, not returned and copied.

/// Writes sha256(`data`) to `out`: the system call on chain, Anchor's own implementation elsewhere.
#[inline(always)]
pub fn sha256_into(data: &[u8], out: &mut [u8; 32]) {
    #[cfg(target_os = "solana")]
    {
        let slices: [&[u8]; 1] = [data];
        // SAFETY: one slice is described by pointer and length, as the call expects; it writes 32 bytes to `out`.
        unsafe { anchor_lang::pinocchio::syscalls::sol_sha256(slices.as_ptr().cast(), 1, out.as_mut_ptr()) };
    }
    #[cfg(not(target_os = "solana"))]
    {
        *out = anchor_lang::sha256(data);
    }
}
