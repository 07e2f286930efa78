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
use std::collections::BTreeMap;
use std::ops::Bound;

use clisonix_fhir::schema::TypeId;

use crate::actor::Clock;
use crate::address::Address;
use crate::change::{Op, Write};

/// An entry's place in its record: resource type and logical id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// The resource type.
    pub ty: TypeId,
    /// The logical id.
    pub id: Box<str>,
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.ty.name(), self.id)
    }
}

/// Number of a change in this replica, in order of application.
pub(crate) type ChangeNo = u32;

/// What the state must know of a change while one of its writes is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) actor: u32,
    pub(crate) seq: u32,
    /// Hybrid time of the statement: the source's event time if there is one, else the change's.
    pub(crate) said: u64,
    /// Source number + 1; 0 for an edit that came from no feed.
    pub(crate) source: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sibling {
    pub(crate) change: ChangeNo,
    /// Further changes that made the same write (same source message and value).
    pub(crate) same: Vec<ChangeNo>,
    pub(crate) write: Write,
    /// Bit d: a mark on the thing at depth d has this write in its past.
    pub(crate) covered: u32,
}

impl Sibling {
    pub(crate) fn changes(&self) -> impl Iterator<Item = ChangeNo> + '_ {
        std::iter::once(self.change).chain(self.same.iter().copied())
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
pub(crate) struct Cell {
    pub(crate) siblings: Vec<Sibling>,
    pub(crate) superseded: Vec<Superseded>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) cells: BTreeMap<Address, Cell>,
    /// The changes to this entry that no other change to it has in its past.
    pub(crate) heads: Vec<ChangeNo>,
}

/// What a change's past and origin are, for applying its operations.
pub(crate) struct Context<'a> {
    pub(crate) change: ChangeNo,
    pub(crate) past: &'a Clock,
    pub(crate) stamps: &'a [Stamp],
    /// Feed and message of each source.
    pub(crate) sources: &'a [(u32, [u8; 16])],
}

impl Context<'_> {
    fn stamp(&self, change: ChangeNo) -> Option<&Stamp> {
        self.stamps.get(change as usize)
    }

    fn in_past(&self, change: ChangeNo) -> bool {
        self.stamp(change).is_some_and(|stamp| self.past.covers(stamp.actor, stamp.seq))
    }

    fn any_in_past(&self, sibling: &Sibling) -> bool {
        sibling.changes().any(|change| self.in_past(change))
    }

    /// Feed and order of a write, if it came from a feed.
    fn statement(&self, change: ChangeNo, write: &Write) -> Option<(u32, StatementKey)> {
        let stamp = self.stamp(change)?;
        let &(feed, message) = self.sources.get(stamp.source.checked_sub(1)? as usize)?;
        Some((feed, StatementKey { time: stamp.said, message, value: write.digest() }))
    }
}

impl Borrow<[u8]> for Address {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Entry {
    pub(crate) fn apply(&mut self, op: Op, context: &Context<'_>) {
        match op.write {
            Write::Stated => return,
            Write::Mark => self.cover(&op.address, context),
            Write::Set(_) | Write::Position(_) | Write::Keep => {}
        }
        self.cells.entry(op.address).or_default().write(op.write, context);
    }

    /// Marks every write under the mark's thing that the mark has in its past.
    fn cover(&mut self, mark: &Address, context: &Context<'_>) {
        let bytes = mark.as_bytes();
        let prefix = bytes.get(..bytes.len().saturating_sub(2)).unwrap_or_default();
        let bit = 1_u32 << mark.thing_depth().min(31);
        for (address, cell) in under_mut(&mut self.cells, prefix) {
            if address.is_position() {
                continue;
            }
            for sibling in &mut cell.siblings {
                if sibling.write != Write::Mark && context.any_in_past(sibling) {
                    sibling.covered |= bit;
                }
            }
        }
    }

    pub(crate) fn touch(&mut self, context: &Context<'_>) {
        if self.heads.last() != Some(&context.change) {
            self.heads.retain(|&head| !context.in_past(head));
            self.heads.push(context.change);
        }
    }

    /// The cells whose address begins with `prefix`, in address order.
    pub(crate) fn under<'a>(
        &'a self,
        prefix: &'a [u8],
    ) -> impl Iterator<Item = (&'a Address, &'a Cell)> + 'a {
        self.cells
            .range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(address, _)| address.as_bytes().starts_with(prefix))
    }
}

fn under_mut<'a>(
    cells: &'a mut BTreeMap<Address, Cell>,
    prefix: &'a [u8],
) -> impl Iterator<Item = (&'a Address, &'a mut Cell)> {
    cells
        .range_mut::<[u8], _>((Bound::Included(prefix), Bound::Unbounded))
        .take_while(move |(address, _)| address.as_bytes().starts_with(prefix))
}

impl Cell {
    fn write(&mut self, write: Write, context: &Context<'_>) {
        let own = context.statement(context.change, &write);
        self.supersede(own.as_ref(), context);
        let mut sibling = Sibling { change: context.change, same: Vec::new(), write, covered: 0 };
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
            let Some((feed, key)) = context.statement(sibling.change, &sibling.write) else {
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
        sibling: &mut Sibling,
        context: &Context<'_>,
    ) -> bool {
        if let Some(at) = self.superseded.iter().position(|old| old.feed == feed) {
            if self.superseded.get(at).is_some_and(|old| key <= old.key) {
                return false;
            }
            self.superseded.swap_remove(at);
        }
        let live = self.siblings.iter().position(|other| {
            context.statement(other.change, &other.write).is_some_and(|(of, _)| of == feed)
        });
        let Some(at) = live else { return true };
        let Some(other) = self.siblings.get_mut(at) else { return true };
        let other_key = context.statement(other.change, &other.write).map(|(_, key)| key);
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
