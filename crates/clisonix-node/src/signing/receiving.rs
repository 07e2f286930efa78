//! What comes in signed: verified whole before anything of it is durable or shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clisonix_crdt::{ActorId, ReceiveError, Received, Record, Refusal, RefusalReason};
use clisonix_pq::checkpoint::{
    Authors, ChainError, Equivocation, Evidence, Span, Standing, Statement, Taken,
};
use clisonix_store::{Action, Batch, Snapshot};

use super::news::News;
use super::rows::{self, ChainRow};
use super::{MAX_STATEMENTS, SignedChanges, SignedError, id_by};
use crate::error::NodeError;
use crate::exchange::imported;
use crate::flight::Flight;
use crate::node::{By, Node, access};

/// What came in of a chain.
struct Verified {
    chains: BTreeMap<ActorId, ChainRow>,
    /// The chains before.
    was: BTreeMap<ActorId, ChainRow>,
    /// Statements that say something new.
    news: BTreeSet<usize>,
}

/// Signed changes on their way in, the statements verified.
pub(crate) struct SignedRun<'a> {
    pub(crate) key: &'a [u8],
    /// Batches of changes, causes before effects.
    pub(crate) changes: &'a [&'a [u8]],
    pub(crate) statements: Vec<Arc<Statement>>,
}

impl Node {
    /// Takes in another node's signed changes to a record, durably: all of them, or none. Changes
    /// that are known already, and statements too, change nothing.
    ///
    /// # Errors
    /// [`NodeError::Signed`] says what is not as it was signed; [`NodeError::Receive`].
    pub fn receive_signed(
        &self,
        record: &str,
        signed: &SignedChanges,
        authors: &Authors,
        by: By<'_>,
    ) -> Result<Received, NodeError> {
        let statements = read_all(&signed.statements, authors)?;
        let run = SignedRun { key: &signed.key, changes: &[&signed.changes], statements };
        let (received, flight) = self.begin_signed(record, &run, authors, by)?;
        if let Some(flight) = flight {
            self.land(flight)?;
        }
        Ok(received)
    }

    /// As [`Self::receive_signed`]; what is new is on its way to the store then.
    pub(crate) fn begin_signed(
        &self,
        record: &str,
        run: &SignedRun<'_>,
        authors: &Authors,
        by: By<'_>,
    ) -> Result<(Received, Option<Flight>), NodeError> {
        let result = self.take_in_signed(record, run, by);
        if let Err(NodeError::Signed(error)) = result {
            return Err(self.with_proof(record, error, &run.statements, authors)?.into());
        }
        result
    }

    /// Takes over a proof of equivocation from another node. Nothing more of that chain is taken
    /// in.
    ///
    /// # Errors
    /// [`NodeError::Equivocation`] if it proves nothing.
    pub fn note_equivocation(&self, proof: &[u8], authors: &Authors) -> Result<(), NodeError> {
        let author = Equivocation::author_of(proof).and_then(|name| authors.known(name));
        let author = author
            .ok_or(SignedError::from(clisonix_pq::checkpoint::StatementError::UnknownAuthor))?;
        let proof = Equivocation::from_bytes(proof, author)?;
        let mut batch = Batch::new();
        rows::put_proof(&mut batch, &proof)?;
        self.store.write(batch)?;
        Ok(())
    }

