//! Signed changes: which of a record's changes are provisional and which are final, by whom, and
//! what is refused.
//!
//! A node that signs ([`Node::sign_as`]) makes its actors so that their ids follow from its identity
//! (`docs/formats/checkpoint.md`). It signs its changes provisionally when they first go out
//! ([`Node::signed_changes_since`]) and for good at checkpoints ([`Node::checkpoint`]). What comes
//! in ([`Node::receive_signed`]) is taken whole, if every change in it is signed and follows from
//! what was signed before, or not at all.

mod error;
pub(crate) mod news;
mod own;
mod receiving;
pub(crate) mod rows;
mod statement;

use std::collections::BTreeMap;

use clisonix_crdt::{ActorId, ChangeId, Record};
use clisonix_pq::Fingerprint;
use clisonix_pq::checkpoint::{Authors, CHECKPOINT_MS, Evidence, Span, Statement};
use clisonix_store::Snapshot;

use crate::error::NodeError;
use crate::node::{By, Node};
use crate::version::{self, Standing};

pub use self::error::SignedError;
pub use self::own::Checkpointed;
pub(crate) use self::own::Signing;
pub(crate) use self::receiving::SignedRun;
pub use self::statement::MAX_CHECKPOINT_SPANS;

/// Most statements that come with one record's changes.
pub const MAX_STATEMENTS: usize = 1 << 16;

/// An author's changes that are provisional for longer than this are overdue, in milliseconds: the
/// author withholds the checkpoint, or is cut off.
pub const OVERDUE_MS: u64 = 30 * CHECKPOINT_MS;

/// How often signed changes are read again because others came meanwhile.
const MAX_TRIES: usize = 16;

/// Changes on their way to another node, with what their authors have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedChanges {
    /// The record's key.
    pub key: Vec<u8>,
    /// The changes.
    pub changes: Vec<u8>,
    /// The statements about them.
    pub statements: Vec<Vec<u8>>,
}

/// How far an actor's changes in a record are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActorStanding {
    /// The actor.
    pub actor: ActorId,
    /// Whose it is; `None` if nothing of it is signed.
    pub author: Option<Fingerprint>,
    /// Whether `author` did not write the changes and has only taken them over: they were made
    /// before their node had an author.
    pub adopted: bool,
    /// How many changes of it are here.
    pub changes: u64,
    /// How many of them, from the first, are at least provisional.
    pub signed: u64,
    /// How many of them, from the first, are final.
    pub confirmed: u64,
}

