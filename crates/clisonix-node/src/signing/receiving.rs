//! What comes in signed: verified whole before anything of it is durable or shown.

use std::collections::{BTreeMap, BTreeSet};

use clisonix_crdt::{ActorId, Received, Record, Refusal, RefusalReason};
use clisonix_pq::checkpoint::{
    Authors, ChainError, Equivocation, Evidence, Span, Standing, Statement, Taken,
};
use clisonix_store::{Action, Batch};

use super::rows::{self, ChainRow};
use super::{MAX_STATEMENTS, SignedChanges, SignedError, id_by};
use crate::error::NodeError;
use crate::exchange::imported;
use crate::node::{By, Node, access};

/// What came in of a chain.
struct Verified {
    chains: BTreeMap<ActorId, ChainRow>,
    /// Statements that say something new.
    news: BTreeSet<usize>,
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
        let result = self.take_in_signed(record, signed, &statements, by);
        if let Err(NodeError::Signed(error)) = result {
            return Err(self.with_proof(record, error, &statements, authors)?.into());
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
        signed: &SignedChanges,
        statements: &[Statement],
        by: By<'_>,
    ) -> Result<Received, NodeError> {
        let mut inside = self.inside();
        let inside = &mut *inside;
        let now = inside.outside.now_ms();
        if inside.records.is_held(name) {
            return Err(NodeError::Loading);
        }
        let snapshot = self.store.snapshot()?;
        let mut chains = rows::chains(&snapshot, name)?;
        let record = inside.records.record(&self.store, name)?;
        let (before, waiting) = (record.change_count(), record.waiting_count());
        let received = record.receive(&signed.changes);
        if record.has_lost_log() {
            inside.records.forget(name);
            return Err(NodeError::Damaged(name.to_owned()));
        }
        // From here on the record in memory is ahead of what is verified: it is let go on an error.
        let verified = received.map_err(NodeError::from).and_then(|received| {
            all_applied(&received, waiting)?;
            let news = verify(record, before, statements, &mut chains)?;
            for actor in record.actors_since(before) {
                if rows::has_proof(&snapshot, actor)? {
                    return Err(SignedError::Equivocator(actor).into());
                }
            }
            Ok((received, Verified { chains, news }))
        });
        let (received, verified) = match verified {
            Ok(verified) => verified,
            Err(error) => {
                inside.records.forget(name);
                return Err(error);
            }
        };
        if received.applied == 0 && verified.news.is_empty() {
            return Ok(received);
        }
        let access = access(by, Action::Import, now, Some(record));
        let batch = imported(record, before, &signed.key, access).and_then(|mut batch| {
            self.put_verified(&mut batch, record, statements, &verified, now)?;
            Ok(batch)
        });
        inside.records.note_erased(name, &received.erased);
        self.make_durable(name, batch, &mut inside.records)?;
        Ok(received)
    }

    fn put_verified(
        &self,
        batch: &mut Batch,
        record: &Record,
        statements: &[Statement],
        verified: &Verified,
        now_ms: u64,
    ) -> Result<(), NodeError> {
        let snapshot = self.store.snapshot()?;
        let was = rows::chains(&snapshot, record.id())?;
        for (actor, row) in &verified.chains {
            if was.get(actor) != Some(row) {
                let mut row = *row;
                row.since_ms = super::own::since(was.get(actor), &row, now_ms);
                rows::put_chain(batch, record.id(), *actor, &row)?;
            }
        }
        for at in &verified.news {
            let Some(statement) = statements.get(*at) else { continue };
            let reaches = rows::reaches(record, statement);
            let reaches = BTreeMap::from([(record.id().to_owned(), reaches)]);
            rows::put_statement(batch, statement, &reaches)?;
        }
        rows::remove_settled(batch, &snapshot, record.id(), &verified.chains)
    }

    /// Adds the proof to an equivocation, as far as what was signed before and what came now prove
    /// it, and keeps it.
    fn with_proof(
        &self,
        record: &str,
        error: SignedError,
        statements: &[Statement],
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

fn read_all(statements: &[Vec<u8>], authors: &Authors) -> Result<Vec<Statement>, SignedError> {
    if statements.len() > MAX_STATEMENTS {
        return Err(SignedError::TooManyStatements);
    }
    Ok(statements.iter().map(|bytes| Statement::read(bytes, authors)).collect::<Result<_, _>>()?)
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
    statements: &[Statement],
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
        let fresh = || ChainRow::new(actor, span.nonce, statement.author());
        let row = chains.entry(actor).or_insert_with(fresh);
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
