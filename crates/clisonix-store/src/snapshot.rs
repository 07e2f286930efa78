//! Typed reads of everything committed at one moment.

use crate::access::{AccessEntry, AccessHead, verify};
use crate::content::{
    Arrival, ChangePlace, MessageId, Quarantined, RawInput, change_key, change_prefix,
    read_change_key,
};
use crate::error::{AccessLogError, EngineFault, ReadError};
use crate::key_value::{KeyValueView, Row, Rows, Span, Table};
use crate::ledger::Ledger;

/// A consistent view; later writes do not show in it.
///
/// Keep it short-lived: room freed by later writes is reused only after it is dropped, and
/// `compact` and `check` wait for nobody.
pub struct Snapshot {
    view: Box<dyn KeyValueView>,
}

/// A row of changes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredChange {
    /// Which arrivals it holds.
    pub place: ChangePlace,
    /// The encoded bytes.
    pub bytes: Vec<u8>,
}

impl Snapshot {
    pub(crate) fn new(view: Box<dyn KeyValueView>) -> Self {
        Self { view }
    }

    pub(crate) fn view(&self) -> &dyn KeyValueView {
        &*self.view
    }

    /// The value of one row of any table.
    pub fn value(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.view.value(table, key)?)
    }

    /// Whether a row of any table is there.
    pub fn contains(&self, table: Table, key: &[u8]) -> Result<bool, ReadError> {
        Ok(self.view.contains(table, key)?)
    }

    /// The rows of a span of any table; take as many as needed.
    pub fn rows(&self, table: Table, span: &Span) -> Result<Rows<'_>, ReadError> {
        Ok(self.view.rows(table, span)?)
    }

    /// How many rows a table holds.
    pub fn count(&self, table: Table) -> Result<u64, ReadError> {
        Ok(self.view.count(table)?)
    }

    /// The encoded state of a record.
    pub fn state(&self, record: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.value(Table::States, record.as_bytes())
    }

    /// The small metadata of a record.
    pub fn record(&self, record: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.value(Table::Records, record.as_bytes())
    }

    /// What a record got under an arrival number: its row, or the sealed one that holds it.
    pub fn change(&self, record: &str, arrival: u64) -> Result<Option<StoredChange>, ReadError> {
        let Some(row) = self.changes(record, arrival)?.next().transpose()? else { return Ok(None) };
        Ok(Some(row).filter(|row| row.place.arrival == arrival || row.place.count > 1))
    }

    /// The rows of changes of a record whose last change arrived at `from` or later, in order of
    /// arrival.
    pub fn changes(
        &self,
        record: &str,
        from: u64,
    ) -> Result<impl Iterator<Item = Result<StoredChange, ReadError>> + '_, ReadError> {
        let mut span = Span::prefix(&change_prefix(record));
        span.start = Span::from(&change_key(record, from)).start;
        self.stored_changes(&span)
    }

    /// The rows of changes of a record, the last one first.
    pub fn latest_changes(
        &self,
        record: &str,
    ) -> Result<impl Iterator<Item = Result<StoredChange, ReadError>> + '_, ReadError> {
        self.stored_changes(&Span::prefix(&change_prefix(record)).backwards())
    }

    fn stored_changes<'s>(
        &'s self,
        span: &Span,
    ) -> Result<impl Iterator<Item = Result<StoredChange, ReadError>> + use<'s>, ReadError> {
        Ok(self.rows(Table::Changes, span)?.map(|row| {
            readable(row, Table::Changes, |row| {
                let (_, place) = read_change_key(&row.key)?;
                Some(StoredChange { place, bytes: row.value })
            })
        }))
    }

    /// What arrived under `from` and later numbers, in order and without a gap.
    pub fn arrivals(
        &self,
        from: u64,
    ) -> Result<impl Iterator<Item = Result<(u64, Arrival), ReadError>> + '_, ReadError> {
        let span = Span::from(&from.to_be_bytes());
        Ok(self.rows(Table::Arrivals, &span)?.map(|row| {
            readable(row, Table::Arrivals, |row| {
                let arrival = u64::from_be_bytes(row.key.try_into().ok()?);
                Some((arrival, Arrival::decode(&row.value)?))
            })
        }))
    }

    /// The number that the next arrival will get: a reader that has seen everything starts there.
    pub fn next_arrival(&self) -> Result<u64, ReadError> {
        Ok(Ledger::load(&*self.view)?.next_arrival)
    }

    /// A raw input and its arrival number; of one that lies in parts all but the bytes, which
    /// [`crate::Store::raw_content`] reads.
    pub fn raw(&self, message: MessageId) -> Result<Option<(u64, RawInput)>, ReadError> {
        let Some(value) = self.value(Table::Raw, &message)? else { return Ok(None) };
        let damaged = ReadError::Damaged { table: Table::Raw };
        RawInput::decode(message, &value).map(Some).ok_or(damaged)
    }

    /// A quarantined message.
    pub fn quarantined(&self, message: MessageId) -> Result<Option<Quarantined>, ReadError> {
        let Some(value) = self.value(Table::Quarantine, &message)? else { return Ok(None) };
        let damaged = ReadError::Damaged { table: Table::Quarantine };
        Quarantined::decode(message, &value).map(Some).ok_or(damaged)
    }

    /// The quarantined messages with an id greater than `after`, in order of their ids.
    pub fn quarantine(
        &self,
        after: Option<MessageId>,
    ) -> Result<impl Iterator<Item = Result<Quarantined, ReadError>> + '_, ReadError> {
        let span = after.map_or_else(Span::all, |key| Span::all().after(&key));
        Ok(self.rows(Table::Quarantine, &span)?.map(|row| {
            readable(row, Table::Quarantine, |row| {
                Quarantined::decode(row.key.try_into().ok()?, &row.value)
            })
        }))
    }

    /// Messages in quarantine, and the bytes of their rows.
    pub fn quarantine_size(&self) -> Result<(u64, u64), ReadError> {
        let ledger = Ledger::load(&*self.view)?;
        Ok((ledger.quarantine_count, ledger.quarantine_bytes))
    }

    /// The access entries from number `from` on.
    pub fn accesses(
        &self,
        from: u64,
    ) -> Result<impl Iterator<Item = Result<AccessEntry, ReadError>> + '_, ReadError> {
        let span = Span::from(&from.to_be_bytes());
        Ok(self
            .rows(Table::AccessLog, &span)?
            .map(|row| readable(row, Table::AccessLog, |row| AccessEntry::decode(&row))))
    }

    /// End of the access log as recorded.
    pub fn access_head(&self) -> Result<AccessHead, ReadError> {
        Ok(Ledger::load(&*self.view)?.access)
    }

    /// Walks the whole access log; the error names the first broken link.
    pub fn verify_access_log(&self) -> Result<AccessHead, AccessLogError> {
        verify(&*self.view, self.access_head()?)
    }
}

fn readable<T>(
    row: Result<Row, EngineFault>,
    table: Table,
    decode: impl FnOnce(Row) -> Option<T>,
) -> Result<T, ReadError> {
    decode(row?).ok_or(ReadError::Damaged { table })
}