impl Node {
    /// How far each actor's changes in a record are signed.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn standings(&self, record: &str) -> Result<Vec<ActorStanding>, NodeError> {
        let chains = rows::chains(&self.store.snapshot()?, record)?;
        let mut inside = self.inside_for(record);
        let record = inside.records.record(&self.store, record)?;
        let standing = |actor| {
            let chain = chains.get(&actor);
            ActorStanding {
                actor,
                author: chain.filter(|row| row.chain.signed.seq > 0).map(|row| row.author),
                adopted: chain.is_some_and(|row| row.is_adopted(actor)),
                changes: u64::from(record.last_seq(actor)),
                signed: chain.map_or(0, |row| row.chain.signed.seq),
                confirmed: chain.map_or(0, |row| row.chain.confirmed.seq),
            }
        };
        Ok(record.actors().map(standing).collect())
    }

    /// Whether every change in a record is under a checkpoint. Only such a record may leave the
    /// organisation.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn is_final(&self, record: &str) -> Result<bool, NodeError> {
        Ok(self.standings(record)?.iter().all(|actor| actor.confirmed == actor.changes))
    }

    /// The chains whose changes are provisional for longer than [`OVERDUE_MS`], with their records.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn overdue(&self) -> Result<Vec<(String, ActorId)>, NodeError> {
        let now = self.inside().outside.now_ms();
        rows::overdue(&self.store.snapshot()?, now.saturating_sub(OVERDUE_MS))
    }

    /// What a node with these heads of a record lacks, signed. `confirmed` tells how far each
    /// actor's changes are final there, see [`Self::standings`]; what says no more is left out.
    /// Own changes that are not signed yet are signed now, provisionally where the profile has
    /// that, else for good.
    ///
    /// # Errors
    /// [`NodeError::NotFound`]; [`NodeError::Loading`] if the record is written to all the time.
    pub fn signed_changes_since(
        &self,
        record: &str,
        heads: &[ChangeId],
        confirmed: &BTreeMap<ActorId, u64>,
        by: By<'_>,
    ) -> Result<SignedChanges, NodeError> {
        // What is written meanwhile would be among the changes and not among the statements, or the
        // other way round.
        for _ in 0..MAX_TRIES {
            let count = self.sign_live(record)?;
            let (key, changes) = self.changes_since(record, heads, by)?;
            let statements = self.statements_beyond(record, confirmed)?;
            if self.with_record(record, |record| Ok(record.change_count()))? == count {
                return Ok(SignedChanges { key, changes, statements });
            }
        }
        Err(NodeError::Loading)
    }

    /// The statements about a record that speak of changes beyond these.
    fn statements_beyond(
        &self,
        record: &str,
        confirmed: &BTreeMap<ActorId, u64>,
    ) -> Result<Vec<Vec<u8>>, NodeError> {
        let snapshot = self.store.snapshot()?;
        let known = |actor: &ActorId| confirmed.get(actor).copied().unwrap_or_default();
        let rows = rows::statements(&snapshot, record)?.into_iter();
        let news = rows.filter(|row| row.reaches.iter().any(|(actor, last)| *last > known(actor)));
        news.map(|row| row.bytes(&snapshot, record)).collect()
    }

    /// What an author has signed about an actor's change in a record, for anybody. Of two nodes
    /// that hold two changes with one actor and number, the evidence of both together proves
    /// equivocation.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn evidence(
        &self,
        record: &str,
        actor: ActorId,
        seq: u64,
        authors: &Authors,
    ) -> Result<Option<Evidence>, NodeError> {
        let all = self.all_evidence(record, actor, authors)?;
        let covers = |(first, last, _): &(u64, u64, Evidence)| (*first..=*last).contains(&seq);
        Ok(all.into_iter().find(covers).map(|(_, _, evidence)| evidence))
    }

    /// The statements about an actor's changes, each with the ids of the changes.
    fn all_evidence(
        &self,
        record: &str,
        actor: ActorId,
        authors: &Authors,
    ) -> Result<Vec<(u64, u64, Evidence)>, NodeError> {
        let snapshot = self.store.snapshot()?;
        let mut inside = self.inside_for(record);
        let held = inside.records.record(&self.store, record)?;
        let mut all = Vec::new();
        for row in rows::statements(&snapshot, record)? {
            if !row.reaches.iter().any(|(other, _)| *other == actor) {
                continue;
            }
            let bytes = row.bytes(&snapshot, record)?;
            all.extend(evidence_in(held, actor, &bytes, authors));
        }
        Ok(all)
    }
}

/// What one statement tells of an actor, with the ids of the changes.
fn evidence_in(
    record: &Record,
    actor: ActorId,
    bytes: &[u8],
    authors: &Authors,
) -> Vec<(u64, u64, Evidence)> {
    let author = Statement::author_of(bytes).ok().and_then(|name| authors.known(name));
    let statement = author.and_then(|author| Statement::read_of(bytes, author).ok());
    let Some(statement) = statement else { return Vec::new() };
    let evidence = |(at, (chain, span)): (usize, (_, &Span))| {
        let ids = (span.first..=span.last).map(|seq| id_by(record, actor, seq));
        let ids = ids.collect::<Option<Vec<_>>>().filter(|_| chain == actor.0)?;
        let evidence = Evidence { statement: bytes.to_vec(), span: at as u16, ids };
        Some((span.first, span.last, evidence))
    };
    statement.spans().enumerate().filter_map(evidence).collect()
}

/// How far a stored record is final.
pub(crate) fn stored_standing(snapshot: &Snapshot, record: &Record) -> Result<Standing, NodeError> {
    Ok(rows::standing(record, &rows::chains(snapshot, record.id())?))
}

/// The version that a record with this log must have; `None` without changes.
pub(crate) fn stored_version(
    snapshot: &Snapshot,
    record: &Record,
) -> Result<Option<[u8; 32]>, NodeError> {
    let standing = stored_standing(snapshot, record)?;
    Ok((record.change_count() > 0).then(|| version::of(record, &standing)))
}

/// The id of an actor's change.
fn id_by(record: &Record, actor: ActorId, seq: u64) -> Option<[u8; 32]> {
    Some(record.id_by(actor, u32::try_from(seq).ok()?)?.0)
}
