//! Formatting and parsing.
use alloc::{format, vec::Vec};

use super::{digest::Digest, random::Random};

pub fn round(random: &mut Random, digest: &mut Digest) {
    let s = format!(
        "{} {:x} {:#018x} {:?} {:>30} {:<+7} {:e}",
        random.word(),
        random.wide(),
        random.word(),
        (random.word() as i64, Some(random.word() as i32), "q\"\n"),
        random.wide(),
        random.word() as i8,
        random.word() >> 20
    );
    digest.bytes(s.as_bytes());
    let t: Vec<&str> = s.split(' ').collect();
    digest.word(t.len() as u64);
    digest.option(t[0].parse::<u64>().ok());
    digest.option(u128::from_str_radix(t[1], 16).ok());
    digest.word(s.find("q").unwrap_or(5) as u64);
    digest.bytes(s.to_uppercase().as_bytes());
    digest.word(s.chars().rev().filter(|c| c.is_numeric()).count() as u64);
    digest.bytes(format!("{:?}", random.wide() as i128).as_bytes());
}
