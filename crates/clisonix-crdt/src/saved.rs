//! A record as stored bytes: its state as state, and beside it the packed log, which reading the
//! record does not touch. Normative: `docs/formats/record.md`.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use clisonix_fhir::schema::{TypeId, resource_named};
use flate2::Crc;
use smallvec::SmallVec;

use crate::actor::keys::Keys;
use crate::actor::{ActorId, Clock};
use crate::batch::MAX_BATCH_CHANGES;
use crate::change::{ChangeId, MAX_ENTRY_ID_BYTES, MAX_NAME_BYTES, MAX_VALUE_BYTES, is_fhir_id};
use crate::deflate::{FHIR_TEXTS, deflate, deflate_fast, inflate};
use crate::exchange::{Form, ReceiveError};
use crate::feed::FeedEnd;
use crate::log::{Entries, Log, Logged};
use crate::page::Pages;
use crate::record::Record;
use crate::segment::{self, LogSource};
use crate::stamp::Stamp;
use crate::state::{ChangeNo, Entry, EntryId, Sibling, Sound};
use crate::tables::{Actor, Names, Tables};
use crate::time::HybridTime;
use crate::travel::{Incoming, Numbering, RunWriter, read_run};
use crate::wire::{DecodeError, Reader, put_bytes, put_i64, put_u64};

#[cfg(test)]
mod tests;

/// Newest version of the saved form that this program reads, and the one it writes.
pub const RECORD_VERSION: u8 = 4;
/// Oldest version of the saved form that this program reads.
pub const OLDEST_RECORD_VERSION: u8 = 3;
/// Largest saved record, in bytes, after unpacking its state or its log.
pub const MAX_RECORD_BYTES: usize = 1 << 30;

const MAGIC: &[u8; 3] = b"CXR";

/// The log in a record's saved bytes, or apart from them.
#[derive(Clone, Debug)]
pub(crate) struct PackedLog {
    bytes: Arc<[u8]>,
    /// Where it is if it is not in the bytes.
    apart: Option<Arc<dyn LogSource>>,
    /// Number of changes in it.
    pub(crate) count: u32,
}

/// The parts of a saved record.
struct Parts<'a> {
    state: Vec<u8>,
    count: u32,
    log_len: usize,
    log: &'a [u8],
    waiting: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Takes what follows the header apart and unpacks the state.
    fn read(mut reader: Reader<'a>) -> Result<Self, DecodeError> {
        let state_len = length(&mut reader)?;
        let state = inflate(reader.bytes(MAX_RECORD_BYTES, "state")?, state_len, FHIR_TEXTS)?;
        let count = reader.u32("changes")?;
        let log_len = length(&mut reader)?;
        let log = reader.bytes(MAX_RECORD_BYTES, "log")?;
        let waiting = reader.bytes(MAX_RECORD_BYTES, "waiting changes")?;
        reader.end()?;
        Ok(Self { state, count, log_len, log, waiting })
    }

    /// Unpacks the log.
    fn changes(&self, record: &str, tables: &Tables) -> Result<Vec<Incoming>, DecodeError> {
        let log = inflate(self.log, self.log_len, &self.state)?;
        let mut reader = Reader::new(&log);
        let mut numbering = numbering(tables);
        let run = read_run(&mut reader, &mut numbering, record, true, MAX_BATCH_CHANGES)?;
        Ok(run.changes)
    }
}

fn length(reader: &mut Reader<'_>) -> Result<usize, DecodeError> {
    let at = reader.at();
    let len = usize::try_from(reader.u64()?).ok().filter(|&len| len <= MAX_RECORD_BYTES);
    len.ok_or(DecodeError::Limit { what: "record", at })
}

/// Reads what a saved record begins with; the checksum of the rest comes back.
fn header(reader: &mut Reader<'_>) -> Result<[u8; 4], DecodeError> {
    if reader.take(3).ok() != Some(MAGIC) {
        return Err(DecodeError::Magic("a saved record"));
    }
    let version = reader.byte()?;
    if !(OLDEST_RECORD_VERSION..=RECORD_VERSION).contains(&version) {
        return Err(DecodeError::Version(version));
    }
    reader.array()
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}

