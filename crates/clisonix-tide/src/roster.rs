//! The records that one peer may hold, as entries, and their sketch.

use std::collections::BTreeSet;

use crate::catalogue::{Catalogue, Slot};
use crate::entry::{Entry, SetHash, SketchKey};
use crate::former::Former;
use crate::index::Index;
use crate::replica::{NoticeId, Scope};
use crate::sketch::{LISTED_BYTES, MAX_SYMBOLS, SYMBOL_BYTES, Sketch, Symbol};

/// Kept current at every write; answers a peer without touching a record.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    secret: [u8; 16],
    epoch: u64,
    key: SketchKey,
    sketch: Sketch,
    /// By number in the catalogue; 0 for what is not in the set.
    by_slot: Vec<Entry>,
    by_id: Index,
    /// What records' entries were lately.
    former: Former,
    /// Grows with every change of the set.
    version: u64,
    /// What the peer says that this node may not hold.
    outside: BTreeSet<Slot>,
    /// What the peer may hold and whose entry has the id of another one's.
    displaced: BTreeSet<Slot>,
    /// The slots from here on are to be looked at; `None` if none is.
    next: Option<u32>,
    /// Whether everything was looked at once.
    is_ready: bool,
}

/// Whether the peer may have what stands under this name.
pub(crate) fn may_have(name: &str, scope: &dyn Scope) -> bool {
    match NoticeId::of_name(name) {
        Some(id) => scope.may_know(&id),
        None => scope.may_hold(name),
    }
}

impl Roster {
    /// What of the catalogue the peer may hold: nothing before it is looked at ([`Self::look`]).
    /// Versions of the set count from `version`, which differs from run to run.
    pub(crate) fn new(secret: [u8; 16], epoch: u64, version: u64, catalogue: &Catalogue) -> Self {
        Self {
            key: SketchKey::of_epoch(&secret, epoch),
            secret,
            epoch,
            sketch: Sketch::new(Sketch::kept_for(catalogue.len())),
            by_slot: Vec::new(),
            by_id: Index::default(),
            former: Former::default(),
            version,
            outside: BTreeSet::new(),
            displaced: BTreeSet::new(),
            next: Some(0),
            is_ready: false,
        }
    }

    /// Takes over what the catalogue and the scope say of a record now; `true` if the set changed.
    pub(crate) fn refresh(&mut self, slot: Slot, catalogue: &Catalogue, scope: &dyn Scope) -> bool {
        let Some(name) = catalogue.name(slot) else { return false };
        let version = catalogue.version_of(slot).filter(|_| !self.outside.contains(&slot));
        let held = self.by_slot.get(slot.0 as usize).copied().filter(|held| *held != Entry(0));
        let entry = version.filter(|_| may_have(name, scope)).map(|version| match held {
            Some(held) => self.key.next_entry(held, name, &version),
            None => self.key.entry(name, &version),
        });
        self.put(slot, entry.unwrap_or(Entry(0)))
    }

    /// Everything in the catalogue is to be looked at anew.
    pub(crate) fn look_again(&mut self) {
        self.next = Some(0);
    }

    /// Refreshes at most so many slots that are to be looked at; `true` if there are more.
    pub(crate) fn look(&mut self, most: usize, catalogue: &Catalogue, scope: &dyn Scope) -> bool {
        let Some(first) = self.next else { return false };
        for slot in catalogue.slots_from(Slot(first)).take(most) {
            self.refresh(slot, catalogue, scope);
        }
        let next = (first as usize).saturating_add(most);
        self.next = u32::try_from(next).ok().filter(|_| next < catalogue.len());
        self.is_ready |= self.next.is_none();
        self.is_looking()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready
    }

    pub(crate) fn is_looking(&self) -> bool {
        self.next.is_some()
    }

