//! A record: one patient's compartment, or one shared resource, in which concurrent edits merge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::resource_named;
use thiserror::Error;

use crate::actor::{ActorId, ActorSecret, ActorSource};
use crate::address::{Path, Step};
use crate::batch::{self, BatchWriter, Outgoing};
use crate::change::{
    ChangeId, Draft, MAX_NAME_BYTES, MAX_OPS, Op, Source, Write, encode_ops, is_fhir_id,
};
use crate::diff::{BaseEntry, Coverage, diff};
use crate::edit::{Base, EditError, Origin};
use crate::log::{self, Entries, Log, Logged};
use crate::policy::Policy;
use crate::state::{ChangeNo, EntryId, Stamp};
use crate::tables::Tables;
use crate::time::HybridTime;
use crate::tree::{Thing, decompose};
use crate::version::{Version, View, read_version, version_of};
use crate::view;
use crate::wire::DecodeError;

/// Most changes that wait for their dependencies.
pub const MAX_WAITING: usize = 100_000;

/// One CRDT document. The state is a pure function of the set of changes it has taken in.
#[derive(Clone)]
pub struct Record {
    pub(crate) id: Box<str>,
    pub(crate) tables: Tables,
    pub(crate) log: Log,
    pub(crate) entries: Entries,
    pub(crate) heads: Vec<ChangeNo>,
    waiting: BTreeMap<(ActorId, u32), (Draft, Vec<Op>)>,
    secrets: BTreeMap<ActorId, ActorSecret>,
    /// Actors that write on behalf of this replica.
    own: Vec<u32>,
    policy: Arc<Policy>,
}

/// What became of the changes in a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Changes applied now, those that had waited included.
    pub applied: usize,
    /// Changes that were known already.
    pub known: usize,
    /// Changes that wait for others now.
    pub waiting: usize,
    /// Changes that cannot be applied, ever.
    pub refused: Vec<Refusal>,
}

/// A change that was not applied, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its actor.
    pub actor: ActorId,
    /// Its sequence number.
    pub seq: u32,
    /// The reason.
    pub reason: RefusalReason,
}

/// Why a change can never be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The actor made another change with the same sequence number: two stores write as one actor,
    /// or somebody forges.
    #[error("another change with this actor and sequence number is known")]
    Equivocation,
    /// Its dependencies already hold a later change of its own actor.
    #[error("the change depends on a later one of its own actor")]
    Order,
    /// The secret for the actor's commitments did not come with its first change.
    #[error("the actor's secret is missing")]
    Secret,
    /// Too many changes wait.
    #[error("too many changes wait for their dependencies")]
    TooManyWaiting,
}

/// Why a batch was not taken in; the record is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The bytes are damaged or something else.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The batch belongs to another record.
    #[error("the changes belong to another record")]
    OtherRecord,
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
    /// The entries it wrote.
    pub entries: Vec<EntryId>,
}

