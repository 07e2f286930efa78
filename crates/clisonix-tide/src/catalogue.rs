//! The catalogue: names and versions of all records of a node, once for all its sessions.

use siphasher::sip::SipHasher24;

use crate::index::Index;
use crate::replica::{NoticeId, Replica, Version};

/// The number of a record in the catalogue of one run of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(pub(crate) u32);

/// Names and versions of a node's records and notices. Sessions refer to it, so that fifty peers
/// do not hold a million names each.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    slots: Vec<(Box<str>, Option<Version>)>,
    /// By the hash of the name; where that is taken, by the number after it.
    by_name: Index,
    /// The one that was set last: every session asks for that next.
    latest: Option<Slot>,
}

impl Catalogue {
    /// The catalogue of what a replica holds now.
    pub fn of(replica: &dyn Replica) -> Self {
        let mut catalogue = Self::default();
        replica.versions(&mut |record, version| {
            catalogue.set(record, Some(version));
        });
        replica.notices(&mut |id| {
            catalogue.set(&id.name(), Some(Version(id.0)));
        });
        catalogue
    }

    /// A record has this version now; `true` if it had another one. The sessions are to be told
    /// then ([`Session::record_changed`](crate::Session::record_changed)).
    pub fn set(&mut self, record: &str, version: Option<Version>) -> bool {
        let slot = self.slot(record);
        if let Some((_, held)) = slot.and_then(|slot| self.slots.get_mut(slot.0 as usize)) {
            self.latest = slot;
            return std::mem::replace(held, version) != version;
        }
        let Ok(number) = u32::try_from(self.slots.len()) else { return false };
        if version.is_some() {
            self.slots.push((record.into(), version));
            let mut place = hash(record);
            while !self.by_name.insert(place, Slot(number)) {
                place = place.wrapping_add(1);
            }
            self.latest = Some(Slot(number));
        }
        version.is_some()
    }

    /// A notice is here now; `true` if it is new.
    pub fn set_notice(&mut self, id: &NoticeId) -> bool {
        self.set(&id.name(), Some(Version(id.0)))
    }

    /// The version of a record or notice, by name.
    pub fn version(&self, record: &str) -> Option<Version> {
        self.slot(record).and_then(|slot| self.version_of(slot))
    }

    /// How many names are known.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn slot(&self, record: &str) -> Option<Slot> {
        let latest = self.latest.filter(|slot| self.name(*slot) == Some(record));
        if latest.is_some() {
            return latest;
        }
        let mut place = hash(record);
        loop {
            let slot = self.by_name.get(place)?;
            if self.name(slot) == Some(record) {
                return Some(slot);
            }
            place = place.wrapping_add(1);
        }
    }

    pub(crate) fn version_of(&self, slot: Slot) -> Option<Version> {
        self.slots.get(slot.0 as usize).and_then(|(_, version)| *version)
    }

    pub(crate) fn name(&self, slot: Slot) -> Option<&str> {
        self.slots.get(slot.0 as usize).map(|(name, _)| &**name)
    }

    pub(crate) fn slots_from(&self, first: Slot) -> impl Iterator<Item = Slot> + use<> {
        (first.0 as usize..self.slots.len()).map(|number| Slot(number as u32))
    }
}

/// No secret is needed: names that fall together cost a few more steps each.
fn hash(record: &str) -> u64 {
    SipHasher24::new().hash(record.as_bytes())
}
