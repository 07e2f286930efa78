//! The rows of signed changes in the store's index.
//!
//! | key | value |
//! |---|---|
//! | `k`, `0`, record, `0`, actor | nonce, author, final and provisional place, provisional since |
//! | `p`, `0`, record | since when it has own changes that are under no checkpoint |
//! | `t`, `0`, digest of a checkpoint | the checkpoint |
//! | `x`, `0`, record, `0`, time, digest | a statement about the record: how far, by actor; the statement, unless it is a checkpoint |
//! | `z`, `0`, actor | a proof of equivocation |

use std::collections::{BTreeMap, BTreeSet};

use clisonix_crdt::{ActorId, Record};
use clisonix_pq::Fingerprint;
use clisonix_pq::checkpoint::{Chain, Equivocation, Mark, Running, Statement};
use clisonix_store::{Batch, Row, Snapshot, Span, Table};
use sha2::{Digest, Sha256};

use crate::error::NodeError;
use crate::version;

/// So many checkpoints of a record behind each other have no provisional statement before them.
const LOOKED_THROUGH: usize = 8;

/// What is stored of one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChainRow {
    pub(crate) nonce: [u8; 16],
    pub(crate) author: Fingerprint,
    pub(crate) chain: Chain,
    /// Since when a part of it is provisional.
    pub(crate) since_ms: u64,
}

impl ChainRow {
    /// A chain of which nothing is signed yet.
    pub(crate) fn new(actor: ActorId, nonce: [u8; 16], author: Fingerprint) -> Self {
        Self { nonce, author, chain: Chain::new(&actor.0), since_ms: 0 }
    }

    /// Whether it has no author and was taken over by whom the row names.
    pub(crate) fn is_adopted(&self, actor: ActorId) -> bool {
        self.nonce == actor.0
    }

    fn encode(&self) -> Vec<u8> {
        let (confirmed, signed) = (self.chain.confirmed, self.chain.signed);
        let mut out = [self.nonce.as_slice(), &self.author.to_bytes()].concat();
        for mark in [confirmed, signed] {
            out.extend(mark.seq.to_be_bytes());
            out.extend(mark.hash.to_bytes());
        }
        out.extend(self.since_ms.to_be_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&nonce, rest) = bytes.split_first_chunk()?;
        let (&author, rest) = rest.split_first_chunk()?;
        let (confirmed, rest) = read_mark(rest)?;
        let (signed, rest) = read_mark(rest)?;
        let since_ms = u64::from_be_bytes(rest.try_into().ok()?);
        let (author, chain) = (Fingerprint::from_bytes(author), Chain { confirmed, signed });
        Some(Self { nonce, author, chain, since_ms })
    }
}

fn read_mark(bytes: &[u8]) -> Option<(Mark, &[u8])> {
    let (seq, rest) = bytes.split_first_chunk()?;
    let (&hash, rest) = rest.split_first_chunk()?;
    Some((Mark { seq: u64::from_be_bytes(*seq), hash: Running::from_bytes(hash) }, rest))
}

fn of_record(letter: u8, record: &str) -> Vec<u8> {
    [&[letter, 0], record.as_bytes(), &[0]].concat()
}

fn damaged(record: &str) -> NodeError {
    NodeError::Damaged(record.to_owned())
}

/// The chains of a record.
pub(crate) fn chains(
    snapshot: &Snapshot,
    record: &str,
) -> Result<BTreeMap<ActorId, ChainRow>, NodeError> {
    let prefix = of_record(b'k', record);
    let mut chains = BTreeMap::new();
    for row in snapshot.rows(Table::Index, &Span::prefix(&prefix))? {
        let row = row?;
        let actor = row.key.strip_prefix(&*prefix).and_then(|actor| actor.try_into().ok());
        let chain = ChainRow::decode(&row.value);
        let (actor, chain) = actor.zip(chain).ok_or_else(|| damaged(record))?;
        chains.insert(ActorId(actor), chain);
    }
    Ok(chains)
}

/// One chain of a record.
pub(crate) fn chain(
    snapshot: &Snapshot,
    record: &str,
    actor: ActorId,
) -> Result<Option<ChainRow>, NodeError> {
    let key = [of_record(b'k', record).as_slice(), &actor.0].concat();
    let value = snapshot.value(Table::Index, &key)?;
    value.map(|value| ChainRow::decode(&value).ok_or_else(|| damaged(record))).transpose()
}

