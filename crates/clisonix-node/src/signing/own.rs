//! What this node signs: its own actors, provisional statements, checkpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard};

use clisonix_crdt::{ActorId, ActorSecret, Record};
use clisonix_pq::checkpoint::{
    Author, CHECKPOINT_CHANGES, CHECKPOINT_MS, Id, MAX_LIVE_SPANS, MAX_SPANS, Mark, Span, Standing,
    Statement, chain_id,
};
use clisonix_store::{Batch, Store};

use super::news::News;
use super::rows::{self, ChainRow};
use super::{SignedError, id_by};
use crate::error::NodeError;
use crate::node::{Inside, Node};
use crate::outside::Outside;
use crate::records::Records;

/// Most chains in one checkpoint of this node: a peer that lacks one record gets the whole statement.
pub const MAX_CHECKPOINT_SPANS: usize = 256;
/// Most changes in one span of this node: where a statement ends, a long history can be cut on its
/// way to a peer.
const MAX_OWN_SPAN: u64 = 1_024;
/// Actors that were handed out and have not written yet; older ones stay unsigned.
const MAX_FRESH: usize = 1 << 16;

/// Who signs at this node, and what is still to be signed.
#[derive(Default)]
pub(crate) struct Signing {
    author: Option<Arc<Author>>,
    /// The nonces of actors that have not written yet.
    fresh: BTreeMap<ActorId, [u8; 16]>,
    /// The records with own changes that are under no checkpoint.
    pending: BTreeMap<String, Pending>,
    /// Whether edits are signed when they are written, because others get them at once.
    is_live: bool,
    /// From which record on there may be chains without an author.
    unclaimed: Option<String>,
}

#[derive(Clone, Copy, Default)]
struct Pending {
    since_ms: u64,
    /// Changes of this process; those of an earlier one are not counted.
    changes: u64,
    /// Whether some of them are not signed at all.
    is_unsigned: bool,
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
        if !self.pending.contains_key(record.id()) {
            rows::put_pending(batch, record.id(), now_ms)?;
        }
        let pending = self.pending.entry(record.id().to_owned());
        let pending =
            pending.or_insert(Pending { since_ms: now_ms, changes: 0, is_unsigned: false });
        pending.changes += (record.change_count() - first) as u64;
        pending.is_unsigned |= is_unsigned;
        Ok(())
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

