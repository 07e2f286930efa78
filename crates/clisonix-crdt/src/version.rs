//! Versions: a record as it is now, or as it was at any set of heads, for reading.

use std::ops::Range;

use clisonix_fhir::json::{self, Value};
use clisonix_fhir::schema::Scope;
use sha2::{Digest, Sha256};

use crate::address::{self, Step, Steps};
use crate::change::{ChangeId, Source};
use crate::conflict::{self, Conflict};
use crate::log::{Entries, Log, Logged, Replayed};
use crate::note::{self, Note};
use crate::policy::Policy;
use crate::record::Record;
use crate::state::{ChangeNo, Entry, EntryId, Sibling, Written};
use crate::tables::Tables;
use crate::time::HybridTime;
use crate::tree::{Place, Thing};
use crate::view::{self, Shown, Versions};

/// A state that was read from the log: the record at some heads.
#[derive(Clone, Debug)]
pub struct Version {
    pub(crate) state: Replayed,
    pub(crate) heads: Vec<ChangeNo>,
}

/// A record at one version, for reading.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(crate) record: &'a str,
    pub(crate) tables: &'a Tables,
    pub(crate) log: &'a Log,
    pub(crate) policy: &'a Policy,
    pub(crate) entries: &'a Entries,
    pub(crate) heads: &'a [ChangeNo],
}

/// Who wrote one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blame {
    /// Where, FHIRPath-like, with list indexes as shown.
    pub path: String,
    /// Positions in the text, where several people write it: this change wrote these characters.
    pub characters: Option<Range<usize>>,
    /// The change whose value is shown.
    pub change: ChangeId,
    /// Its author.
    pub author: Box<str>,
    /// Its time: the event time where a source stated it.
    pub time: HybridTime,
    /// The feed's message, if one stated it.
    pub source: Option<Source>,
}

impl Versions for (View<'_>, &EntryId) {
    fn version(&self, change: ChangeNo) -> Option<Thing<'static>> {
        let (view, id) = *self;
        let past = view.log.clock_of(&[change], view.tables);
        let within = |_, row: &Logged| past.covers(row.stamp.actor, row.stamp.seq);
        let state = view.log.replay(view.tables, within, Some(&[id]));
        let entry = state.entries.get(id)?;
        view::tree(entry, &state.tables, view.policy, false).map(Thing::into_owned)
    }

    fn is_before(&self, ancestor: ChangeNo, change: ChangeNo) -> bool {
        self.0.log.is_before(ancestor, change, self.0.tables)
    }
}

impl<'a> View<'a> {
    /// The heads of this version, in order.
    pub fn heads(&self) -> Vec<ChangeId> {
        let ids = self.heads.iter().filter_map(|&head| self.id_of(head));
        let mut ids: Vec<ChangeId> = ids.collect();
        ids.sort_unstable();
        ids
    }

