//! Batches: the bytes in which changes travel between replicas and are saved.
//!
//! A batch carries dependencies as (actor, sequence number); the receiver computes the hashes from
//! its own log, so that they need not be sent. Normative: `docs/formats/change.md`.

use crate::actor::{ActorId, ActorSecret};
use crate::change::{
    Draft, MAX_DEPENDENCIES, MAX_NAME_BYTES, MAX_VALUE_BYTES, Op, Source, decode_ops,
};
use crate::time::HybridTime;
use crate::wire::{DecodeError, Reader, put_bytes, put_i64, put_u64};

/// Newest version of the batch format that this program reads, and the one it writes.
pub const BATCH_VERSION: u8 = 1;
/// Most changes in one batch.
pub const MAX_BATCH_CHANGES: usize = 1 << 20;

const MAGIC: &[u8; 3] = b"CXB";

/// A batch read and checked: every operation in it is known to be usable.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) record: Box<str>,
    pub(crate) secrets: Vec<(ActorId, ActorSecret)>,
    pub(crate) changes: Vec<(Draft, Vec<Op>)>,
}

/// Collects changes and writes them as one batch.
pub(crate) struct BatchWriter<'a> {
    record: &'a str,
    actors: Vec<(ActorId, Option<ActorSecret>)>,
    names: Vec<&'a str>,
    messages: Vec<[u8; 16]>,
    /// Last sequence number by actor index.
    last: Vec<u32>,
    time: u64,
    event_time: u64,
    count: u64,
    body: Vec<u8>,
}

/// One change as the writer takes it.
pub(crate) struct Outgoing<'a> {
    pub(crate) actor: ActorId,
    /// Sent with an actor's first change.
    pub(crate) secret: Option<ActorSecret>,
    pub(crate) seq: u32,
    pub(crate) deps: Vec<(ActorId, u32)>,
    pub(crate) time: HybridTime,
    pub(crate) author: &'a str,
    pub(crate) source: Option<(&'a str, [u8; 16], u64)>,
    pub(crate) ops: &'a [u8],
}

impl<'a> BatchWriter<'a> {
    pub(crate) fn new(record: &'a str) -> Self {
        Self {
            record,
            actors: Vec::new(),
            names: Vec::new(),
            messages: Vec::new(),
            last: Vec::new(),
            time: 0,
            event_time: 0,
            count: 0,
            body: Vec::new(),
        }
    }

    fn actor(&mut self, id: ActorId) -> usize {
        let at = self.actors.iter().position(|(have, _)| *have == id);
        at.unwrap_or_else(|| {
            self.actors.push((id, None));
            self.last.push(0);
            self.actors.len() - 1
        })
    }

    fn name(&mut self, name: &'a str) -> u64 {
        let at = self.names.iter().position(|have| *have == name);
        at.unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        }) as u64
    }

    pub(crate) fn push(&mut self, change: &Outgoing<'a>) {
        let actor = self.actor(change.actor);
        if let (Some(slot), Some(_)) = (self.actors.get_mut(actor), change.secret) {
            slot.1 = change.secret;
        }
        put_u64(&mut self.body, actor as u64);
        let next = self.last.get(actor).map_or(1, |last| last + 1);
        put_i64(&mut self.body, i64::from(change.seq) - i64::from(next));
        if let Some(last) = self.last.get_mut(actor) {
            *last = change.seq;
        }
        put_u64(&mut self.body, change.deps.len() as u64);
        for &(dep, seq) in &change.deps {
            let dep = self.actor(dep) as u64;
            put_u64(&mut self.body, dep);
            put_u64(&mut self.body, u64::from(seq));
        }
        put_i64(&mut self.body, change.time.0.wrapping_sub(self.time).cast_signed());
        self.time = change.time.0;
        let author = self.name(change.author);
        put_u64(&mut self.body, author);
        match change.source {
            None => self.body.push(0),
            Some((feed, message, event_time)) => {
                let at = self.messages.iter().position(|have| *have == message);
                let at = at.unwrap_or_else(|| {
                    self.messages.push(message);
                    self.messages.len() - 1
                });
                put_u64(&mut self.body, at as u64 + 1);
                let feed = self.name(feed);
                put_u64(&mut self.body, feed);
                put_i64(&mut self.body, event_time.wrapping_sub(self.event_time).cast_signed());
                self.event_time = event_time;
            }
        }
        put_bytes(&mut self.body, change.ops);
        self.count += 1;
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 64 + 48 * self.actors.len());
        out.extend_from_slice(MAGIC);
        out.push(BATCH_VERSION);
        put_bytes(&mut out, self.record.as_bytes());
        put_u64(&mut out, self.actors.len() as u64);
        for (actor, secret) in &self.actors {
            out.extend_from_slice(&actor.0);
            match secret {
                None => out.push(0),
                Some(secret) => {
                    out.push(1);
                    out.extend_from_slice(&secret.0);
                }
            }
        }
        put_u64(&mut out, self.names.len() as u64);
        for name in &self.names {
            put_bytes(&mut out, name.as_bytes());
        }
        put_u64(&mut out, self.messages.len() as u64);
        for message in &self.messages {
            out.extend_from_slice(message);
        }
        put_u64(&mut out, self.count);
        out.extend_from_slice(&self.body);
        out
    }
}

