//! Strokes: changes that type on where the change before them did.
//!
//! People type letter by letter, and each letter is a change. One that has the actor, the author and
//! the text of the change right before it, and has seen nothing else, takes that change's place in
//! the state: as head, as sibling of the cell, as the actor's last change. Nothing else can differ,
//! so nothing else is looked at, and the log keeps the two in one run ([`crate::log::Run`]).

use crate::address::Address;
use crate::change::MAX_VALUE_BYTES;
use crate::edit::Origin;
use crate::log::Run;
use crate::note::OpName;
use crate::record::Record;
use crate::state::{ChangeNo, EntryId};
use crate::text::TextEdits;
use crate::time::HybridTime;
use crate::travel::{Incoming, IncomingWrite, OpPlace};

/// Where somebody types at this replica: the way from a pointer to its cell, which holds as long as
/// nothing but typing there happens.
#[derive(Clone, Debug)]
pub(crate) struct Pen {
    pointer: Box<str>,
    /// The last change, which typed there.
    change: ChangeNo,
}

impl Record {
    /// Remembers where a change typed that was made last.
    pub(super) fn put_down(&mut self, pointer: &str, change: ChangeNo) {
        self.pen = Some(Pen { pointer: pointer.into(), change });
    }

    /// Types on as the last writer here, at the same pointer; `None` if that is not what is wanted,
    /// or cannot be.
    pub(super) fn type_on(
        &mut self,
        id: &EntryId,
        pointer: &str,
        edits: &TextEdits,
        origin: &Origin<'_>,
    ) -> Option<ChangeNo> {
        let pen = self.pen.as_ref().filter(|pen| *pen.pointer == *pointer)?;
        if pen.change + 1 != self.log.len() {
            return None;
        }
        let change = self.type_on_at(id, None, edits, origin)?;
        if let Some(pen) = &mut self.pen {
            pen.change = change;
        }
        Some(change)
    }

    /// Types on as the last writer here, in the cell at `address` if one is named; `None` if that is
    /// not what is wanted, or cannot be.
    pub(super) fn type_on_at(
        &mut self,
        id: &EntryId,
        address: Option<&Address>,
        edits: &TextEdits,
        origin: &Origin<'_>,
    ) -> Option<ChangeNo> {
        let actor = *self.own.last()?;
        let last = self.tables.actors.get(actor as usize)?.last;
        if self.heads.as_slice() != [last.1] || edits.is_empty() || origin.source.is_some() {
            return None;
        }
        let fits = |run: &Run, author: &str| {
            let is_there = address.is_none_or(|address| run.address == *address);
            is_there && run.entry == *id && author == origin.author
        };
        self.stroke((actor, last.0), fits, origin.time, edits, None)
    }

    /// Takes in a change from elsewhere if it types on where the last change here did.
    pub(crate) fn take_stroke(&mut self, change: &Incoming) -> Option<ChangeNo> {
        let [op] = change.ops.as_slice() else { return None };
        let (OpPlace::Base { actor, seq, op }, IncomingWrite::Edits(bytes)) =
            (&op.place, &op.write)
        else {
            return None;
        };
        let is_plain = change.deps.is_empty()
            && change.source.is_none()
            && change.order.is_none()
            && change.erased.is_empty();
        let number = self.tables.actor_number(change.actor).filter(|_| is_plain)?;
        let before = (number, change.seq.checked_sub(1)?);
        self.log.run_after(before)?;
        let root = OpName { actor: *actor, seq: *seq, op: *op };
        let fits = |run: &Run, author: &str| run.root == root && author == &*change.author;
        let edits = TextEdits::decode(bytes).ok().filter(|edits| !edits.is_empty())?;
        self.stroke(before, fits, change.time, &edits, Some(bytes))
    }

    /// Puts a stroke in the place of the last change here, if that is its actor's one before and its
    /// run, with its author, `fits`; `bytes` are the edits as they came, if they did. `None` if it does
    /// not fit, or if the edits are beyond the text; nothing has changed then.
    fn stroke(
        &mut self,
        (actor, seq): (u32, u32),
        fits: impl FnOnce(&Run, &str) -> bool,
        time: HybridTime,
        edits: &TextEdits,
        bytes: Option<&[u8]>,
    ) -> Option<ChangeNo> {
        let change = self.log.len();
        let before = change.checked_sub(1)?;
        let most_bytes = bytes.map_or_else(|| edits.most_bytes(), <[u8]>::len);
        let head = self.heads.last_mut().filter(|head| **head == before)?;
        let run = self.log.run_after((actor, seq))?;
        let author = self.tables.authors.name(run.stamp.author);
        if most_bytes > MAX_VALUE_BYTES || !fits(run, author) {
            return None;
        }
        let writer = self.tables.actors.get_mut(actor as usize)?;
        let stamp = run.next(time.0);
        let entry = self.entries.get_mut(&run.entry)?;
        let place = (run.address.as_bytes(), &mut run.spot);
        entry.succeed(place, (before, change), |note| {
            note.type_in((actor, stamp.seq), writer.id, &run.past, edits).ok()
        })?;
        *head = change;
        writer.last = (stamp.seq, change);
        self.tables.stamps.replace_last(change, stamp);
        self.latest = self.latest.max(time);
        run.push(time.0, |out| match bytes {
            Some(bytes) => out.extend_from_slice(bytes),
            None => edits.put(out),
        });
        Some(change)
    }
}
