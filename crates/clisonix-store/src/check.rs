//! What a full check of a store found.

use std::collections::BTreeMap;

use crate::access::AccessHead;
use crate::content::{
    Arrival, MessageId, Quarantined, RawInput, change_key, decode_part, part_count,
    read_change_key, read_part_key,
};
use crate::error::{AccessLogError, ReadError};
use crate::key_value::{Row, Span, Table};
use crate::ledger::Ledger;
use crate::snapshot::Snapshot;

/// The outcome of [`crate::Store::check`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckReport {
    /// The engine found every checksum right.
    pub engine_sound: bool,
    /// Rows of each table.
    pub rows: Vec<(Table, u64)>,
    /// Arrival numbers that are missing, or that lead to no change.
    pub broken_arrivals: u64,
    /// Rows that do not read as the format says.
    pub unreadable: u64,
    /// The quarantine's recorded totals are those of its rows.
    pub quarantine_agrees: bool,
    /// The access log's end, or its first broken link.
    pub access_log: Result<AccessHead, AccessLogError>,
}

impl CheckReport {
    /// Nothing at all is wrong.
    pub fn is_sound(&self) -> bool {
        self.engine_sound
            && self.broken_arrivals == 0
            && self.unreadable == 0
            && self.quarantine_agrees
            && self.access_log.is_ok()
    }
}

/// Checks rows as they were given, and the places of changes as they are stored: a change whose key
/// was destroyed is in its place.
pub(crate) fn inspect(
    snapshot: &Snapshot,
    stored: &Snapshot,
    engine_sound: bool,
) -> Result<CheckReport, ReadError> {
    let ledger = Ledger::load(snapshot.view())?;
    let mut rows = Vec::new();
    for table in Table::ALL {
        rows.push((table, snapshot.count(table)?));
    }
    let (quarantine, unreadable_quarantine) = weigh_quarantine(snapshot)?;
    let access_log = match snapshot.verify_access_log() {
        Err(AccessLogError::Read(error)) => return Err(error),
        outcome => outcome,
    };
    Ok(CheckReport {
        engine_sound,
        rows,
        broken_arrivals: broken_arrivals(stored, ledger.next_arrival)?,
        unreadable: unreadable_quarantine + unreadable_content(snapshot)?,
        quarantine_agrees: quarantine == (ledger.quarantine_count, ledger.quarantine_bytes),
        access_log,
    })
}

/// Walks the arrivals; a forgotten raw input is no fault, a lost change is.
fn broken_arrivals(snapshot: &Snapshot, next: u64) -> Result<u64, ReadError> {
    let (mut broken, mut changes) = (0_u64, 0_u64);
    let mut expected = 1;
    let mut sealed = Sealed::default();
    for row in snapshot.arrivals(0)? {
        match row {
            Ok((arrival, what)) => {
                broken += arrival.saturating_sub(expected);
                expected = arrival + 1;
                if let Arrival::Change(record) = what {
                    changes += 1;
                    broken += u64::from(!sealed.holds(snapshot, &record, arrival)?);
                }
            }
            Err(ReadError::Damaged { .. }) => {
                broken += 1;
                expected += 1;
            }
            Err(error) => return Err(error),
        }
    }
    // Every arrival has a row that may hold it; only as many as are held make each one held.
    if broken == 0 {
        broken = held_changes(snapshot)?.abs_diff(changes);
    }
    Ok(broken + next.saturating_sub(expected))
}

/// By record: up to which arrival number its sealed rows reach, as far as that is known.
#[derive(Default)]
struct Sealed(BTreeMap<String, u64>);

impl Sealed {
    /// Whether a row may hold a change; sealed rows, which can be large, are read once each.
    fn holds(
        &mut self,
        snapshot: &Snapshot,
        record: &str,
        arrival: u64,
    ) -> Result<bool, ReadError> {
        if self.0.get(record).is_some_and(|end| arrival <= *end)
            || snapshot.contains(Table::Changes, &change_key(record, arrival))?
        {
            return Ok(true);
        }
        let Some(row) = snapshot.change(record, arrival)? else { return Ok(false) };
        self.0.insert(record.to_owned(), row.place.arrival);
        Ok(true)
    }
}

/// How many arrivals the rows of changes hold.
fn held_changes(snapshot: &Snapshot) -> Result<u64, ReadError> {
    let mut held = 0;
    for row in snapshot.rows(Table::Changes, &Span::all())? {
        let row = row?;
        held += read_change_key(&row.key).map_or(0, |(_, place)| u64::from(place.count));
    }
    Ok(held)
}

fn weigh_quarantine(snapshot: &Snapshot) -> Result<((u64, u64), u64), ReadError> {
    let (mut count, mut bytes, mut unreadable) = (0, 0, 0);
    for row in snapshot.rows(Table::Quarantine, &Span::all())? {
        let row = row?;
        count += 1;
        bytes += row.value.len() as u64;
        let message = row.key.try_into().ok();
        let read = message.and_then(|message| Quarantined::decode(message, &row.value));
        unreadable += u64::from(read.is_none());
    }
    Ok(((count, bytes), unreadable))
}

fn unreadable_content(snapshot: &Snapshot) -> Result<u64, ReadError> {
    let mut unreadable = 0;
    let mut parts = Parts::default();
    for row in snapshot.rows(Table::Raw, &Span::all())? {
        unreadable += parts.follow(&row?);
    }
    unreadable += parts.end();
    for row in snapshot.rows(Table::Changes, &Span::all())? {
        unreadable += u64::from(read_change_key(&row?.key).is_none());
    }
    Ok(unreadable)
}

/// Walks the raw inputs: a row sorts before its parts, which must follow without a gap. Parts
/// without a row are of an input whose keeping did not end; they are no fault.
#[derive(Default)]
struct Parts {
    /// The input whose parts may follow.
    of: Option<MessageId>,
    /// Its size, once a part told it.
    size_bytes: u64,
    seen: u32,
}

impl Parts {
    /// How many rows are wrong that are known now.
    fn follow(&mut self, row: &Row) -> u64 {
        if let Some((message, number)) = read_part_key(&row.key) {
            let Some((size_bytes, _)) = decode_part(number, &row.value) else { return 1 };
            if self.of == Some(message) {
                let follows = number == self.seen && (number == 0 || size_bytes == self.size_bytes);
                self.size_bytes = size_bytes;
                self.seen = number.saturating_add(1);
                return u64::from(!follows);
            }
            return 0;
        }
        let wrong = self.end();
        self.of = row.key.as_slice().try_into().ok();
        let read = self.of.and_then(|message| RawInput::decode(message, &row.value));
        wrong + u64::from(read.is_none())
    }

    /// Closes the input that was being walked.
    fn end(&mut self) -> u64 {
        let whole = self.seen == 0 || self.seen == part_count(self.size_bytes);
        *self = Self::default();
        u64::from(!whole)
    }
}
