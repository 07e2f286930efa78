//! Records whose logs are damaged: put aside, taken again from peers, and named until all that they
//! held is back.
//!
//! What lies in a record's log cannot be made from anything else here. If some peer holds the record,
//! its rows are put aside in one batch: the record's version changes, so the exchange with the peers
//! finds that something is lacking and brings it, through the same checks as everything that comes
//! in. What is whole among the rows that were put aside goes back into the record as far as it
//! follows from what is there; so own changes that no peer has are lost only where they are damaged
//! themselves. The numbers of those are never given to other changes: a record that is read again
//! writes as a new actor.

mod parts;

use std::collections::{BTreeMap, BTreeSet};

use clisonix_crdt::{ActorId, ChangeId, Record};
use clisonix_pq::Fingerprint;
use clisonix_pq::checkpoint::{Chain, Mark, Running, Statement};
use clisonix_store::{Access, Action, Batch, ChangePlace, Row, Snapshot, StoredChange, Table};

use crate::error::NodeError;
use crate::exchange::imported;
use crate::node::{By, Inside, Node, access, access_about};
use crate::records::replay;
use crate::signing::news::News;
use crate::signing::rows::{self, ChainRow};
use crate::stored;
use crate::version;

use self::parts::{Aside, Note, note, notes, remove};
pub(crate) use self::parts::{is_aside, is_noted, strip};

/// A record whose log is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The record.
    pub record: String,
    /// When it was found, in milliseconds since 1970-01-01T00:00:00Z.
    pub found_ms: u64,
    /// Whether the damaged log was put aside. Without a peer that holds the record it stays where it
    /// is, and what is shown of the record is what was made of its log before.
    pub is_aside: bool,
    /// How many changes are not back; `None` if it cannot be told how many there were.
    pub missing: Option<u64>,
    /// How many of these were made here.
    pub missing_own: u64,
}