/// The rows of a record's chains and of the statements about it, as they are stored.
pub(crate) fn of_one(snapshot: &Snapshot, record: &str) -> Result<Vec<Row>, NodeError> {
    let mut found = Vec::new();
    for letter in [b'k', b'x'] {
        for row in snapshot.rows(Table::Index, &Span::prefix(&of_record(letter, record)))? {
            found.push(row?);
        }
    }
    Ok(found)
}

/// The chain in a row of [`of_one`]; `None` of any other row.
pub(crate) fn read_chain(record: &str, row: &Row) -> Option<(ActorId, ChainRow)> {
    let actor = row.key.strip_prefix(&*of_record(b'k', record))?.try_into().ok()?;
    Some((ActorId(actor), ChainRow::decode(&row.value)?))
}

/// The statement in a row of [`of_one`]; `None` of any other row.
pub(crate) fn read_statement(record: &str, row: &Row) -> Option<StatementRow> {
    row.key.strip_prefix(&*of_record(b'x', record))?;
    StatementRow::read(row.clone())
}

/// How far a record with these chains is final.
pub(crate) fn standing(record: &Record, chains: &BTreeMap<ActorId, ChainRow>) -> version::Standing {
    let confirmed = chains.iter().map(|(actor, row)| {
        let adopted = row.is_adopted(*actor);
        (*actor, version::Reached { last: row.chain.confirmed.seq, adopted })
    });
    version::Standing::of(record, &confirmed.collect())
}

/// The first record, in order of names from this one on, with changes that have no author.
pub(super) fn unclaimed_from(snapshot: &Snapshot, from: &str) -> Result<Option<String>, NodeError> {
    let mut found = Ok(None);
    version::open_from(snapshot, from, |record, open| {
        let is_unclaimed = match open {
            Some(open) => open.keys().try_fold(false, |any, actor| {
                Ok::<_, NodeError>(any || chain(snapshot, record, *actor)?.is_none())
            }),
            // Too many to tell, so the record itself has to.
            None => Ok(true),
        };
        match is_unclaimed {
            Ok(false) => true,
            Ok(true) => {
                found = Ok(Some(record.to_owned()));
                false
            }
            Err(error) => {
                found = Err(error);
                false
            }
        }
    })?;
    found
}

pub(crate) fn put_chain(
    batch: &mut Batch,
    record: &str,
    actor: ActorId,
    row: &ChainRow,
) -> Result<(), NodeError> {
    let key = [of_record(b'k', record).as_slice(), &actor.0].concat();
    batch.put(Table::Index, &key, row.encode())?;
    Ok(())
}

/// The chains that are provisional since a time or longer.
pub(super) fn overdue(
    snapshot: &Snapshot,
    since_ms: u64,
) -> Result<Vec<(String, ActorId)>, NodeError> {
    let mut found = Vec::new();
    for row in snapshot.rows(Table::Index, &Span::prefix(b"k\0"))? {
        let row = row?;
        let chain = ChainRow::decode(&row.value);
        let Some(ChainRow { chain, since_ms: since, .. }) = chain else { continue };
        if chain.signed.seq == chain.confirmed.seq || since > since_ms {
            continue;
        }
        let name = row.key.get(2..).and_then(|name| name.split_last_chunk::<16>());
        let Some((name, actor)) = name else { continue };
        let name = name.strip_suffix(&[0]).and_then(|name| String::from_utf8(name.to_vec()).ok());
        found.extend(name.map(|name| (name, ActorId(*actor))));
    }
    Ok(found)
}

fn pending_key(record: &str) -> Vec<u8> {
    [b"p\0", record.as_bytes()].concat()
}

/// Notes that a record has own changes that are under no checkpoint.
pub(crate) fn put_pending(batch: &mut Batch, record: &str, since_ms: u64) -> Result<(), NodeError> {
    batch.put(Table::Index, &pending_key(record), since_ms.to_be_bytes().to_vec())?;
    Ok(())
}

pub(crate) fn remove_pending(batch: &mut Batch, record: &str) -> Result<(), NodeError> {
    batch.remove(Table::Index, &pending_key(record))?;
    Ok(())
}