/// Reads and checks a whole batch.
pub(crate) fn decode(bytes: &[u8]) -> Result<Batch, DecodeError> {
    let mut reader = Reader::new(bytes);
    if reader.take(3).ok() != Some(MAGIC) {
        return Err(DecodeError::Magic("a batch of changes"));
    }
    let version = reader.byte()?;
    if version != BATCH_VERSION {
        return Err(DecodeError::Version(version));
    }
    let record = reader.str(MAX_NAME_BYTES, "record name")?;
    let mut tables = ReadTables::read(&mut reader)?;
    let count = reader.count("changes")?;
    if count > MAX_BATCH_CHANGES {
        return Err(DecodeError::Limit { what: "changes", at: reader.at() });
    }
    let mut changes = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let draft = tables.change(&mut reader)?;
        let ops = decode_ops(record, &draft.ops)?;
        changes.push((draft, ops));
    }
    reader.end()?;
    let secrets =
        tables.actors.iter().filter_map(|(actor, secret)| Some((*actor, (*secret)?))).collect();
    Ok(Batch { record: record.into(), secrets, changes })
}

struct ReadTables<'a> {
    actors: Vec<(ActorId, Option<ActorSecret>)>,
    names: Vec<&'a str>,
    messages: Vec<[u8; 16]>,
    last: Vec<u32>,
    time: u64,
    event_time: u64,
}

impl<'a> ReadTables<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut actors = Vec::new();
        for _ in 0..reader.count("actors")? {
            let actor = ActorId(reader.array()?);
            let at = reader.at();
            let secret = match reader.byte()? {
                0 => None,
                1 => Some(ActorSecret(reader.array()?)),
                _ => return Err(DecodeError::Meaningless { what: "actor", at }),
            };
            actors.push((actor, secret));
        }
        let mut names = Vec::new();
        for _ in 0..reader.count("names")? {
            names.push(reader.str(MAX_NAME_BYTES, "name")?);
        }
        let mut messages = Vec::new();
        for _ in 0..reader.count("messages")? {
            messages.push(reader.array()?);
        }
        let last = vec![0; actors.len()];
        Ok(Self { actors, names, messages, last, time: 0, event_time: 0 })
    }

    fn actor(&self, reader: &mut Reader<'a>) -> Result<(usize, ActorId), DecodeError> {
        let at = reader.at();
        let index = reader.u32("actor")? as usize;
        let actor = self.actors.get(index).ok_or(DecodeError::Meaningless { what: "actor", at })?;
        Ok((index, actor.0))
    }

    fn name(&self, reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
        let at = reader.at();
        let index = reader.u32("name")? as usize;
        self.names.get(index).copied().ok_or(DecodeError::Meaningless { what: "name", at })
    }

    fn change(&mut self, reader: &mut Reader<'a>) -> Result<Draft, DecodeError> {
        let (index, actor) = self.actor(reader)?;
        let at = reader.at();
        let last =
            self.last.get_mut(index).ok_or(DecodeError::Meaningless { what: "actor", at })?;
        let seq = i64::from(*last + 1).checked_add(reader.i64()?);
        let seq =
            seq.and_then(|seq| u32::try_from(seq).ok()).filter(|&seq| seq > 0 && seq < u32::MAX);
        let seq = seq.ok_or(DecodeError::Meaningless { what: "sequence number", at })?;
        *last = seq;
        let at = reader.at();
        let count = reader.count("dependencies")?;
        if count > MAX_DEPENDENCIES {
            return Err(DecodeError::Limit { what: "dependencies", at });
        }
        let mut deps = Vec::with_capacity(count);
        for _ in 0..count {
            let (_, dep) = self.actor(reader)?;
            deps.push((dep, reader.u32("sequence number")?));
        }
        if !deps.is_sorted_by(|a, b| a < b) || deps.iter().any(|&(dep, _)| dep == actor) {
            return Err(DecodeError::Meaningless { what: "dependencies", at });
        }
        self.time = self.time.wrapping_add(reader.i64()?.cast_unsigned());
        let at = reader.at();
        let author = self.name(reader)?;
        if author.is_empty() {
            return Err(DecodeError::Meaningless { what: "author", at });
        }
        let source = self.source(reader)?;
        let ops = reader.bytes(MAX_VALUE_BYTES, "operations")?;
        Ok(Draft {
            actor,
            seq,
            deps,
            time: HybridTime(self.time),
            author: author.into(),
            source,
            ops: ops.into(),
        })
    }

    fn source(&mut self, reader: &mut Reader<'a>) -> Result<Option<Source>, DecodeError> {
        let at = reader.at();
        let Some(index) = reader.u32("message")?.checked_sub(1) else { return Ok(None) };
        let message = self.messages.get(index as usize).copied();
        let message = message.ok_or(DecodeError::Meaningless { what: "message", at })?;
        let feed = self.name(reader)?.into();
        self.event_time = self.event_time.wrapping_add(reader.i64()?.cast_unsigned());
        Ok(Some(Source { feed, message, event_time_ms: self.event_time }))
    }
}
