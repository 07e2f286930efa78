//! Undoing a change: as a new change that writes what was there before.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::actor::ActorSource;
use crate::address::{self, Address};
use crate::change::{ChangeId, Op, RawOp, Typed, Write, raw_ops};
use crate::diff::{BaseEntry, Coverage, diff};
use crate::edit::{EditError, Origin};
use crate::page::{self, Pages};
use crate::record::Record;
use crate::stamp::Stamp;
use crate::state::{ChangeNo, Entry, EntryId, Sibling, Written};
use crate::version::View;
use crate::view;
use crate::writing::{Plan, presence_op};

impl Record {
    /// Undoes a change that the same author made: every cell that still shows what the change wrote
    /// gets back what its author had seen there; what the change removed comes back, what it
    /// created goes. What others have overwritten since stays as it is. The undone change stays in
    /// the history. Returns `None` if nothing of it is shown any more.
    ///
    /// # Errors
    /// [`EditError::UnknownVersion`] if the change is not here; [`EditError::OtherAuthor`];
    /// [`EditError::Erasure`].
    pub fn undo(
        &mut self,
        change: &ChangeId,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeId>, EditError> {
        let undone = self.number_of(change).ok_or(EditError::UnknownVersion)?;
        let row = self.log.get(undone).ok_or(EditError::UnknownVersion)?;
        if row.order.is_some() {
            return Err(EditError::Erasure);
        }
        if self.tables.authors.name(row.stamp.author) != origin.author {
            return Err(EditError::OtherAuthor);
        }
        let before = self.replay(row.deps.to_vec()).state;
        let version = self.replay(self.heads.clone());
        let (now, view) = (&version.state, self.view_of(&version));
        let mut ops = Vec::new();
        let entries: BTreeSet<EntryId> =
            raw_ops(&row.ops).map(|op| EntryId { ty: op.entry.0, id: op.entry.1.into() }).collect();
        for id in entries {
            let Some(entry) = now.entries.get(&id) else { continue };
            let own = || raw_ops(&row.ops).filter(|op| op.entry == (id.ty, &*id.id));
            let mut revived = Entry { sound: OnceLock::new(), ..Entry::clone(entry) };
            for op in own().filter(|op| op.write == Some(Written::Mark)) {
                if unmark(&mut revived.pages, op.address, undone) {
                    let address = Address::trusted(op.address);
                    ops.push(Op { entry: id.clone(), address, write: Write::Keep });
                }
            }
            let wanted =
                without(&revived, undone, own(), before.entries.get(&id).map(AsRef::as_ref));
            let shown = view::tree(&revived, &now.tables, &self.policy, false);
            let wanted = view::tree(&wanted, &now.tables, &self.policy, false);
            // What the change created and nobody else wrote to goes, although it was kept once.
            let created = !before.entries.contains_key(&id);
            let wanted = wanted.filter(|wanted| !(created && wanted.nodes.is_empty()));
            let base = BaseEntry { shown: shown.as_ref(), cells: Some(&revived) };
            match wanted {
                Some(wanted) => diff(&id, base, &wanted, Coverage::Whole, &mut ops)?,
                None if shown.is_some() => ops.push(presence_op(&id, Write::Mark)),
                None => {}
            }
            let typed = untyped(&view, &id, entry, &row.stamp, own(), &ops);
            ops.extend(typed);
        }
        self.committed(Plan::now(), &ops, origin, actors)
    }
}

/// Edits that take back what a change typed in texts that are still there, except in cells that
/// `others` write.
fn untyped<'a>(
    view: &View<'_>,
    id: &EntryId,
    entry: &Entry,
    stamp: &Stamp,
    own: impl Iterator<Item = RawOp<'a>>,
    others: &[Op],
) -> Vec<Op> {
    let op = |op: RawOp<'_>| {
        let Some(Written::Edits(typed)) = op.write else { return None };
        let mut typed = Typed::read(typed).ok()?;
        let root = typed.root.number(view.tables)?;
        let cell = entry.cell(op.address)?;
        let note = cell.siblings.iter().find_map(|sibling| match sibling.write {
            Written::Text(of, note) if of == root => note,
            _ => None,
        })?;
        let edits = view.untyped(id, op.address, note, (stamp.actor, stamp.seq)).ok()?;
        typed.edits = edits.encode().into();
        let address = Address::trusted(op.address);
        let is_free = !others.iter().any(|other| other.entry == *id && other.address == address);
        let write = Write::Edits(typed);
        (is_free && !edits.is_empty()).then(|| Op { entry: id.clone(), address, write })
    };
    own.filter_map(op).collect()
}

/// The entry as if `undone` had left its cells as they were `before`.
fn without<'a>(
    entry: &Entry,
    undone: ChangeNo,
    ops: impl Iterator<Item = RawOp<'a>>,
    before: Option<&Entry>,
) -> Entry {
    let mut changed = Entry { sound: OnceLock::new(), ..entry.clone() };
    for op in ops {
        let Some(mut cell) = entry.pages.cell(op.address) else { continue };
        let live = cell.siblings.len();
        cell.siblings.retain(|sibling| !sibling.changes().any(|change| change == undone));
        if cell.siblings.len() == live {
            continue;
        }
        let old = before.and_then(|before| before.pages.cell(op.address)).unwrap_or_default();
        // What was typed in the only text there is taken back letter by letter.
        if matches!((op.write, old.siblings.as_slice()), (Some(Written::Edits(_)), [_])) {
            continue;
        }
        let fits = |write: Written<'_>| !matches!(write, Written::Mark | Written::Keep);
        cell.siblings.extend(old.siblings.into_iter().filter(|sibling| fits(sibling.write)));
        let (mut scratch, mut encoded) = (Vec::new(), Vec::new());
        page::encode(op.address, &cell, &mut scratch, &mut encoded);
        changed.pages.put(op.address, &encoded);
    }
    changed
}

/// Takes a live mark of `undone` away, and its cover from everything under its thing unless
/// somebody else removed that too; `false` if there is no such mark.
fn unmark(pages: &mut Pages, mark: &[u8], undone: ChangeNo) -> bool {
    let (mut found, mut still_marked) = (false, false);
    let is_undone = |sibling: &Sibling<'_>| sibling.change == undone;
    pages.rewrite(mark, |_, cell| {
        let live = cell.siblings.len();
        cell.siblings.retain(|sibling| !is_undone(sibling) || sibling.write != Written::Mark);
        found = cell.siblings.len() < live;
        still_marked = cell.siblings.iter().any(|sibling| sibling.write == Written::Mark);
        found
    });
    if found && !still_marked {
        let prefix = mark.get(..mark.len().saturating_sub(2)).unwrap_or_default();
        let bit = 1_u32 << address::thing_depth(mark).min(31);
        pages.rewrite(prefix, |_, cell| {
            let covered = cell.siblings.iter().any(|sibling| sibling.covered & bit != 0);
            cell.siblings.iter_mut().for_each(|sibling| sibling.covered &= !bit);
            covered
        });
    }
    found
}
