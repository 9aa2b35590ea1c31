//! What a run has seen, folded into 64 bits.

pub struct Digest(pub u64);
impl Digest {
    pub fn word(&mut self, v: u64) {
        self.0 = (self.0 ^ v).wrapping_mul(0x100000001b3).rotate_left(29);
    }
    pub fn wide(&mut self, v: u128) {
        self.word(v as u64);
        self.word((v >> 64) as u64);
    }
    pub fn bytes(&mut self, b: &[u8]) {
        for &c in b {
            self.word(c as u64)
        }
    }
    pub fn option<T: Into<u128>>(&mut self, v: Option<T>) {
        match v {
            Some(x) => self.wide(x.into()),
            None => self.word(77),
        }
    }
}
