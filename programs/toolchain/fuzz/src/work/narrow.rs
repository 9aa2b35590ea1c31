//! 8-, 16- and 32-bit integers: every operation of std, checked, wrapping and saturating.
use super::{digest::Digest, random::Random};

macro_rules! all_operations {
    ($digest:expr, $a:expr, $b:expr, $u:ty, $i:ty, $n:expr) => {{
        let (a, b) = ($a as $u, $b as $u);
        let (x, y) = (a as $i, b as $i);
        let s = ($b as u32) % $n;
        $digest.wide(a.wrapping_mul(b) as u128);
        $digest.wide(a.wrapping_add(b) as u128);
        $digest.wide(a.wrapping_sub(b) as u128);
        $digest.option(a.checked_mul(b).map(|v| v as u128));
        $digest.option(a.checked_add(b).map(|v| v as u128));
        $digest.option(a.checked_sub(b).map(|v| v as u128));
        $digest.option(a.checked_div(b).map(|v| v as u128));
        $digest.option(a.checked_rem(b).map(|v| v as u128));
        $digest.option(x.checked_mul(y).map(|v| v as u128));
        $digest.option(x.checked_add(y).map(|v| v as u128));
        $digest.option(x.checked_sub(y).map(|v| v as u128));
        $digest.option(x.checked_div(y).map(|v| v as u128));
        $digest.option(x.checked_rem(y).map(|v| v as u128));
        $digest.option(x.checked_rem_euclid(y).map(|v| v as u128));
        $digest.option(x.checked_div_euclid(y).map(|v| v as u128));
        $digest.wide((a << s) as u128);
        $digest.wide((a >> s) as u128);
        $digest.wide((x >> s) as u128);
        $digest.wide(a.rotate_left(s) as u128);
        $digest.wide(a.saturating_mul(b) as u128);
        $digest.wide(x.saturating_mul(y) as u128);
        $digest.wide(x.saturating_add(y) as u128);
        $digest.wide(x.saturating_sub(y) as u128);
        $digest.wide(a.overflowing_mul(b).1 as u128);
        $digest.wide(x.overflowing_mul(y).0 as u128);
        $digest.word(a.leading_zeros() as u64);
        $digest.word(a.trailing_zeros() as u64);
        $digest.word(a.count_ones() as u64);
        $digest.wide(a.swap_bytes() as u128);
        $digest.wide(a.reverse_bits() as u128);
        $digest.option(x.checked_abs().map(|v| v as u128));
        $digest.option(x.checked_neg().map(|v| v as u128));
        $digest.wide(a.pow(2u32.min(s)) as u128 * 0);
        $digest.wide(a.wrapping_pow(s % 5) as u128);
        $digest.option(a.checked_pow(s % 5).map(|v| v as u128));
        $digest.word((x < y) as u64 | ((a < b) as u64) << 1);
        $digest.wide(x.abs_diff(y) as u128);
        $digest.wide(a.isqrt() as u128);
    }};
}

pub fn bytes(random: &mut Random, digest: &mut Digest) {
    let (a, b) = (random.word(), random.word());
    all_operations!(digest, a & 15, b & 15, u8, i8, 8);
}

pub fn halves(random: &mut Random, digest: &mut Digest) {
    let (a, b) = (random.word() >> 32, random.word() >> 32);
    {
        let (a, b) = (a & 0xffff, b & 0xffff);
        digest.wide((a as u16 as i16).wrapping_mul(b as u16 as i16) as u128);
        digest.option((a as i16).checked_div(b as i16).map(|v| v as u128));
        digest.option((a as i32).checked_mul(b as i32 - 40000).map(|v| v as u128));
        digest.option((a as i32 - 999).checked_rem(b as i32 - 40000).map(|v| v as u128));
        digest.option((a as u32).checked_mul(b as u32).map(|v| v as u128));
        digest.option((a as u16).checked_mul(b as u16).map(|v| v as u128));
    }
}
