//! Entries: one record in one version, as a keyed hash that only one pair of peers can compute.

use std::fmt;

use siphasher::sip128::SipHasher24;

use crate::replica::Version;

/// The key under which one pair of peers hashes entries during one epoch.
///
/// Nobody outside the pair can make two records' entries collide or tell from an entry which record
/// it stands for. It protects sketches, not content: SipHash-2-4 is a keyed hash against chosen
/// input, and 16 bytes of key are no substitute for the link's encryption.
#[derive(Clone, PartialEq, Eq)]
pub struct SketchKey([u8; 16]);

/// A record in one version: 16 bytes of SipHash-2-4 over its name and its version.
///
/// The first eight bytes stand in sketches ([`Self::id`]), all of them in the [`SetHash`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry(pub u128);

/// The sum of a set's entries modulo 2^128. Equal sets have equal hashes; two peers whose sets
/// differ see equal hashes with a chance of 2^-128.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct SetHash(pub u128);

impl SketchKey {
    /// The key of an epoch, derived from a secret that the two peers share.
    pub fn of_epoch(secret: &[u8; 16], epoch: u64) -> Self {
        let mut text = *b"clisonix sketch\0\0\0\0\0\0\0\0\0";
        if let Some(place) = text.last_chunk_mut::<8>() {
            *place = epoch.to_be_bytes();
        }
        Self(SipHasher24::new_with_key(secret).hash(&text).as_bytes())
    }

    /// The entry of a record in this version.
    pub fn entry(&self, record: &str, version: &Version) -> Entry {
        let mut text = Vec::with_capacity(record.len() + 1 + version.0.len());
        text.extend_from_slice(record.as_bytes());
        text.push(0xff);
        text.extend_from_slice(&version.0);
        Entry(u128::from_le_bytes(SipHasher24::new_with_key(&self.0).hash(&text).as_bytes()))
    }
}

impl fmt::Debug for SketchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SketchKey(..)")
    }
}

impl Entry {
    /// The eight bytes that stand for it in a sketch.
    pub fn id(self) -> u64 {
        self.0 as u64
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.id())
    }
}

impl SetHash {
    /// With one entry more.
    pub fn insert(&mut self, entry: Entry) {
        self.0 = self.0.wrapping_add(entry.0);
    }

    /// With one entry less.
    pub fn remove(&mut self, entry: Entry) {
        self.0 = self.0.wrapping_sub(entry.0);
    }
}

impl fmt::Debug for SetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_separate_pairs_and_epochs() {
        let version = Version([1; 32]);
        let key = SketchKey::of_epoch(&[7; 16], 1);
        let others = [
            key.entry("patient-123", &Version([2; 32])),
            key.entry("patient-124", &version),
            SketchKey::of_epoch(&[7; 16], 2).entry("patient-123", &version),
            SketchKey::of_epoch(&[8; 16], 1).entry("patient-123", &version),
        ];
        for other in others {
            assert_ne!(key.entry("patient-123", &version).id(), other.id());
        }
    }

    #[test]
    fn a_set_hash_forgets_what_is_removed() {
        let (mut set, one, two) = (SetHash::default(), Entry(u128::MAX - 1), Entry(5));
        set.insert(one);
        set.insert(two);
        set.remove(one);
        let mut only = SetHash::default();
        only.insert(two);
        assert_eq!(set, only);
    }
}