    /// Whether a checkpoint is due.
    fn is_due(&self, now_ms: u64) -> bool {
        if self.unclaimed.is_some() {
            return true;
        }
        let changes: u64 = self.pending.values().map(|pending| pending.changes).sum();
        let oldest = self.pending.values().map(|pending| pending.since_ms).min();
        let is_old = oldest.is_some_and(|oldest| now_ms.saturating_sub(oldest) >= CHECKPOINT_MS);
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
    pub fn sign_as(&self, author: Author) -> Result<(), NodeError> {
        let snapshot = self.store.snapshot()?;
        let pending = rows::pending(&snapshot)?
            .into_iter()
            .map(|(name, since_ms)| (name, Pending { since_ms, changes: 0, is_unsigned: true }));
        let unclaimed = rows::unclaimed_from(&snapshot, "")?;
        let mut inside = self.inside();
        // A record that is read again writes as a new actor, so none goes on that nobody signs for.
        inside.records.forget_stored();
        let is_live = inside.signing.is_live;
        inside.signing = Signing {
            author: Some(Arc::new(author)),
            fresh: BTreeMap::new(),
            pending: pending.collect(),
            is_live,
            unclaimed,
        };
        Ok(())
    }

    /// Whether edits are signed provisionally when they are written, because other nodes get them at
    /// once; without it they are signed when they first go out. Of a profile without provisional
    /// statements it changes nothing.
    pub fn sign_at_once(&self, is_live: bool) {
        self.inside().signing.is_live = is_live;
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
    /// [`MAX_CHECKPOINT_SPANS`]: call it until it is not due any more.
    ///
    /// # Errors
    /// [`SignedError::NoAuthor`]; [`NodeError::Write`].
    pub fn checkpoint(&self) -> Result<Option<Checkpointed>, NodeError> {
        let mut guard = self.inside();
        let inside = &mut *guard;
        let names: Vec<String> = inside.signing.pending.keys().cloned().collect();
        let (mut work, mut fault) = (Work::default(), None);
        for name in names {
            if work.is_full(Standing::Final) {
                break;
            }
            if !inside.records.is_held(&name)
                && let Err(error) = self.gather(inside, &name, Standing::Final, &mut work)
            {
                // One record that cannot be signed for does not hold up the others.
                fault = Some(error);
            }
        }
        let standing = if work.spans.is_empty() {
            self.gather_next(inside, &mut work)?;
            Standing::Adopted
        } else {
            Standing::Final
        };
        if let Some(fault) = fault.filter(|_| work.spans.is_empty()) {
            return Err(fault);
        }
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

    /// Adds the spans of a record's own chains that want a statement of this standing.
    fn gather(
        &self,
        inside: &mut Inside,
        name: &str,
        standing: Standing,
        work: &mut Work,
    ) -> Result<(), NodeError> {
        let author = inside.signing.author.as_ref().ok_or(SignedError::NoAuthor)?.fingerprint();
        let chains = rows::chains(&self.store.snapshot()?, name)?;
        let record = inside.records.record(&self.store, name)?;
        let mut is_whole = true;
        for (actor, mut row) in chains {
            let is_final = standing.is_final();
            let from = if is_final { row.chain.confirmed } else { row.chain.signed };
            let here = u64::from(record.last_seq(actor));
            let last = here.min(from.seq + MAX_OWN_SPAN);
            if row.author != author || row.is_adopted(actor) || last <= from.seq {
                continue;
            }
            if work.is_full(standing) {
                is_whole = false;
                break;
            }
            is_whole &= last == here;
            let span = span(record, actor, &row, from, last);
            let span = span.ok_or_else(|| NodeError::Damaged(name.to_owned()))?;
            let taken = row.chain.take(&actor.0, standing, &span, &|seq| id_by(record, actor, seq));
            taken.map_err(|error| SignedError::Chain { actor, error })?;
            work.add(name, (actor, row), span);
        }
        if is_whole {
            let done = if standing.is_final() { &mut work.settled } else { &mut work.signed };
            done.push(name.to_owned());
        }
        Ok(())
    }

    /// Adds the spans of chains that have no author, from the record on that was reached.
    fn gather_next(&self, inside: &mut Inside, work: &mut Work) -> Result<(), NodeError> {
        if inside.signing.author.is_none() {
            return Err(SignedError::NoAuthor.into());
        }
        let snapshot = self.store.snapshot()?;
        while let Some(name) = inside.signing.unclaimed.take() {
            if work.is_full(Standing::Adopted) {
                inside.signing.unclaimed = Some(name);
                break;
            }
            let is_held = inside.records.is_held(&name);
            if !is_held && !self.gather_unclaimed(inside, &name, work)? {
                inside.signing.unclaimed = Some(name);
                break;
            }
            // The name with a byte 0 behind it is the next one that there can be.
            inside.signing.unclaimed = rows::unclaimed_from(&snapshot, &format!("{name}\0"))?;
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

    /// Adds the spans of a record's chains that have no author. Says whether these are all.
    fn gather_unclaimed(
        &self,
        inside: &mut Inside,
        name: &str,
        work: &mut Work,
    ) -> Result<bool, NodeError> {
        let author = inside.signing.author.as_ref().ok_or(SignedError::NoAuthor)?.fingerprint();
        let chains = rows::chains(&self.store.snapshot()?, name)?;
        let record = inside.records.record(&self.store, name)?;
        let mut is_whole = true;
        for actor in record.actors() {
            let mut row = match chains.get(&actor) {
                Some(row) if row.is_adopted(actor) => *row,
                Some(_) => continue,
                None => ChainRow::new(actor, actor.0, author),
            };
            let (from, here) = (row.chain.confirmed, u64::from(record.last_seq(actor)));
            let last = here.min(from.seq + MAX_OWN_SPAN);
            if last <= from.seq {
                continue;
            }
            is_whole &= last == here;
            if work.spans.len() >= MAX_SPANS {
                return Ok(false);
            }
            let span = span(record, actor, &row, from, last);
            let span = span.ok_or_else(|| NodeError::Damaged(name.to_owned()))?;
            let ids = |seq| id_by(record, actor, seq);
            let taken = row.chain.take(&actor.0, Standing::Adopted, &span, &ids);
            taken.map_err(|error| SignedError::Chain { actor, error })?;
            work.add(name, (actor, row), span);
        }
        Ok(is_whole)
    }

    /// Signs what was gathered and makes it durable, without holding the node's lock: meanwhile
    /// nobody writes to the records that it is about.
    fn sign_gathered(
        &self,
        mut guard: MutexGuard<'_, Inside>,
        standing: Standing,
        work: &mut Work,
    ) -> Result<Option<Statement>, NodeError> {
        let names: BTreeSet<String> =
            work.chains.keys().chain(&work.settled).chain(&work.signed).cloned().collect();
        if names.is_empty() {
            return Ok(None);
        }
        let inside = &mut *guard;
        let author = inside.signing.author.clone().ok_or(SignedError::NoAuthor)?;
        let now = inside.outside.now_ms();
        for name in &names {
            inside.records.begin_flight(name);
        }
        drop(guard);
        let result = self.state(&author, standing, work, now);
        let mut guard = self.inside();
        let Inside { signing, records, .. } = &mut *guard;
        for name in &names {
            records.end_flight(name, result.is_ok());
        }
        records.shrink();
        if result.is_ok() {
            for record in &work.settled {
                signing.pending.remove(record);
            }
            for record in &work.signed {
                if let Some(pending) = signing.pending.get_mut(record) {
                    pending.is_unsigned = false;
                }
            }
        }
        drop(guard);
        self.landed.notify_all();
        if matches!(result, Ok(Some(_))) {
            self.watchers.tell();
        }
        result
    }

    /// Makes the statement and writes it.
    fn state(
        &self,
        author: &Author,
        standing: Standing,
        work: &mut Work,
        now_ms: u64,
    ) -> Result<Option<Statement>, NodeError> {
        let mut batch = Batch::new();
        let mut statement = None;
        if !work.spans.is_empty() {
            work.spans.sort_unstable_by_key(|span| span.nonce);
            let mut random = |bytes: &mut [u8]| self.inside().outside.random(bytes);
            let made = match standing {
                Standing::Provisional => author.provisional(&work.spans, now_ms),
                Standing::Final => author.checkpoint(&work.spans, now_ms, &mut random),
                Standing::Adopted => author.adoption(&work.spans, now_ms, &mut random),
            };
            let made = made.map_err(SignedError::from)?;
            self.put(&mut batch, &made, &work.chains, &mut self.inside().records, now_ms)?;
            statement = Some(made);
        }
        for record in &work.settled {
            rows::remove_pending(&mut batch, record)?;
        }
        if !batch.is_empty() {
            self.store.write(batch)?;
        }
        Ok(statement)
    }

    /// Adds a statement to a batch, with what it makes of chains.
    fn put(
        &self,
        batch: &mut Batch,
        statement: &Statement,
        chains: &BTreeMap<String, Vec<(ActorId, ChainRow)>>,
        records: &mut Records,
        now_ms: u64,
    ) -> Result<(), NodeError> {
        let snapshot = self.store.snapshot()?;
        let is_final = statement.standing().is_final();
        let mut by_record = BTreeMap::new();
        for (record, changed) in chains {
            let mut all = rows::chains(&snapshot, record)?;
            for (actor, row) in changed {
                let mut row = *row;
                row.since_ms = since(all.get(actor), &row, now_ms);
                rows::put_chain(batch, record, *actor, &row)?;
                all.insert(*actor, row);
            }
            rows::remove_settled(batch, &snapshot, record, &all)?;
            if is_final {
                let standing = |held: &Record| rows::standing(held, &all);
                records.put_standing(&self.store, record, standing, batch)?;
            }
            let reached = changed.iter().map(|(actor, row)| {
                let chain = row.chain;
                (*actor, if is_final { chain.confirmed.seq } else { chain.signed.seq })
            });
            by_record.insert(record.clone(), reached.collect());
        }
        rows::put_statement(batch, statement, &by_record)?;
        if is_final {
            let records = by_record.keys().map(String::as_str);
            batch.note(News::new([statement], records).encode())?;
        }
        Ok(())
    }
}

/// Since when a part of a chain is provisional.
pub(super) fn since(was: Option<&ChainRow>, row: &ChainRow, now_ms: u64) -> u64 {
    let is_open = |row: &ChainRow| row.chain.signed.seq > row.chain.confirmed.seq;
    let confirmed = |row: &ChainRow| row.chain.confirmed.seq;
    match was {
        // What was provisional before still is.
        Some(was) if is_open(was) && confirmed(was) == confirmed(row) => was.since_ms,
        _ => now_ms,
    }
}

/// What a statement will be made of.
#[derive(Default)]
struct Work {
    spans: Vec<Span>,
    chains: BTreeMap<String, Vec<(ActorId, ChainRow)>>,
    /// Records of which nothing is left to be signed for good.
    settled: Vec<String>,
    /// Records of which nothing is left to be signed at all.
    signed: Vec<String>,
    changes: u64,
}

impl Work {
    fn is_full(&self, standing: Standing) -> bool {
        let most = if standing.is_final() { MAX_CHECKPOINT_SPANS } else { MAX_LIVE_SPANS };
        self.spans.len() >= most
    }

    fn add(&mut self, record: &str, chain: (ActorId, ChainRow), span: Span) {
        self.changes += span.last - span.first + 1;
        self.spans.push(span);
        self.chains.entry(record.to_owned()).or_default().push(chain);
    }
}

/// The span from a place of a chain to its change `last`.
fn span(record: &Record, actor: ActorId, row: &ChainRow, from: Mark, last: u64) -> Option<Span> {
    let ids = (from.seq + 1..=last).map(|seq| id_by(record, actor, seq));
    let after = ids.into_iter().try_fold(from.hash, |hash, id: Option<Id>| Some(hash.with(&id?)));
    let (nonce, first, before) = (row.nonce, from.seq + 1, from.hash);
    Some(Span { nonce, first, last, before, after: after? })
}
