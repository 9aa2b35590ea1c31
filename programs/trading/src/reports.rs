//! Events by self-CPI: what goes into an instruction's data, no log limit cuts.
//!
//! `emit_cpi!` allocates for each event, and the heap of an instruction is never freed; so fills are written into one buffer
//! that is used again and again.  Bytes: Anchor's event tag 8, discriminator 8, then the event (borsh).
extern crate alloc;

use alloc::{vec, vec::Vec};
use anchor_lang::{
    bytemuck, event::EVENT_IX_TAG_LE, pinocchio::instruction::InstructionAccount, prelude::*,
    unchecked_invoke_signed_fixed,
};
use trading_interface::{EVENT_AUTHORITY_BUMP, EVENT_SEED};

use crate::events::{Fill, FillBatch};

/// Sends one event.
pub fn report(event_authority: CpiHandle<'_>, event: &impl Event) {
    let mut data = EVENT_IX_TAG_LE.to_vec();
    data.extend_from_slice(&event.data());
    send(event_authority, &data);
}

fn send(event_authority: CpiHandle<'_>, data: &[u8]) {
    let metas = [InstructionAccount::readonly_signer(event_authority.address())];
    let seeds: &[&[u8]] = &[EVENT_SEED, &[EVENT_AUTHORITY_BUMP]];
    unchecked_invoke_signed_fixed(&crate::ID, data, &metas, &[event_authority], &[seeds]);
}

/// Collects fills and sends them as FillBatch, [`Fills::MOST`] at a time.
///
/// Words, little-endian: event tag 2, discriminator 2, market 8, epoch 2, price 2, number of fills 1, then 3 for each fill.
pub struct Fills<'a> {
    event_authority: CpiHandle<'a>,
    words: Vec<u32>,
    /// Where the next fill goes.
    at: usize,
}

impl<'a> Fills<'a> {
    /// Fills in a batch: 480 · 12 bytes, well below the 10 KiB of a CPI's data.
    const MOST: usize = 480;
    const ROW: usize = 3;
    const HEAD: usize = 17;

    /// Allocates the one buffer, for at most `fills`.
    pub fn new(event_authority: CpiHandle<'a>, market: &Address, epoch: i64, price: u64, fills: usize) -> Self {
        let mut words = vec![0; Self::HEAD + Self::ROW * fills.min(Self::MOST)];
        let head = bytemuck::cast_slice_mut(&mut words[..Self::HEAD]);
        let (epoch, price) = (epoch.to_le_bytes(), price.to_le_bytes());
        let mut at = 0;
        for part in [EVENT_IX_TAG_LE, FillBatch::DISCRIMINATOR, market.as_ref(), &epoch, &price] {
            head[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        Self { event_authority, words, at: Self::HEAD }
    }

    /// Notes a fill; sends the batch when it is full.
    #[inline(always)]
    pub fn push(&mut self, fill: Fill) {
        let end = self.at + Self::ROW;
        self.words[self.at..end].copy_from_slice(&[fill.slot, fill.seat, fill.lots]);
        self.at = end;
        if end == self.words.len() {
            self.flush();
        }
    }

    /// Sends what has been noted.
    pub fn flush(&mut self) {
        let fills = (self.at - Self::HEAD) / Self::ROW;
        if fills > 0 {
            self.words[Self::HEAD - 1] = fills as u32;
            send(self.event_authority, bytemuck::cast_slice(&self.words[..self.at]));
            self.at = Self::HEAD;
        }
    }
}