    fn put(&mut self, slot: Slot, mut entry: Entry) -> bool {
        let place = slot.0 as usize;
        if place >= self.by_slot.len() {
            self.by_slot.resize(place + 1, Entry(0));
        }
        let Some(held) = self.by_slot.get_mut(place) else { return false };
        self.displaced.remove(&slot);
        if *held == entry {
            return false;
        }
        let is_free = match (*held, entry) {
            (old, Entry(0)) => {
                self.by_id.remove(old.id());
                true
            }
            (Entry(0), new) => self.by_id.insert(new.id(), slot),
            (old, new) => self.by_id.replace(old.id(), new.id(), slot),
        };
        // Two entries with one id come once in 2^64 pairs; another epoch parts them.
        if !is_free {
            self.displaced.insert(slot);
            entry = Entry(0);
        }
        match (std::mem::replace(held, entry), entry) {
            (Entry(0), Entry(0)) => {}
            (Entry(0), new) => self.sketch.insert(new),
            (old, Entry(0)) => self.sketch.remove(old),
            (old, new) => {
                self.former.note(old.id());
                self.sketch.replace(old, new);
            }
        }
        self.version = self.version.wrapping_add(1);
        self.keep(Sketch::kept_for(self.by_id.len()));
        true
    }

    /// The peer says whether this node may hold a record; what it may not is not compared.
    pub(crate) fn set_outside(&mut self, slot: Slot, is_outside: bool) {
        if is_outside {
            self.outside.insert(slot);
            self.put(slot, Entry(0));
        } else {
            self.outside.remove(&slot);
        }
    }

    /// What the peer said before is forgotten; these are to be refreshed.
    pub(crate) fn forget_outside(&mut self) -> BTreeSet<Slot> {
        std::mem::take(&mut self.outside)
    }

    pub(crate) fn outside_count(&self) -> usize {
        self.outside.len()
    }

    pub(crate) fn is_outside(&self, slot: Slot) -> bool {
        self.outside.contains(&slot)
    }

    /// Makes all entries anew under another epoch.
    pub(crate) fn rekey(&mut self, epoch: u64, catalogue: &Catalogue) {
        let other = Self {
            by_slot: Vec::with_capacity(self.by_slot.len()),
            sketch: Sketch::new(self.sketch.symbols().len()),
            outside: std::mem::take(&mut self.outside),
            next: self.next,
            is_ready: self.is_ready,
            ..Self::new(self.secret, epoch, self.version, &Catalogue::default())
        };
        let before = std::mem::replace(self, other);
        for slot in catalogue.slots_from(Slot(0)) {
            if before.holds(slot) || before.displaced.contains(&slot) {
                let version = catalogue.name(slot).zip(catalogue.version_of(slot));
                let entry = version.map(|(name, version)| self.key.entry(name, &version));
                self.put(slot, entry.unwrap_or(Entry(0)));
            }
        }
        self.version = self.version.wrapping_add(1);
    }

    /// Keeps at least so many symbols, as far as they can be of use.
    pub(crate) fn keep(&mut self, symbols: usize) {
        let useful = (self.by_id.len() * LISTED_BYTES / SYMBOL_BYTES).min(MAX_SYMBOLS);
        let symbols = symbols.min(useful.max(Sketch::kept_for(self.by_id.len())));
        // Growing costs a pass over all entries; by half at least.
        if symbols > self.symbols().len() {
            let symbols = symbols.max(self.symbols().len() * 3 / 2);
            let entries = self.by_slot.iter().copied().filter(|entry| *entry != Entry(0));
            self.sketch.grow(symbols, entries);
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn count(&self) -> u64 {
        self.sketch.count()
    }

    pub(crate) fn hash(&self) -> SetHash {
        self.sketch.hash()
    }

    pub(crate) fn symbols(&self) -> &[Symbol] {
        self.sketch.symbols()
    }

    /// The record that an entry stands for.
    pub(crate) fn slot(&self, id: u64) -> Option<Slot> {
        self.by_id.get(id)
    }

    /// Whether a record's entry was this one lately; that is told once.
    pub(crate) fn take_former(&mut self, id: u64) -> bool {
        self.former.take(id)
    }

    /// What tells a record's name beside the id of its entry.
    pub(crate) fn name_check(&self, record: &str) -> u32 {
        self.key.name_check(record)
    }

    pub(crate) fn holds(&self, slot: Slot) -> bool {
        self.by_slot.get(slot.0 as usize).is_some_and(|entry| *entry != Entry(0))
    }

    /// Entries' ids in ascending order.
    pub(crate) fn ids_after(&self, after: Option<u64>) -> impl Iterator<Item = (u64, Slot)> {
        self.by_id.after(after)
    }
}