/// The records that have own changes under no checkpoint, and since when.
pub(super) fn pending(snapshot: &Snapshot) -> Result<BTreeMap<String, u64>, NodeError> {
    let mut found = BTreeMap::new();
    for row in snapshot.rows(Table::Index, &Span::prefix(b"p\0"))? {
        let row = row?;
        let name = row.key.get(2..).and_then(|name| String::from_utf8(name.to_vec()).ok());
        let since = row.value.as_slice().try_into().ok().map(u64::from_be_bytes);
        found.extend(name.zip(since));
    }
    Ok(found)
}

/// A statement about a record.
pub(crate) struct StatementRow {
    key: Vec<u8>,
    pub(crate) digest: [u8; 32],
    /// The number of the last change that it speaks of, by actor.
    pub(crate) reaches: Vec<(ActorId, u64)>,
    /// A provisional statement; checkpoints, which speak of many records, stand apart.
    provisional: Option<Vec<u8>>,
}

impl StatementRow {
    /// Whether it is signed for good.
    pub(crate) fn is_final(&self) -> bool {
        self.provisional.is_none()
    }

    /// The statement.
    pub(crate) fn bytes(&self, snapshot: &Snapshot, record: &str) -> Result<Vec<u8>, NodeError> {
        match &self.provisional {
            Some(bytes) => Ok(bytes.clone()),
            None => snapshot
                .value(Table::Index, &checkpoint_key(&self.digest))?
                .ok_or_else(|| damaged(record)),
        }
    }

    fn read(row: Row) -> Option<Self> {
        let (_, &digest) = row.key.split_last_chunk()?;
        let (count, rest) = row.value.split_first_chunk()?;
        let count = usize::from(u16::from_be_bytes(*count));
        let (reaches, statement) = rest.split_at_checked(count * 24)?;
        let reach = |bytes: &[u8; 24]| {
            let (&actor, last) = bytes.split_first_chunk()?;
            Some((ActorId(actor), u64::from_be_bytes(last.try_into().ok()?)))
        };
        let reaches = reaches.as_chunks().0.iter().map(reach).collect::<Option<_>>()?;
        let provisional = (!statement.is_empty()).then(|| statement.to_vec());
        Some(Self { digest, reaches, provisional, key: row.key })
    }
}

fn checkpoint_key(digest: &[u8; 32]) -> Vec<u8> {
    [b"t\0".as_slice(), digest].concat()
}

/// Adds a checkpoint, unless the store has it: it is large, and speaks of many records.
pub(super) fn put_checkpoint(
    batch: &mut Batch,
    snapshot: &Snapshot,
    statement: &Statement,
) -> Result<(), NodeError> {
    let bytes = statement.to_bytes();
    let key = checkpoint_key(&Sha256::digest(bytes).into());
    if statement.standing().is_final() && !snapshot.contains(Table::Index, &key)? {
        batch.put(Table::Index, &key, bytes.to_vec())?;
    }
    Ok(())
}

/// Adds a statement to each of these records, which have actors that it speaks of; a checkpoint
/// stands apart, see [`put_checkpoint`].
pub(super) fn put_statement(
    batch: &mut Batch,
    statement: &Statement,
    records: &BTreeMap<String, Vec<(ActorId, u64)>>,
) -> Result<(), NodeError> {
    let (bytes, is_final) = (statement.to_bytes(), statement.standing().is_final());
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    for (record, reaches) in records {
        let time = statement.time_ms().to_be_bytes();
        let key = [of_record(b'x', record).as_slice(), &time, &digest].concat();
        // A statement has at most 4,096 spans.
        let mut value = (reaches.len() as u16).to_be_bytes().to_vec();
        for (actor, last) in reaches {
            value.extend(actor.0);
            value.extend(last.to_be_bytes());
        }
        if !is_final {
            value.extend(bytes);
        }
        batch.put(Table::Index, &key, value)?;
    }
    Ok(())
}

/// The checkpoint with a digest, if it is here.
pub(crate) fn checkpoint(
    snapshot: &Snapshot,
    digest: &[u8; 32],
) -> Result<Option<Vec<u8>>, NodeError> {
    Ok(snapshot.value(Table::Index, &checkpoint_key(digest))?)
}

