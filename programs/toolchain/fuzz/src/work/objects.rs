//! Trait objects: indirect calls with many arguments, aggregate and 128-bit results.
use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{digest::Digest, random::Random};

/// Methods with more arguments and larger results than the registers hold, called through a vtable.
trait Wide {
    fn f(&self, a: u64, b: &[u8], c: u128, d: i32, e: bool, f: &str) -> (u64, u32);
    fn g(&mut self, x: i128) -> i128;
    fn h(&self) -> Option<u128>;
    fn s<'a>(&'a self, t: &'a str) -> &'a str;
    fn r(&self, i: u64) -> Result<[u64; 4], String>;
}
struct P(u64, i128);
struct Q(Vec<u64>);
impl Wide for P {
    fn f(&self, a: u64, b: &[u8], c: u128, d: i32, e: bool, f: &str) -> (u64, u32) {
        (
            a.wrapping_add(self.0).wrapping_mul(b.len() as u64 + 1) ^ c as u64,
            (d as u32).rotate_left(3) ^ e as u32 ^ f.len() as u32,
        )
    }
    fn g(&mut self, x: i128) -> i128 {
        self.1 = self.1.wrapping_mul(x).wrapping_sub(1);
        self.1 >> 3
    }
    fn h(&self) -> Option<u128> {
        (self.0 & 1 == 1).then(|| self.0 as u128 * 3)
    }
    fn s<'a>(&'a self, t: &'a str) -> &'a str {
        &t[..t.len().min(2)]
    }
    fn r(&self, i: u64) -> Result<[u64; 4], String> {
        if i % 3 == 0 {
            Err(format!("bad {:?} {:08b}", i, i % 200))
        } else {
            Ok([i, i * 2 % 97, self.0, !i])
        }
    }
}
impl Wide for Q {
    fn f(&self, a: u64, b: &[u8], c: u128, d: i32, e: bool, f: &str) -> (u64, u32) {
        (
            self.0.iter().fold(a, |x, y| x.rotate_left(5) ^ y) ^ (c >> 70) as u64,
            d.wrapping_neg() as u32
                ^ b.first().copied().unwrap_or(9) as u32
                ^ (e as u32) << 4
                ^ f.as_bytes().iter().map(|&x| x as u32).sum::<u32>(),
        )
    }
    fn g(&mut self, x: i128) -> i128 {
        self.0.push(x as u64);
        if self.0.len() > 12 {
            self.0.remove(3);
        }
        x.wrapping_abs() / (self.0.len() as i128 - 20)
    }
    fn h(&self) -> Option<u128> {
        self.0.iter().map(|&x| x as u128).max()
    }
    fn s<'a>(&'a self, t: &'a str) -> &'a str {
        t.trim_start_matches('a')
    }
    fn r(&self, i: u64) -> Result<[u64; 4], String> {
        self.0.get(i as usize % 16).map(|v| [*v; 4]).ok_or_else(|| i.to_string())
    }
}

pub fn round(random: &mut Random, digest: &mut Digest) {
    let mut v: Vec<Box<dyn Wide>> = Vec::new();
    v.push(Box::new(P(random.word(), random.wide() as i128)));
    v.push(Box::new(Q((0..random.next() % 9).map(|_| random.word()).collect())));
    let names = ["", "a", "aab", "hello wörld", "aaaaa"];
    for i in 0..12u64 {
        let n = (random.next() % 2) as usize;
        let t = names[(random.next() % 5) as usize];
        let data = [random.next() as u8; 5];
        let (p, q) =
            v[n].f(random.word(), &data[..(i % 5) as usize], random.wide(), random.word() as i32, i & 1 == 0, t);
        digest.word(p);
        digest.word(q as u64);
        digest.wide(v[n].g((random.wide() >> 2) as i128) as u128);
        digest.option(v[n].h());
        digest.bytes(if t.is_ascii() { v[n].s(t).as_bytes() } else { b"" });
        match v[n].r(random.word() >> 3) {
            Ok(a) => a.iter().for_each(|x| digest.word(*x)),
            Err(e) => digest.bytes(e.as_bytes()),
        }
    }
}
