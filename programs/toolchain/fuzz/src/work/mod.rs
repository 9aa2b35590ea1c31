//! The work itself: seeded random operations of one kind, folded into one number.  Compiled for the target and natively.
mod collections;
mod digest;
mod floats;
mod narrow;
mod objects;
mod random;
mod text;
mod wide;
mod words;

use digest::Digest;
use random::Random;

/// The digest of `rounds` rounds of the operations of `kind` (0 to 7) on operands drawn from `seed`.
pub fn run(seed: u64, rounds: u64, kind: u64) -> u64 {
    let mut random = Random(seed | 1);
    let mut digest = Digest(seed);
    for round in 0..rounds {
        match kind {
            0 => narrow::bytes(&mut random, &mut digest),
            1 => narrow::halves(&mut random, &mut digest),
            2 => words::round(&mut random, &mut digest),
            3 => wide::round(&mut random, &mut digest),
            4 => objects::round(&mut random, &mut digest),
            5 => collections::round(&mut random, &mut digest),
            6 => text::round(&mut random, &mut digest),
            7 => floats::round(&mut random, &mut digest),
            _ => {}
        }
        digest.word(round);
    }
    digest.0
}
