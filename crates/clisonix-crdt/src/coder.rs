//! The coder of short runs in columns: adaptive binary arithmetic coding, byte by byte, where each
//! field of a run has statistics of its own.
//!
//! A run of a few dozen edits is too short for a compressor that looks for repetitions: what repeats
//! is not texts but what kind of byte stands where. The coder is that of `lpaq` in its simplest form
//! (Mahoney, "Adaptive weighing of context models for lossless data compression", 2005): two bounds of
//! 32 bits, and equal leading bytes are shifted out. Normative: `docs/formats/change.md`.

mod fields;

#[cfg(test)]
mod tests;

use crate::wire::DecodeError;
use fields::Fields;

/// Longest run that is coded, in bytes: each takes eight steps, and longer runs have repetitions.
pub(crate) const MAX_CODED_BYTES: usize = 4 << 10;

/// Statistics for one byte each: a tree of its bits.
const CONTEXTS: usize = 48;
/// A probability follows this many bits at least.
const SLOWEST: u8 = 30;
/// Probabilities are at least this far from 0 and 1, in 65,536ths.
const LEAST: u16 = 512;

/// How probable it is that a bit is one, in 65,536ths, and how many bits it was learnt from.
#[derive(Clone, Copy)]
struct Chance {
    one: u16,
    seen: u8,
}

impl Chance {
    fn learn(&mut self, bit: bool) {
        let target = if bit { i64::from(u16::MAX) } else { 0 };
        // One part in 1.5, 2.5, ..
        let part = i64::from(131_072 / (2 * u32::from(self.seen) + 3));
        let moved = i64::from(self.one) + (((target - i64::from(self.one)) * part) >> 16);
        self.one = u16::try_from(moved).unwrap_or(u16::MAX).clamp(LEAST, u16::MAX - LEAST + 1);
        self.seen = SLOWEST.min(self.seen + 1);
    }
}

/// The bounds of an arithmetic code.
struct Bounds {
    low: u32,
    high: u32,
}

impl Bounds {
    /// Everything up to this one stands for a bit that is one.
    fn middle(&self, chance: Chance) -> u32 {
        let (range, one) = (self.high - self.low, u32::from(chance.one >> 4));
        self.low + (range >> 12) * one + (((range & 0xfff) * one) >> 12)
    }

    fn take(&mut self, bit: bool, middle: u32) {
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
    }

    /// A leading byte that is settled.
    fn settled(&mut self) -> Option<u8> {
        if (self.low ^ self.high) >> 24 != 0 {
            return None;
        }
        let byte = (self.high >> 24) as u8;
        (self.low, self.high) = (self.low << 8, self.high << 8 | 0xff);
        Some(byte)
    }
}

/// Statistics, where in the run one is, and the bounds.
struct Coder {
    chances: Vec<[Chance; 256]>,
    fields: Fields,
    bounds: Bounds,
}

impl Coder {
    fn new() -> Self {
        let even = Chance { one: 1 << 15, seen: 0 };
        Self {
            chances: vec![[even; 256]; CONTEXTS],
            fields: Fields::default(),
            bounds: Bounds { low: 0, high: u32::MAX },
        }
    }

    /// One byte: each of its bits is chosen by `choose`, given what stands for one, and then `settle`
    /// is told of the bytes of the code that are settled.
    fn byte<S>(
        &mut self,
        state: &mut S,
        choose: impl Fn(&S, u32, u8) -> bool,
        settle: impl Fn(&mut S, u8),
    ) -> u8 {
        let context = self.fields.context();
        let mut node = 1_u8;
        for step in 0..8 {
            let tree = self.chances.get_mut(context);
            let Some(chance) = tree.and_then(|tree| tree.get_mut(usize::from(node))) else { break };
            let middle = self.bounds.middle(*chance);
            let bit = choose(state, middle, step);
            self.bounds.take(bit, middle);
            chance.learn(bit);
            node = node << 1 | u8::from(bit);
            while let Some(byte) = self.bounds.settled() {
                settle(state, byte);
            }
        }
        self.fields.take(node);
        node
    }
}

/// The code of a run in columns.
pub(crate) fn encode(run: &[u8]) -> Vec<u8> {
    let mut coder = Coder::new();
    let mut out = Vec::with_capacity(run.len());
    for &byte in run {
        let choose = |_: &Vec<u8>, _, step| byte << step & 0x80 != 0;
        coder.byte(&mut out, choose, Vec::push);
    }
    // Followed by zeros it is between the bounds.
    let Bounds { low, .. } = coder.bounds;
    out.push(if low == 0 { 0 } else { (low >> 24) as u8 + 1 });
    out
}

/// Undoes [`encode`]; `len` is what comes out.
pub(crate) fn decode(bytes: &[u8], len: usize) -> Result<Vec<u8>, DecodeError> {
    if len > MAX_CODED_BYTES {
        return Err(DecodeError::Limit { what: "coded bytes", at: 0 });
    }
    let mut coder = Coder::new();
    let next = |at: usize| u32::from(bytes.get(at).copied().unwrap_or_default());
    let mut code = Code { value: (0..4).fold(0, |value, at| value << 8 | next(at)), at: 0 };
    let mut out = Vec::with_capacity(len);
    for _ in 0..len {
        let choose = |code: &Code, middle, _| code.value <= middle;
        let settle = |code: &mut Code, _| {
            code.value = code.value << 8 | next(code.at + 4);
            code.at += 1;
        };
        out.push(coder.byte(&mut code, choose, settle));
    }
    // One byte is left of it.
    if code.at + 1 != bytes.len() {
        return Err(DecodeError::Meaningless { what: "coded bytes", at: code.at });
    }
    Ok(out)
}

/// Four bytes of a code.
struct Code {
    value: u32,
    /// How many bytes before them are settled.
    at: usize,
}
