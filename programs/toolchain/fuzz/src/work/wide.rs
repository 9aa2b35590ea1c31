//! 128-bit integers.
use super::{digest::Digest, random::Random};

pub fn round(random: &mut Random, digest: &mut Digest) {
    let (a, b) = (random.wide(), random.wide());
    let (x, y) = (a as i128, b as i128);
    let s = b as u32 & 127;
    digest.wide(a.wrapping_mul(b));
    digest.option(a.checked_mul(b));
    digest.option(x.checked_mul(y).map(|v| v as u128));
    digest.option(a.checked_div(b));
    digest.option(a.checked_rem(b));
    digest.option(x.checked_div(y).map(|v| v as u128));
    digest.option(x.checked_rem(y).map(|v| v as u128));
    digest.wide(a << s);
    digest.wide(a >> s);
    digest.wide((x >> s) as u128);
    digest.wide(a.rotate_left(s));
    digest.option(a.checked_add(b));
    digest.option(x.checked_add(y).map(|v| v as u128));
    digest.option(x.checked_sub(y).map(|v| v as u128));
    digest.wide(a.saturating_mul(b));
    digest.wide(x.saturating_mul(y) as u128);
    digest.word(a.leading_zeros() as u64 * 1000 + a.trailing_zeros() as u64 + a.count_ones() as u64 * 1000_000);
    digest.word((x < y) as u64 + 2 * (a < b) as u64);
    digest.wide(a.swap_bytes());
    digest.wide(a.isqrt());
    digest.wide(x.abs_diff(y));
    digest.option(u64::try_from(a >> 40).ok());
}
