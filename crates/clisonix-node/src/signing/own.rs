//! What this node signs: its own actors, provisional statements, checkpoints.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use clisonix_crdt::{ActorId, ActorSecret, Record};
use clisonix_pq::checkpoint::{
    Author, CHECKPOINT_CHANGES, CHECKPOINT_MS, MAX_LIVE_SPANS, Mark, Standing, chain_id,
};
use clisonix_store::{Batch, Store};

use super::SignedError;
use super::rows::{self, ChainRow};
use super::statement::{Work, since, span};
use crate::error::NodeError;
use crate::node::Node;
use crate::outside::Outside;

/// Actors that were handed out and have not written yet; older ones stay unsigned.
const MAX_FRESH: usize = 1 << 16;

/// Who signs at this node, and what is still to be signed.
#[derive(Default)]
pub(crate) struct Signing {
    pub(super) author: Option<Arc<Author>>,
    /// The nonces of actors that have not written yet.
    fresh: BTreeMap<ActorId, [u8; 16]>,
    /// The records with own changes that are under no checkpoint.
    pub(super) pending: BTreeMap<String, Pending>,
    /// Whether edits are signed when they are written, because others get them at once.
    is_live: bool,
    /// From which record on there may be chains without an author.
    pub(super) unclaimed: Option<String>,
    /// The last record that was looked at for a checkpoint: the next one goes on from there.
    ended: String,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Pending {
    since_ms: u64,
    /// Changes of this process; those of an earlier one are not counted.
    changes: u64,
    /// Whether some of them are not signed at all.
    pub(super) is_unsigned: bool,
    /// Whether its row is durable. The batch that was to store it may have failed.
    is_stored: bool,
}

impl Pending {
    /// What an earlier process left.
    fn stored(since_ms: u64) -> Self {
        Self { since_ms, changes: 0, is_unsigned: true, is_stored: true }
    }
}

impl Signing {
    /// A new actor; its id follows from the author's identity, if there is one.
    pub(crate) fn fresh(&mut self, outside: &mut dyn Outside) -> (ActorId, ActorSecret) {
        let (mut id, mut secret) = ([0; 16], [0; 32]);
        outside.random(&mut id);
        outside.random(&mut secret);
        let secret = ActorSecret(secret);
        let Some(author) = &self.author else { return (ActorId(id), secret) };
        let nonce = id;
        let actor = ActorId(chain_id(author.fingerprint(), &nonce));
        if self.fresh.len() >= MAX_FRESH {
            self.fresh.pop_first();
        }
        self.fresh.insert(actor, nonce);
        (actor, secret)
    }

    /// Adds to the batch of own changes, from number `first` of a record on, what is needed to sign
    /// them later.
    pub(crate) fn note(
        &mut self,
        batch: &mut Batch,
        record: &Record,
        first: usize,
        now_ms: u64,
    ) -> Result<(), NodeError> {
        self.note_chains(batch, record, first)?;
        self.note_pending(batch, record, first, now_ms, true)
    }

    /// As [`Self::note`], of an edit whose record the store has as it was before. It is signed at
    /// once if others are to get it at once.
    pub(crate) fn note_edit(
        &mut self,
        batch: &mut Batch,
        store: &Store,
        record: &Record,
        first: usize,
        now_ms: u64,
    ) -> Result<(), NodeError> {
        let new = self.note_chains(batch, record, first)?;
        let is_signed = self.sign_edit(batch, store, record, (first, new), now_ms)?;
        self.note_pending(batch, record, first, now_ms, !is_signed)
    }

    /// Stores the nonces of actors that write for the first time.
    fn note_chains(
        &mut self,
        batch: &mut Batch,
        record: &Record,
        first: usize,
    ) -> Result<BTreeMap<ActorId, ChainRow>, NodeError> {
        let mut new = BTreeMap::new();
        let Some(author) = &self.author else { return Ok(new) };
        for actor in record.actors_since(first) {
            if let Some(nonce) = self.fresh.remove(&actor) {
                let row = ChainRow::new(actor, nonce, author.fingerprint());
                rows::put_chain(batch, record.id(), actor, &row)?;
                new.insert(actor, row);
            }
        }
        Ok(new)
    }

    /// Notes that a record has own changes, from number `first` on, that are to be signed.
    pub(crate) fn note_pending(
        &mut self,
        batch: &mut Batch,
        record: &Record,
        first: usize,
        now_ms: u64,
        is_unsigned: bool,
    ) -> Result<(), NodeError> {
        if self.author.is_none() {
            return Ok(());
        }
        let pending = self.pending.entry(record.id().to_owned());
        let pending = pending.or_insert(Pending {
            since_ms: now_ms,
            changes: 0,
            is_unsigned: false,
            is_stored: false,
        });
        if !pending.is_stored {
            rows::put_pending(batch, record.id(), pending.since_ms)?;
        }
        pending.changes += (record.change_count() - first) as u64;
        pending.is_unsigned |= is_unsigned;
        Ok(())
    }

