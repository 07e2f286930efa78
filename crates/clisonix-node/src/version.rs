//! What a record is at a node, in a few bytes: the row from which replication tells records apart.
//!
//! A record's *version* is a digest over its heads and over how far each actor's changes are final.
//! Two nodes with equal versions hold the same changes and the same standing. The row is written in
//! the same batch as every write to the record, and holds beside the version what another node needs
//! to know to send what is missing here (`docs/formats/store.md`).

use std::collections::BTreeMap;

use clisonix_crdt::wire::{Reader, put_u64};
use clisonix_crdt::{ActorId, ChangeId, DecodeError, Record};
use clisonix_store::{Batch, Snapshot, Span, Table};
use sha2::{Digest, Sha256};

use crate::error::NodeError;

/// How many of the actors that wrote latest a node tells of.
pub(crate) const TOLD_PLACES: usize = 16;
/// Most actors with changes that are not final that a node tells of; with more it tells of none.
pub(crate) const MAX_OPEN: usize = 64;
/// Most heads that are read of another node.
pub(crate) const MAX_HEADS: usize = 4_096;

/// Up to where an actor's changes are final.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) last: u64,
    /// By somebody who took them over, and not by their author.
    pub(crate) adopted: bool,
}

/// How far the changes in a record are final.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Over each actor's final changes.
    digest: [u8; 32],
    /// The actors with changes that are not final, or final by adoption only. `None`: too many to
    /// tell.
    open: Option<BTreeMap<ActorId, Reached>>,
}

impl Standing {
    /// Of a record without changes.
    pub(crate) fn new() -> Self {
        Self { digest: [0; 32], open: Some(BTreeMap::new()) }
    }

    /// Of a record whose actors' changes are final up to these.
    pub(crate) fn of(record: &Record, confirmed: &BTreeMap<ActorId, Reached>) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"clisonix standing 1\0");
        for (actor, reached) in confirmed.iter().filter(|(_, reached)| reached.last > 0) {
            hasher.update(actor.0);
            hasher.update(reached.last.to_be_bytes());
            hasher.update([u8::from(reached.adopted)]);
        }
        let any = confirmed.values().any(|reached| reached.last > 0);
        let digest = if any { hasher.finalize().into() } else { [0; 32] };
        let reached = |actor| confirmed.get(&actor).copied().unwrap_or_default();
        let open = record.actors().map(|actor| (actor, reached(actor)));
        let open = open.filter(|(actor, reached)| {
            reached.adopted || reached.last < u64::from(record.last_seq(*actor))
        });
        let open: BTreeMap<ActorId, Reached> = open.collect();
        Self { digest, open: (open.len() <= MAX_OPEN).then_some(open) }
    }

    /// After changes by these actors, from the first of each to the last, that nobody has confirmed.
    pub(crate) fn add(&mut self, places: &BTreeMap<ActorId, (u32, u32)>) {
        let Some(open) = &mut self.open else { return };
        for (actor, (first, _)) in places {
            let last = u64::from(first.saturating_sub(1));
            open.entry(*actor).or_insert(Reached { last, adopted: false });
        }
        if open.len() > MAX_OPEN {
            self.open = None;
        }
    }
}

/// What another node has of a record, as far as it tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Have {
    /// It wants statements as they are, and not by their digest.
    pub(crate) whole_statements: bool,
    /// It wants changes spelled whole.
    pub(crate) whole_changes: bool,
    pub(crate) heads: Vec<ChangeId>,
    /// Changes that it has, with all before them.
    pub(crate) places: Vec<(ActorId, u32)>,
    /// Up to which changes of actors are final there; of others all that it has are. `None`: not told.
    pub(crate) open: Option<BTreeMap<ActorId, Reached>>,
}

impl Have {
    /// Of a node that has nothing.
    pub(crate) fn nothing() -> Self {
        Self { open: Some(BTreeMap::new()), ..Self::default() }
    }

    /// Of a record with these heads.
    fn of(record: &Record, mut heads: Vec<ChangeId>, standing: &Standing) -> Self {
        heads.truncate(MAX_HEADS);
        Self {
            heads,
            places: record.latest_places(TOLD_PLACES),
            open: standing.open.clone(),
            ..Self::default()
        }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.heads.is_empty() && self.places.is_empty()
    }

