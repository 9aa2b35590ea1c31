//! Vectors, maps, sorting, copying, comparing; large aggregates by value.
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use super::{digest::Digest, random::Random};

#[derive(Clone, Copy)]
struct Wrapped(u32);

#[inline(never)]
fn big(a: [u64; 9], b: (u64, u8, u32), c: &mut [u8], d: u128, e: i64, f: Wrapped, g: u16) -> [u64; 9] {
    let mut r = a;
    for i in 0..9 {
        r[i] = r[i].wrapping_add(b.0 ^ c[i % c.len()] as u64).wrapping_mul(e as u64 | 1)
            ^ d as u64
            ^ g as u64
            ^ b.1 as u64
            ^ b.2 as u64
            ^ f.0 as u64;
    }
    c[0] ^= 1;
    r
}

pub fn round(random: &mut Random, digest: &mut Digest) {
    let n = (random.next() % 60) as usize;
    let mut v: Vec<u64> = (0..n).map(|_| random.word() % 50).collect();
    let mut b: Vec<u8> = v.iter().map(|x| *x as u8).collect();
    let c = b.clone();
    v.sort_unstable();
    v.dedup();
    b.sort_unstable_by(|x, y| y.cmp(x));
    let mut m = BTreeMap::new();
    let mut d = VecDeque::new();
    for (i, x) in v.iter().enumerate() {
        *m.entry(x % 7).or_insert(0u32) += i as u32;
        if i % 3 == 0 {
            d.push_front(*x)
        } else {
            d.push_back(*x)
        }
    }
    for (k, v) in &m {
        digest.word(*k);
        digest.word(*v as u64)
    }
    for x in &d {
        digest.word(*x)
    }
    digest.bytes(&b);
    digest.bytes(&c);
    digest.word((b < c) as u64);
    digest.word(b.cmp(&c) as i8 as u64);
    digest.word((b == c) as u64);
    digest.word(v.binary_search(&7).map_or_else(|e| e + 1000, |x| x) as u64);
    for w in c.windows(3) {
        digest.word(w[0] as u64 + w[2] as u64)
    }
    for w in c.chunks(4) {
        digest.word(w.len() as u64)
    }
    let mut arr = [0u8; 200];
    let l = c.len();
    arr[..l].copy_from_slice(&c);
    arr.copy_within(..l, 31);
    arr[150..].fill(l as u8);
    digest.bytes(&arr);
    let z = big([random.word(); 9], (random.word(), 3, 4), &mut arr[3..90], random.wide(), -3, Wrapped(8), 1);
    z.iter().for_each(|x| digest.word(*x));
    digest.word((arr[..60] < arr[60..120]) as u64);
    digest.word((&arr[..32] == &arr[31..63]) as u64);
    let a2 = arr;
    digest.word((a2 == arr) as u64);
}
