//! Keys that are derived from one secret and can be destroyed one by one: a tree (Goldreich,
//! Goldwasser and Micali, 1986) with four branches at each of forty steps.
//!
//! To destroy a leaf, the node above it is replaced by the siblings of all nodes on the way down.
//! From what is left every other leaf can still be derived, and the destroyed one by nobody.

use crate::digest::hmac_sha256;
use crate::random::Random;
use crate::secret::Secret;

/// Steps from the root to a leaf; each takes two bits of the leaf's place.
pub(super) const STEPS: u8 = 40;
/// Bytes of an encoded node.
pub(super) const NODE_BYTES: usize = 1 + 10 + 32;
/// Most nodes: some thirty thousand destroyed leaves.
pub(super) const MAX_NODES: usize = 4_000_000;

/// Where a leaf stands: the lower 80 bits, the first step in the highest.
pub(super) type Place = u128;

const PLACE_BITS: u32 = 2 * STEPS as u32;

/// What is left of the tree: nodes from left to right, none below another.
pub(super) struct Tree(Vec<Node>);

struct Node {
    /// Steps from the root.
    depth: u8,
    /// The place of the first leaf below it.
    first: Place,
    key: Secret<32>,
}

impl Node {
    fn holds(&self, place: Place) -> bool {
        let below = PLACE_BITS - 2 * u32::from(self.depth);
        place.checked_shr(below).unwrap_or_default()
            == self.first.checked_shr(below).unwrap_or_default()
    }
}

impl Tree {
    /// A whole tree.
    pub(super) fn new(random: &mut dyn Random) -> Self {
        Self(vec![Node { depth: 0, first: 0, key: Secret::generate(random) }])
    }

    /// The key of a leaf; `None` if it was destroyed.
    pub(super) fn leaf(&self, place: Place) -> Option<Secret<32>> {
        let node = self.0.get(self.above(place)?)?;
        let mut key = child(&node.key, None);
        for depth in node.depth..STEPS {
            key = child(&key, Some(branch(place, depth)));
        }
        Some(key)
    }

    /// Whether a leaf can be derived.
    pub(super) fn has(&self, place: Place) -> bool {
        self.above(place).is_some()
    }

    /// Destroys a leaf; false if it was destroyed already.
    pub(super) fn destroy(&mut self, place: Place) -> bool {
        let Some(at) = self.above(place) else { return false };
        let node = self.0.remove(at);
        let mut left = Vec::new();
        let mut key = node.key;
        for depth in node.depth..STEPS {
            let taken = branch(place, depth);
            let below = PLACE_BITS - 2 * (u32::from(depth) + 1);
            let start = place >> (below + 2) << (below + 2);
            for other in (0..4).filter(|other| *other != taken) {
                let first = start | u128::from(other) << below;
                left.push(Node { depth: depth + 1, first, key: child(&key, Some(other)) });
            }
            key = child(&key, Some(taken));
        }
        left.sort_unstable_by_key(|node| node.first);
        self.0.splice(at..at, left);
        true
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() + 3 * usize::from(STEPS) > MAX_NODES
    }

    /// The node above a leaf.
    fn above(&self, place: Place) -> Option<usize> {
        let at = self.0.partition_point(|node| node.first <= place).checked_sub(1)?;
        self.0.get(at).filter(|node| node.holds(place)).map(|_| at)
    }

    /// Appends all nodes, counted.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&count.to_be_bytes());
        for node in &self.0 {
            out.push(node.depth);
            out.extend(node.first.to_be_bytes().iter().skip(6));
            out.extend_from_slice(node.key.expose());
        }
    }

    /// Reads what [`Self::encode`] wrote; `None` if it is anything else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (count, nodes) = bytes.split_first_chunk()?;
        let count = u32::from_be_bytes(*count) as usize;
        if count > MAX_NODES || nodes.len() != count * NODE_BYTES {
            return None;
        }
        let mut free: Place = 0;
        let nodes = nodes.chunks_exact(NODE_BYTES).map(|node| {
            let (depth, rest) = node.split_first()?;
            let (first, key) = rest.split_first_chunk::<10>()?;
            let mut wide = [0; 16];
            wide.iter_mut().skip(6).zip(first).for_each(|(own, byte)| *own = *byte);
            let first = Place::from_be_bytes(wide);
            let size = 1_u128 << PLACE_BITS.checked_sub(2 * u32::from(*depth))?;
            if first < free || !first.is_multiple_of(size) {
                return None;
            }
            free = first + size;
            Some(Node { depth: *depth, first, key: Secret::from_slice(key).ok()? })
        });
        nodes.collect::<Option<Vec<_>>>().map(Self)
    }
}

/// The step that is taken below `depth` on the way to a leaf.
fn branch(place: Place, depth: u8) -> u8 {
    let below = PLACE_BITS - 2 * (u32::from(depth) + 1);
    (place >> below & 3) as u8
}

/// The key below a node; without a branch a copy of its own.
fn child(key: &Secret<32>, branch: Option<u8>) -> Secret<32> {
    Secret::filled(|own| match branch {
        Some(branch) => *own = hmac_sha256(key.expose(), &[branch]),
        None => *own = *key.expose(),
    })
}

#[cfg(test)]
mod tests;
