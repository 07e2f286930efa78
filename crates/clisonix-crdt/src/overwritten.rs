//! What an operation overwrites, as a message names it: the operation that wrote the cell before,
//! and how much of its text stays.

use smallvec::SmallVec;

use crate::state::ChangeNo;

/// The operation whose text another one replaces, and the bytes that both have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overwritten {
    pub(crate) change: ChangeNo,
    /// The operation's index in its change. A state that was saved in an older format does not tell.
    pub(crate) op: Option<u32>,
    /// Bytes at the start that stay.
    pub(crate) prefix: u32,
    /// Bytes at the end that stay.
    pub(crate) suffix: u32,
}

/// What the operations of a change overwrite, in their order; ends with the last one that does.
pub(crate) type Bases = SmallVec<[Option<Overwritten>; 1]>;

impl Overwritten {
    /// By `new` of the text `old`, which is UTF-8 too.
    pub(crate) fn new(change: ChangeNo, op: Option<u32>, old: &[u8], new: &str) -> Self {
        let (prefix, suffix) = shared_ends(old, new);
        // A cell's text is at most 64 MiB.
        Self { change, op, prefix: prefix as u32, suffix: suffix as u32 }
    }
}

/// Bytes that two texts have in common at the start and at the end, at character boundaries.
fn shared_ends(old: &[u8], new: &str) -> (usize, usize) {
    let is_boundary = |at: usize| old.get(at).is_none_or(|byte| byte & 0xc0 != 0x80);
    let mut prefix = shared_start(old, new.as_bytes());
    while !new.is_char_boundary(prefix) || !is_boundary(prefix) {
        prefix -= 1;
    }
    let most = old.len().min(new.len()) - prefix;
    let mut suffix = shared_end(old, new.as_bytes()).min(most);
    while !new.is_char_boundary(new.len() - suffix) || !is_boundary(old.len() - suffix) {
        suffix -= 1;
    }
    (prefix, suffix)
}

/// Bytes that are compared at a time.
const STRIDE: usize = size_of::<u64>();

fn shared_start(old: &[u8], new: &[u8]) -> usize {
    let pairs = old.chunks_exact(STRIDE).zip(new.chunks_exact(STRIDE));
    let mut shared = 0;
    for differing in pairs.map(|(old, new)| word(old) ^ word(new)) {
        if differing != 0 {
            return shared + differing.trailing_zeros() as usize / 8;
        }
        shared += STRIDE;
    }
    let rest = old.iter().zip(new).skip(shared);
    shared + rest.take_while(|(old, new)| old == new).count()
}

fn shared_end(old: &[u8], new: &[u8]) -> usize {
    let pairs = old.rchunks_exact(STRIDE).zip(new.rchunks_exact(STRIDE));
    let mut shared = 0;
    for differing in pairs.map(|(old, new)| word(old) ^ word(new)) {
        if differing != 0 {
            return shared + differing.leading_zeros() as usize / 8;
        }
        shared += STRIDE;
    }
    let rest = old.iter().rev().zip(new.iter().rev()).skip(shared);
    shared + rest.take_while(|(old, new)| old == new).count()
}

/// The first of the bytes is the lowest.
fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::shared_ends;

    proptest! {
        #[test]
        fn what_is_shared_and_what_is_between_make_the_new_text(
            start in "[aä]{0,40}", old in "[aäb]{0,20}", new in "[aäb]{0,20}", end in "[aä]{0,40}",
        ) {
            let (old, new) = ([&*start, &old, &end].concat(), [&*start, &new, &end].concat());
            let (prefix, suffix) = shared_ends(old.as_bytes(), &new);
            let middle = &new[prefix..new.len() - suffix];
            prop_assert_eq!([&old[..prefix], middle, &old[old.len() - suffix..]].concat(), &*new);
            prop_assert!(prefix + suffix <= old.len());
            prop_assert!(prefix + suffix >= start.len().min(end.len()));
            let longer = |at: usize| old.get(..at).is_some_and(|head| new.starts_with(head));
            prop_assert!(!(prefix + 1..=old.len()).any(longer), "the longest start");
        }
    }
}
