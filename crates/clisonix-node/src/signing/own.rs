//! What this node signs: its own actors, provisional statements, checkpoints.

use std::collections::BTreeMap;

use clisonix_crdt::{ActorId, ActorSecret, Record};
use clisonix_pq::checkpoint::{
    Author, CHECKPOINT_CHANGES, CHECKPOINT_MS, Id, MAX_LIVE_SPANS, MAX_SPAN_CHANGES, MAX_SPANS,
    Mark, Span, Standing, Statement, chain_id,
};
use clisonix_store::Batch;

use super::rows::{self, ChainRow};
use super::{SignedError, id_by};
use crate::error::NodeError;
use crate::node::{Inside, Node};
use crate::outside::Outside;

/// Actors that were handed out and have not written yet; older ones stay unsigned.
const MAX_FRESH: usize = 1 << 16;

/// Who signs at this node, and what is still to be signed.
#[derive(Default)]
pub(crate) struct Signing {
    author: Option<Author>,
    /// The nonces of actors that have not written yet.
    fresh: BTreeMap<ActorId, [u8; 16]>,
    /// The records with own changes that are under no checkpoint.
    pending: BTreeMap<String, Pending>,
}

#[derive(Clone, Copy, Default)]
struct Pending {
    since_ms: u64,
    /// Changes of this process; those of an earlier one are not counted.
    changes: u64,
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
        let Some(author) = &self.author else { return Ok(()) };
        for actor in record.actors_since(first) {
            if let Some(nonce) = self.fresh.remove(&actor) {
                let row = ChainRow::new(actor, nonce, author.fingerprint());
                rows::put_chain(batch, record.id(), actor, &row)?;
            }
        }
        if !self.pending.contains_key(record.id()) {
            rows::put_pending(batch, record.id(), now_ms)?;
        }
        let pending = self.pending.entry(record.id().to_owned());
        let pending = pending.or_insert(Pending { since_ms: now_ms, changes: 0 });
        pending.changes += (record.change_count() - first) as u64;
        Ok(())
    }

    /// Whether a checkpoint is due.
    fn is_due(&self, now_ms: u64) -> bool {
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
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn sign_as(&self, author: Author) -> Result<(), NodeError> {
        let pending = rows::pending(&self.store.snapshot()?)?.into_iter();
        let pending = pending.map(|(name, since_ms)| (name, Pending { since_ms, changes: 0 }));
        let mut inside = self.inside();
        // A record that is read again writes as a new actor, so none goes on that nobody signs for.
        inside.records.forget_stored();
        let (author, pending) = (Some(author), pending.collect());
        inside.signing = Signing { author, fresh: BTreeMap::new(), pending };
        Ok(())
    }

    /// Whether a checkpoint is due: [`CHECKPOINT_CHANGES`] changes or [`CHECKPOINT_MS`] after the
    /// first of them.
    pub fn is_checkpoint_due(&self) -> bool {
        let mut inside = self.inside();
        let now = inside.outside.now_ms();
        inside.signing.is_due(now)
    }

    /// Signs for good what is under no checkpoint yet; `None` if there is nothing. Changes that
    /// are not durable yet wait for the next one, and so does what is beyond the limits of one
    /// statement.
    ///
    /// # Errors
    /// [`SignedError::NoAuthor`]; [`NodeError::Write`].
    pub fn checkpoint(&self) -> Result<Option<Checkpointed>, NodeError> {
        let mut inside = self.inside();
        let inside = &mut *inside;
        let names: Vec<String> = inside.signing.pending.keys().cloned().collect();
        let mut work = Work::default();
        for name in names {
            if work.is_full(Standing::Final) {
                break;
            }
            if !inside.records.is_held(&name) {
                self.gather(inside, &name, Standing::Final, &mut work)?;
            }
        }
        let done = self.state(inside, Standing::Final, &mut work)?;
        Ok(done.map(|statement| Checkpointed {
            changes: work.changes,
            records: work.chains.len(),
            bytes: statement.to_bytes().len(),
        }))
    }

    /// Signs what a record has of own changes that are not signed at all. Of a profile without
    /// provisional statements that is done for good. Gives the number of all its changes then.
    pub(super) fn sign_live(&self, record: &str) -> Result<usize, NodeError> {
        let mut inside = self.inside();
        let inside = &mut *inside;
        if inside.records.is_held(record) {
            return Err(NodeError::Loading);
        }
        let count = inside.records.record(&self.store, record)?.change_count();
        let Some(author) = &inside.signing.author else { return Ok(count) };
        let standing =
            if author.live_key().is_some() { Standing::Provisional } else { Standing::Final };
        loop {
            let mut work = Work::default();
            self.gather(inside, record, standing, &mut work)?;
            // Many actors may need more than one statement.
            if self.state(inside, standing, &mut work)?.is_none() {
                return Ok(count);
            }
        }
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
            let from = match standing {
                Standing::Provisional => row.chain.signed,
                Standing::Final => row.chain.confirmed,
            };
            let here = u64::from(record.last_seq(actor));
            let last = here.min(from.seq + MAX_SPAN_CHANGES);
            if row.author != author || last <= from.seq {
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
            work.changes += last - from.seq;
            work.spans.push(span);
            work.chains.entry(name.to_owned()).or_default().push((actor, row));
        }
        if is_whole && standing == Standing::Final {
            work.settled.push(name.to_owned());
        }
        Ok(())
    }

    /// Signs what was gathered and makes it durable.
    fn state(
        &self,
        inside: &mut Inside,
        standing: Standing,
        work: &mut Work,
    ) -> Result<Option<Statement>, NodeError> {
        let Inside { outside, signing, .. } = inside;
        let now = outside.now_ms();
        let author = signing.author.as_ref().ok_or(SignedError::NoAuthor)?;
        let mut batch = Batch::new();
        let mut statement = None;
        if !work.spans.is_empty() {
            work.spans.sort_unstable_by_key(|span| span.nonce);
            let made = match standing {
                Standing::Provisional => author.provisional(&work.spans, now),
                Standing::Final => {
                    let mut random = |bytes: &mut [u8]| outside.random(bytes);
                    author.checkpoint(&work.spans, now, &mut random)
                }
            };
            let made = made.map_err(SignedError::from)?;
            self.put(&mut batch, &made, &work.chains, now)?;
            statement = Some(made);
        }
        for record in &work.settled {
            rows::remove_pending(&mut batch, record)?;
        }
        if !batch.is_empty() {
            self.store.write(batch)?;
        }
        for record in &work.settled {
            signing.pending.remove(record);
        }
        Ok(statement)
    }

    /// Adds a statement to a batch, with what it makes of chains.
    pub(super) fn put(
        &self,
        batch: &mut Batch,
        statement: &Statement,
        chains: &BTreeMap<String, Vec<(ActorId, ChainRow)>>,
        now_ms: u64,
    ) -> Result<(), NodeError> {
        let snapshot = self.store.snapshot()?;
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
            let reached = changed.iter().map(|(actor, row)| {
                let chain = row.chain;
                let is_final = statement.standing() == Standing::Final;
                (*actor, if is_final { chain.confirmed.seq } else { chain.signed.seq })
            });
            by_record.insert(record.clone(), reached.collect());
        }
        rows::put_statement(batch, statement, &by_record)
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
    /// Records of which nothing is left to be signed.
    settled: Vec<String>,
    changes: u64,
}

impl Work {
    fn is_full(&self, standing: Standing) -> bool {
        let most = match standing {
            Standing::Provisional => MAX_LIVE_SPANS,
            Standing::Final => MAX_SPANS,
        };
        self.spans.len() >= most
    }
}

/// The span from a place of a chain to its change `last`.
fn span(record: &Record, actor: ActorId, row: &ChainRow, from: Mark, last: u64) -> Option<Span> {
    let ids = (from.seq + 1..=last).map(|seq| id_by(record, actor, seq));
    let after = ids.into_iter().try_fold(from.hash, |hash, id: Option<Id>| Some(hash.with(&id?)));
    let (nonce, first, before) = (row.nonce, from.seq + 1, from.hash);
    Some(Span { nonce, first, last, before, after: after? })
}
