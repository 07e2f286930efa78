//! A record: one patient's compartment, or one shared resource, in which concurrent edits merge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use clisonix_fhir::schema::TypeId;

use crate::actor::ActorId;
use crate::actor::keys::Keys;
use crate::change::{ChangeId, MAX_NAME_BYTES, RawOp, Source, raw_ops};
use crate::edit::EditError;
use crate::erasure::ErasureInfo;
use crate::feed::{Feed, FeedEnd};
use crate::log::{Entries, Log, Replayed, apply};
use crate::note::Pen;
use crate::page::PageWriter;
use crate::policy::Policy;
use crate::state::{ChangeNo, EntryId, Named};
use crate::tables::Tables;
use crate::time::HybridTime;
use crate::travel::Incoming;
use crate::version::{Version, View, read_version, version_of};

/// One CRDT document. The state is a pure function of the set of changes it has taken in.
#[derive(Clone)]
pub struct Record {
    pub(crate) id: Box<str>,
    pub(crate) tables: Tables,
    pub(crate) log: Log,
    pub(crate) entries: Entries,
    pub(crate) heads: Vec<ChangeNo>,
    /// By feed number.
    pub(crate) feed_ends: Vec<FeedEnd>,
    /// Changes that wait for others; more than one under a key only if they differ in spelling or
    /// if somebody forges.
    pub(crate) waiting: BTreeMap<(ActorId, u32), Vec<Incoming>>,
    /// By the change that is missing: the changes that wait for it.
    pub(crate) waiting_for: BTreeMap<(ActorId, u32), Vec<(ActorId, u32)>>,
    /// Of those, the ones that lack content without an order that erases it, or keys.
    pub(crate) withheld: BTreeSet<(ActorId, u32)>,
    /// Keys of actors whose first change has not been applied yet.
    pub(crate) secrets: BTreeMap<ActorId, Keys>,
    /// Actors that write on behalf of this replica.
    pub(crate) own: Vec<u32>,
    /// The latest hybrid time of any change here.
    pub(crate) latest: HybridTime,
    pub(crate) policy: Arc<Policy>,
    /// Where somebody types here.
    pub(crate) pen: Option<Pen>,
    /// Memory to write a cell in.
    pub(crate) scratch: Vec<u8>,
}

/// One change of the history, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeInfo {
    /// The change.
    pub id: ChangeId,
    /// What its author had seen last.
    pub dependencies: Vec<ChangeId>,
    /// Who.
    pub author: Box<str>,
    /// When, by the author's hybrid clock.
    pub time: HybridTime,
    /// The feed's message, if one stated it.
    pub source: Option<Source>,
    /// The entries it wrote, as far as their content is left.
    pub entries: Vec<EntryId>,
    /// What it ordered to be erased.
    pub erases: Option<ErasureInfo>,
    /// Number of its own operations that were erased.
    pub erased: usize,
}