/// What one resource says, ready to be diffed.
struct Wanted<'a> {
    id: EntryId,
    tree: Thing<'a>,
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
            waiting: BTreeMap::new(),
            secrets: BTreeMap::new(),
            own: Vec::new(),
            policy: Arc::new(Policy::r4().clone()),
        }
    }

    /// The same record read under a site's policy.
    #[must_use]
    pub fn with_policy(mut self, policy: Arc<Policy>) -> Self {
        self.policy = policy;
        self
    }

    /// The record's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A second replica with the same changes; it writes as actors of its own.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { own: Vec::new(), ..self.clone() }
    }

    /// The record as it is now, for reading.
    pub fn view(&self) -> View<'_> {
        self.view_of_parts(&self.entries, &self.heads)
    }

    /// A version read with [`Self::at`], for reading.
    pub fn view_of<'a>(&'a self, version: &'a Version) -> View<'a> {
        self.view_of_parts(&version.entries, &version.heads)
    }

    fn view_of_parts<'a>(&'a self, entries: &'a Entries, heads: &'a [ChangeNo]) -> View<'a> {
        View {
            record: &self.id,
            tables: &self.tables,
            log: &self.log,
            policy: &self.policy,
            entries,
            heads,
        }
    }

    /// The entries that a change wrote.
    pub fn entries_of(&self, change: &ChangeId) -> Vec<EntryId> {
        let Some(number) = self.log.number(change) else { return Vec::new() };
        let mut entries: Vec<EntryId> =
            self.log.ops(&self.id, number).into_iter().map(|op| op.entry).collect();
        entries.dedup();
        entries
    }

    /// Whether an entry was ever written here, removed or not.
    pub fn knows(&self, id: &EntryId) -> bool {
        self.entries.contains_key(id)
    }

    /// The greatest event time that a feed stated here, milliseconds since the Unix epoch. A message
    /// without a time of its own is taken as one millisecond later.
    pub fn latest_event_ms(&self, feed: &str) -> Option<u64> {
        let feed = Feed(Some(self.tables.feeds.find(feed)?));
        feed.changes(self).map(|(_, (said, _))| HybridTime(said).millis()).max()
    }

    /// Bytes of all operations: a measure of the memory this record takes.
    pub fn size_bytes(&self) -> usize {
        self.log.changes.iter().map(|change| change.ops.len()).sum()
    }

    /// Number of changes taken in.
    pub fn change_count(&self) -> usize {
        self.log.changes.len()
    }

    /// Number of changes that wait for others.
    pub fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// The latest hybrid time of any change here, for ticking a clock past it.
    pub fn latest_time(&self) -> HybridTime {
        self.log.changes.iter().map(|change| change.time).max().unwrap_or_default()
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
            None => read_version(version_id, &self.log),
        };
        let numbers = numbers.ok_or(EditError::UnknownVersion)?;
        let ids = numbers.iter().filter_map(|&number| Some(self.log.get(number)?.id));
        let mut ids: Vec<ChangeId> = ids.collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Finds a hashed version among those that the record and its entries have had here, the
    /// newest first.
    fn search_version(&self, version_id: &str) -> Option<Vec<ChangeNo>> {
        let is_it = |heads: &[ChangeNo]| version_of(heads, &self.log, &self.policy) == version_id;
        if is_it(&self.heads) {
            return Some(self.heads.clone());
        }
        if let Some(entry) = self.entries.values().find(|entry| is_it(&entry.heads)) {
            return Some(entry.heads.clone());
        }
        (1..self.log.len()).rev().find_map(|count| {
            let entries = self.log.replay(&self.id, &self.tables, |change| change < count, None);
            let mut heads: Vec<ChangeNo> = (0..count).collect();
            self.log.maximal(&mut heads, &self.tables);
            if is_it(&heads) {
                return Some(heads);
            }
            entries.into_values().map(|entry| entry.heads).find(|heads| is_it(heads))
        })
    }

    fn numbers(&self, heads: &[ChangeId]) -> Result<Vec<ChangeNo>, EditError> {
        let numbers: Option<Vec<ChangeNo>> =
            heads.iter().map(|head| self.log.number(head)).collect();
        let mut numbers = numbers.ok_or(EditError::UnknownVersion)?;
        self.log.maximal(&mut numbers, &self.tables);
        Ok(numbers)
    }

    fn replay(&self, heads: Vec<ChangeNo>) -> Version {
        let past = self.log.clock_of(&heads, &self.tables);
        let within = |change: ChangeNo| {
            let stamp = self.tables.stamps.get(change as usize);
            stamp.is_some_and(|stamp| past.covers(stamp.actor, stamp.seq))
        };
        Version { entries: self.log.replay(&self.id, &self.tables, within, None), heads }
    }

    /// The changes in order of arrival, those of one entry only if `entry` names it.
    pub fn history(&self, entry: Option<&EntryId>) -> Vec<ChangeInfo> {
        let infos = (0..self.log.len()).filter_map(|change| {
            let logged = self.log.get(change)?;
            let entries = self.entries_of(&logged.id);
            if entry.is_some_and(|entry| !entries.contains(entry)) {
                return None;
            }
            Some(ChangeInfo {
                id: logged.id,
                dependencies: logged
                    .deps
                    .iter()
                    .filter_map(|&d| Some(self.log.get(d)?.id))
                    .collect(),
                author: self.tables.authors.name(logged.author).into(),
                time: logged.time,
                source: self.view().source_of(change),
                entries,
            })
        });
        infos.collect()
    }

    /// Takes in what `resources` say as one edit.
    ///
    /// With [`Base::Current`] or [`Base::Heads`] the resources are what the editor wants these
    /// entries to be; other entries are untouched. Returns `None` if nothing differs.
    ///
    /// # Errors
    /// [`EditError`]; the record is unchanged.
    pub fn edit(
        &mut self,
        resources: &[&Object],
        base: &Base,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeId>, EditError> {
        let wanted = all_wanted(resources)?;
        let plan = self.plan(base, wanted.iter().map(|w| &w.id))?;
        let ops = self.differences(plan.state(self), &wanted)?;
        self.commit(plan, ops, origin, actors)
    }

    /// Makes the whole record what `resources` say: entries that the version has and `resources`
    /// lack are removed.
    ///
    /// # Errors
    /// [`EditError`]; the record is unchanged.
    pub fn edit_all(
        &mut self,
        resources: &[&Object],
        base: &Base,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeId>, EditError> {
        let wanted = all_wanted(resources)?;
        let plan = self.plan(base, self.entries.keys())?;
        let mut ops = self.differences(plan.state(self), &wanted)?;
        for id in plan.state(self).entries() {
            if !wanted.iter().any(|wanted| wanted.id == *id) {
                ops.push(presence_op(id, Write::Mark));
            }
        }
        self.commit(plan, ops, origin, actors)
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// [`EditError::NoSuchEntry`] if it is not there at the version.
    pub fn remove(
        &mut self,
        id: &EntryId,
        base: &Base,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeId>, EditError> {
        let plan = self.plan(base, std::iter::once(id))?;
        if !plan.state(self).entries().any(|there| there == id) {
            return Err(EditError::NoSuchEntry);
        }
        self.commit(plan, vec![presence_op(id, Write::Mark)], origin, actors)
    }

    /// Settles a conflict: writes the cell anew, having seen all sides. `value` is the cell's
    /// members as an object, or the list element; `None` empties it. For a removal, a value keeps
    /// the thing and `None` removes it.
    ///
    /// # Errors
    /// [`EditError::NoSuchEntry`] if there is no open conflict at `address`;
    /// [`EditError::Shape`] if the value does not fit the cell.
    pub fn resolve(
        &mut self,
        id: &EntryId,
        address: &crate::address::Address,
        value: Option<&Value>,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeId>, EditError> {
        let open = self.view().conflicts_of(id);
        if !open.iter().any(|conflict| conflict.address == *address) {
            return Err(EditError::NoSuchEntry);
        }
        let write = match (address.is_presence(), value) {
            (true, Some(_)) => Write::Keep,
            (true, None) => Write::Mark,
            (false, None) => Write::Set("".into()),
            (false, Some(value)) => {
                let text = crate::change::cell_text(address, value)
                    .ok_or_else(|| EditError::Shape { path: id.to_string() })?;
                Write::Set(text.into())
            }
        };
        let op = Op { entry: id.clone(), address: address.clone(), write };
        self.commit(Plan::now(), vec![op], origin, actors)
    }

    /// Takes in what a message of a feed states, as an edit of that feed's own previous statement:
    /// a resend changes nothing, and what people edited since is not reverted. A message that is
    /// older than what the feed stated already only adds what the feed never stated.
    ///
    /// # Errors
    /// [`EditError`]; the record is unchanged.
    pub fn state(
        &mut self,
        resources: &[(&Object, Coverage)],
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeId>, EditError> {
        let Some(source) = origin.source.clone() else { return Err(EditError::UnknownVersion) };
        let feed = Feed::of(self, &source);
        if feed.has_taken(self, &source) {
            return Ok(None);
        }
        let objects: Vec<&Object> = resources.iter().map(|(object, _)| *object).collect();
        let wanted = all_wanted(&objects)?;
        let before = feed.before(self, &source);
        let only = if let [one] = wanted.as_slice() { Some(&one.id) } else { None };
        let within = |change| before.binary_search(&change).is_ok();
        let said = self.log.replay(&self.id, &self.tables, within, only);
        let later = feed.later(self, &source, only);
        let mut ops = Vec::new();
        for (wanted, (_, coverage)) in wanted.iter().zip(resources) {
            let state = self.view_of_parts(&said, &[]);
            let mut own = self.difference(state, wanted, *coverage)?;
            if let Some(later) = later.get(&wanted.id) {
                own.retain(|op| op.write != Write::Mark && !later.cells.contains_key(&op.address));
            }
            ops.push(presence_op(&wanted.id, Write::Stated));
            ops.extend(own);
        }
        let mut deps = before;
        self.log.maximal(&mut deps, &self.tables);
        self.commit(Plan { deps: Some(deps), version: None }, ops, origin, actors)
    }

    /// Whether a feed's message has been taken in.
    pub fn has_message(&self, feed: &str, message: &[u8; 16]) -> bool {
        let feed = self.tables.feeds.find(feed);
        feed.is_some_and(|feed| self.tables.sources.contains(&(feed, *message)))
    }

    /// Operations that turn the entries as `state` shows them into what is wanted, whole.
    fn differences(&self, state: View<'_>, wanted: &[Wanted<'_>]) -> Result<Vec<Op>, EditError> {
        let mut ops = Vec::new();
        for wanted in wanted {
            ops.extend(self.difference(state, wanted, Coverage::Whole)?);
        }
        Ok(ops)
    }

    /// Operations that turn the entry as `state` shows it into what is wanted.
    fn difference(
        &self,
        state: View<'_>,
        wanted: &Wanted<'_>,
        coverage: Coverage,
    ) -> Result<Vec<Op>, EditError> {
        let entry = state.entries.get(&wanted.id);
        let shown = entry.and_then(|entry| state.shown(&wanted.id, entry));
        let base = BaseEntry { shown: shown.as_ref().map(|shown| &shown.tree), cells: entry };
        let ops = diff(&wanted.id, base, &wanted.tree, coverage)?;
        match (&shown, entry) {
            // What the guard had substituted is not in the cells. Whoever edits the entry saw it
            // and keeps it, so it is written down with the edit.
            (Some(shown), Some(entry)) if !shown.substitutes.is_empty() && !ops.is_empty() => {
                let raw = view::tree(entry, &self.tables, &self.policy, true);
                let base = BaseEntry { shown: raw.as_ref(), cells: Some(entry) };
                diff(&wanted.id, base, &wanted.tree, coverage)
            }
            _ => Ok(ops),
        }
    }

    /// Which changes an edit depends on, and the state it is diffed against.
    fn plan<'i>(
        &self,
        base: &Base,
        entries: impl Iterator<Item = &'i EntryId>,
    ) -> Result<Plan, EditError> {
        match base {
            Base::Current => Ok(Plan::now()),
            Base::Assertion => {
                // Of entries that are not here nothing can be superseded: no need to be concurrent.
                let mut entries = entries;
                if entries.all(|id| !self.entries.contains_key(id)) {
                    return Ok(Plan::now());
                }
                let version = Version { entries: Entries::new(), heads: Vec::new() };
                Ok(Plan { deps: Some(Vec::new()), version: Some(version) })
            }
            Base::Heads(heads) => {
                let numbers = self.numbers(heads)?;
                let past = self.log.clock_of(&numbers, &self.tables);
                let seen = |change: &ChangeNo| {
                    let stamp = self.tables.stamps.get(*change as usize);
                    stamp.is_some_and(|stamp| past.covers(stamp.actor, stamp.seq))
                };
                // The version of an entry is current if it has seen all changes to that entry.
                let mut entries = entries.filter_map(|id| self.entries.get(id));
                if !numbers.is_empty() && entries.all(|entry| entry.heads.iter().all(seen)) {
                    return Ok(Plan::now());
                }
                let version = self.replay(numbers.clone());
                Ok(Plan { deps: Some(numbers), version: Some(version) })
            }
        }
    }

    fn commit(
        &mut self,
        plan: Plan,
        ops: Vec<Op>,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeId>, EditError> {
        if ops.is_empty() {
            return Ok(None);
        }
        if ops.len() > MAX_OPS {
            return Err(EditError::TooLarge);
        }
        if origin.author.is_empty() || origin.author.len() > MAX_NAME_BYTES {
            return Err(EditError::Author);
        }
        let deps = plan.deps.unwrap_or_else(|| self.heads.clone());
        let (actor, seq) = self.writer(&deps, actors);
        let id = self.tables.actor(actor);
        let previous = self.log.of_actor(actor, seq - 1);
        let others = deps.iter().filter(|&&dep| Some(dep) != previous);
        let mut others: Vec<(ActorId, u32)> = others
            .filter_map(|&dep| self.tables.stamps.get(dep as usize))
            .map(|stamp| (self.tables.actor(stamp.actor), stamp.seq))
            .collect();
        others.sort_unstable();
        let draft = Draft {
            actor: id,
            seq,
            deps: others,
            time: origin.time,
            author: origin.author.into(),
            source: origin.source.clone(),
            ops: encode_ops(&self.id, &ops).into(),
        };
        match self.apply(draft, ops) {
            Ok(change) => Ok(self.log.get(change).map(|logged| logged.id)),
            // The draft was made from this record's own numbers.
            Err(_) => Err(EditError::UnknownVersion),
        }
    }

    /// An own actor whose changes the dependencies have all seen, else a fresh one; and the
    /// sequence number it writes next.
    fn writer(&mut self, deps: &[ChangeNo], actors: &mut dyn ActorSource) -> (u32, u32) {
        let past = self.log.clock_of(deps, &self.tables);
        for &actor in self.own.iter().rev() {
            let last = self.log.last_of_actor(actor);
            let last = last.and_then(|change| self.tables.stamps.get(change as usize));
            if let Some(stamp) = last.filter(|stamp| past.covers(actor, stamp.seq)) {
                return (actor, stamp.seq + 1);
            }
        }
        let (id, secret) = actors.fresh();
        self.secrets.insert(id, secret);
        self.tables.actors.push((id, secret));
        let actor = self.tables.actors.len() as u32 - 1;
        self.own.push(actor);
        (actor, 1)
    }

    /// Applies a change whose dependencies are all here.
    fn apply(&mut self, draft: Draft, ops: Vec<Op>) -> Result<ChangeNo, RefusalReason> {
        let (actor, secret) = self.actor(draft.actor)?;
        let deps = self.dependencies(&draft).ok_or(RefusalReason::Order)?;
        let past = match deps.as_slice() {
            [only] if draft.seq > 1 && draft.deps.is_empty() => self.past_of_next(*only),
            _ => self.log.clock_of(&deps, &self.tables),
        };
        if past.seq(actor) != draft.seq - 1 {
            return Err(RefusalReason::Order);
        }
        let id = self.id_of(&draft, &secret, &deps);
        let event_time_ms = draft.source.as_ref().map_or(0, |source| source.event_time_ms);
        let (said, source) = match &draft.source {
            None => (draft.time.0, 0),
            Some(source) => {
                let number = self.tables.source_number(&source.feed, source.message);
                (HybridTime::from_millis(source.event_time_ms).0, number + 1)
            }
        };
        let change = self.log.len();
        self.tables.stamps.push(Stamp { actor, seq: draft.seq, said, source });
        log::apply(&mut self.entries, ops, change, &past, &self.tables);
        self.heads.retain(|head| !deps.contains(head));
        self.heads.push(change);
        let author = self.tables.authors.number(&draft.author);
        let (time, ops) = (draft.time, draft.ops);
        self.log.push(actor, Logged { id, deps, time, author, event_time_ms, ops, past });
        Ok(change)
    }

    fn past_of_next(&self, previous: ChangeNo) -> Arc<crate::actor::Clock> {
        self.log.clock_of(&[previous], &self.tables)
    }

    fn id_of(&self, draft: &Draft, secret: &ActorSecret, deps: &[ChangeNo]) -> ChangeId {
        let ids = deps.iter().filter_map(|&dep| Some(self.log.get(dep)?.id));
        draft.id(&self.id, secret, &mut ids.collect::<Vec<_>>())
    }

    fn actor(&mut self, id: ActorId) -> Result<(u32, ActorSecret), RefusalReason> {
        if let Some(number) = self.tables.actor_number(id)
            && let Some((_, secret)) = self.tables.actors.get(number as usize)
        {
            return Ok((number, *secret));
        }
        let secret = *self.secrets.get(&id).ok_or(RefusalReason::Secret)?;
        self.tables.actors.push((id, secret));
        Ok((self.tables.actors.len() as u32 - 1, secret))
    }

    /// The changes that a draft depends on, its actor's previous one included; `None` while one is
    /// missing.
    fn dependencies(&self, draft: &Draft) -> Option<Vec<ChangeNo>> {
        let mut deps = Vec::with_capacity(draft.deps.len() + 1);
        if draft.seq > 1 {
            let actor = self.tables.actor_number(draft.actor)?;
            deps.push(self.log.of_actor(actor, draft.seq - 1)?);
        }
        for &(actor, seq) in &draft.deps {
            let actor = self.tables.actor_number(actor)?;
            deps.push(self.log.of_actor(actor, seq)?);
        }
        Some(deps)
    }

    /// Everything that a replica with `heads` lacks, as a batch; `[]` gives all. Heads that are not
    /// known here are passed over, so that too much may be sent, never too little.
    pub fn changes_since(&self, heads: &[ChangeId]) -> Vec<u8> {
        let known: Vec<ChangeNo> = heads.iter().filter_map(|head| self.log.number(head)).collect();
        let seen = self.log.clock_of(&known, &self.tables);
        let mut writer = BatchWriter::new(&self.id);
        for (logged, stamp) in self.log.changes.iter().zip(&self.tables.stamps) {
            if !seen.covers(stamp.actor, stamp.seq) {
                writer.push(&self.outgoing(logged, stamp));
            }
        }
        writer.finish()
    }

    /// One change as a batch of its own.
    pub fn change(&self, id: &ChangeId) -> Option<Vec<u8>> {
        let number = self.log.number(id)?;
        let mut writer = BatchWriter::new(&self.id);
        writer
            .push(&self.outgoing(self.log.get(number)?, self.tables.stamps.get(number as usize)?));
        Some(writer.finish())
    }

    fn outgoing<'a>(&'a self, logged: &'a Logged, stamp: &Stamp) -> Outgoing<'a> {
        let (actor, secret) = match self.tables.actors.get(stamp.actor as usize) {
            Some((id, secret)) => (*id, (stamp.seq == 1).then_some(*secret)),
            None => (self.tables.actor(stamp.actor), None),
        };
        let others = logged.deps.iter().filter_map(|&dep| self.tables.stamps.get(dep as usize));
        let mut deps: Vec<(ActorId, u32)> = others
            .filter(|dep| dep.actor != stamp.actor)
            .map(|dep| (self.tables.actor(dep.actor), dep.seq))
            .collect();
        deps.sort_unstable();
        let source = stamp.source.checked_sub(1).and_then(|s| self.tables.sources.get(s as usize));
        Outgoing {
            actor,
            secret,
            seq: stamp.seq,
            deps,
            time: logged.time,
            author: self.tables.authors.name(logged.author),
            source: source.map(|&(feed, message)| {
                (self.tables.feeds.name(feed), message, logged.event_time_ms)
            }),
            ops: &logged.ops,
        }
    }

    /// Takes in a batch from another replica, in any order, with any duplicates. What lacks its
    /// dependencies waits, visibly.
    ///
    /// # Errors
    /// [`ReceiveError`] if the bytes as a whole cannot be read; the record is unchanged.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Received, ReceiveError> {
        let batch = batch::decode(bytes)?;
        if batch.record != self.id {
            return Err(ReceiveError::OtherRecord);
        }
        for (actor, secret) in batch.secrets {
            self.secrets.entry(actor).or_insert(secret);
        }
        let mut received = Received::default();
        for (draft, ops) in batch.changes {
            self.take(draft, ops, &mut received);
        }
        self.release(&mut received);
        received.waiting = self.waiting.len();
        Ok(received)
    }

    fn take(&mut self, draft: Draft, ops: Vec<Op>, received: &mut Received) {
        let refusal = |reason| Refusal { actor: draft.actor, seq: draft.seq, reason };
        let known = self.tables.actor_number(draft.actor);
        if let Some(there) = known.and_then(|actor| self.log.of_actor(actor, draft.seq)) {
            if self.is_same(&draft, there) {
                received.known += 1;
            } else {
                received.refused.push(refusal(RefusalReason::Equivocation));
            }
            return;
        }
        if self.dependencies(&draft).is_none() {
            let key = (draft.actor, draft.seq);
            match self.waiting.get(&key) {
                Some((there, _)) if *there == draft => received.known += 1,
                Some(_) => received.refused.push(refusal(RefusalReason::Equivocation)),
                None if self.waiting.len() >= MAX_WAITING => {
                    received.refused.push(refusal(RefusalReason::TooManyWaiting));
                }
                None => {
                    self.waiting.insert(key, (draft, ops));
                }
            }
            return;
        }
        let (actor, seq) = (draft.actor, draft.seq);
        match self.apply(draft, ops) {
            Ok(_) => received.applied += 1,
            Err(reason) => received.refused.push(Refusal { actor, seq, reason }),
        }
    }

    fn is_same(&self, draft: &Draft, there: ChangeNo) -> bool {
        let secret = self.tables.actors.iter().find(|(id, _)| *id == draft.actor);
        match (self.dependencies(draft), secret, self.log.get(there)) {
            (Some(deps), Some((_, secret)), Some(logged)) => {
                self.id_of(draft, secret, &deps) == logged.id
            }
            _ => false,
        }
    }

    /// Applies the waiting changes whose dependencies have come.
    fn release(&mut self, received: &mut Received) {
        loop {
            let ready = self.waiting.values().find(|(draft, _)| self.dependencies(draft).is_some());
            let Some(key) = ready.map(|(draft, _)| (draft.actor, draft.seq)) else { return };
            if let Some((draft, ops)) = self.waiting.remove(&key) {
                self.take(draft, ops, received);
            }
        }
    }

    /// The whole record as bytes: what [`Self::load`] reads.
    pub fn save(&self) -> Vec<u8> {
        let mut writer = BatchWriter::new(&self.id);
        for (logged, stamp) in self.log.changes.iter().zip(&self.tables.stamps) {
            writer.push(&self.outgoing(logged, stamp));
        }
        for (draft, _) in self.waiting.values() {
            writer.push(&Outgoing {
                actor: draft.actor,
                secret: self.secrets.get(&draft.actor).copied(),
                seq: draft.seq,
                deps: draft.deps.clone(),
                time: draft.time,
                author: &draft.author,
                source: draft.source.as_ref().map(|s| (&*s.feed, s.message, s.event_time_ms)),
                ops: &draft.ops,
            });
        }
        writer.finish()
    }

    /// Reads a saved record; it writes as actors of its own, so that two loads of one file never
    /// share an actor.
    ///
    /// # Errors
    /// [`ReceiveError`] if the bytes are damaged.
    pub fn load(bytes: &[u8]) -> Result<Self, ReceiveError> {
        let batch = batch::decode(bytes)?;
        let mut record = Self::new(&batch.record);
        record.receive(bytes)?;
        Ok(record)
    }
}

/// The version an edit is made against, once found.
struct Plan {
    /// `None`: all heads.
    deps: Option<Vec<ChangeNo>>,
    /// `None`: the present state.
    version: Option<Version>,
}

impl Plan {
    fn now() -> Self {
        Self { deps: None, version: None }
    }

    fn state<'a>(&'a self, record: &'a Record) -> View<'a> {
        match &self.version {
            Some(version) => record.view_of(version),
            None => record.view(),
        }
    }
}

/// The changes of one feed.
struct Feed(Option<u32>);

impl Feed {
    fn of(record: &Record, source: &Source) -> Self {
        Self(record.tables.feeds.find(&source.feed))
    }

    fn has_taken(&self, record: &Record, source: &Source) -> bool {
        self.0.is_some_and(|feed| record.tables.sources.contains(&(feed, source.message)))
    }

    fn changes<'a>(
        &self,
        record: &'a Record,
    ) -> impl Iterator<Item = (ChangeNo, (u64, [u8; 16]))> + 'a {
        let feed = self.0;
        record.tables.stamps.iter().zip(0..).filter_map(move |(stamp, change)| {
            let &(of, message) = record.tables.sources.get(stamp.source.checked_sub(1)? as usize)?;
            (Some(of) == feed).then_some((change, (stamp.said, message)))
        })
    }

    /// The feed's changes up to the message's place in the feed's order; ascending.
    fn before(&self, record: &Record, source: &Source) -> Vec<ChangeNo> {
        let own = (HybridTime::from_millis(source.event_time_ms).0, source.message);
        self.changes(record).filter(|(_, key)| *key < own).map(|(change, _)| change).collect()
    }

    /// What the feed stated after that place, by entry.
    fn later(&self, record: &Record, source: &Source, only: Option<&EntryId>) -> Entries {
        let own = (HybridTime::from_millis(source.event_time_ms).0, source.message);
        if self.changes(record).all(|(_, key)| key < own) {
            return Entries::new();
        }
        let all: Vec<ChangeNo> = self.changes(record).map(|(change, _)| change).collect();
        let within = |change| all.binary_search(&change).is_ok();
        let mut stated = record.log.replay(&record.id, &record.tables, within, only);
        let mut newer = BTreeSet::new();
        for (change, _) in self.changes(record).filter(|(_, key)| *key > own) {
            newer.extend(record.log.ops(&record.id, change).into_iter().map(|op| op.entry));
        }
        stated.retain(|id, _| newer.contains(id));
        stated
    }
}

fn presence_op(id: &EntryId, write: Write) -> Op {
    Op { entry: id.clone(), address: Path::default().address(Step::Presence), write }
}

/// Reads the resources of one edit. Two that say the same natural key without an id are two
/// entries, told apart by their order; an id given twice is an error.
fn all_wanted<'a>(resources: &[&'a Object]) -> Result<Vec<Wanted<'a>>, EditError> {
    let mut all: Vec<Wanted<'a>> = Vec::with_capacity(resources.len());
    let mut taken = BTreeSet::new();
    for resource in resources {
        let mut occurrence = 0;
        let mut one = wanted(resource, occurrence)?;
        while !taken.insert(one.id.clone()) {
            if resource.contains_key("id") {
                return Err(EditError::SameEntryTwice);
            }
            occurrence += 1;
            one.id = wanted(resource, occurrence)?.id;
        }
        all.push(one);
    }
    Ok(all)
}

/// Reads a resource as the entry it wants to be.
fn wanted(resource: &Object, occurrence: u32) -> Result<Wanted<'_>, EditError> {
    let ty = resource.get("resourceType").and_then(Value::as_str).and_then(resource_named);
    let ty = ty.ok_or(EditError::NotAResource)?;
    let id: Box<str> = match resource.get("id") {
        Some(id) => id.as_str().filter(|id| is_fhir_id(id)).ok_or(EditError::Id)?.into(),
        None => crate::identity::derived_id(ty, resource, occurrence).into(),
    };
    let tree = decompose(ty, resource)?;
    Ok(Wanted { id: EntryId { ty, id }, tree })
}