    /// An own edit of a record is durable, and what is needed to sign it later with it.
    pub(crate) fn note_stored(&mut self, record: &str) {
        if let Some(pending) = self.pending.get_mut(record) {
            pending.is_stored = true;
        }
    }

    /// Signs the changes of a record from number `first` on; `false` if that is for later.
    fn sign_edit(
        &self,
        batch: &mut Batch,
        store: &Store,
        record: &Record,
        (first, new): (usize, BTreeMap<ActorId, ChainRow>),
        now_ms: u64,
    ) -> Result<bool, NodeError> {
        let author = self.author.as_ref().filter(|author| author.live_key().is_some());
        let Some(author) = author.filter(|_| self.is_live) else { return Ok(false) };
        let snapshot = store.snapshot()?;
        let (mut spans, mut reaches) = (Vec::new(), Vec::new());
        for actor in record.actors_since(first) {
            let row = match new.get(&actor) {
                Some(row) => Some(*row),
                None => rows::chain(&snapshot, record.id(), actor)?,
            };
            let row =
                row.filter(|row| row.author == author.fingerprint() && !row.is_adopted(actor));
            let Some(was) = row else { return Ok(false) };
            let last = u64::from(record.last_seq(actor));
            let span = span(record, actor, &was, was.chain.signed, last);
            let Some(span) = span else { return Ok(false) };
            let mut row = was;
            row.chain.signed = Mark { seq: last, hash: span.after };
            row.since_ms = since(Some(&was), &row, now_ms);
            rows::put_chain(batch, record.id(), actor, &row)?;
            spans.push(span);
            reaches.push((actor, last));
        }
        spans.sort_unstable_by_key(|span| span.nonce);
        let made = author.provisional(&spans, now_ms).map_err(SignedError::from)?;
        rows::put_statement(batch, &made, &BTreeMap::from([(record.id().to_owned(), reaches)]))?;
        Ok(true)
    }

    /// Who signs here.
    pub(crate) fn author(&self) -> Option<&Arc<Author>> {
        self.author.as_ref()
    }

    /// Whether a record has own changes that are not signed at all.
    pub(crate) fn is_unsigned(&self, record: &str) -> bool {
        self.author.is_some() && self.pending.get(record).is_some_and(|pending| pending.is_unsigned)
    }

    /// The next record with own changes that are under no checkpoint: in order of names from the one
    /// after `end` on, then from the first up to that.
    fn next_pending(&self, end: &str, seen: Option<&str>) -> Option<String> {
        let first = |from: Bound<&str>, to: Bound<&str>| {
            let mut rest = self.pending.range::<str, _>((from, to));
            rest.next().map(|(name, _)| name.clone())
        };
        match seen {
            Some(seen) if seen <= end => first(Bound::Excluded(seen), Bound::Included(end)),
            seen => first(Bound::Excluded(seen.unwrap_or(end)), Bound::Unbounded)
                .or_else(|| first(Bound::Unbounded, Bound::Included(end))),
        }
    }

    /// How many records wait for a checkpoint.
    pub(super) fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// Whether a checkpoint is due.
    fn is_due(&self, now_ms: u64) -> bool {
        if self.unclaimed.is_some() {
            return true;
        }
        let changes: u64 = self.pending.values().map(|pending| pending.changes).sum();
        let oldest = self.pending.values().map(|pending| pending.since_ms).min();
        // A clock that was set back is no reason to wait until it is there again.
        let is_old = oldest.is_some_and(|oldest| now_ms.abs_diff(oldest) >= CHECKPOINT_MS);
        changes >= CHECKPOINT_CHANGES || is_old
    }
}

/// What a checkpoint cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpointed {
    /// Changes that are final by it and were not before.
    pub changes: u64,
    /// Records with such changes.
    pub records: usize,
    /// Bytes of the statement.
    pub bytes: usize,
}