impl PackedLog {
    pub(crate) fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The changes, in order of application.
    pub(crate) fn unpack(&self) -> Result<Vec<Logged>, DecodeError> {
        let mut reader = Reader::new(&self.bytes);
        // The checksum was looked at when the record was loaded.
        header(&mut reader)?;
        let parts = Parts::read(reader)?;
        let mut reader = Reader::new(&parts.state);
        let (record, tables) = read_tables(&mut reader)?;
        let changes = match &self.apart {
            Some(source) => segment::first_changes(&**source, record, self.count as usize)?,
            None => parts.changes(record, &tables)?,
        };
        // Replaying without a state: only the graph and the operations are made.
        let mut record = Record::new(record);
        record.tables = Tables { stamps: crate::stamp::Stamps::default(), ..tables };
        for actor in &mut record.tables.actors {
            actor.last = (0, 0);
        }
        for change in changes {
            record.relog(&change).ok_or(DecodeError::Meaningless { what: "log", at: 0 })?;
        }
        Ok(record.log.into_rows())
    }
}

/// The log's actors and names are numbered as the record numbers them.
fn numbering(tables: &Tables) -> Numbering {
    let names = tables.authors.iter().chain(tables.feeds.iter());
    Numbering::seeded(tables.actors.iter().map(|actor| actor.id), names)
}

impl Record {
    /// The whole record as bytes: what [`Self::load`] reads.
    pub fn save(&self) -> Vec<u8> {
        let state = self.stored_state(&self.ids_of_heads());
        let mut numbering = numbering(&self.tables);
        let mut run = RunWriter::new(&mut numbering, &self.id, true, Vec::new());
        for (_, row) in self.log.rows() {
            run.push(&self.outgoing(row, Form::Kept));
        }
        let log = run.finish();
        let packed = (deflate(&state, FHIR_TEXTS), deflate(&log, &state));
        self.saved((state.len(), &packed.0), (log.len(), &packed.1), &self.waiting_batch())
    }

    /// The record without its log and without the changes that wait: what [`Self::load_state`]
    /// reads. The log is kept as segments, see [`Self::segment`].
    pub fn save_state(&self) -> Vec<u8> {
        let mut ids = self.ids_of_heads();
        ids.extend(self.ids_of_sides());
        let state = self.stored_state(&ids);
        self.saved((state.len(), &deflate_fast(&state, FHIR_TEXTS)), (0, &[]), &[])
    }

    fn stored_state(&self, ids: &BTreeMap<ChangeNo, ChangeId>) -> Vec<u8> {
        let mut state = Vec::with_capacity(4096);
        self.put_tables(&mut state);
        self.put_state(ids, &mut state);
        state
    }

    /// The parts of a saved record: state and log each with its length unpacked.
    fn saved(
        &self,
        (state_len, state): (usize, &[u8]),
        (log_len, log): (usize, &[u8]),
        waiting: &[u8],
    ) -> Vec<u8> {
        let mut rest = Vec::with_capacity(state.len() + log.len() + waiting.len() + 32);
        put_u64(&mut rest, state_len as u64);
        put_bytes(&mut rest, state);
        put_u64(&mut rest, u64::from(self.log.len()));
        put_u64(&mut rest, log_len as u64);
        put_bytes(&mut rest, log);
        put_bytes(&mut rest, waiting);
        let mut out = MAGIC.to_vec();
        out.push(RECORD_VERSION);
        out.extend_from_slice(&crc(&rest));
        out.extend_from_slice(&rest);
        out
    }

