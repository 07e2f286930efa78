//! The tree over a payload: BLAKE3, kept at the level where a node covers 1 MiB.
//!
//! The root is the plain BLAKE3 hash of the payload, so that any tool that knows BLAKE3 can compute
//! it. The leaves are the chaining values of the 1 MiB subtrees (BLAKE3 paper, section 2.1), so that
//! each MiB can be checked on its own against a root that was signed.

use std::io::{self, BufRead, Read, Write};

use blake3::Hasher;
use blake3::hazmat::{
    HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root,
};

use super::ShareError;
use crate::age::read_fully;

/// Bytes that one leaf covers.
pub const LEAF_BYTES: u64 = 1 << 20;
/// Bytes of a leaf and of the root.
pub const HASH_BYTES: usize = 32;

/// A leaf or the root.
pub(super) type Hash = [u8; HASH_BYTES];

/// How many leaves a payload has. Even an empty one has one.
pub(super) fn leaf_count(payload_bytes: u64) -> u64 {
    payload_bytes.div_ceil(LEAF_BYTES).max(1)
}

/// The root over leaves that cover `payload_bytes`. A single leaf is the root itself.
pub(super) fn root(leaves: &[Hash], payload_bytes: u64) -> Option<Hash> {
    if leaves.len() as u64 != leaf_count(payload_bytes) {
        return None;
    }
    if let [root] = leaves {
        return Some(*root);
    }
    let (left, right) = halves(leaves, payload_bytes)?;
    Some(*merge_subtrees_root(&left, &right, Mode::Hash).as_bytes())
}

fn halves(leaves: &[Hash], bytes: u64) -> Option<(Hash, Hash)> {
    let left_bytes = left_subtree_len(bytes);
    let (left, right) = leaves.split_at_checked((left_bytes / LEAF_BYTES) as usize)?;
    Some((node(left, left_bytes)?, node(right, bytes - left_bytes)?))
}

fn node(leaves: &[Hash], bytes: u64) -> Option<Hash> {
    if let [leaf] = leaves {
        return Some(*leaf);
    }
    let (left, right) = halves(leaves, bytes)?;
    Some(merge_subtrees_non_root(&left, &right, Mode::Hash))
}

/// The leaf at `index` of `payload_bytes`, over its bytes.
fn leaf(index: u64, payload_bytes: u64, bytes: &[u8]) -> Hash {
    let mut hasher = Hasher::new();
    hasher.set_input_offset(index * LEAF_BYTES).update(bytes);
    finish(&hasher, leaf_count(payload_bytes) == 1)
}

fn finish(hasher: &Hasher, alone: bool) -> Hash {
    if alone { *hasher.finalize().as_bytes() } else { hasher.finalize_non_root() }
}

/// Passes a payload on and hashes it on the way.
pub(super) struct Hashing<W> {
    out: W,
    hasher: Hasher,
    within: u64,
    leaves: Vec<Hash>,
}

