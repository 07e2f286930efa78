//! Runs of typing in the log: changes that each typed on where the one before them did.
//!
//! Such a change has the actor, the author, the text and, but for the change before it, the past of
//! that one. So a run keeps only what tells its changes apart, and makes them when somebody asks for
//! one: to send it, to name it by its hash, to show the history.

use std::sync::{Arc, OnceLock};

use smallvec::smallvec;

use crate::actor::Past;
use crate::address::Address;
use crate::change::{Op, Typed, Write, encode_ops, raw_ops};
use crate::note::OpName;
use crate::page::TypedSpot;
use crate::stamp::Stamp;
use crate::state::{ChangeNo, EntryId, Written};

use super::Logged;

/// The changes that typed on after a change of the log.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) entry: EntryId,
    pub(crate) address: Address,
    /// The operation that their text begins with.
    pub(crate) root: OpName,
    /// The last change's.
    pub(crate) stamp: Stamp,
    /// The past of a change after the last.
    pub(crate) past: Past,
    /// Where in the state the last change stands.
    pub(crate) spot: Option<TypedSpot>,
    /// The edits of all changes, one after another.
    edits: Vec<u8>,
    /// Of each change: its time, and where its edits end.
    changes: Vec<(u64, usize)>,
    opened: OnceLock<Box<[Logged]>>,
}

impl Run {
    /// An empty run after a change; `None` if it did other things than typing in one text.
    pub(super) fn after(row: &Logged) -> Option<Self> {
        let mut ops = raw_ops(&row.ops);
        let (op, None) = (ops.next()?, ops.next()) else { return None };
        let Some(Written::Edits(edits)) = op.write else { return None };
        if !row.erased.is_empty() || row.order.is_some() || row.stamp.source > 0 {
            return None;
        }
        Some(Self {
            entry: EntryId { ty: op.entry.0, id: op.entry.1.into() },
            address: Address::trusted(op.address),
            root: Typed::read(edits).ok()?.root,
            stamp: row.stamp,
            past: Past {
                actor: row.stamp.actor,
                seq: row.stamp.seq,
                others: Arc::clone(&row.past.others),
            },
            spot: None,
            edits: Vec::new(),
            changes: Vec::new(),
            opened: OnceLock::new(),
        })
    }

    pub(super) fn count(&self) -> u32 {
        self.changes.len() as u32
    }

    /// Whether its changes were asked for. Then it stays as it is.
    pub(super) fn is_opened(&self) -> bool {
        self.opened.get().is_some()
    }

    /// Adds the change that typed next; `put` appends its edits.
    pub(crate) fn push(&mut self, time: u64, put: impl FnOnce(&mut Vec<u8>)) {
        put(&mut self.edits);
        self.changes.push((time, self.edits.len()));
        self.stamp = self.next(time);
        self.past.seq = self.stamp.seq;
    }

    /// The stamp of the change after the last.
    pub(crate) fn next(&self, time: u64) -> Stamp {
        Stamp { seq: self.stamp.seq + 1, time, said: time, ..self.stamp }
    }

    pub(super) fn size_bytes(&self) -> usize {
        match self.opened.get() {
            Some(rows) => rows.iter().map(Logged::size_bytes).sum(),
            None => self.edits.len() + size_of_val(self.changes.as_slice()),
        }
    }

    /// The changes, made now if they were not asked for before; `row` is the change with the number
    /// `first`, after which they come.
    pub(super) fn rows(&self, first: ChangeNo, row: &Logged) -> &[Logged] {
        self.opened.get_or_init(|| self.made(first, row))
    }

    /// The changes, if they were made.
    pub(super) fn opened(&self) -> Option<&[Logged]> {
        self.opened.get().map(AsRef::as_ref)
    }

    /// As [`Self::rows`], to be kept apart from the run.
    pub(super) fn into_rows(self, first: ChangeNo, row: &Logged) -> Vec<Logged> {
        self.rows(first, row);
        self.opened.into_inner().unwrap_or_default().into_vec()
    }

    fn made(&self, first: ChangeNo, row: &Logged) -> Box<[Logged]> {
        let (mut stamp, mut start) = (row.stamp, 0);
        let made = (first..).zip(&self.changes).map(|(before, &(time, end))| {
            let edits = self.edits.get(start..end).unwrap_or_default();
            start = end;
            let past =
                Past { actor: stamp.actor, seq: stamp.seq, others: Arc::clone(&row.past.others) };
            stamp = Stamp { seq: stamp.seq + 1, time, said: time, ..stamp };
            let write = Write::Edits(Typed { root: self.root, edits: edits.into() });
            let op = Op { entry: self.entry.clone(), address: self.address.clone(), write };
            Logged::new(stamp, smallvec![before], past, encode_ops(&[op]))
        });
        made.collect()
    }
}