/// The statements about a record, in order of their times.
pub(crate) fn statements(
    snapshot: &Snapshot,
    record: &str,
) -> Result<Vec<StatementRow>, NodeError> {
    let rows = snapshot.rows(Table::Index, &Span::prefix(&of_record(b'x', record)))?;
    rows.map(|row| StatementRow::read(row?).ok_or_else(|| damaged(record))).collect()
}

/// The statements about a record that speak of changes with these first and last numbers, or are
/// among these checkpoints, and others, in order of their times. A record that was written for long
/// has many, and of one actor the later ones reach further: they are looked through from the latest
/// one that reaches the last number to the first one that does not reach the first.
pub(crate) fn late_statements(
    snapshot: &Snapshot,
    record: &str,
    places: &BTreeMap<ActorId, (u32, u32)>,
    checkpoints: &[[u8; 32]],
) -> Result<Vec<StatementRow>, NodeError> {
    let mut before: BTreeSet<ActorId> = places.keys().copied().collect();
    let mut open = before.clone();
    let mut sought: BTreeSet<&[u8; 32]> = checkpoints.iter().collect();
    let mut found = Vec::new();
    for row in snapshot.rows(Table::Index, &Span::prefix(&of_record(b'x', record)).backwards())? {
        if open.is_empty() && sought.is_empty() {
            break;
        }
        let row = StatementRow::read(row?).ok_or_else(|| damaged(record))?;
        sought.remove(&row.digest);
        for (actor, reached) in &row.reaches {
            let Some((first, last)) = places.get(actor) else { continue };
            if *reached >= u64::from(*last) {
                before.remove(actor);
            } else if *reached < u64::from(*first) && !before.contains(actor) {
                open.remove(actor);
            }
        }
        found.push(row);
    }
    found.reverse();
    Ok(found)
}

/// Removes the provisional statements that say nothing any more that is not final. Where some
/// checkpoints stand behind each other, what is before them was looked through when they came.
pub(super) fn remove_settled(
    batch: &mut Batch,
    snapshot: &Snapshot,
    record: &str,
    chains: &BTreeMap<ActorId, ChainRow>,
) -> Result<(), NodeError> {
    let is_final = |(actor, last): &(ActorId, u64)| {
        chains.get(actor).is_some_and(|row| row.chain.confirmed.seq >= *last)
    };
    let mut checkpoints = 0;
    for row in snapshot.rows(Table::Index, &Span::prefix(&of_record(b'x', record)).backwards())? {
        let row = StatementRow::read(row?).ok_or_else(|| damaged(record))?;
        if row.is_final() {
            checkpoints += 1;
            if checkpoints >= LOOKED_THROUGH {
                break;
            }
        } else {
            checkpoints = 0;
            if row.reaches.iter().all(is_final) {
                batch.remove(Table::Index, &row.key)?;
            }
        }
    }
    Ok(())
}

fn proof_key(actor: ActorId) -> Vec<u8> {
    [b"z\0".as_slice(), &actor.0].concat()
}

pub(super) fn put_proof(batch: &mut Batch, proof: &Equivocation) -> Result<(), NodeError> {
    batch.put(Table::Index, &proof_key(ActorId(proof.chain())), proof.to_bytes())?;
    Ok(())
}

/// Whether an actor is known to have two histories.
pub(super) fn has_proof(snapshot: &Snapshot, actor: ActorId) -> Result<bool, NodeError> {
    Ok(snapshot.contains(Table::Index, &proof_key(actor))?)
}

/// All proofs of equivocation.
pub(super) fn proofs(snapshot: &Snapshot) -> Result<Vec<Vec<u8>>, NodeError> {
    let rows = snapshot.rows(Table::Index, &Span::prefix(b"z\0"))?;
    rows.map(|row| Ok(row?.value)).collect()
}

/// The actors of a record that a statement speaks of, with the last change of each.
pub(super) fn reaches(record: &Record, statement: &Statement) -> Vec<(ActorId, u64)> {
    let here = statement.spans().map(|(chain, span)| (ActorId(chain), span.last));
    here.filter(|(actor, _)| record.last_seq(*actor) > 0).collect()
}