    fn put_tables(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.id.as_bytes());
        put_u64(out, self.tables.actors.len() as u64);
        for actor in &self.tables.actors {
            out.extend_from_slice(&actor.id.0);
            actor.keys.write(out);
            put_u64(out, u64::from(actor.last.0));
            put_u64(out, u64::from(actor.last.1));
        }
        for names in [&self.tables.authors, &self.tables.feeds] {
            put_u64(out, names.iter().len() as u64);
            names.iter().for_each(|name| put_bytes(out, name.as_bytes()));
        }
        put_u64(out, self.tables.sources.len() as u64);
        for (feed, message) in &self.tables.sources {
            put_u64(out, u64::from(*feed));
            out.extend_from_slice(message);
        }
    }

    fn put_state(&self, ids: &BTreeMap<ChangeNo, ChangeId>, out: &mut Vec<u8>) {
        let live = self.live_changes();
        put_u64(out, live.len() as u64);
        let (mut before, mut time) = (0, 0_u64);
        for &change in &live {
            let Some(stamp) = self.tables.stamps.get(change) else { continue };
            put_u64(out, u64::from(change - before));
            put_u64(out, u64::from(stamp.actor));
            put_u64(out, u64::from(stamp.seq));
            put_i64(out, stamp.time.wrapping_sub(time).cast_signed());
            put_u64(out, u64::from(stamp.author));
            put_u64(out, u64::from(stamp.source));
            if stamp.source > 0 {
                put_u64(out, stamp.said);
            }
            (before, time) = (change, stamp.time);
        }
        put_u64(out, self.latest.0);
        put_numbers(&self.heads, out);
        put_u64(out, ids.len() as u64);
        for (change, id) in ids {
            put_u64(out, u64::from(*change));
            out.extend_from_slice(&id.0);
        }
        let pasts = self.concurrent_pasts();
        put_u64(out, pasts.len() as u64);
        for (change, past) in &pasts {
            put_u64(out, u64::from(*change));
            put_u64(out, past.iter().len() as u64);
            for (actor, seq) in past.iter() {
                put_u64(out, u64::from(actor));
                put_u64(out, u64::from(seq));
            }
        }
        put_u64(out, self.feed_ends.len() as u64);
        for end in &self.feed_ends {
            put_u64(out, end.place.0);
            out.extend_from_slice(&end.place.1);
            put_numbers(&end.heads, out);
        }
        put_u64(out, self.entries.len() as u64);
        for (id, entry) in &self.entries {
            put_u64(out, u64::from(id.ty.0));
            put_bytes(out, if id.id == self.id { &[] } else { id.id.as_bytes() });
            put_numbers(&entry.heads, out);
            if entry.heads.len() > 1 {
                put_sound(entry.sound.get(), out);
            }
            let len: usize = entry.pages.chunks().map(<[u8]>::len).sum();
            put_u64(out, len as u64);
            entry.pages.chunks().for_each(|chunk| out.extend_from_slice(chunk));
        }
        self.put_notes(out);
    }

    /// The changes that the state names.
    fn live_changes(&self) -> Vec<ChangeNo> {
        let mut live: Vec<ChangeNo> = self.heads.clone();
        live.extend(self.feed_ends.iter().flat_map(|end| &end.heads));
        for entry in self.entries.values() {
            live.extend(&entry.heads);
            for (_, cell) in entry.cells() {
                live.extend(cell.siblings.iter().flat_map(Sibling::changes));
            }
        }
        live.sort_unstable();
        live.dedup();
        live
    }

    /// The pasts of heads that stand beside others in their entry, which the guard compares by, and
    /// of the feeds' last changes, which their next ones depend on.
    fn concurrent_pasts(&self) -> BTreeMap<ChangeNo, Clock> {
        let entries = self.entries.values().filter(|entry| entry.heads.len() > 1);
        let heads = entries.flat_map(|entry| entry.heads.iter().copied());
        let heads = heads.chain(self.feed_ends.iter().flat_map(|end| end.heads.iter().copied()));
        heads.filter_map(|head| Some((head, self.log.past_of(head)?))).collect()
    }

    /// The ids of the record's, the entries' and the feeds' heads and of the actors' last changes:
    /// what versions and the next changes name.
    fn ids_of_heads(&self) -> BTreeMap<ChangeNo, ChangeId> {
        let mut named = self.heads.clone();
        named.extend(self.feed_ends.iter().flat_map(|end| &end.heads));
        if self.log.len() > 0 {
            named.extend(self.tables.actors.iter().map(|actor| actor.last.1));
        }
        named.extend(self.entries.values().flat_map(|entry| &entry.heads));
        self.ids(named)
    }

    /// The ids of writes that stand beside others, which conflicts name. Beside its log a record
    /// makes them when somebody asks; without it they are kept.
    fn ids_of_sides(&self) -> BTreeMap<ChangeNo, ChangeId> {
        let cells = self.entries.values().flat_map(|entry| entry.cells());
        let sides =
            cells.map(|(_, cell)| cell.siblings.iter().flat_map(Sibling::changes).collect());
        self.ids(sides.filter(|sides: &Vec<_>| sides.len() > 1).flatten())
    }

    fn ids(&self, changes: impl IntoIterator<Item = ChangeNo>) -> BTreeMap<ChangeNo, ChangeId> {
        changes.into_iter().filter_map(|change| Some((change, self.id_of(change)?))).collect()
    }

    /// Reads a saved record; it writes as actors of its own, so that two loads of one file never
    /// share an actor. The bytes are taken to be one's own: the state in them is not derived again
    /// from the log in them. [`Self::is_sound`] does that.
    ///
    /// # Errors
    /// [`ReceiveError`] if the bytes are damaged.
    pub fn load(bytes: &[u8]) -> Result<Self, ReceiveError> {
        Self::load_shared(&Arc::from(bytes))
    }

    /// As [`Self::load`], without a copy: the packed log stays in `bytes`.
    ///
    /// # Errors
    /// [`ReceiveError`] if the bytes are damaged.
    pub fn load_shared(bytes: &Arc<[u8]>) -> Result<Self, ReceiveError> {
        Self::load_parts(bytes, None)
    }

    /// Reads a saved record whose log is in the bytes, or `apart`.
    pub(crate) fn load_parts(
        bytes: &Arc<[u8]>,
        apart: Option<Arc<dyn LogSource>>,
    ) -> Result<Self, ReceiveError> {
        let mut reader = Reader::new(bytes);
        if header(&mut reader)? != crc(reader.rest()) {
            return Err(DecodeError::Meaningless { what: "checksum", at: 4 }.into());
        }
        let parts = Parts::read(reader)?;
        if parts.count > 0 && (parts.log_len == 0) != apart.is_some() {
            return Err(DecodeError::Meaningless { what: "log", at: 0 }.into());
        }
        let mut reader = Reader::new(&parts.state);
        let (name, tables) = read_tables(&mut reader)?;
        let mut record = Self::new(name);
        record.tables = tables;
        record.read_state(&mut reader, parts.count)?;
        reader.end()?;
        if parts.count > 0 {
            let packed = PackedLog { bytes: Arc::clone(bytes), apart, count: parts.count };
            record.log = Log::packed(packed, &record.heads, std::mem::take(&mut record.log));
        }
        if !parts.waiting.is_empty() {
            record.receive(parts.waiting)?;
        }
        Ok(record)
    }

    fn read_state(&mut self, reader: &mut Reader<'_>, count: u32) -> Result<(), DecodeError> {
        let wrong = |what, at| DecodeError::Meaningless { what, at };
        let (mut change, mut time) = (0_u32, 0_u64);
        for index in 0..reader.count("stamps")? {
            let at = reader.at();
            let step = reader.u32("change")?;
            let number = change.checked_add(step).filter(|_| index == 0 || step > 0);
            let number = number.filter(|&number| number < count).ok_or(wrong("stamp", at))?;
            change = number;
            let (actor, seq) = (reader.u32("actor")?, reader.u32("sequence number")?);
            time = time.wrapping_add_signed(reader.i64()?);
            let (author, source) = (reader.u32("author")?, reader.u32("source")?);
            let said = if source > 0 { reader.u64()? } else { time };
            let tables = &self.tables;
            let known = (actor as usize) < tables.actors.len()
                && source as usize <= tables.sources.len()
                && (author as usize) < tables.authors.iter().len();
            if !known {
                return Err(wrong("stamp", at));
            }
            self.tables.stamps.push(number, Stamp { actor, seq, time, said, source, author });
        }
        self.tables.stamps.shrink();
        self.latest = HybridTime(reader.u64()?);
        self.heads = read_numbers(reader, &self.tables)?.to_vec();
        let mut ids = BTreeMap::new();
        for _ in 0..reader.count("ids")? {
            ids.insert(reader.u32("change")?, ChangeId(reader.array()?));
        }
        let mut pasts = BTreeMap::new();
        for _ in 0..reader.count("pasts")? {
            let change = reader.u32("change")?;
            let mut past = Clock::default();
            for _ in 0..reader.count("past")? {
                past.raise(reader.u32("actor")?, reader.u32("sequence number")?);
            }
            pasts.insert(change, past);
        }
        self.log.know(ids, pasts);
        for _ in 0..reader.count("feeds")? {
            let place = (reader.u64()?, reader.array()?);
            let heads = read_numbers(reader, &self.tables)?;
            self.feed_ends.push(FeedEnd { place, heads });
        }
        self.entries = self.read_entries(reader)?;
        self.read_notes(reader)
    }

    fn read_entries(&self, reader: &mut Reader<'_>) -> Result<Entries, DecodeError> {
        let changes = self.tables.stamps.changes();
        let mut entries = Entries::new();
        for _ in 0..reader.count("entries")? {
            let at = reader.at();
            let wrong = DecodeError::Meaningless { what: "entry", at };
            let ty = u16::try_from(reader.u64()?).ok().and_then(TypeId::checked).ok_or(wrong)?;
            resource_named(ty.name()).ok_or(wrong)?;
            let id = match reader.str(MAX_ENTRY_ID_BYTES, "entry id")? {
                "" => &*self.id,
                id => id,
            };
            if !is_fhir_id(id) {
                return Err(wrong);
            }
            let heads = read_numbers(reader, &self.tables)?;
            let sound = if heads.len() > 1 { read_sound(reader)? } else { OnceLock::new() };
            let pages = Pages::from_stored(reader.bytes(MAX_VALUE_BYTES, "cells")?, &changes)?;
            let entry = Entry { pages, heads, sound, ..Entry::default() };
            entries.insert(EntryId { ty, id: id.into() }, Box::new(entry));
        }
        Ok(entries)
    }

    /// Whether the state is what the log makes of it; for checking what was stored.
    pub fn is_sound(&self) -> bool {
        let mut again = Self::new(&self.id);
        let received = again.receive(&self.changes_since(&[]));
        received.is_ok_and(|received| received.refused.is_empty())
            && again.state_bytes() == self.state_bytes()
    }
}