    /// The proofs of equivocation that this node holds, for others.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn equivocations(&self) -> Result<Vec<Vec<u8>>, NodeError> {
        rows::proofs(&self.store.snapshot()?)
    }

    fn take_in_signed(
        &self,
        name: &str,
        run: &SignedRun<'_>,
        by: By<'_>,
    ) -> Result<(Received, Option<Flight>), NodeError> {
        let mut inside = self.inside_for(name);
        let inside = &mut *inside;
        let now = inside.outside.now_ms();
        if inside.records.is_held(name) {
            return Err(NodeError::Loading);
        }
        let snapshot = self.store.snapshot()?;
        let mut chains = rows::chains(&snapshot, name)?;
        let was = chains.clone();
        let record = inside.records.record(&self.store, name)?;
        let (before, waiting) = (record.change_count(), record.waiting_count());
        let received = receive_all(record, run.changes);
        if record.has_lost_log() {
            inside.records.forget(name);
            return Err(NodeError::Damaged(name.to_owned()));
        }
        // From here on the record in memory is ahead of what is verified: it is let go on an error.
        let verified = received.map_err(NodeError::from).and_then(|received| {
            all_applied(&received, waiting)?;
            let news = verify(record, before, &run.statements, &mut chains)?;
            for actor in record.actors_since(before) {
                if rows::has_proof(&snapshot, actor)? {
                    return Err(SignedError::Equivocator(actor).into());
                }
            }
            Ok((received, Verified { chains, was, news }))
        });
        let (received, verified) = match verified {
            Ok(verified) => verified,
            Err(error) => {
                inside.records.forget(name);
                return Err(error);
            }
        };
        if received.applied == 0 && verified.news.is_empty() {
            return Ok((received, None));
        }
        let access = access(by, Action::Import, now, Some(record));
        let batch = imported(record, before, run.key, access).and_then(|mut batch| {
            put_verified(&mut batch, &snapshot, record, run, &verified, now)?;
            if received.applied == 0 {
                let statements = verified.news.iter().filter_map(|at| run.statements.get(*at));
                batch.note(News::new(statements.map(|known| &**known), [name]).encode())?;
            }
            Ok(batch)
        });
        let batch = batch.and_then(|mut batch| {
            let standing = |record: &Record| rows::standing(record, &verified.chains);
            inside.records.put_standing(&self.store, name, standing, &mut batch)?;
            Ok(batch)
        });
        if received.erased.is_empty() {
            let flight = self.launch(name, batch, &mut inside.records)?;
            return Ok((received, Some(flight)));
        }
        self.make_received_durable(name, batch, &received.erased, &mut inside.records)?;
        Ok((received, None))
    }

    /// Adds the proof to an equivocation, as far as what was signed before and what came now prove
    /// it, and keeps it.
    fn with_proof(
        &self,
        record: &str,
        error: SignedError,
        statements: &[Arc<Statement>],
        authors: &Authors,
    ) -> Result<SignedError, NodeError> {
        let (actor, seq) = match error {
            SignedError::Equivocation { actor, seq, .. } => (actor, seq),
            other => return Ok(other),
        };
        let here = self.all_evidence(record, actor, authors)?;
        for (_, _, own) in &here {
            for statement in statements {
                for (at, (chain, _)) in statement.spans().enumerate() {
                    let bytes = statement.to_bytes().to_vec();
                    let other = Evidence { statement: bytes, span: at as u16, ids: Vec::new() };
                    let author = authors.known(statement.author()).filter(|_| chain == actor.0);
                    let proof = author.map(|author| Equivocation::new(own.clone(), other, author));
                    if let Some(Ok(proof)) = proof {
                        let mut batch = Batch::new();
                        rows::put_proof(&mut batch, &proof)?;
                        self.store.write(batch)?;
                        let (seq, proof) = (proof.seq(), Some(proof.to_bytes()));
                        return Ok(SignedError::Equivocation { actor, seq, proof });
                    }
                }
            }
        }
        Ok(SignedError::Equivocation { actor, seq, proof: None })
    }
}

/// Adds to a batch what is signed now, and was not before.
fn put_verified(
    batch: &mut Batch,
    snapshot: &Snapshot,
    record: &Record,
    run: &SignedRun<'_>,
    verified: &Verified,
    now_ms: u64,
) -> Result<(), NodeError> {
    for (actor, row) in &verified.chains {
        let was = verified.was.get(actor);
        if was != Some(row) {
            let mut row = *row;
            row.since_ms = super::statement::since(was, &row, now_ms);
            rows::put_chain(batch, record.id(), *actor, &row)?;
        }
    }
    for at in &verified.news {
        let Some(statement) = run.statements.get(*at) else { continue };
        let reaches = rows::reaches(record, statement);
        let reaches = BTreeMap::from([(record.id().to_owned(), reaches)]);
        rows::put_statement(batch, statement, &reaches)?;
        rows::put_checkpoint(batch, snapshot, statement)?;
    }
    let confirmed = |chains: &BTreeMap<ActorId, ChainRow>, actor| {
        chains.get(&actor).map_or(0, |row| row.chain.confirmed.seq)
    };
    let mut actors = verified.chains.keys();
    // Without a checkpoint nothing becomes final.
    if actors.any(|actor| confirmed(&verified.chains, *actor) > confirmed(&verified.was, *actor)) {
        rows::remove_settled(batch, snapshot, record.id(), &verified.chains)?;
    }
    Ok(())
}

