//! Errors that reach clients by name.
//!
//! A program returns a number; the IDL knows its name.  TypeScript clients take the name from the line
//! `AnchorError occurred. Error Code: <Name>. Error Number: <n>. Error Message: <text>.`, which Anchor v2 does not write:
//! [`entrypoint!`](crate::entrypoint) does, on failure only.
extern crate alloc;

use anchor_lang::msg;

/// Our own codes start here, in declared order.
pub const FIRST: u32 = 6000;

/// An error enum that knows its own names; made by [`error_codes!`](crate::error_codes).
pub trait ErrorCodes {
    /// Name and message of each code, from [`FIRST`] on.
    const NAMES: &'static [(&'static str, &'static str)];
}

/// Declares a program's error enum, written as Anchor's `#[error_code]` with a `#[msg]` for each variant, and keeps the names.
#[macro_export]
macro_rules! error_codes {
    ($(#[$doc:meta])* pub enum $name:ident { $(#[msg($message:tt)] $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[error_code]
        #[derive(Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[msg($message)] $variant),+
        }

        impl $crate::errors::ErrorCodes for $name {
            const NAMES: &'static [(&'static str, &'static str)] = &[$((stringify!($variant), $message)),+];
        }
    };
}

/// Anchor's own codes that a constraint of ours can raise, as clients know them.
const ANCHOR: [(u32, &str, &str); 8] = [
    (2000, "ConstraintMut", "A mut constraint was violated"),
    (2003, "ConstraintRaw", "A raw constraint was violated"),
    (2005, "ConstraintRentExempt", "A rent exemption constraint was violated"),
    (2012, "ConstraintAddress", "An address constraint was violated"),
    (2013, "ConstraintZero", "Expected zero account discriminant"),
    (2019, "ConstraintSpace", "A space constraint was violated"),
    (2020, "ConstraintAccountIsNone", "A required account for the constraint is None"),
    (2040, "ConstraintDuplicateMutableAccount", "A duplicate mutable account constraint was violated"),
];

/// Writes the line by which Anchor's clients name an error.  `result` is what the program returns to the loader: a
/// custom code lies in its low 32 bits; what the runtime names by itself (high bits set) is left to it.
#[cold]
#[inline(never)]
pub fn log<E: ErrorCodes>(result: u64) {
    let Ok(code) = u32::try_from(result) else { return };
    let ours = code.checked_sub(FIRST).and_then(|n| E::NAMES.get(n as usize));
    let anchors = || ANCHOR.iter().find(|(n, ..)| *n == code).map(|(_, name, message)| (*name, *message));
    if let Some((name, message)) = ours.copied().or_else(anchors) {
        msg!(
            "{}",
            alloc::format!("AnchorError occurred. Error Code: {name}. Error Number: {code}. Error Message: {message}.")
        );
    }
}

/// The program's entrypoint: Anchor's dispatch, then, on failure, the line that names the error of `$errors`.
#[macro_export]
macro_rules! entrypoint {
    ($errors:ty) => {
        #[cfg(target_os = "solana")]
        mod entry {
            use super::*;
            $crate::anchor_lang::pinocchio::default_allocator!();
            $crate::anchor_lang::pinocchio::default_panic_handler!();

            /// # Safety
            /// Called by the loader alone, with the two registers that it promises: input and instruction data.
            #[no_mangle]
            pub unsafe extern "C" fn entrypoint(input: *mut u8, data: *const u8) -> u64 {
                // SAFETY: both pointers are the loader's, passed on as they came.
                let result = unsafe { super::__anchor_dispatch(input, data) };
                if result != 0 {
                    $crate::errors::log::<$errors>(result);
                }
                result
            }
        }
    };
}