    /// The entries that are present, by type and id.
    pub fn entries(&self) -> impl Iterator<Item = &'a EntryId> {
        let view = *self;
        self.entries.iter().filter(move |(id, entry)| view.is_present(id, entry)).map(|(id, _)| id)
    }

    /// The resource shown for `id`, with `meta.versionId` and `meta.lastUpdated`; `None` if it is
    /// not there or removed.
    pub fn resource_text(&self, id: &EntryId) -> Option<String> {
        let (id, entry) = self.entries.get_key_value(id)?;
        let shown = self.shown(id, entry)?;
        Some(self.stamped(id, entry, &shown.tree))
    }

    /// [`Self::resource_text`] as a value.
    pub fn resource(&self, id: &EntryId) -> Option<Value> {
        json::parse(self.resource_text(id)?.as_bytes()).ok()
    }

    /// All entries that were ever written, removed ones included.
    pub fn all_entries(&self) -> impl Iterator<Item = &'a EntryId> {
        self.entries.keys()
    }

    /// The resource's text and the entry's open conflicts from one reading; `None` if it is gone.
    pub fn face(&self, id: &EntryId) -> Option<(String, Vec<Conflict>)> {
        let (id, entry) = self.entries.get_key_value(id)?;
        let shown = self.shown(id, entry)?;
        let conflicts = if may_conflict(entry) {
            conflict::of_entry(self, id, entry, &shown)
        } else {
            Vec::new()
        };
        Some((self.stamped(id, entry, &shown.tree), conflicts))
    }

    /// Whether an author removed the entry and the removal was not ended: only then does what is
    /// shown of it depend on other entries.
    pub fn is_marked(&self, id: &EntryId) -> bool {
        self.entries.get(id).is_some_and(|entry| !marks(entry).is_empty())
    }

    /// The record as a FHIR `Bundle` of type `collection`.
    pub fn bundle_text(&self) -> String {
        let texts = self.entries.iter().filter_map(|(id, entry)| {
            let shown = self.shown(id, entry)?;
            Some(self.stamped(id, entry, &shown.tree))
        });
        bundle_text(&self.version_id(), texts)
    }

    /// The open conflicts, by entry and place.
    pub fn conflicts(&self) -> Vec<Conflict> {
        self.entries.iter().flat_map(|(id, entry)| self.conflicts_in(id, entry)).collect()
    }

    /// The open conflicts of one entry.
    pub fn conflicts_of(&self, id: &EntryId) -> Vec<Conflict> {
        self.entries
            .get_key_value(id)
            .map_or_else(Vec::new, |(id, entry)| self.conflicts_in(id, entry))
    }

    fn conflicts_in(&self, id: &EntryId, entry: &Entry) -> Vec<Conflict> {
        if !may_conflict(entry) {
            return Vec::new();
        }
        match self.shown(id, entry) {
            Some(shown) => conflict::of_entry(self, id, entry, &shown),
            None => Vec::new(),
        }
    }

    /// Who wrote what is shown, cell by cell; of a text that several people type in also who wrote
    /// which part of it.
    pub fn blame(&self, id: &EntryId) -> Vec<Blame> {
        let Some((id, entry)) = self.entries.get_key_value(id) else { return Vec::new() };
        let Some(shown) = self.shown(id, entry) else { return Vec::new() };
        let mut rows = Vec::new();
        for (address, cell) in entry.cells() {
            if address::is_position(address) || address::is_presence(address) {
                continue;
            }
            let Some(path) = conflict::path_of(id, address, &shown.tree) else { continue };
            let leader = view::leader_of(address);
            let sibling = view::shown_sibling(&cell, leader, self.tables, self.policy);
            let Some(sibling) = sibling.filter(|s| !view::text_of(s).is_empty()) else { continue };
            match sibling.write {
                Written::Text(_, Some(note)) => {
                    self.blame_text(id, address, note, &path, &mut rows);
                }
                _ => rows.extend(self.blame_of(path, None, self.writer(sibling))),
            }
        }
        rows
    }

    /// A cell that several people type in: who put it there, and who wrote which part of its text.
    fn blame_text(
        &self,
        id: &EntryId,
        address: &[u8],
        note: &Note,
        path: &str,
        rows: &mut Vec<Blame>,
    ) {
        let root = self.log.of_actor(note.root.actor, note.root.seq, self.tables);
        rows.extend(root.and_then(|root| self.blame_of(path.to_owned(), None, root)));
        let mut path = path.to_owned();
        for token in note::place(address).map_or(&[][..], |way| way.tokens) {
            path.push('.');
            path.push_str(token);
        }
        // A history that does not lead to its text was refused when it came.
        for part in self.typed_by(id, address, note).unwrap_or_default() {
            let (actor, seq) = part.change;
            let change = self.log.of_actor(actor, seq, self.tables);
            let row = change.and_then(|at| self.blame_of(path.clone(), Some(part.range), at));
            rows.extend(row);
        }
    }

    fn blame_of(
        &self,
        path: String,
        characters: Option<Range<usize>>,
        change: ChangeNo,
    ) -> Option<Blame> {
        let stamp = match self.tables.stamps.get(change) {
            Some(stamp) => stamp,
            None => &self.log.get(change)?.stamp,
        };
        Some(Blame {
            path,
            characters,
            change: self.id_of(change)?,
            author: self.tables.authors.name(stamp.author).into(),
            time: HybridTime(stamp.said),
            source: self.tables.source_of(stamp),
        })
    }

    /// The version of the whole record: a FHIR id derived from its heads and the policy.
    pub fn version_id(&self) -> String {
        version_of(self.heads, self)
    }

    /// The version of one entry, as in its `meta.versionId`.
    pub fn entry_version_id(&self, id: &EntryId) -> Option<String> {
        Some(version_of(&self.entries.get(id)?.heads, self))
    }

    /// The change that stands for a write that several changes made: the one with the least id, so
    /// that every site names the same.
    pub(crate) fn writer(&self, sibling: &Sibling<'_>) -> ChangeNo {
        if sibling.same.is_empty() {
            return sibling.change;
        }
        let changes = sibling.changes();
        changes.min_by_key(|&change| self.id_of(change)).unwrap_or(sibling.change)
    }

    /// The id of a change by its number here.
    pub(crate) fn id_of(&self, change: ChangeNo) -> Option<ChangeId> {
        self.log.id(self.record, self.tables, change)
    }

    /// The entry as shown, guarded; `None` if it is gone.
    pub(crate) fn shown(&self, id: &EntryId, entry: &'a Entry) -> Option<Shown<'a>> {
        let tree = match view::tree(entry, self.tables, self.policy, false) {
            Some(tree) => tree,
            None if self.is_referred_to(id, entry) => {
                view::tree(entry, self.tables, self.policy, true)?
            }
            None => return None,
        };
        Some(view::guard(id, entry, tree, self.tables, self.policy, &(*self, id)))
    }

    fn is_present(&self, id: &EntryId, entry: &Entry) -> bool {
        view::is_present(entry) || self.is_referred_to(id, entry)
    }

    /// Whether a removed entry is referred to by a write that is concurrent with the removal.
    fn is_referred_to(&self, id: &EntryId, entry: &Entry) -> bool {
        let marks = marks(entry);
        if marks.is_empty() {
            return false;
        }
        let reference = format!("\"reference\":\"{id}\"");
        self.entries.iter().filter(|(other, _)| *other != id).any(|(_, other)| {
            let siblings = other.cells().flat_map(|(_, cell)| cell.siblings);
            let mut referring = siblings.filter(|s| view::text_of(s).contains(&reference));
            referring.any(|sibling| {
                marks.iter().all(|&mark| {
                    sibling.changes().all(|write| {
                        !self.log.is_before(write, mark, self.tables)
                            && !self.log.is_before(mark, write, self.tables)
                    })
                })
            })
        })
    }

    fn stamped(&self, id: &EntryId, entry: &Entry, tree: &Thing<'_>) -> String {
        let times = entry.heads.iter().filter_map(|&head| Some(self.tables.stamps.get(head)?.time));
        let updated = HybridTime(times.max().unwrap_or_default());
        let meta = Scope::Type(id.ty).member("meta").map(|member| Place::Element(member.element));
        let stamp =
            view::MetaStamp { place: meta, version: &version_of(&entry.heads, self), updated };
        view::stamped_text(id, tree, &stamp)
    }
}

