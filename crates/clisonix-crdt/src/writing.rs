//! Edits: what people and feeds write becomes changes.

use std::collections::BTreeSet;

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::resource_named;
use smallvec::SmallVec;

use crate::actor::ActorSource;
use crate::address::{self, Address, Path, Step};
use crate::change::{
    ChangeId, MAX_NAME_BYTES, MAX_OPS, Op, OpsWriter, RawOp, Write, encode_ops, is_fhir_id,
};
use crate::diff::{BaseEntry, Coverage, diff};
use crate::edit::{Base, EditError, Origin};
use crate::erasure::order::Order;
use crate::exchange::Deps;
use crate::feed::{Feed, Own};
use crate::log::{Logged, Replayed};
use crate::overwritten::Bases;
use crate::page::Spot;
use crate::record::Record;
use crate::state::{ChangeNo, EntryId};
use crate::tree::{Decomposed, Thing, decompose};
use crate::version::{Version, View};
use crate::view;

/// Room for the operations of a new entry; more is made when it is needed.
const MADE_BYTES: usize = 4 << 10;

/// What one resource says, ready to be diffed.
struct Wanted<'a> {
    id: EntryId,
    tree: Thing<'a>,
    /// Whether all of it is known to fit its cells.
    fits: bool,
}

impl Record {
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
        let change = self.edit_quietly(resources, base, origin, actors)?;
        Ok(change.and_then(|change| self.id_of(change)))
    }

    /// As [`Self::edit`]; tells only whether anything changed, because a change's id takes time to
    /// compute.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub fn write(
        &mut self,
        resources: &[&Object],
        base: &Base,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<bool, EditError> {
        Ok(self.edit_quietly(resources, base, origin, actors)?.is_some())
    }

    pub(crate) fn edit_quietly(
        &mut self,
        resources: &[&Object],
        base: &Base,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeNo>, EditError> {
        let wanted = all_wanted(resources)?;
        let plan = self.plan(base, wanted.iter().map(|wanted| &wanted.id))?;
        if wanted.iter().all(|wanted| !self.entries.contains_key(&wanted.id)) {
            return self.create(plan, &wanted, origin, actors);
        }
        let mut ops = self.operations(plan.state(self), &wanted)?;
        plan.state(self).type_what_changed(&mut ops, origin);
        self.commit(plan, &ops, origin, actors)
    }

    /// Writes entries of which nothing is here: what is written is the resources and nothing else.
    fn create(
        &mut self,
        plan: Plan,
        wanted: &[Wanted<'_>],
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeNo>, EditError> {
        let nothing = BaseEntry { shown: None, cells: None };
        let mut ops = OpsWriter::new(MADE_BYTES);
        for wanted in wanted {
            diff(&wanted.id, nothing, &wanted.tree, Coverage::Whole, &mut ops)?;
        }
        match ops.count() {
            0 => return Ok(None),
            1..=MAX_OPS => {}
            _ => return Err(EditError::TooLarge),
        }
        let plan = Plan { fits: wanted.iter().all(|wanted| wanted.fits), ..plan };
        self.commit_encoded(plan, (ops.finish(), None), origin, actors).map(Some)
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
        let mut ops = self.operations(plan.state(self), &wanted)?;
        for id in plan.state(self).entries() {
            if !wanted.iter().any(|wanted| wanted.id == *id) {
                ops.push(presence_op(id, Write::Mark));
            }
        }
        plan.state(self).type_what_changed(&mut ops, origin);
        self.committed(plan, &ops, origin, actors)
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
        self.committed(plan, &[presence_op(id, Write::Mark)], origin, actors)
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
        address: &Address,
        value: Option<&Value>,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeId>, EditError> {
        let open = self.view().conflicts_of(id);
        if !open.iter().any(|conflict| conflict.address == *address) {
            return Err(EditError::NoSuchEntry);
        }
        let write = match (address::is_presence(address.as_bytes()), value) {
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
        self.committed(Plan::now(), &[op], origin, actors)
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
        if self.has_message(&source.feed, &source.message) {
            return Ok(None);
        }
        let feed = Feed::named(self, &source.feed);
        let objects: Vec<&Object> = resources.iter().map(|(object, _)| *object).collect();
        let wanted = all_wanted(&objects)?;
        let about: Vec<&EntryId> = wanted.iter().map(|wanted| &wanted.id).collect();
        let own = feed.map_or_else(Own::default, |feed| feed.own(self, &source, &about));
        let mut ops = Vec::new();
        for (wanted, (_, coverage)) in wanted.iter().zip(resources) {
            let state = self.view_of_parts(&own.said.entries, &[], &own.said.tables);
            let mut stated = Vec::new();
            self.entry_operations(state, wanted, *coverage, &mut stated)?;
            if let Some(later) = own.later.get(&wanted.id) {
                stated.retain(|op| {
                    op.write != Write::Mark && !later.pages.contains(op.address.as_bytes())
                });
            }
            ops.push(presence_op(&wanted.id, Write::Stated));
            ops.extend(stated);
        }
        self.committed(Plan { deps: Some(own.heads), ..Plan::now() }, &ops, origin, actors)
    }

    /// Whether a feed's message has been taken in.
    pub fn has_message(&self, feed: &str, message: &[u8; 16]) -> bool {
        Feed::named(self, feed).is_some_and(|feed| feed.has_taken(self, *message))
    }

    /// Operations that turn the entries as `state` shows them into what is wanted, whole.
    fn operations(&self, state: View<'_>, wanted: &[Wanted<'_>]) -> Result<Vec<Op>, EditError> {
        let mut ops = Vec::new();
        for wanted in wanted {
            self.entry_operations(state, wanted, Coverage::Whole, &mut ops)?;
        }
        Ok(ops)
    }

    /// Adds operations that turn the entry as `state` shows it into what is wanted.
    fn entry_operations(
        &self,
        state: View<'_>,
        wanted: &Wanted<'_>,
        coverage: Coverage,
        ops: &mut Vec<Op>,
    ) -> Result<(), EditError> {
        let entry = state.entries.get(&wanted.id).map(AsRef::as_ref);
        let shown = entry.and_then(|entry| state.shown(&wanted.id, entry));
        let base = BaseEntry { shown: shown.as_ref().map(|shown| &shown.tree), cells: entry };
        let before = ops.len();
        diff(&wanted.id, base, &wanted.tree, coverage, ops)?;
        let is_edited = ops.len() > before;
        match (&shown, entry) {
            // What the guard had substituted is not in the cells. Whoever edits the entry saw it
            // and keeps it, so it is written down with the edit.
            (Some(shown), Some(entry)) if !shown.substitutes.is_empty() && is_edited => {
                ops.truncate(before);
                let raw = view::tree(entry, state.tables, &self.policy, true);
                let base = BaseEntry { shown: raw.as_ref(), cells: Some(entry) };
                diff(&wanted.id, base, &wanted.tree, coverage, ops)
            }
            _ => Ok(()),
        }
    }

    /// Which changes an edit depends on, and the state it is diffed against.
    pub(crate) fn plan<'i>(
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
                let version = Version { state: Replayed::default(), heads: Vec::new() };
                Ok(Plan { deps: Some(Vec::new()), version: Some(version), ..Plan::now() })
            }
            Base::Heads(heads) => {
                let numbers = self.numbers(heads)?;
                if self.heads.iter().all(|head| numbers.contains(head)) {
                    return Ok(Plan::now());
                }
                // The version of an entry is current if it has seen all changes to that entry.
                let entries = entries.filter_map(|id| self.entries.get(id));
                let heads = entries.flat_map(|entry| entry.heads.iter().copied());
                if !numbers.is_empty() && self.has_seen(&numbers, heads) {
                    return Ok(Plan::now());
                }
                let version = self.replay(numbers.clone());
                Ok(Plan { deps: Some(numbers), version: Some(version), ..Plan::now() })
            }
        }
    }

    /// Whether a version has seen all of these changes; what it did is asked of the log only if they
    /// are not its own heads.
    fn has_seen(&self, version: &[ChangeNo], mut changes: impl Iterator<Item = ChangeNo>) -> bool {
        let mut past = None;
        changes.all(|change| {
            version.contains(&change) || {
                let past = past.get_or_insert_with(|| self.log.clock_of(version, &self.tables));
                let stamp = self.tables.stamps.get(change);
                stamp.is_some_and(|stamp| past.covers(stamp.actor, stamp.seq))
            }
        })
    }

    pub(crate) fn committed(
        &mut self,
        plan: Plan,
        ops: &[Op],
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeId>, EditError> {
        let change = self.commit(plan, ops, origin, actors)?;
        Ok(change.and_then(|change| self.id_of(change)))
    }

    pub(crate) fn commit(
        &mut self,
        plan: Plan,
        ops: &[Op],
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeNo>, EditError> {
        if ops.is_empty() && plan.order.is_none() {
            return Ok(None);
        }
        if ops.len() > MAX_OPS {
            return Err(EditError::TooLarge);
        }
        let raw: Option<Vec<RawOp<'_>>> = ops.iter().map(Op::raw).collect();
        self.commit_encoded(plan, (encode_ops(ops), raw.as_deref()), origin, actors).map(Some)
    }

    /// As [`Self::commit`], of operations as canonical bytes, which are a change; and as they are,
    /// unless they edit texts.
    pub(crate) fn commit_encoded(
        &mut self,
        plan: Plan,
        (ops, raw): (Box<[u8]>, Option<&[RawOp<'_>]>),
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<ChangeNo, EditError> {
        // What another replica would refuse must not be made here.
        let unfit = || self.unfit(&ops, &Bases::new());
        debug_assert!(!plan.fits || unfit().is_none(), "an operation does not fit its cell");
        if !plan.fits
            && let Some(path) = unfit()
        {
            return Err(EditError::Shape { path });
        }
        if origin.author.is_empty() || origin.author.len() > MAX_NAME_BYTES {
            return Err(EditError::Author);
        }
        let mut deps: Deps =
            plan.deps.map_or_else(|| SmallVec::from_slice(&self.heads), SmallVec::from_vec);
        let (actor, seq) = self.writer(&deps, actors);
        // A feed's change, or an edit at an old version, may have seen less than its actor wrote.
        let previous =
            seq.checked_sub(2).and_then(|_| self.log.of_actor(actor, seq - 1, &self.tables));
        deps.extend(previous.filter(|previous| !deps.contains(previous)));
        deps.sort_unstable();
        let past = self.past(actor, seq, &deps).ok_or(EditError::UnknownVersion)?;
        let source = origin.source.as_ref();
        let stamp = self.tables.stamp((actor, seq), origin.time, origin.author, source);
        if raw.is_none() {
            self.type_all(&ops, &stamp, &past).map_err(|_| EditError::TooLarge)?;
        }
        let mut row = Logged::new(stamp, deps, past, ops);
        row.order = plan.order;
        Ok(self.append(row, raw, plan.near))
    }

    /// An own actor whose changes the dependencies have all seen, else a fresh one; and the
    /// sequence number it writes next.
    fn writer(&mut self, deps: &[ChangeNo], actors: &mut dyn ActorSource) -> (u32, u32) {
        let all = self.heads.iter().all(|head| deps.contains(head));
        let past = if all || self.own.is_empty() {
            None
        } else {
            Some(self.log.clock_of(deps, &self.tables))
        };
        for &actor in self.own.iter().rev() {
            let last = self.tables.last_seq(actor);
            if past.as_ref().is_none_or(|past| past.covers(actor, last)) {
                return (actor, last + 1);
            }
        }
        let (id, secret) = actors.fresh();
        let actor = self.tables.add_actor(id, secret.into());
        self.own.push(actor);
        (actor, 1)
    }
}

/// The version an edit is made against, once found.
pub(crate) struct Plan {
    /// `None`: all heads.
    deps: Option<Vec<ChangeNo>>,
    /// `None`: the present state.
    version: Option<Version>,
    /// What the change orders to be erased.
    order: Option<Box<Order>>,
    /// Whether the operations are made so that they fit their cells.
    fits: bool,
    /// Where the cell of the only operation is.
    near: Spot,
}

impl Plan {
    pub(crate) fn now() -> Self {
        Self { deps: None, version: None, order: None, fits: false, near: Spot::default() }
    }

    /// As [`Self::now`], of operations that are made so that they fit their cells.
    pub(crate) fn fitting() -> Self {
        Self { fits: true, ..Self::now() }
    }

    /// The same plan for one operation, of a cell at a spot that was found just now.
    pub(crate) fn at(self, near: Spot) -> Self {
        Self { near, ..self }
    }

    /// A change that orders an erasure, having seen all that is here.
    pub(crate) fn erasing(order: Order) -> Self {
        Self { order: Some(Box::new(order)), ..Self::now() }
    }

    pub(crate) fn state<'a>(&'a self, record: &'a Record) -> View<'a> {
        match &self.version {
            Some(version) => record.view_of(version),
            None => record.view(),
        }
    }
}

pub(crate) fn presence_op(id: &EntryId, write: Write) -> Op {
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
    let Decomposed { tree, fits } = decompose(ty, resource)?;
    Ok(Wanted { id: EntryId { ty, id }, tree, fits })
}
