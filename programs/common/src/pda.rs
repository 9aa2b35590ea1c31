//! Program-derived addresses as constants.
//!
//! A singleton's address follows from its program's id and a fixed seed, so the compiler computes it, bump included:
//! `declare_id!` stays the only place where an id is written, whatever ids a site stamps in.
//! A PDA is the first of sha256(seed ‖ bump ‖ program ‖ marker), bump = 255, 254, …, that is *not* a point of Ed25519.

use anchor_lang::Address;

/// The address and bump that `find_program_address(&[seed], program)` yields. Slow at run time: for constants only.
pub const fn find(seed: &[u8], program: &Address) -> (Address, u8) {
    let mut bump = u8::MAX;
    loop {
        let candidate = Address::derive_address_const(&[seed], Some(bump), program);
        if !is_point(candidate.as_array()) {
            return (candidate, bump);
        }
        assert!(bump > 0, "no bump gives a program-derived address");
        bump -= 1;
    }
}

/// `a == b`, for constants.
pub const fn same(a: &Address, b: &Address) -> bool {
    let mut i = 0;
    while i < 32 {
        if a.as_array()[i] != b.as_array()[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// A number modulo p = 2^255 - 19, not always reduced: four 64-bit limbs, little-endian.
type Field = [u64; 4];

const ONE: Field = [1, 0, 0, 0];

/// The curve's constant d = -121665/121666.
const D: Field = [0x75eb_4dca_1359_78a3, 0x0070_0a4d_4141_d8ab, 0x8cc7_4079_7779_e898, 0x5203_6cee_2b6f_fe73];

/// Does `bytes` decompress to a point of Ed25519 (sign bit ignored)?  x² = (y²-1)/(dy²+1) must be a square: its
/// Legendre symbol, which is that of (y²-1)(dy²+1), is 0 or 1.
const fn is_point(bytes: &[u8; 32]) -> bool {
    let mut y = [0; 4];
    let mut i = 0;
    while i < 32 {
        y[i / 8] |= (bytes[i] as u64) << (8 * (i % 8));
        i += 1;
    }
    y[3] &= u64::MAX >> 1;
    let y2 = mul(y, y);
    let symbol = legendre(mul(sub_one(y2), add_one(mul(D, y2))));
    is(symbol, 0) || is(symbol, 1)
}

/// a^((p-1)/2), by square and multiply: (p-1)/2 = 2^254 - 10, in binary 250 ones, then 0110.
const fn legendre(a: Field) -> Field {
    let mut power = ONE;
    let mut bit = 254;
    while bit > 0 {
        bit -= 1;
        power = mul(power, power);
        if bit >= 4 || bit == 2 || bit == 1 {
            power = mul(power, a);
        }
    }
    power
}

const fn mul(a: Field, b: Field) -> Field {
    let mut wide = [0u64; 8];
    let mut i = 0;
    while i < 4 {
        let mut carry = 0u128;
        let mut j = 0;
        while j < 4 {
            let t = a[i] as u128 * b[j] as u128 + wide[i + j] as u128 + carry;
            wide[i + j] = t as u64;
            carry = t >> 64;
            j += 1;
        }
        wide[i + 4] = carry as u64;
        i += 1;
    }
    // 2^256 = 38 mod p; the second fold can run over by one, the third cannot
    let (low, carry) = fold([wide[0], wide[1], wide[2], wide[3]], [wide[4], wide[5], wide[6], wide[7]]);
    let (low, carry) = fold(low, [carry, 0, 0, 0]);
    fold(low, [carry, 0, 0, 0]).0
}

/// low + 38 * high: four limbs and what runs over.
const fn fold(low: Field, high: Field) -> (Field, u64) {
    let mut sum = [0; 4];
    let mut carry = 0u128;
    let mut i = 0;
    while i < 4 {
        let t = low[i] as u128 + high[i] as u128 * 38 + carry;
        sum[i] = t as u64;
        carry = t >> 64;
        i += 1;
    }
    (sum, carry as u64)
}

const fn add_one(a: Field) -> Field {
    let (sum, carry) = add(a, ONE);
    fold(sum, [carry, 0, 0, 0]).0
}

/// a - 1 mod p, as a + (p - 1).
const fn sub_one(a: Field) -> Field {
    let (sum, carry) = add(a, [0xffff_ffff_ffff_ffec, u64::MAX, u64::MAX, u64::MAX >> 1]);
    fold(sum, [carry, 0, 0, 0]).0
}

const fn add(a: Field, b: Field) -> (Field, u64) {
    let mut sum = [0; 4];
    let mut carry = 0u128;
    let mut i = 0;
    while i < 4 {
        let t = a[i] as u128 + b[i] as u128 + carry;
        sum[i] = t as u64;
        carry = t >> 64;
        i += 1;
    }
    (sum, carry as u64)
}

/// Is `a`, which may lie up to 2^256, congruent to the small number `n`?
const fn is(a: Field, n: u64) -> bool {
    // a - n is 0, p or 2p
    let p_low = 0xffff_ffff_ffff_ffed_u64;
    let zero = a[0] == n && a[1] == 0 && a[2] == 0 && a[3] == 0;
    let once = a[0] == p_low.wrapping_add(n) && a[1] == u64::MAX && a[2] == u64::MAX && a[3] == u64::MAX >> 1;
    let twice =
        a[0] == 0xffff_ffff_ffff_ffda_u64.wrapping_add(n) && a[1] == u64::MAX && a[2] == u64::MAX && a[3] == u64::MAX;
    zero || once || twice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constant_search_finds_what_the_runtime_finds() {
        for n in 0..200u8 {
            let program = Address::new_from_array(anchor_lang::sha256(&[n]));
            assert_eq!(find(b"config", &program), Address::find_program_address(&[b"config"], &program), "{n}");
        }
    }

    #[test]
    fn the_curve_test_agrees_with_curve25519_dalek_on_the_odd_encodings() {
        let p_plus = |n: u8| {
            let mut bytes = [0xff; 32];
            bytes[0] = 0xed_u8.wrapping_add(n);
            bytes[31] = 0x7f;
            bytes
        };
        for n in 0..19 {
            let mut small = [0; 32];
            small[0] = n;
            for bytes in [small, p_plus(n), p_plus(0u8.wrapping_sub(n))] {
                assert_eq!(is_point(&bytes), Address::new_from_array(bytes).is_on_curve(), "{bytes:?}");
            }
        }
    }
}
