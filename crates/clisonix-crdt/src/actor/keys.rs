//! The keys of one actor's commitments: a tree from which single keys can be destroyed.
//!
//! Every operation has a key of its own, derived from the actor's secret along a way through a
//! binary tree (Goldreich, Goldwasser and Micali, "How to construct random functions", 1986). To
//! destroy a key, the node above it is replaced by the siblings along the way: all other keys,
//! those of changes not yet made included, can still be derived, this one cannot. Normative:
//! `docs/formats/change.md`.

use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use smallvec::{SmallVec, smallvec};

use super::ActorSecret;
use crate::wire::{DecodeError, Reader, put_u64};

#[cfg(test)]
mod tests;

const DOMAIN: &[u8; 16] = b"clisonix keys 3\0";
/// Most nodes that may be left of the keys of one actor.
pub const MAX_KEYS: usize = 1 << 20;
/// Longest way: 63 steps to a change, 20 to one of its operations.
const MAX_WAY: u8 = 83;

/// A way from the root, and with it a node: the branches taken, the first one most significant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    branches: u128,
    len: u8,
}

impl Way {
    /// The way to a change. With e the number of binary digits of `seq` after the first: e times
    /// one, a zero, then these digits. So the ways to early changes are short.
    pub(crate) fn to_change(seq: u32) -> Self {
        let digits = seq.max(1).ilog2();
        let ones = (1_u128 << digits) - 1;
        let rest = u128::from(seq.max(1)) - (1 << digits);
        Self { branches: ones << (digits + 1) | rest, len: (2 * digits + 1) as u8 }
    }

    /// The way on to one of the change's `count` operations: its index in as many binary digits as
    /// the greatest index needs.
    pub(crate) fn to_op(seq: u32, index: u32, count: u32) -> Self {
        let change = Self::to_change(seq);
        let digits = u32::BITS - count.saturating_sub(1).leading_zeros();
        let branches = change.branches << digits | u128::from(index);
        Self { branches, len: change.len + digits as u8 }
    }

    fn start(self, len: u8) -> Self {
        Self { branches: self.branches >> (self.len - len), len }
    }

    fn branch(self, at: u8) -> u8 {
        (self.branches >> (self.len - at - 1) & 1) as u8
    }

    fn leads_to(self, other: Self) -> bool {
        self.len <= other.len && other.start(self.len) == self
    }