impl<W: Write> Hashing<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, hasher: Hasher::new(), within: 0, leaves: Vec::new() }
    }

    /// What was written to, and the leaves.
    pub(super) fn finish(mut self) -> (W, Vec<Hash>) {
        let alone = self.leaves.is_empty();
        if alone || self.within > 0 {
            self.leaves.push(finish(&self.hasher, alone));
        }
        (self.out, self.leaves)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full leaf is closed only when more follows: a single one is hashed as the root.
        if self.within == LEAF_BYTES && !bytes.is_empty() {
            self.leaves.push(self.hasher.finalize_non_root());
            self.hasher = Hasher::new();
            self.hasher.set_input_offset(self.leaves.len() as u64 * LEAF_BYTES);
            self.within = 0;
        }
        let room = (LEAF_BYTES - self.within) as usize;
        let written = self.out.write(bytes.get(..room).unwrap_or(bytes))?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        self.within += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Gives a payload out leaf by leaf, each after it was compared.
pub(super) struct Checking<R> {
    input: R,
    leaves: Vec<Hash>,
    index: u64,
    payload_bytes: u64,
    buffer: Vec<u8>,
    given: usize,
}

impl<R: Read> Checking<R> {
    /// `leaves` are those of the root that was signed.
    pub(super) fn new(input: R, leaves: Vec<Hash>, payload_bytes: u64) -> Self {
        Self { input, leaves, index: 0, payload_bytes, buffer: Vec::new(), given: 0 }
    }

    /// Reads and compares all that is left, and gives back what was read from.
    pub(super) fn finish(mut self) -> Result<R, ShareError> {
        while !self.at_end() {
            self.advance()?;
        }
        Ok(self.input)
    }

    fn at_end(&self) -> bool {
        self.index * LEAF_BYTES >= self.payload_bytes
    }

    /// Reads the next leaf; the buffer is empty at the end.
    fn advance(&mut self) -> Result<(), ShareError> {
        let left = self.payload_bytes.saturating_sub(self.index * LEAF_BYTES);
        let size = left.min(LEAF_BYTES) as usize;
        self.given = 0;
        self.buffer.resize(size, 0);
        if size == 0 {
            return Ok(());
        }
        let filled = read_fully(&mut self.input, &mut self.buffer)?;
        let expected = self.leaves.get(self.index as usize);
        let whole =
            filled == size && expected == Some(&leaf(self.index, self.payload_bytes, &self.buffer));
        if !whole {
            // What was not verified must not be taken by anyone who goes on reading.
            self.buffer.clear();
            return Err(if filled < size {
                ShareError::Truncated { part: "payload" }
            } else {
                ShareError::Altered { leaf: self.index }
            });
        }
        self.index += 1;
        Ok(())
    }
}

impl<R: Read> BufRead for Checking<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.given == self.buffer.len() {
            self.advance()?;
        }
        Ok(self.buffer.get(self.given..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.given = self.buffer.len().min(self.given + count);
    }
}

impl<R: Read> Read for Checking<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut left = self.fill_buf()?;
        let count = left.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_plain_hash_at_every_number_of_leaves() {
        let mib = LEAF_BYTES as usize;
        let bytes: Vec<u8> = (0..7 * mib + 5).map(|place| (place % 253) as u8).collect();
        for size in
            [0, 1, mib - 1, mib, mib + 1, 2 * mib, 2 * mib + 1, 3 * mib, 5 * mib - 1, 7 * mib + 5]
        {
            let payload = &bytes[..size];
            let mut hashing = Hashing::new(Vec::new());
            payload.chunks(65_552).for_each(|piece| hashing.write_all(piece).unwrap());
            let (written, leaves) = hashing.finish();
            assert_eq!(written, payload);
            assert_eq!(leaves.len() as u64, leaf_count(size as u64));
            assert_eq!(root(&leaves, size as u64).unwrap(), *blake3::hash(payload).as_bytes());
            let mut checking = Checking::new(payload, leaves, size as u64);
            let mut read = Vec::new();
            checking.read_to_end(&mut read).unwrap();
            assert_eq!(read, payload);
        }
    }

    #[test]
    fn nothing_of_a_changed_leaf_comes_out() {
        let mib = LEAF_BYTES as usize;
        let mut payload = vec![1; 3 * mib];
        let mut hashing = Hashing::new(Vec::new());
        hashing.write_all(&payload).unwrap();
        let (_, leaves) = hashing.finish();
        payload[mib + 5] ^= 1;
        let mut checking = Checking::new(&*payload, leaves.clone(), payload.len() as u64);
        let mut read = Vec::new();
        assert!(checking.read_to_end(&mut read).is_err());
        assert_eq!(read.len(), mib);
        let cut = Checking::new(&payload[..5], leaves, payload.len() as u64);
        assert!(matches!(cut.finish(), Err(ShareError::Truncated { .. })));
    }
}