fn put_numbers(numbers: &[ChangeNo], out: &mut Vec<u8>) {
    put_u64(out, numbers.len() as u64);
    for &number in numbers {
        put_u64(out, u64::from(number));
    }
}

const NOT_JUDGED: u8 = 0;
const BRANCH: u8 = 1;
const NO_BRANCH: u8 = 2;

fn put_sound(sound: Option<&Sound>, out: &mut Vec<u8>) {
    let Some(sound) = sound else {
        out.push(NOT_JUDGED);
        return;
    };
    out.push(if sound.is_branch { BRANCH } else { NO_BRANCH });
    out.extend_from_slice(&sound.rules);
}

fn read_sound(reader: &mut Reader<'_>) -> Result<OnceLock<Sound>, DecodeError> {
    let at = reader.at();
    let is_branch = match reader.byte()? {
        NOT_JUDGED => return Ok(OnceLock::new()),
        BRANCH => true,
        NO_BRANCH => false,
        _ => return Err(DecodeError::Meaningless { what: "judgement", at }),
    };
    Ok(OnceLock::from(Sound { rules: reader.array()?, is_branch }))
}

fn read_numbers(
    reader: &mut Reader<'_>,
    tables: &Tables,
) -> Result<SmallVec<[ChangeNo; 2]>, DecodeError> {
    let mut numbers = SmallVec::new();
    for _ in 0..reader.count("heads")? {
        let at = reader.at();
        let number = reader.u32("change")?;
        tables.stamps.get(number).ok_or(DecodeError::Meaningless { what: "head", at })?;
        numbers.push(number);
    }
    Ok(numbers)
}

fn read_tables<'a>(reader: &mut Reader<'a>) -> Result<(&'a str, Tables), DecodeError> {
    let name = reader.str(MAX_NAME_BYTES, "record name")?;
    let mut tables = Tables::default();
    let actors = reader.count("actors")?;
    // Each takes more bytes than its id.
    tables.actors.reserve_exact(actors.min(reader.remaining() / size_of::<ActorId>()));
    for _ in 0..actors {
        let (id, keys) = (ActorId(reader.array()?), Keys::read(reader)?);
        let last = (reader.u32("sequence number")?, reader.u32("change")?);
        tables.actors.push(Actor { id, keys, last });
    }
    for feeds in [false, true] {
        let mut names = Names::default();
        for _ in 0..reader.count("names")? {
            names.push(reader.str(MAX_NAME_BYTES, "name")?);
        }
        *(if feeds { &mut tables.feeds } else { &mut tables.authors }) = names;
    }
    for _ in 0..reader.count("sources")? {
        let at = reader.at();
        let feed = reader.u32("feed")?;
        if feed as usize >= tables.feeds.iter().len() {
            return Err(DecodeError::Meaningless { what: "feed", at });
        }
        tables.sources.push((feed, reader.array()?));
    }
    Ok((name, tables))
}
