//! 64-bit integers, and 128-bit products of them.
use super::{digest::Digest, random::Random};

pub fn round(random: &mut Random, digest: &mut Digest) {
    let (a, b) = (random.word(), random.word());
    let (x, y) = (a as i64, b as i64);
    let s = b as u32 & 63;
    digest.option(a.checked_mul(b));
    digest.option(x.checked_mul(y).map(|v| v as u64));
    digest.option(x.checked_div(y).map(|v| v as u64));
    digest.option(x.checked_rem(y).map(|v| v as u64));
    digest.option(x.checked_rem_euclid(y).map(|v| v as u64));
    digest.option(x.checked_div_euclid(y).map(|v| v as u64));
    digest.word(x.saturating_mul(y) as u64);
    digest.word(a.saturating_mul(b));
    digest.word((x >> s) as u64);
    digest.word(a.rotate_right(s));
    digest.word(a.reverse_bits());
    digest.word(a.isqrt());
    digest.option(a.checked_pow(s % 5));
    digest.wide(a as u128 * b as u128);
    digest.wide((x as i128 * y as i128) as u128);
    digest.option((a as u128 * b as u128).checked_div(random.word() as u128));
    digest.word(((a as u128 * 10_000) / (b as u128 + 1)) as u64);
    digest.option(x.checked_pow(s % 4).map(|v| v as u64));
    digest.word(x.abs_diff(y));
    digest.word((x / 7) as u64);
    digest.word((x % 1000) as u64);
    digest.word(((x as i32) / -13) as u64);
    digest.word(((x as i16) % 100) as u64);
}