impl Node {
    /// Signs this node's changes from now on, and what earlier processes of the same author left
    /// unsigned. To be called before anything is written; a load that is running goes on unsigned.
    /// What the node holds that has no author, because it was taken in before there was one, is
    /// taken over by the next checkpoints.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn sign_as(&self, author: impl Into<Arc<Author>>) -> Result<(), NodeError> {
        let snapshot = self.store.snapshot()?;
        let pending = rows::pending(&snapshot)?
            .into_iter()
            .map(|(name, since_ms)| (name, Pending::stored(since_ms)));
        let unclaimed = rows::unclaimed_from(&snapshot, "")?;
        let mut inside = self.inside();
        // A record that is read again writes as a new actor, so none goes on that nobody signs for.
        inside.records.forget_stored();
        let is_live = inside.signing.is_live;
        inside.signing = Signing {
            author: Some(author.into()),
            fresh: BTreeMap::new(),
            pending: pending.collect(),
            is_live,
            unclaimed,
            ended: String::new(),
        };
        Ok(())
    }

    /// Whether edits are signed provisionally when they are written, because other nodes get them at
    /// once; without it they are signed when they first go out. Of a profile without provisional
    /// statements it changes nothing.
    pub fn sign_at_once(&self, is_live: bool) {
        self.inside().signing.is_live = is_live;
    }

    /// How many records have changes of this node that are under no checkpoint.
    pub fn unchecked_records(&self) -> usize {
        self.inside().signing.pending_count()
    }

    /// Whether a checkpoint is due: [`CHECKPOINT_CHANGES`] changes or [`CHECKPOINT_MS`] after the
    /// first of them, or something is to be taken over that has no author.
    pub fn is_checkpoint_due(&self) -> bool {
        let mut inside = self.inside();
        let now = inside.outside.now_ms();
        inside.signing.is_due(now)
    }

    /// Signs for good what is under no checkpoint yet; `None` if there is nothing. Changes that
    /// are not durable yet wait for the next one, and so does what is beyond
    /// [`super::MAX_CHECKPOINT_SPANS`]: call it until it is not due any more.
    ///
    /// # Errors
    /// [`SignedError::NoAuthor`]; [`NodeError::Write`].
    pub fn checkpoint(&self) -> Result<Option<Checkpointed>, NodeError> {
        self.checkpoint_of(super::MAX_CHECKPOINT_SPANS)
    }

    /// As [`Self::checkpoint`], of at most about so many records. The next one goes on with the
    /// records behind these.
    ///
    /// # Errors
    /// As [`Self::checkpoint`].
    pub fn checkpoint_of(&self, most: usize) -> Result<Option<Checkpointed>, NodeError> {
        let mut guard = self.inside();
        let (mut work, mut fault) = (Work::default(), None);
        let (end, mut last) = (guard.signing.ended.clone(), None);
        let mut next = guard.signing.next_pending(&end, None);
        while let Some(name) = next.take() {
            if work.is_full(Standing::Final) || work.spans.len() >= most {
                break;
            }
            // Others have their turn between two records.
            drop(guard);
            guard = self.inside();
            let inside = &mut *guard;
            if !inside.records.is_held(&name) {
                inside.records.begin_flight(&name);
                work.held.push(name.clone());
                // One record that cannot be signed for does not hold up the others.
                fault = self.gather(inside, &name, Standing::Final, &mut work).err().or(fault);
            }
            next = inside.signing.next_pending(&end, Some(&name));
            last = Some(name);
        }
        let inside = &mut *guard;
        inside.signing.ended = last.unwrap_or_default();
        let standing = match fault {
            _ if !work.spans.is_empty() => Ok(Standing::Final),
            Some(fault) => Err(fault),
            None => self.gather_next(inside, &mut work).map(|()| Standing::Adopted),
        };
        let standing = match standing {
            Ok(standing) => standing,
            Err(fault) => {
                work.held.iter().for_each(|name| inside.records.end_flight(name, true));
                drop(guard);
                self.landed.notify_all();
                return Err(fault);
            }
        };
        let done = self.sign_gathered(guard, standing, &mut work)?;
        Ok(done.map(|statement| Checkpointed {
            changes: work.changes,
            records: work.chains.len(),
            bytes: statement.to_bytes().len(),
        }))
    }

    /// Signs what a record has of own changes that are not signed at all. Of a profile without
    /// provisional statements that is done for good. Gives the number of all its changes then.
    pub(super) fn sign_live(&self, record: &str) -> Result<usize, NodeError> {
        self.sign_each(&[record])?;
        let mut inside = self.inside_for(record);
        if inside.records.is_held(record) {
            return Err(NodeError::Loading);
        }
        Ok(inside.records.record(&self.store, record)?.change_count())
    }

    /// Signs what these records have of own changes that are not signed at all, for good if they
    /// are many.
    pub(crate) fn sign_each(&self, names: &[&str]) -> Result<(), NodeError> {
        let mut rest = names.iter().peekable();
        while rest.peek().is_some() {
            // What is on its way is soon there.
            let first = rest.peek().copied().copied().unwrap_or_default();
            let mut guard = self.inside_for(first);
            let inside = &mut *guard;
            let Some(author) = &inside.signing.author else { return Ok(()) };
            let is_live = author.live_key().is_some() && names.len() <= 4 * MAX_LIVE_SPANS;
            let standing = if is_live { Standing::Provisional } else { Standing::Final };
            let mut work = Work::default();
            while let Some(name) = rest.peek() {
                if work.is_full(standing) || inside.records.is_in_flight(name) {
                    break;
                }
                if !inside.records.is_held(name) {
                    self.gather(inside, name, standing, &mut work)?;
                }
                if work.is_full(standing) {
                    break;
                }
                rest.next();
            }
            // A record that filled a statement comes again: its actors may need more than one.
            self.sign_gathered(guard, standing, &mut work)?;
        }
        Ok(())
    }

    /// Takes over what a record has that has no author.
    pub(crate) fn adopt(&self, name: &str) -> Result<(), NodeError> {
        let mut guard = self.inside_for(name);
        let inside = &mut *guard;
        if inside.signing.author.is_none() || inside.records.is_held(name) {
            return Ok(());
        }
        let mut work = Work::default();
        self.gather_unclaimed(inside, name, &mut work)?;
        self.sign_gathered(guard, Standing::Adopted, &mut work)?;
        Ok(())
    }
}
