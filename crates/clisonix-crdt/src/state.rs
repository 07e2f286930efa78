//! The state of a record: entries, their cells, and the siblings that are live in each cell.
//!
//! The state is a pure function of the set of changes: changes are applied in causal order, and
//! within that any order gives the same state. The rules, with the design's words:
//!
//! * A write replaces exactly the siblings in its causal past; concurrent siblings stay.
//! * Writes with the same (source message, address, value) are one write: superseding or covering
//!   one does it to all.
//! * Within one feed the feed's own order decides: of the writes of one feed to one cell only the
//!   one with the greatest (event time, message) counts, wherever and whenever it was taken in.
//! * A mark covers the writes under its thing that are in its causal past. The thing is gone when
//!   all its writes are covered; otherwise it stays, whole.

use std::borrow::Borrow;
use std::sync::OnceLock;

use clisonix_fhir::schema::TypeId;
use smallvec::SmallVec;

use crate::actor::Past;
use crate::address;
use crate::change::{RawOp, Typed};
use crate::note::{Note, Notes, Root};
use crate::overwritten::Overwritten;
use crate::page::{self, Cell, PageWriter, Pages, Spot, TypedSpot};
use crate::stamp::{Stamp, Stamps};
use crate::tables::Tables;

/// An entry's place in its record: resource type and logical id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// The resource type.
    pub ty: TypeId,
    /// The logical id.
    pub id: Box<str>,
}

impl EntryId {
    /// Type and id, borrowed.
    pub(crate) fn name(&self) -> (TypeId, &str) {
        (self.ty, &self.id)
    }
}

/// What an entry is found by: its id, or the parts of one.
pub(crate) trait Named {
    /// Type and id.
    fn parts(&self) -> (TypeId, &str);
}

impl Named for EntryId {
    fn parts(&self) -> (TypeId, &str) {
        self.name()
    }
}

impl Named for (TypeId, &str) {
    fn parts(&self) -> (TypeId, &str) {
        *self
    }
}

impl<'a> Borrow<dyn Named + 'a> for EntryId {
    fn borrow(&self) -> &(dyn Named + 'a) {
        self
    }
}

// As the derived order of `EntryId`.
impl Ord for dyn Named + '_ {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for dyn Named + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn Named + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Named + '_ {}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.ty.name(), self.id)
    }
}

/// Number of a change in this replica, in order of application.
pub(crate) type ChangeNo = u32;

/// What a live write says, borrowed from the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written<'a> {
    /// The cell's text; empty text is *explicitly empty*.
    Set(&'a str),
    /// Where a list element stands.
    Position(&'a [u8]),
    /// The thing is removed.
    Mark,
    /// The thing stays.
    Keep,
    /// Edits inside a text, as an operation says them; never in a state.
    Edits(&'a [u8]),
    /// A text that is typed in, begun by the operation `Root`; never in an operation.
    Text(Root, Option<&'a Note>),
}

impl Written<'_> {
    /// Bytes of what is written out.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Set(text) => text.len(),
            Self::Position(bytes) | Self::Edits(bytes) => bytes.len(),
            Self::Mark | Self::Keep | Self::Text(..) => 0,
        }
    }

    /// Eight bytes that tell different values apart, for ordering only.
    fn digest(self) -> [u8; 8] {
        let bytes: &[u8] = match self {
            Self::Set(text) => text.as_bytes(),
            Self::Position(position) => position,
            Self::Mark | Self::Keep | Self::Edits(_) | Self::Text(..) => &[],
        };
        crate::address::ElementKey::hash_of([bytes])
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sibling<'a> {
    pub(crate) change: ChangeNo,
    /// Of a set: the operation's index in its change. A state saved in an older format does not tell.
    pub(crate) op: Option<u32>,
    /// Further changes that made the same write (same source message and value).
    pub(crate) same: Vec<ChangeNo>,
    pub(crate) write: Written<'a>,
    /// Bit d: a mark on the thing at depth d has this write in its past.
    pub(crate) covered: u32,
}

impl<'a> Sibling<'a> {
    /// What the operation with an index in a change writes.
    fn of((change, op): (ChangeNo, u32), write: Written<'a>) -> Self {
        let op = matches!(write, Written::Set(_)).then_some(op);
        Self { change, op, same: Vec::new(), write, covered: 0 }
    }
}

impl Sibling<'_> {
    pub(crate) fn changes(&self) -> impl Iterator<Item = ChangeNo> + '_ {
        std::iter::once(self.change).chain(self.same.iter().copied())
    }

    /// The operation that the text begins with in which this sibling typed.
    pub(crate) fn text_root(&self) -> Option<Root> {
        match self.write {
            Written::Text(root, _) => Some(root),
            _ => None,
        }
    }
}

