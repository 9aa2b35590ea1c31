//! Operands: xorshift64*, then shortened at random so that small values and edges come up often.

pub struct Random(pub u64);
impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545F4914F6CDD1D)
    }
    pub fn word(&mut self) -> u64 {
        let s = self.next() & 63;
        let v = self.next() >> s;
        if self.next() & 15 == 0 {
            !v
        } else {
            v
        }
    }
    pub fn wide(&mut self) -> u128 {
        let v = (self.word() as u128) << 64 | self.word() as u128;
        if self.next() & 1 == 0 {
            v >> (self.next() & 127)
        } else {
            v
        }
    }
}
