//! Events without the heap.
//!
//! Anchor's `emit!` builds a `Vec`, and the heap is never freed; on the paths that every reading takes that costs a
//! tenth of the compute. The log line is the same, byte for byte.

use anchor_lang::{bytemuck::Pod, prelude::*};

#[repr(C)]
struct Tagged<E> {
    discriminator: [u8; 8],
    event: E,
}

/// Logs a fixed-size event (`#[event(bytemuck)]`) as `emit!` does.
#[inline(always)]
pub fn emit<E: Discriminator + Pod>(event: E) {
    const { assert!(core::mem::size_of::<Tagged<E>>() == 8 + core::mem::size_of::<E>(), "an event without padding") };
    let mut discriminator = [0; 8];
    discriminator.copy_from_slice(E::DISCRIMINATOR);
    let tagged = Tagged { discriminator, event };
    // SAFETY: `tagged` is 8 bytes and a Pod, without padding as asserted: all of it is initialised.
    let bytes =
        unsafe { core::slice::from_raw_parts((&raw const tagged).cast::<u8>(), core::mem::size_of::<Tagged<E>>()) };
    sol_log_data(&[bytes]);
}