    /// For another node; nothing at all of a record that is not here.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let flags = u8::from(self.whole_statements)
            | u8::from(self.whole_changes) << 1
            | u8::from(self.open.is_none()) << 2;
        if self.is_nothing() && flags == 0 {
            return Vec::new();
        }
        let mut out = vec![flags];
        put_u64(&mut out, self.heads.len() as u64);
        for head in &self.heads {
            out.extend(head.0);
        }
        put_u64(&mut out, self.places.len() as u64);
        for (actor, seq) in &self.places {
            out.extend(actor.0);
            put_u64(&mut out, u64::from(*seq));
        }
        let open = self.open.iter().flatten();
        put_u64(&mut out, open.clone().count() as u64);
        for (actor, reached) in open {
            out.extend(actor.0);
            put_u64(&mut out, reached.last << 1 | u64::from(reached.adopted));
        }
        out
    }

    /// Reads what another node tells.
    ///
    /// # Errors
    /// [`DecodeError`]: damaged, or more than a node tells.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Ok(Self::nothing());
        }
        let mut reader = Reader::new(bytes);
        let flags = reader.byte()?;
        if flags > 7 {
            return Err(DecodeError::Meaningless { what: "flags", at: 0 });
        }
        let count = reader.count_up_to(MAX_HEADS, "heads")?;
        let heads = (0..count).map(|_| Ok(ChangeId(reader.array()?))).collect::<Result<_, _>>()?;
        let count = reader.count_up_to(TOLD_PLACES, "places")?;
        let places = (0..count).map(|_| {
            let actor = ActorId(reader.array()?);
            let at = reader.at();
            let seq = u32::try_from(reader.u64()?);
            Ok((actor, seq.map_err(|_| DecodeError::Meaningless { what: "number", at })?))
        });
        let places = places.collect::<Result<_, DecodeError>>()?;
        let count = reader.count_up_to(MAX_OPEN, "actors")?;
        let open = (0..count).map(|_| {
            let (actor, number) = (ActorId(reader.array()?), reader.u64()?);
            Ok((actor, Reached { last: number >> 1, adopted: number & 1 == 1 }))
        });
        let open: BTreeMap<_, _> = open.collect::<Result<_, DecodeError>>()?;
        reader.end()?;
        Ok(Self {
            whole_statements: flags & 1 != 0,
            whole_changes: flags & 2 != 0,
            heads,
            places,
            open: (flags & 4 == 0).then_some(open),
        })
    }
}

/// The version of a record.
pub(crate) fn of(record: &Record, standing: &Standing) -> [u8; 32] {
    digest(&record.view().heads(), standing)
}

/// Over a record's heads and its standing.
fn digest(heads: &[ChangeId], standing: &Standing) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"clisonix version 1\0");
    hasher.update(standing.digest);
    for head in heads {
        hasher.update(head.0);
    }
    hasher.finalize().into()
}

const PREFIX: &[u8] = b"v\0";

fn key(record: &str) -> Vec<u8> {
    [PREFIX, record.as_bytes()].concat()
}

/// Adds a record's version to a batch that writes it; gives the version.
pub(crate) fn put(
    batch: &mut Batch,
    record: &Record,
    standing: &Standing,
) -> Result<[u8; 32], NodeError> {
    let heads = record.view().heads();
    let version = digest(&heads, standing);
    let have = Have::of(record, heads, standing);
    let value = [version.as_slice(), &standing.digest, &have.encode()].concat();
    batch.put(Table::Index, &key(record.id()), value)?;
    Ok(version)
}

pub(crate) fn remove(batch: &mut Batch, record: &str) -> Result<(), NodeError> {
    batch.remove(Table::Index, &key(record))?;
    Ok(())
}

/// The version of a record; `None` if it is not here.
pub(crate) fn version(snapshot: &Snapshot, record: &str) -> Result<Option<[u8; 32]>, NodeError> {
    let value = snapshot.value(Table::Index, &key(record))?;
    Ok(value.and_then(|value| value.first_chunk().copied()))
}

/// Each record with its version, in order of names.
pub(crate) fn versions(
    snapshot: &Snapshot,
    each: &mut dyn FnMut(&str, [u8; 32]),
) -> Result<(), NodeError> {
    for row in snapshot.rows(Table::Index, &Span::prefix(PREFIX))? {
        let row = row?;
        let name = row.key.strip_prefix(PREFIX).and_then(|name| str::from_utf8(name).ok());
        if let (Some(name), Some(version)) = (name, row.value.first_chunk()) {
            each(name, *version);
        }
    }
    Ok(())
}

/// Shows each record's actors with changes that are not final to `each`, in order of names from
/// this one on, until it says no.
pub(crate) fn open_from(
    snapshot: &Snapshot,
    from: &str,
    mut each: impl FnMut(&str, Option<&BTreeMap<ActorId, Reached>>) -> bool,
) -> Result<(), NodeError> {
    let mut span = Span::prefix(PREFIX);
    span.start = Span::from(&key(from)).start;
    for row in snapshot.rows(Table::Index, &span)? {
        let row = row?;
        let Some(name) = row.key.strip_prefix(PREFIX).and_then(|name| str::from_utf8(name).ok())
        else {
            continue;
        };
        let (_, have) = read(&row.value).ok_or_else(|| NodeError::Damaged(name.to_owned()))?;
        if !each(name, have.open.as_ref()) {
            break;
        }
    }
    Ok(())
}

/// What this node tells others that it has of a record.
pub(crate) fn have(snapshot: &Snapshot, record: &str) -> Result<Have, NodeError> {
    let Some(value) = snapshot.value(Table::Index, &key(record))? else {
        return Ok(Have::nothing());
    };
    read(&value).map(|(_, have)| have).ok_or_else(|| NodeError::Damaged(record.to_owned()))
}

/// The standing of a record.
pub(crate) fn standing(snapshot: &Snapshot, record: &str) -> Result<Standing, NodeError> {
    let Some(value) = snapshot.value(Table::Index, &key(record))? else {
        return Ok(Standing::new());
    };
    let (digest, have) = read(&value).ok_or_else(|| NodeError::Damaged(record.to_owned()))?;
    Ok(Standing { digest, open: have.open })
}

fn read(value: &[u8]) -> Option<([u8; 32], Have)> {
    let (_, rest) = value.split_first_chunk::<32>()?;
    let (digest, rest) = rest.split_first_chunk()?;
    Some((*digest, Have::decode(rest).ok()?))
}

#[cfg(test)]
mod tests;
