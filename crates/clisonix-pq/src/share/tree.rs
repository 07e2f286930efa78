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
use super::lane::{Lane, MAX_UNDER_WAY};
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

/// The leaf at `index` over its bytes, or the root over them if it is `alone`.
pub(super) fn leaf(index: u64, alone: bool, bytes: &[u8]) -> Hash {
    let mut hasher = Hasher::new();
    // All of it at once: in pieces the hash is half as fast.
    hasher.set_input_offset(index * LEAF_BYTES).update(bytes);
    if alone { *hasher.finalize().as_bytes() } else { hasher.finalize_non_root() }
}

/// Passes a payload on, leaf by leaf, and hashes it on the way.
pub(super) struct Hashing<W> {
    out: W,
    leaf: Vec<u8>,
    /// How many leaves were passed on.
    passed: u64,
    leaves: Vec<Hash>,
    lane: Lane,
}

impl<W: Write> Hashing<W> {
    pub(super) fn new(out: W) -> Self {
        let leaf = Vec::with_capacity(LEAF_BYTES as usize);
        Self { out, leaf, passed: 0, leaves: Vec::new(), lane: Lane::default() }
    }

    /// What was written to, and the leaves.
    pub(super) fn finish(mut self) -> Result<(W, Vec<Hash>), ShareError> {
        while self.lane.under_way() > 0 {
            self.collect()?;
        }
        if self.passed == 0 || !self.leaf.is_empty() {
            self.out.write_all(&self.leaf)?;
            self.leaves.push(leaf(self.passed, self.passed == 0, &self.leaf));
        }
        Ok((self.out, self.leaves))
    }

    /// Writes a full leaf that is not the only one.
    fn pass(&mut self) -> io::Result<()> {
        self.out.write_all(&self.leaf)?;
        let next = if self.lane.under_way() == MAX_UNDER_WAY {
            self.collect()?
        } else {
            Vec::with_capacity(LEAF_BYTES as usize)
        };
        let full = std::mem::replace(&mut self.leaf, next);
        self.leaf.clear();
        self.lane.start(self.passed, full);
        self.passed += 1;
        Ok(())
    }

    /// Waits for a hash, and returns the leaf's room.
    fn collect(&mut self) -> io::Result<Vec<u8>> {
        let (hash, bytes) = self.lane.next().ok_or(ShareError::Interrupted)?;
        self.leaves.push(hash);
        Ok(bytes)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full leaf is passed on only when more follows: a single one is hashed as the root.
        if self.leaf.len() == LEAF_BYTES as usize && !bytes.is_empty() {
            self.pass()?;
        }
        let room = LEAF_BYTES as usize - self.leaf.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.leaf.extend_from_slice(taken);
        Ok(taken.len())
    }

    /// Passes on what was passed on; a leaf that is not full stays.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Gives a payload out leaf by leaf, each after it was compared. While one is given out the next is
/// read and hashed.
pub(super) struct Checking<R> {
    input: R,
    leaves: Vec<Hash>,
    payload_bytes: u64,
    /// How many leaves were read, and how many of them compared.
    read: u64,
    compared: u64,
    /// Why the leaf behind those that were read cannot be.
    fault: Option<ShareError>,
    buffer: Vec<u8>,
    given: usize,
    lane: Lane,
}

impl<R: Read> Checking<R> {
    /// `leaves` are those of the root that was signed.
    pub(super) fn new(input: R, leaves: Vec<Hash>, payload_bytes: u64) -> Self {
        Self {
            input,
            leaves,
            payload_bytes,
            read: 0,
            compared: 0,
            fault: None,
            buffer: Vec::new(),
            given: 0,
            lane: Lane::default(),
        }
    }

    /// Reads and compares all that is left, and gives back what was read from.
    pub(super) fn finish(mut self) -> Result<R, ShareError> {
        while self.compared * LEAF_BYTES < self.payload_bytes {
            self.advance()?;
        }
        Ok(self.input)
    }

    /// Goes to the next leaf; the buffer is empty at the end.
    fn advance(&mut self) -> Result<(), ShareError> {
        let spare = std::mem::take(&mut self.buffer);
        self.given = 0;
        let (hash, bytes) = if leaf_count(self.payload_bytes) == 1 {
            let Some(bytes) = self.read_leaf(spare) else { return self.end() };
            (leaf(0, true, &bytes), bytes)
        } else {
            self.read_ahead(spare);
            self.read_ahead(Vec::new());
            let Some(next) = self.lane.next() else { return self.end() };
            next
        };
        if self.leaves.get(self.compared as usize) != Some(&hash) {
            // What was not verified must not be taken by anyone who goes on reading.
            self.lane = Lane::default();
            self.read = leaf_count(self.payload_bytes);
            return Err(ShareError::Altered { leaf: self.compared });
        }
        self.compared += 1;
        self.buffer = bytes;
        Ok(())
    }

    /// Behind the last leaf, or where the next one cannot be read.
    fn end(&mut self) -> Result<(), ShareError> {
        match self.fault.take() {
            Some(fault) => Err(fault),
            None if self.compared * LEAF_BYTES < self.payload_bytes => Err(ShareError::Interrupted),
            None => Ok(()),
        }
    }

    fn read_ahead(&mut self, room: Vec<u8>) {
        if self.lane.under_way() < MAX_UNDER_WAY
            && let Some(bytes) = self.read_leaf(room)
        {
            self.lane.start(self.read - 1, bytes);
        }
    }

    /// Reads the next leaf; `None` at the end, and at a fault, which is told when its turn comes.
    fn read_leaf(&mut self, mut room: Vec<u8>) -> Option<Vec<u8>> {
        let left = self.payload_bytes.saturating_sub(self.read * LEAF_BYTES);
        let size = left.min(LEAF_BYTES) as usize;
        if size == 0 || self.fault.is_some() {
            return None;
        }
        room.resize(size, 0);
        match read_fully(&mut self.input, &mut room) {
            Ok(filled) if filled == size => {
                self.read += 1;
                Some(room)
            }
            Ok(_) => {
                self.fault = Some(ShareError::Truncated { part: "payload" });
                None
            }
            Err(error) => {
                self.fault = Some(error.into());
                None
            }
        }
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
            let (written, leaves) = hashing.finish().unwrap();
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
        let (_, leaves) = hashing.finish().unwrap();
        payload[mib + 5] ^= 1;
        let mut checking = Checking::new(&*payload, leaves.clone(), payload.len() as u64);
        let mut read = Vec::new();
        assert!(checking.read_to_end(&mut read).is_err());
        assert_eq!(read.len(), mib);
        let cut = Checking::new(&payload[..5], leaves, payload.len() as u64);
        assert!(matches!(cut.finish(), Err(ShareError::Truncated { .. })));
    }
}
