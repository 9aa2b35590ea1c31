//! Floats, which a program should not use: compiler_builtins does them in software.
use super::{digest::Digest, random::Random};

pub fn round(random: &mut Random, digest: &mut Digest) {
    let draw = |random: &mut Random| match random.next() % 6 {
        0 => f64::from_bits(random.next()),
        1 => random.word() as f64,
        2 => (random.word() as i64 as f64) / 1024.0,
        3 => [0.0, -0.0, f64::NAN, f64::INFINITY, -f64::INFINITY, f64::MIN_POSITIVE, 1.0, 5e-324]
            [(random.next() % 8) as usize],
        4 => (random.word() as f32) as f64,
        _ => random.word() as u16 as f64,
    };
    let (a, b) = (draw(random), draw(random));
    let c = |x: f64| if x.is_nan() { 1 } else { x.to_bits() };
    digest.word(c(a + b));
    digest.word(c(a - b));
    digest.word(c(a * b));
    digest.word(c(a / b));
    digest.word(
        (a < b) as u64
            | ((a <= b) as u64) << 1
            | ((a == b) as u64) << 2
            | ((a != b) as u64) << 3
            | ((a > b) as u64) << 4
            | ((a >= b) as u64) << 5
            | (!(a < b) as u64) << 6
            | (!(a >= b) as u64) << 7,
    );
    digest.word(a as u64);
    digest.word(a as i64 as u64);
    digest.word(a as u32 as u64);
    digest.word(a as i32 as u64);
    digest.word(a as u8 as u64);
    digest.word(c(a as f32 as f64));
    digest.word(c(-a));
    digest.word(c(a.abs()));
    digest.word((a as f32 * b as f32).to_bits() as u64 * (!(a as f32 * b as f32).is_nan()) as u64);
    digest.word(((a as f32) < (b as f32)) as u64);
    digest.word(c(random.word() as i32 as f64));
    digest.word(c(random.word() as u8 as f64));
    digest.word((random.word() as f32).to_bits() as u64);
}