/// The changes that removed the entry and that nobody has superseded.
fn marks(entry: &Entry) -> Vec<ChangeNo> {
    let presence = entry.cells().next();
    let presence =
        presence.filter(|(address, _)| Steps::of(address, false).next() == Some(Step::Presence));
    let siblings = presence.into_iter().flat_map(|(_, cell)| cell.siblings);
    siblings
        .filter(|sibling| sibling.write == Written::Mark)
        .map(|sibling| sibling.change)
        .collect()
}

/// Whether an entry can hold a conflict at all; one that cannot need not be rendered to know it.
fn may_conflict(entry: &Entry) -> bool {
    entry.heads.len() > 1
        || entry.cells().any(|(address, cell)| {
            cell.siblings.len() > 1 || (!cell.siblings.is_empty() && address::is_presence(address))
        })
}

/// The `Bundle` that shows a record: its version ([`View::version_id`]) and the texts of its
/// resources, in order.
pub fn bundle_text<T: AsRef<str>>(version: &str, texts: impl IntoIterator<Item = T>) -> String {
    let mut out = String::from("{\"resourceType\":\"Bundle\",\"meta\":{\"versionId\":\"");
    out.push_str(version);
    out.push_str("\"},\"type\":\"collection\"");
    let mut first = true;
    for text in texts {
        out.push_str(if first { ",\"entry\":[" } else { "," });
        first = false;
        out.push_str("{\"resource\":");
        out.push_str(text.as_ref());
        out.push('}');
    }
    out.push_str(if first { "}" } else { "]}" });
    out
}

/// Most heads that a version id spells out; more are hashed.
const MAX_SPELLED_HEADS: usize = 5;
/// The 64 characters that a FHIR id may hold.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.";

/// A version id: `v`, then policy and heads in base 64 with FHIR's id characters; with more than
/// five heads `h` and their hash.
pub(crate) fn version_of(heads: &[ChangeNo], view: &View<'_>) -> String {
    let mut ids: Vec<ChangeId> = heads.iter().filter_map(|&head| view.id_of(head)).collect();
    ids.sort_unstable();
    let mut bytes: Vec<u8> = view.policy.digest().iter().copied().take(3).collect();
    if ids.len() <= MAX_SPELLED_HEADS {
        for id in &ids {
            bytes.extend(id.0.iter().take(8));
        }
        return spell('v', &bytes);
    }
    let mut hasher = Sha256::new();
    for id in &ids {
        hasher.update(id.0);
    }
    bytes.extend(hasher.finalize().iter().take(30));
    spell('h', &bytes)
}

fn spell(kind: char, bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + bytes.len() * 4 / 3);
    text.push(kind);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            let digit = bits >> (18 - 6 * index) & 63;
            text.push(ALPHABET.get(digit as usize).map_or('.', |&c| char::from(c)));
        }
    }
    text
}

/// The heads that a spelled version id names, if all are known.
pub(crate) fn read_version(version: &str, record: &Record) -> Option<Vec<ChangeNo>> {
    let digits = version.strip_prefix('v')?;
    let mut bits = 0_u32;
    let mut count = 0;
    let mut bytes = Vec::new();
    for digit in digits.bytes() {
        let value = ALPHABET.iter().position(|&c| c == digit)? as u32;
        bits = bits << 6 | value;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    let heads = bytes.get(3..)?;
    let known = |prefix: &[u8]| record.find_change(|id| id.0.starts_with(prefix));
    heads.chunks(8).map(|prefix| if prefix.len() == 8 { known(prefix) } else { None }).collect()
}