impl Record {
    /// An empty record. The name is 1 to 512 bytes; longer ones are cut at a character boundary.
    pub fn new(id: &str) -> Self {
        let mut end = id.len().min(MAX_NAME_BYTES);
        while !id.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            id: id.get(..end).unwrap_or_default().into(),
            tables: Tables::default(),
            log: Log::default(),
            entries: Entries::new(),
            heads: Vec::new(),
            feed_ends: Vec::new(),
            waiting: BTreeMap::new(),
            waiting_for: BTreeMap::new(),
            withheld: BTreeSet::new(),
            secrets: BTreeMap::new(),
            own: Vec::new(),
            latest: HybridTime::default(),
            policy: Arc::clone(built_in_policy()),
            pen: None,
            scratch: Vec::new(),
        }
    }

    /// The same record read under a site's policy.
    #[must_use]
    pub fn with_policy(mut self, policy: Arc<Policy>) -> Self {
        self.policy = policy;
        self.pen = None;
        self
    }

    /// The record's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A second replica with the same changes; it writes as actors of its own.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { own: Vec::new(), pen: None, ..self.clone() }
    }

    /// The record as it is now, for reading.
    pub fn view(&self) -> View<'_> {
        self.view_of_parts(&self.entries, &self.heads, &self.tables)
    }

    /// A version read with [`Self::at`], for reading.
    pub fn view_of<'a>(&'a self, version: &'a Version) -> View<'a> {
        self.view_of_parts(&version.state.entries, &version.heads, &version.state.tables)
    }

    pub(crate) fn view_of_parts<'a>(
        &'a self,
        entries: &'a Entries,
        heads: &'a [ChangeNo],
        tables: &'a Tables,
    ) -> View<'a> {
        View { record: &self.id, tables, log: &self.log, policy: &self.policy, entries, heads }
    }

    /// The entries that a change wrote.
    pub fn entries_of(&self, change: &ChangeId) -> Vec<EntryId> {
        self.number_of(change).map_or_else(Vec::new, |number| self.entries_written(number))
    }

    fn entries_written(&self, change: ChangeNo) -> Vec<EntryId> {
        let Some(row) = self.log.get(change) else { return Vec::new() };
        let mut entries: Vec<(TypeId, &str)> = raw_ops(&row.ops).map(|op| op.entry).collect();
        entries.dedup();
        entries.into_iter().map(|(ty, id)| EntryId { ty, id: id.into() }).collect()
    }

    /// The id of a change by its number here.
    pub(crate) fn id_of(&self, change: ChangeNo) -> Option<ChangeId> {
        self.log.id(&self.id, &self.tables, change)
    }

    /// The id of an actor's change by its sequence number.
    pub fn id_by(&self, actor: ActorId, seq: u32) -> Option<ChangeId> {
        self.id_of(self.known((actor, seq))?)
    }

    /// The sequence number of an actor's last change here, 0 if there is none.
    pub fn last_seq(&self, actor: ActorId) -> u32 {
        self.tables.actor_number(actor).map_or(0, |number| self.tables.last_seq(number))
    }

    /// The actors whose changes are here.
    pub fn actors(&self) -> impl Iterator<Item = ActorId> + '_ {
        self.tables.actors.iter().filter(|actor| actor.last.0 > 0).map(|actor| actor.id)
    }

    /// The actors of the changes from number `first` on, in order of arrival here (see
    /// [`Self::change_count`]).
    pub fn actors_since(&self, first: usize) -> BTreeSet<ActorId> {
        let rows = self.log.rows_from(first as ChangeNo);
        rows.map(|(_, row)| self.tables.actor(row.stamp.actor)).collect()
    }

    /// By actor: the sequence numbers of the first and the last of its changes from number `first`
    /// on.
    pub fn places_since(&self, first: usize) -> BTreeMap<ActorId, (u32, u32)> {
        let mut places: BTreeMap<ActorId, (u32, u32)> = BTreeMap::new();
        for (_, row) in self.log.rows_from(first as ChangeNo) {
            let (actor, seq) = (self.tables.actor(row.stamp.actor), row.stamp.seq);
            places.entry(actor).or_insert((seq, seq)).1 = seq;
        }
        places
    }

    /// The last change of each actor, the actors that wrote latest first, at most `most` of them.
    /// The log is not needed for it.
    pub fn latest_places(&self, most: usize) -> Vec<(ActorId, u32)> {
        let actors = self.tables.actors.iter().filter(|actor| actor.last.0 > 0);
        let mut latest: Vec<(u32, ActorId, u32)> =
            actors.map(|actor| (actor.last.1, actor.id, actor.last.0)).collect();
        latest.sort_unstable_by(|one, two| two.cmp(one));
        latest.into_iter().take(most).map(|(_, actor, seq)| (actor, seq)).collect()
    }

    /// The number of a change by its id.
    pub(crate) fn number_of(&self, id: &ChangeId) -> Option<ChangeNo> {
        self.find_change(|other| other == id)
    }

    /// The change with an id for which `is_it` holds; heads first, which are known without the log.
    pub(crate) fn find_change(&self, is_it: impl Fn(&ChangeId) -> bool) -> Option<ChangeNo> {
        let known = |head: &ChangeNo| self.id_of(*head).as_ref().is_some_and(&is_it);
        let head = self.heads.iter().copied().find(known);
        head.or_else(|| self.log.find(&self.id, &self.tables, &is_it))
    }

    /// Whether an entry was ever written here, removed or not.
    pub fn knows(&self, id: &EntryId) -> bool {
        self.entries.contains_key(id)
    }

    /// Whether a change is here.
    pub fn knows_change(&self, id: &ChangeId) -> bool {
        self.number_of(id).is_some()
    }

    /// The greatest event time that a feed stated here, milliseconds since the Unix epoch. A message
    /// without a time of its own is taken as one millisecond later.
    pub fn latest_event_ms(&self, feed: &str) -> Option<u64> {
        Feed::named(self, feed)?.latest_event_ms(self)
    }

    /// Bytes of state and log in memory, about.
    pub fn size_bytes(&self) -> usize {
        let entries = self
            .entries
            .values()
            .map(|entry| entry.pages.size_bytes() + entry.notes.size_bytes() + 128);
        entries.sum::<usize>() + self.log.size_bytes()
    }

    /// Number of changes taken in.
    pub fn change_count(&self) -> usize {
        self.log.len() as usize
    }

    /// Number of changes that wait for others.
    pub fn waiting_count(&self) -> usize {
        self.waiting.values().map(Vec::len).sum()
    }

    /// The latest hybrid time of any change here, for ticking a clock past it.
    pub fn latest_time(&self) -> HybridTime {
        self.latest
    }

    /// The record as it was at `heads`.
    ///
    /// # Errors
    /// [`EditError::UnknownVersion`] if a head has not arrived here.
    pub fn at(&self, heads: &[ChangeId]) -> Result<Version, EditError> {
        let numbers = self.numbers(heads)?;
        Ok(self.replay(numbers))
    }

    /// The heads that a `meta.versionId` of this record or of one of its entries stands for.
    ///
    /// # Errors
    /// [`EditError::UnknownVersion`] if it was never a version here.
    pub fn heads_of_version(&self, version_id: &str) -> Result<Vec<ChangeId>, EditError> {
        let numbers = match version_id.strip_prefix('h') {
            Some(_) => self.search_version(version_id),
            None => read_version(version_id, self),
        };
        let numbers = numbers.ok_or(EditError::UnknownVersion)?;
        let mut ids: Vec<ChangeId> = numbers.iter().filter_map(|&n| self.id_of(n)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Finds a hashed version among those that the record and its entries have had here, the
    /// newest first.
    fn search_version(&self, version_id: &str) -> Option<Vec<ChangeNo>> {
        let is_it = |heads: &[ChangeNo]| version_of(heads, &self.view()) == version_id;
        if is_it(&self.heads) {
            return Some(self.heads.clone());
        }
        if let Some(entry) = self.entries.values().find(|entry| is_it(&entry.heads)) {
            return Some(entry.heads.to_vec());
        }
        let mut replayed =
            Replayed { entries: Entries::new(), tables: self.tables.without_stamps() };
        let mut heads: Vec<ChangeNo> = Vec::new();
        let mut found = None;
        for (change, row) in self.log.rows() {
            heads.retain(|head| !row.deps.contains(head));
            heads.push(change);
            let ops: Vec<(u32, RawOp<'_>)> = row.indexes().zip(raw_ops(&row.ops)).collect();
            let known = (&replayed.tables, &self.log);
            apply(&mut replayed.entries, &ops, (change, row), known, &mut PageWriter::default());
            replayed.tables.stamps.push(change, row.stamp);
            if is_it(&heads) {
                found = Some(heads.clone());
            }
            let entry = |op: &RawOp<'_>| replayed.entries.get(&op.entry as &dyn Named);
            for entry in ops.iter().filter_map(|(_, op)| entry(op)) {
                if is_it(&entry.heads) {
                    found = Some(entry.heads.to_vec());
                }
            }
        }
        found
    }

    pub(crate) fn numbers(&self, heads: &[ChangeId]) -> Result<Vec<ChangeNo>, EditError> {
        let numbers: Option<Vec<ChangeNo>> = heads.iter().map(|id| self.number_of(id)).collect();
        let mut numbers = numbers.ok_or(EditError::UnknownVersion)?;
        self.log.maximal(&mut numbers, &self.tables);
        Ok(numbers)
    }

    pub(crate) fn replay(&self, heads: Vec<ChangeNo>) -> Version {
        let past = self.log.clock_of(&heads, &self.tables);
        let state = self.log.replay(
            &self.tables,
            |_, row| past.covers(row.stamp.actor, row.stamp.seq),
            None,
        );
        Version { state, heads }
    }

    /// The changes in order of arrival, those of one entry only if `entry` names it.
    pub fn history(&self, entry: Option<&EntryId>) -> Vec<ChangeInfo> {
        let infos = self.log.rows().filter_map(|(change, row)| {
            let entries = self.entries_written(change);
            if entry.is_some_and(|entry| !entries.contains(entry)) {
                return None;
            }
            Some(ChangeInfo {
                id: self.id_of(change)?,
                dependencies: row.deps.iter().filter_map(|&dep| self.id_of(dep)).collect(),
                author: self.tables.authors.name(row.stamp.author).into(),
                time: HybridTime(row.stamp.time),
                source: self.tables.source_of(&row.stamp),
                entries,
                erases: row.order.as_deref().map(ErasureInfo::from),
                erased: row.erased.len(),
            })
        });
        infos.collect()
    }
}

fn built_in_policy() -> &'static Arc<Policy> {
    static BUILT_IN: OnceLock<Arc<Policy>> = OnceLock::new();
    BUILT_IN.get_or_init(|| Arc::new(Policy::r4().clone()))
}