/// The greatest statement that a feed made in a cell, kept after it was superseded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Superseded {
    pub(crate) feed: u32,
    pub(crate) key: StatementKey,
}

/// Order of the statements of one feed: event time, message, then the value's hash so that it is total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StatementKey {
    pub(crate) time: u64,
    pub(crate) message: [u8; 16],
    pub(crate) value: [u8; 8],
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) pages: Pages,
    /// The changes to this entry that no other change to it has in its past.
    pub(crate) heads: SmallVec<[ChangeNo; 2]>,
    /// The texts that are typed in.
    pub(crate) notes: Notes,
    /// What the guard found, if it has looked since the last change.
    pub(crate) sound: OnceLock<Sound>,
}

/// What the guard found in an entry that has concurrent heads and breaks no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sound {
    /// Under which policy and rules: [`crate::policy::Policy::rules`].
    pub(crate) rules: [u8; 4],
    /// Whether some head's author saw all that is shown.
    pub(crate) is_branch: bool,
}

/// What a change's past and origin are, for applying its operations.
pub(crate) struct Context<'a> {
    pub(crate) change: ChangeNo,
    pub(crate) stamp: &'a Stamp,
    pub(crate) past: &'a Past,
    pub(crate) tables: &'a Tables,
}

impl Context<'_> {
    fn stamps(&self) -> &Stamps {
        &self.tables.stamps
    }

    fn stamp(&self, change: ChangeNo) -> Option<&Stamp> {
        if change == self.change { Some(self.stamp) } else { self.stamps().get(change) }
    }

    fn in_past(&self, change: ChangeNo) -> bool {
        self.stamps().get(change).is_some_and(|stamp| self.past.covers(stamp.actor, stamp.seq))
    }

    /// Whether a sibling stays beside what the change writes; `None` where it is a matter of feeds.
    fn stays(&self, other: ChangeNo) -> Option<bool> {
        let stamp = self.stamps().get(other).filter(|_| other != self.change)?;
        if self.stamp.source > 0 {
            return None;
        }
        if !self.past.covers(stamp.actor, stamp.seq) {
            return Some(true);
        }
        (stamp.source == 0).then_some(false)
    }

    fn any_in_past(&self, sibling: &Sibling<'_>) -> bool {
        sibling.changes().any(|change| self.in_past(change))
    }

    /// Feed and order of a write, if it came from a feed.
    fn statement(&self, change: ChangeNo, write: Written<'_>) -> Option<(u32, StatementKey)> {
        let stamp = self.stamp(change)?;
        let &(feed, message) = self.tables.sources.get(stamp.source.checked_sub(1)? as usize)?;
        Some((feed, StatementKey { time: stamp.said, message, value: write.digest() }))
    }
}

impl Entry {
    pub(crate) fn cells(&self) -> impl Iterator<Item = (&[u8], Cell<'_>)> {
        self.pages.cells().map(|(at, cell)| (at, self.notes.read(at, cell)))
    }

    /// Whether nothing about the entry is concurrent or was ever removed.
    pub(crate) fn is_plain(&self) -> bool {
        let presence = self.pages.first().is_some_and(address::is_presence);
        self.heads.len() == 1 && !presence
    }

