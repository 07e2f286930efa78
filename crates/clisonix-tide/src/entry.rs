//! Entries: one record in one version, as a keyed hash that only one pair of peers can compute.

use std::fmt;
use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::replica::Version;

/// How many bits of an id follow from the version too; the others from the record alone.
const VERSION_BITS: u32 = 40;
/// The bits of an id that follow from the record alone.
const RECORD_MASK: u64 = !0 << VERSION_BITS;

/// The key under which one pair of peers hashes entries during one epoch.
///
/// Nobody outside the pair can make two records' entries collide or tell from an entry which record
/// it stands for. It protects sketches, not content: SipHash-2-4 is a keyed hash against chosen
/// input, and 16 bytes of key are no substitute for the link's encryption.
#[derive(Clone, PartialEq, Eq)]
pub struct SketchKey([u8; 16]);

/// A record in one version: 16 bytes of SipHash-2-4 over its name and its version, three of which are
/// replaced by a hash of the name alone.
///
/// The first eight bytes stand in sketches ([`Self::id`]), all of them in the [`SetHash`]. Where two
/// entries begin alike, they most likely stand for one record in two versions.
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
        self.entry_with(self.name(record) << VERSION_BITS, record, version)
    }

    /// The entry of a record in this version, from its entry in another one.
    pub(crate) fn next_entry(&self, held: Entry, record: &str, version: &Version) -> Entry {
        self.entry_with(held.id() & RECORD_MASK, record, version)
    }

    fn entry_with(&self, part: u64, record: &str, version: &Version) -> Entry {
        // Neither of the bytes that part name and version stands in UTF-8.
        let hash = self.hash(record, 0xff, &version.0);
        Entry(hash & !u128::from(RECORD_MASK) | u128::from(part))
    }

    /// 32 bits that tell a record's name from others that begin their entries alike.
    pub fn name_check(&self, record: &str) -> u32 {
        (self.name(record) >> 32) as u32
    }

    fn name(&self, record: &str) -> u64 {
        let hash = self.hash(record, 0xfe, &[]) as u64;
        #[cfg(test)]
        let hash = hash & tests::NAME_BITS.get();
        hash
    }

    fn hash(&self, record: &str, mark: u8, rest: &[u8]) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(record.as_bytes());
        hasher.write(&[mark]);
        hasher.write(rest);
        u128::from_le_bytes(hasher.finish128().as_bytes())
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

/// What entries of one record begin with, whatever its version.
pub(crate) fn record_part(id: u64) -> u64 {
    id >> VERSION_BITS
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
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// What is left of the hash of a name: with few bits many records' entries begin alike.
        pub(crate) static NAME_BITS: Cell<u64> = const { Cell::new(u64::MAX) };
    }

    #[test]
    fn entries_of_one_record_begin_alike() {
        let key = SketchKey::of_epoch(&[7; 16], 1);
        let one = key.entry("patient-123", &Version([1; 32]));
        let two = key.entry("patient-123", &Version([2; 32]));
        let other = key.entry("patient-124", &Version([1; 32]));
        assert_eq!(record_part(one.id()), record_part(two.id()));
        assert_ne!(record_part(one.id()), record_part(other.id()));
        assert_ne!(one.id(), two.id());
        assert_eq!(key.next_entry(one, "patient-123", &Version([2; 32])), two);
    }

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