    /// Orders nodes from left to right.
    fn left(self) -> (u128, u8) {
        (self.branches << (127 - self.len), self.len)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Node {
    way: Way,
    key: [u8; 32],
}

impl Node {
    /// The key at a way that leads on from here.
    fn key_at(&self, way: Way) -> [u8; 32] {
        (self.way.len..way.len).fold(self.key, |key, step| child(&key, way.branch(step)))
    }
}

/// The keys that are left of an actor: the nodes from which they can be derived, from left to
/// right, none below another.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Keys(SmallVec<[Node; 1]>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

impl From<ActorSecret> for Keys {
    fn from(secret: ActorSecret) -> Self {
        Self(smallvec![Node { way: Way::default(), key: secret.0 }])
    }
}

impl Keys {
    /// The root, while no key has been destroyed.
    pub(crate) fn root(&self) -> Option<&[u8; 32]> {
        match self.0.as_slice() {
            [only] if only.way.len == 0 => Some(&only.key),
            _ => None,
        }
    }

    /// Whether a key can be derived.
    pub(crate) fn has(&self, way: Way) -> bool {
        self.above(way).is_some()
    }

    fn above(&self, way: Way) -> Option<&Node> {
        let after = self.0.partition_point(|node| node.way.left() <= way.left());
        self.0.get(after.checked_sub(1)?).filter(|node| node.way.leads_to(way))
    }

    /// Destroys the key of one of a change's `count` operations.
    pub(crate) fn destroy_op(&mut self, seq: u32, index: u32, count: u32) {
        self.destroy(Way::to_op(seq, index, count));
        // Keys of operations that there are not need not be kept.
        let change = Way::to_change(seq);
        let len = Way::to_op(seq, 0, count).len;
        self.0.retain(|node| {
            let inside = change.leads_to(node.way) && node.way.len <= len;
            let first = (node.way.branches << (len.saturating_sub(node.way.len)))
                & ((1 << (len - change.len)) - 1);
            !inside || first < u128::from(count)
        });
    }

    /// Destroys the keys of all operations of a change.
    pub(crate) fn destroy_change(&mut self, seq: u32) {
        self.destroy(Way::to_change(seq));
    }

    fn destroy(&mut self, way: Way) {
        self.0.retain(|node| !way.leads_to(node.way));
        let Some(at) = self.0.iter().position(|node| node.way.leads_to(way)) else { return };
        let above = self.0.remove(at);
        let mut key = above.key;
        for step in above.way.len..way.len {
            let taken = way.start(step + 1);
            let sibling = Way { branches: taken.branches ^ 1, len: taken.len };
            let branch = way.branch(step);
            self.0.push(Node { way: sibling, key: child(&key, branch ^ 1) });
            key = child(&key, branch);
        }
        self.0.sort_unstable_by_key(|node| node.way.left());
    }

    /// Takes in nodes that another replica has left of the same actor, as far as own ones prove
    /// them right. Returns whether there was something new.
    pub(crate) fn learn(&mut self, other: &Self) -> bool {
        let mut learned = false;
        for node in &other.0 {
            let below = |own: &&Node| node.way.len < own.way.len && node.way.leads_to(own.way);
            let mut own = self.0.iter().filter(below).peekable();
            if own.peek().is_some() && own.all(|own| node.key_at(own.way) == own.key) {
                self.0.retain(|own| !node.way.leads_to(own.way));
                self.0.push(*node);
                learned = true;
            }
        }
        self.0.sort_unstable_by_key(|node| node.way.left());
        learned
    }

    /// Appends the nodes.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_u64(out, self.0.len() as u64);
        for node in &self.0 {
            out.push(node.way.len);
            let bytes = usize::from(node.way.len.div_ceil(8));
            let spelled = node.way.branches << (u128::BITS - 1 - u32::from(node.way.len)) << 1;
            out.extend(spelled.to_be_bytes().iter().take(bytes));
            out.extend_from_slice(&node.key);
        }
    }

    /// Reads what [`Self::write`] wrote.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut nodes: SmallVec<[Node; 1]> = SmallVec::new();
        let (at, count) = (reader.at(), reader.count("keys")?);
        if count > MAX_KEYS {
            return Err(DecodeError::Limit { what: "keys", at });
        }
        for _ in 0..count {
            let at = reader.at();
            let wrong = DecodeError::Meaningless { what: "key", at };
            let len = reader.byte()?;
            if len > MAX_WAY {
                return Err(wrong);
            }
            let mut spelled = [0; 16];
            let bytes = reader.take(usize::from(len.div_ceil(8)))?;
            for (to, from) in spelled.iter_mut().zip(bytes) {
                *to = *from;
            }
            let spelled = u128::from_be_bytes(spelled);
            let branches = spelled >> 1 >> (u128::BITS - 1 - u32::from(len));
            let way = Way { branches, len };
            let is_next = nodes
                .last()
                .is_none_or(|last| last.way.left() < way.left() && !last.way.leads_to(way));
            if !is_next || branches << (u128::BITS - 1 - u32::from(len)) << 1 != spelled {
                return Err(wrong);
            }
            nodes.push(Node { way, key: reader.array()? });
        }
        Ok(Self(nodes))
    }
}

/// The last way that was walked: the next one is mostly near, so that a key costs two hashes in
/// the long run. It holds keys, so it must be [forgotten](Self::forget) when some are destroyed.
#[derive(Debug, Default)]
pub(crate) struct Trail(Mutex<Walked>);

#[derive(Debug, Default)]
struct Walked {
    actor: u32,
    way: Way,
    /// Steps to the node where the walk began.
    first: u8,
    /// The keys from that node to the end of the way.
    keys: Vec<[u8; 32]>,
}

impl Clone for Trail {
    /// Only a memory of what can be walked again.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Trail {
    /// The key at the end of a way through an actor's tree; `None` if it was destroyed.
    pub(crate) fn key(&self, actor: u32, keys: &Keys, way: Way) -> Option<[u8; 32]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).key(actor, keys, way)
    }

    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl Walked {
    fn key(&mut self, actor: u32, keys: &Keys, way: Way) -> Option<[u8; 32]> {
        let mut walked = shared(self.way, way);
        if self.actor == actor && !self.keys.is_empty() && walked >= self.first {
            self.keys.truncate(usize::from(walked - self.first) + 1);
        } else {
            let node = keys.above(way)?;
            self.keys.clear();
            self.keys.push(node.key);
            walked = node.way.len;
            self.first = walked;
        }
        (self.actor, self.way) = (actor, way);
        let mut key = *self.keys.last()?;
        for step in walked..way.len {
            key = child(&key, way.branch(step));
            self.keys.push(key);
        }
        Some(key)
    }
}

/// Number of steps that two ways share.
fn shared(a: Way, b: Way) -> u8 {
    let len = a.len.min(b.len);
    let differ = a.start(len).branches ^ b.start(len).branches;
    len - (u128::BITS - differ.leading_zeros()) as u8
}

fn child(key: &[u8; 32], branch: u8) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update([branch]);
    hasher.update(key);
    hasher.finalize().into()
}