    /// The cells whose address begins with `prefix`, in address order.
    pub(crate) fn under<'a>(&'a self, prefix: &[u8]) -> impl Iterator<Item = (&'a [u8], Cell<'a>)> {
        self.pages.under(prefix).map(|(at, cell)| (at, self.notes.read(at, cell)))
    }

    pub(crate) fn cell(&self, address: &[u8]) -> Option<Cell<'_>> {
        let cell = self.pages.cell(address)?;
        Some(self.notes.read(address, cell))
    }

    /// Applies the operations of a change that writes the entry for the first time, with their indexes;
    /// `false` if they must be applied one by one.
    pub(crate) fn begin(&mut self, ops: &[(u32, RawOp<'_>)], change: ChangeNo) -> bool {
        let is_mark = |(_, op): &(u32, RawOp<'_>)| op.write == Some(Written::Mark);
        if !self.pages.is_empty() || ops.iter().any(is_mark) {
            return false;
        }
        let mut order: Vec<(&[u8], Sibling<'_>)> = Vec::with_capacity(ops.len());
        for (index, op) in ops {
            let write = op.write.filter(|write| !matches!(write, Written::Edits(_)));
            let sibling = write.map(|write| Sibling::of((change, *index), write));
            order.extend(sibling.map(|sibling| (op.address, sibling)));
        }
        order.sort_unstable_by_key(|(address, _)| *address);
        if order.windows(2).any(|pair| pair.first().map(|p| p.0) == pair.last().map(|p| p.0)) {
            return false;
        }
        let (mut scratch, mut encoded) = (Vec::with_capacity(128), Vec::with_capacity(128));
        for (address, sibling) in order {
            let cell = Cell { siblings: SmallVec::from_buf([sibling]), superseded: Vec::new() };
            encoded.clear();
            page::encode(address, &cell, &mut scratch, &mut encoded);
            self.pages.push(&encoded);
        }
        true
    }

    /// Applies an operation with its index in its change; gives what it overwrites. The writer stands
    /// where the last operation was: those of one change come mostly in address order.
    pub(crate) fn apply(
        &mut self,
        (index, op): (u32, &RawOp<'_>),
        context: &Context<'_>,
        writer: &mut PageWriter,
    ) -> Option<Overwritten> {
        let address = op.address;
        let write = match op.write? {
            Written::Edits(bytes) => {
                let (root, _) = Typed::split(bytes).ok()?;
                Written::Text(root.number(context.tables)?, None)
            }
            other => other,
        };
        if write == Written::Mark {
            self.cover(address, context);
            // Cells before it may have grown.
            writer.spot = Spot::default();
        }
        writer.spot = self.pages.find_after(writer.spot, address);
        let sibling = Sibling::of((context.change, index), write);
        let stays = |other| context.stays(other);
        match self.pages.write(address, &sibling, stays, writer) {
            Ok(base) => {
                if let Some(base) = &base {
                    writer.keep(op, base);
                }
                base
            }
            Err(page::NotPlain) => self.write_statement(address, sibling, context, writer),
        }
    }

    /// Writes where what feeds stated counts.
    fn write_statement(
        &mut self,
        address: &[u8],
        sibling: Sibling<'_>,
        context: &Context<'_>,
        writer: &mut PageWriter,
    ) -> Option<Overwritten> {
        let mut cell = self.pages.cell_at(writer.spot).unwrap_or_default();
        let base = cell.base(&sibling, context);
        cell.write(sibling, context);
        let mut encoded = Vec::new();
        page::encode(address, &cell, &mut writer.body, &mut encoded);
        drop(cell);
        self.pages.put_at(writer.spot, &encoded);
        base
    }

    /// Marks every write under the mark's thing that the mark has in its past.
    fn cover(&mut self, mark: &[u8], context: &Context<'_>) {
        let prefix = mark.get(..mark.len().saturating_sub(2)).unwrap_or_default();
        let bit = 1_u32 << address::thing_depth(mark).min(31);
        self.pages.rewrite(prefix, |at, cell| {
            let mut touched = false;
            for sibling in &mut cell.siblings {
                let newly = sibling.covered & bit == 0 && sibling.write != Written::Mark;
                if newly && !address::is_position(at) && context.any_in_past(sibling) {
                    sibling.covered |= bit;
                    touched = true;
                }
            }
            touched
        });
    }

    /// Lets a change take the place of the one before it, the last that wrote here, in whose text
    /// `type_in` makes its edits. `near` is where that one stands, if it is known. `None` if the edits
    /// cannot be made; nothing has changed then.
    pub(crate) fn succeed(
        &mut self,
        (address, near): (&[u8], &mut Option<TypedSpot>),
        (before, after): (ChangeNo, ChangeNo),
        type_in: impl FnOnce(&mut Note) -> Option<()>,
    ) -> Option<()> {
        let head = self.heads.last_mut().filter(|head| **head == before)?;
        let place = self.pages.find_typed(*near, address, before)?;
        type_in(self.notes.get_mut(address, place.root)?)?;
        *near = self.pages.renumber(place, before, after);
        *head = after;
        self.sound.take();
        Some(())
    }

    pub(crate) fn touch(&mut self, context: &Context<'_>) {
        self.sound.take();
        if self.heads.last() != Some(&context.change) {
            self.heads.retain(|&mut head| !context.in_past(head));
            self.heads.push(context.change);
        }
    }
}

impl<'a> Cell<'a> {
    /// What a write overwrites: the latest value in its past that is live here.
    fn base(&self, sibling: &Sibling<'_>, context: &Context<'_>) -> Option<Overwritten> {
        let Written::Set(new) = sibling.write else { return None };
        let in_past = self.siblings.iter().filter(|other| context.in_past(other.change));
        let values = in_past.filter_map(|other| match other.write {
            Written::Set(old) => Some((other.change, other.op, old)),
            _ => None,
        });
        let (change, op, old) = values.max_by_key(|(change, ..)| *change)?;
        Some(Overwritten::new(change, op, old.as_bytes(), new))
    }

    fn write(&mut self, mut sibling: Sibling<'a>, context: &Context<'_>) {
        let own = context.statement(context.change, sibling.write);
        self.supersede(own.as_ref(), context);
        if let Some((feed, key)) = own
            && !self.admit(feed, key, &mut sibling, context)
        {
            return;
        }
        self.siblings.push(sibling);
    }

    /// Takes out the siblings in the write's past. The feed's own earlier statements are left to
    /// [`Self::admit`], because within a feed only the feed's order counts.
    fn supersede(&mut self, own: Option<&(u32, StatementKey)>, context: &Context<'_>) {
        let superseded = &mut self.superseded;
        self.siblings.retain(|sibling| {
            if sibling.change == context.change {
                return false;
            }
            if !context.any_in_past(sibling) {
                return true;
            }
            let Some((feed, key)) = context.statement(sibling.change, sibling.write) else {
                return false;
            };
            if own.is_some_and(|(own_feed, _)| *own_feed == feed) {
                return true;
            }
            superseded.retain(|old| old.feed != feed);
            superseded.push(Superseded { feed, key });
            false
        });
    }

    /// Whether a feed's write is that feed's greatest statement here and was not superseded yet.
    fn admit(
        &mut self,
        feed: u32,
        key: StatementKey,
        sibling: &mut Sibling<'a>,
        context: &Context<'_>,
    ) -> bool {
        if let Some(at) = self.superseded.iter().position(|old| old.feed == feed) {
            if self.superseded.get(at).is_some_and(|old| key <= old.key) {
                return false;
            }
            self.superseded.swap_remove(at);
        }
        let live = self.siblings.iter().position(|other| {
            context.statement(other.change, other.write).is_some_and(|(of, _)| of == feed)
        });
        let Some(at) = live else { return true };
        let Some(other) = self.siblings.get_mut(at) else { return true };
        let other_key = context.statement(other.change, other.write).map(|(_, key)| key);
        if other_key == Some(key) {
            other.same.push(sibling.change);
            return false;
        }
        if other_key > Some(key) {
            return false;
        }
        self.siblings.swap_remove(at);
        true
    }
}