/// Takes batches of changes in, one after the other.
fn receive_all(record: &mut Record, batches: &[&[u8]]) -> Result<Received, ReceiveError> {
    let mut all = Received::default();
    for batch in batches {
        let one = record.receive(batch)?;
        all.applied += one.applied;
        all.known += one.known;
        all.waiting = one.waiting;
        all.refused.extend(one.refused);
        all.erased.extend(one.erased);
    }
    Ok(all)
}

fn read_all(statements: &[Vec<u8>], authors: &Authors) -> Result<Vec<Arc<Statement>>, SignedError> {
    if statements.len() > MAX_STATEMENTS {
        return Err(SignedError::TooManyStatements);
    }
    let read = |bytes: &Vec<u8>| Ok(Arc::new(Statement::read(bytes, authors)?));
    statements.iter().map(read).collect()
}

/// Whether a record has taken every change that came.
fn all_applied(received: &Received, waiting: usize) -> Result<(), SignedError> {
    if let Some(&Refusal { actor, seq, reason }) = received.refused.first() {
        let two = received.refused.iter().find(|r| r.reason == RefusalReason::Equivocation);
        return Err(match two {
            Some(two) => {
                SignedError::Equivocation { actor: two.actor, seq: u64::from(two.seq), proof: None }
            }
            None => SignedError::Refused { actor, seq, reason },
        });
    }
    if received.waiting > waiting { Err(SignedError::Incomplete) } else { Ok(()) }
}

/// Holds statements against a record that has applied the changes from number `before` on; gives
/// those that say something new.
fn verify(
    record: &Record,
    before: usize,
    statements: &[Arc<Statement>],
    chains: &mut BTreeMap<ActorId, ChainRow>,
) -> Result<BTreeSet<usize>, SignedError> {
    let mut spans: Vec<(ActorId, &Span, Standing, usize)> = Vec::new();
    for (at, statement) in statements.iter().enumerate() {
        let here = statement.spans().map(|(chain, span)| (ActorId(chain), span));
        let here = here.filter(|(actor, _)| record.last_seq(*actor) > 0);
        spans.extend(here.map(|(actor, span)| (actor, span, statement.standing(), at)));
    }
    // A later span follows from an earlier one, whatever order they came in.
    spans.sort_by_key(|(actor, span, standing, _)| (*actor, span.first, *standing));
    let mut news = BTreeSet::new();
    for (actor, span, standing, at) in spans {
        let Some(statement) = statements.get(at) else { continue };
        let fresh = ChainRow::new(actor, span.nonce, statement.author());
        let row = chains.entry(actor).or_insert(fresh);
        match (row.is_adopted(actor), standing == Standing::Adopted) {
            // What its author says counts, and nobody else's word about it.
            (true, false) => *row = fresh,
            (false, true) => continue,
            _ => {}
        }
        let ids = |seq| id_by(record, actor, seq);
        match row.chain.take(&actor.0, standing, span, &ids) {
            Ok(Taken::New) => drop(news.insert(at)),
            Ok(Taken::Known) => {}
            Err(ChainError::Equivocation(seq)) => {
                return Err(SignedError::Equivocation { actor, seq, proof: None });
            }
            Err(error) => return Err(SignedError::Chain { actor, error }),
        }
    }
    for actor in record.actors_since(before) {
        let signed = chains.get(&actor).map_or(0, |row| row.chain.signed.seq);
        if signed < u64::from(record.last_seq(actor)) {
            return Err(SignedError::Unsigned { actor, seq: signed + 1 });
        }
    }
    Ok(news)
}