impl Node {
    /// The records whose logs are damaged, in order of their names.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn damages(&self) -> Result<Vec<Damage>, NodeError> {
        let found = notes(&self.store.snapshot()?)?;
        Ok(found.into_iter().map(|(record, note)| self.damage_of(record, &note)).collect())
    }

    /// What is damaged of one record, if its log is.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn damage(&self, record: &str) -> Result<Option<Damage>, NodeError> {
        let found = note(&self.store.snapshot()?, record)?;
        Ok(found.map(|note| self.damage_of(record.to_owned(), &note)))
    }

    fn damage_of(&self, record: String, note: &Note) -> Damage {
        let mut inside = self.inside_for(&record);
        // A log that stays where it is is asked for nothing here.
        let here = |actor| match inside.records.record(&self.store, &record) {
            Ok(held) if note.is_aside => u64::from(held.last_seq(actor)),
            _ => 0,
        };
        let (missing, own) = note.missing(here);
        drop(inside);
        Damage {
            record,
            found_ms: note.found_ms,
            is_aside: note.is_aside,
            missing: (note.is_known && note.is_aside).then_some(missing),
            missing_own: if note.is_aside { own } else { 0 },
        }
    }

    /// Tries to put back what was put aside, after something came for these records. Gives how many
    /// records are whole again.
    ///
    /// # Errors
    /// [`NodeError::Read`], [`NodeError::Write`].
    pub fn mend(&self, by: By<'_>) -> Result<u64, NodeError> {
        let snapshot = self.store.snapshot()?;
        let mut mended = 0;
        for (record, note) in notes(&snapshot)? {
            let version = version::version(&snapshot, &record)?;
            if !note.is_aside || !self.exchange.is_to_mend(&record, version) {
                continue;
            }
            match self.mend_record(&record, by) {
                Ok(is_whole) => mended += u64::from(is_whole),
                // Another time.
                Err(NodeError::Loading) => self.exchange.forget_mended(&record),
                // What came meanwhile is damaged too: the next scrub puts it aside.
                Err(NodeError::Damaged(_)) => self.exchange.note_mended(&record, version),
                Err(error) => return Err(error),
            }
        }
        Ok(mended)
    }

    /// Gives up what is not back of a record: what was put aside of it is destroyed, and it is not
    /// named as damaged any more. Says whether there was something.
    ///
    /// # Errors
    /// [`NodeError::Write`].
    pub fn give_up(&self, record: &str, by: By<'_>) -> Result<bool, NodeError> {
        let snapshot = self.store.snapshot()?;
        if note(&snapshot, record)?.is_none() {
            return Ok(false);
        }
        self.forget_damage(&snapshot, record, "what is damaged is given up", by)?;
        Ok(true)
    }

    /// Notes that a record's log is damaged without touching it.
    pub(crate) fn note_damage(&self, record: &str, by: By<'_>) -> Result<(), NodeError> {
        let snapshot = self.store.snapshot()?;
        if note(&snapshot, record)?.is_some() {
            return Ok(());
        }
        let now = self.inside().outside.now_ms();
        let mut batch = Batch::new();
        batch.access(damage_line(by, now, record, "its log is damaged")?)?;
        Note { found_ms: now, ..Note::default() }.put(&mut batch, record)?;
        self.store.write(batch)?;
        Ok(())
    }

    /// Removes what is noted of a record's damage.
    pub(crate) fn forget_damage(
        &self,
        snapshot: &Snapshot,
        record: &str,
        why: &str,
        by: By<'_>,
    ) -> Result<(), NodeError> {
        let now = self.inside().outside.now_ms();
        let mut batch = Batch::new();
        remove(&mut batch, snapshot, record)?;
        batch.access(damage_line(by, now, record, why)?)?;
        self.store.write(batch)?;
        Ok(())
    }

    /// Puts the rows of a record aside whose log is damaged, then back what of them is whole. From
    /// then on the record is asked from peers.
    pub(crate) fn put_damaged_aside(&self, record: &str, by: By<'_>) -> Result<(), NodeError> {
        let mut guard = self.inside_for(record);
        let inside = &mut *guard;
        if inside.records.is_held(record) {
            return Err(NodeError::Loading);
        }
        let now = inside.outside.now_ms();
        let snapshot = self.store.snapshot()?;
        // Without its place a row cannot be taken away.
        let log = snapshot.changes(record, 0)?.collect::<Result<Vec<StoredChange>, _>>()?;
        let places: Vec<ChangePlace> = log.iter().map(|row| row.place).collect();
        // Every arrival keeps a row that may hold it.
        let nothing = Record::new(record).segment(0);
        let log: Vec<StoredChange> = log.into_iter().filter(|row| row.bytes != nothing).collect();
        let own = inside.signing.author().map(|author| author.fingerprint());
        let (known, index) = self.known_of(&snapshot, record, &log, own)?;
        let mut batch = Batch::new();
        batch.access(damage_line(by, now, record, "its damaged log is put aside")?)?;
        let before = note(&snapshot, record)?.unwrap_or_default();
        let found_ms = if before.found_ms == 0 { now } else { before.found_ms };
        let mut note = Note { found_ms, is_aside: true, ..known };
        note.add(&before);
        note.put(&mut batch, record)?;
        let state = snapshot.state(record)?;
        parts::put(&mut batch, &snapshot, record, &log, state, &index)?;
        match &*places {
            [place] => drop(batch.replace_change(record, *place, nothing)?),
            places => drop(batch.seal(record, places, nothing)?),
        }
        for row in &index {
            batch.remove(Table::Index, &row.key)?;
        }
        stored::remove_derived(&mut batch, &snapshot, record)?;
        version::remove(&mut batch, record)?;
        rows::remove_pending(&mut batch, record)?;
        batch.note(News::new([], [record]).encode())?;
        drop(snapshot);
        // The record is in nobody's hands while the lock is held.
        let written = self.store.write(batch);
        inside.records.forget(record);
        written?;
        drop(guard);
        self.watchers.tell();
        self.exchange.forget_mended(record);
        match self.mend_record(record, by) {
            Err(NodeError::Loading) => Ok(()),
            done => done.map(drop),
        }
    }

    /// What a record held, as far as it can be told, and the rows of its chains.
    fn known_of(
        &self,
        snapshot: &Snapshot,
        record: &str,
        log: &[StoredChange],
        own: Option<Fingerprint>,
    ) -> Result<(Note, Vec<Row>), NodeError> {
        let index = rows::of_one(snapshot, record)?;
        let chains: BTreeMap<ActorId, ChainRow> =
            index.iter().filter_map(|row| rows::read_chain(record, row)).collect();
        let is_own = |actor: &ActorId| {
            let author = chains.get(actor).map(|row| row.author);
            author.is_none_or(|author| own == Some(author))
        };
        let mut note = Note::default();
        for (actor, row) in &chains {
            note.reach(*actor, row.chain.signed.seq, is_own(actor));
        }
        if let Ok(have) = version::have(snapshot, record) {
            note.is_known = have.places.len() < version::TOLD_PLACES;
            note.heads.extend(have.heads);
            for (actor, last) in have.places {
                note.reach(actor, u64::from(last), is_own(&actor));
            }
        }
        if let Ok(state) = crate::records::load(&self.store, record) {
            note.is_known = true;
            for actor in state.actors() {
                note.reach(actor, u64::from(state.last_seq(actor)), is_own(&actor));
            }
        }
        if !note.is_known {
            // A damaged row may tell of an actor that there is not.
            let places = log.iter().map(|row| clisonix_crdt::segment_places(&row.bytes));
            for (actor, (_, last)) in places.filter_map(Result::ok).flatten() {
                note.reach(actor, u64::from(last), is_own(&actor));
            }
        }
        Ok((note, index))
    }

    /// Puts back into a record what of its rows that were put aside is whole and follows from what
    /// is here. Says whether everything is back; then what was put aside is destroyed.
    pub(crate) fn mend_record(&self, record: &str, by: By<'_>) -> Result<bool, NodeError> {
        let mut guard = self.inside_for(record);
        let inside = &mut *guard;
        if inside.records.is_held(record) {
            return Err(NodeError::Loading);
        }
        let snapshot = self.store.snapshot()?;
        let Some(note) = note(&snapshot, record)?.filter(|note| note.is_aside) else {
            return Ok(true);
        };
        let aside = Aside::load(&snapshot, record)?;
        let mut trial = replay(&snapshot, record)?;
        let before = trial.change_count();
        for segment in &aside.segments {
            // Damaged, or not to be taken: it stays aside.
            let _ = trial.receive(segment);
        }
        let mended = self.mended(&trial, before, (&note, &aside), inside)?;
        if mended.end > before {
            self.put_back(&trial, before, (&mended, &aside), by, inside)?;
        }
        let held = inside.records.record(&self.store, record)?;
        let is_whole =
            note.is_known && note.missing(|actor| u64::from(held.last_seq(actor))).0 == 0;
        drop(guard);
        self.watchers.tell();
        let snapshot = self.store.snapshot()?;
        if is_whole {
            self.forget_damage(&snapshot, record, "its damaged log is whole again", by)?;
        } else {
            self.exchange.note_mended(record, version::version(&snapshot, record)?);
        }
        Ok(is_whole)
    }

    /// Which of the changes that a trial took from what was put aside are proved to be those that were
    /// written, by what was signed or by the record's heads, and how far their chains reach.
    fn mended(
        &self,
        trial: &Record,
        before: usize,
        (note, aside): (&Note, &Aside),
        inside: &Inside,
    ) -> Result<Mended, NodeError> {
        let mut chains = rows::chains(&self.store.snapshot()?, trial.id())?;
        let mut reached = BTreeMap::new();
        for actor in trial.actors_since(before) {
            let here = chains.get(&actor).map_or(0, |row| row.chain.signed.seq);
            let Some(old) = aside.chains.get(&actor) else { continue };
            let marks = self.marks(trial, actor, old, aside, inside);
            let last = marks.iter().map(|(mark, _)| mark.seq).max().unwrap_or_default();
            reached.insert(actor, last.max(here));
            let row = chains.entry(actor).or_insert(ChainRow::new(actor, old.nonce, old.author));
            if row.nonce == old.nonce {
                for (mark, is_final) in marks {
                    raise(&mut row.chain, mark, is_final);
                }
            }
        }
        // What nobody has signed yet is proved by a head that it leads to.
        let heads: Vec<ChangeId> = note.heads.iter().copied().collect();
        let unproved: BTreeSet<usize> = trial.missing_since(&heads, &[]).into_iter().collect();
        let is_proved = |number: &usize| {
            let place = trial.place_of(*number).filter(|_| unproved.contains(number));
            place.is_none_or(|(actor, seq)| {
                reached.get(&actor).is_some_and(|last| u64::from(seq) <= *last)
            })
        };
        let end = (before..trial.change_count()).find(|number| !is_proved(number));
        let end = end.unwrap_or(trial.change_count());
        let is_unsigned =
            (before..end).filter_map(|number| trial.place_of(number)).any(|(actor, seq)| {
                let signed = chains.get(&actor).map_or(0, |row| row.chain.signed.seq);
                u64::from(seq) > signed
            });
        Ok(Mended { end, chains, is_unsigned })
    }

    /// The places of an actor's chain up to which its changes in a trial are those that were signed.
    fn marks(
        &self,
        trial: &Record,
        actor: ActorId,
        old: &ChainRow,
        aside: &Aside,
        inside: &Inside,
    ) -> Vec<(Mark, bool)> {
        let mut marks = vec![(old.chain.signed, false), (old.chain.confirmed, true)];
        let authors = self.authors();
        let own = inside.signing.author().map(|author| author.known());
        for bytes in &aside.statement_bytes {
            let name = Statement::author_of(bytes).ok();
            let by = name.and_then(|name| {
                authors.known(name).or(own.filter(|own| own.fingerprint() == name))
            });
            let Some(statement) = by.and_then(|by| Statement::read_of(bytes, by).ok()) else {
                continue;
            };
            let is_final = statement.standing().is_final();
            let spans = statement.spans().filter(|(chain, _)| *chain == actor.0);
            marks.extend(
                spans.map(|(_, span)| (Mark { seq: span.last, hash: span.after }, is_final)),
            );
        }
        marks.retain(|(mark, _)| mark.seq > 0 && fits(trial, actor, *mark));
        marks
    }

    /// Takes a part of a trial over into the record, durably.
    fn put_back(
        &self,
        trial: &Record,
        before: usize,
        (mended, aside): (&Mended, &Aside),
        by: By<'_>,
        inside: &mut Inside,
    ) -> Result<(), NodeError> {
        let name = trial.id();
        let now = inside.outside.now_ms();
        let numbers: Vec<usize> = (before..mended.end).collect();
        let changes = trial.changes_numbered(&numbers, false);
        let record = inside.records.record(&self.store, name)?;
        let received = record.receive(&changes);
        let is_taken = received.as_ref().is_ok_and(|received| received.applied == numbers.len());
        let Ok(received) = received.map_err(NodeError::from) else {
            inside.records.forget(name);
            return Ok(());
        };
        if !is_taken {
            inside.records.forget(name);
            return Ok(());
        }
        let batch = imported(record, before, &[], access(by, Action::Import, now, Some(record)));
        let batch = batch.and_then(|mut batch| {
            for (actor, row) in &mended.chains {
                let row = ChainRow { since_ms: now, ..*row };
                rows::put_chain(&mut batch, name, *actor, &row)?;
            }
            for (row, statement) in &aside.statements {
                let is_here = |(actor, last): &(ActorId, u64)| {
                    mended.chains.get(actor).is_some_and(|row| row.chain.signed.seq >= *last)
                };
                if statement.reaches.iter().all(is_here) {
                    batch.put(Table::Index, &row.key, row.value.clone())?;
                }
            }
            if mended.is_unsigned && inside.signing.author().is_some() {
                inside.signing.note_pending(&mut batch, record, before, now, true)?;
            }
            Ok(batch)
        });
        let batch = batch.and_then(|mut batch| {
            let standing = |record: &Record| rows::standing(record, &mended.chains);
            inside.records.put_standing(&self.store, name, standing, &mut batch)?;
            Ok(batch)
        });
        self.make_received_durable(name, batch, &received.erased, &mut inside.records)
    }
}

/// What of a trial goes back into the record.
struct Mended {
    /// The number of the first change that does not.
    end: usize,
    chains: BTreeMap<ActorId, ChainRow>,
    /// Whether this node has to sign some of them.
    is_unsigned: bool,
}

/// Whether an actor's changes are those that lead to a place of its chain.
pub(crate) fn fits(record: &Record, actor: ActorId, mark: Mark) -> bool {
    let id = |seq: u64| Some(record.id_by(actor, u32::try_from(seq).ok()?)?.0);
    let start = Running::start(&actor.0);
    (1..=mark.seq).try_fold(start, |hash, seq| Some(hash.with(&id(seq)?))) == Some(mark.hash)
}

fn raise(chain: &mut Chain, mark: Mark, is_final: bool) {
    if mark.seq > chain.signed.seq {
        chain.signed = mark;
    }
    if is_final && mark.seq > chain.confirmed.seq {
        chain.confirmed = mark;
    }
}

fn damage_line(by: By<'_>, now_ms: u64, record: &str, purpose: &str) -> Result<Access, NodeError> {
    access_about(By { purpose, ..by }, Action::Administer, now_ms, record)
}
