//! What one durable transaction holds: the rows of every batch that was waiting, numbered in order.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::batch::{Arriving, Batch};
use crate::content::{Arrival, change_key};
use crate::error::{EngineFault, WriteError};
use crate::key_value::{KeyValue, Operation, Table};
use crate::ledger::Ledger;

/// Where an accepted batch came to lie.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placement {
    /// The number of the durable transaction; batches of one group share it.
    pub commit: u64,
    /// Arrival numbers of its raw inputs, changes and notes, in the order they were put in.
    pub arrivals: Range<u64>,
    /// Numbers of its access entries, in the order they were put in.
    pub accesses: Range<u64>,
}

/// A group being put together. Only the committing thread has one.
pub(crate) struct Group {
    pub(crate) ledger: Ledger,
    rows: Vec<Operation>,
    quarantine_max: u64,
    /// Length of each quarantined message this group touched, after it; `None` when removed.
    quarantine: BTreeMap<Vec<u8>, Option<u64>>,
}

impl Group {
    /// A group that follows what `ledger` counts.
    pub(crate) fn after(ledger: &Ledger, quarantine_max: u64) -> Self {
        let mut ledger = ledger.clone();
        ledger.commit += 1;
        Self { ledger, rows: Vec::new(), quarantine_max, quarantine: BTreeMap::new() }
    }

    /// Takes a batch in, or refuses it and stays as it was.
    pub(crate) fn admit(
        &mut self,
        batch: Batch,
        engine: &dyn KeyValue,
    ) -> Result<Placement, WriteError> {
        self.weigh_quarantine(&batch, engine)?;
        let first_arrival = self.ledger.next_arrival;
        let first_access = self.ledger.access.entries;
        for arriving in batch.arrivals {
            self.place(arriving);
        }
        self.rows.extend(batch.rows);
        for access in &batch.accesses {
            let row = self.ledger.access.append(access);
            self.put(Table::AccessLog, row.key, row.value);
        }
        Ok(Placement {
            commit: self.ledger.commit,
            arrivals: first_arrival..self.ledger.next_arrival,
            accesses: first_access..self.ledger.access.entries,
        })
    }

    /// The rows to commit: the last of each key, in key order, and the moved ledger.
    pub(crate) fn into_rows(mut self) -> Vec<Operation> {
        self.rows.push(self.ledger.row());
        // Reversed and stably sorted, the first of equal keys is the one written last.
        self.rows.reverse();
        self.rows.sort_by(|a, b| (a.table, &a.key).cmp(&(b.table, &b.key)));
        self.rows.dedup_by(|later, kept| later.table == kept.table && later.key == kept.key);
        self.rows
    }

    fn place(&mut self, arriving: Arriving) {
        let arrival = self.ledger.next_arrival;
        self.ledger.next_arrival += 1;
        let what = match arriving {
            Arriving::Raw(input) => {
                self.put(Table::Raw, input.message.to_vec(), input.encode(arrival));
                Arrival::Raw(input.message)
            }
            Arriving::Change { record, bytes } => {
                self.put(Table::Changes, change_key(&record, arrival), bytes);
                Arrival::Change(record)
            }
            Arriving::Note(bytes) => Arrival::Note(bytes),
        };
        self.put(Table::Arrivals, arrival.to_be_bytes().to_vec(), what.encode());
    }

    fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.rows.push(Operation { table, key, value: Some(value) });
    }

    /// Moves the quarantine's totals on, unless the limit would be crossed.
    fn weigh_quarantine(&mut self, batch: &Batch, engine: &dyn KeyValue) -> Result<(), WriteError> {
        let mut after: BTreeMap<Vec<u8>, Option<u64>> = BTreeMap::new();
        for row in batch.rows.iter().filter(|row| row.table == Table::Quarantine) {
            after.insert(row.key.clone(), row.value.as_ref().map(|value| value.len() as u64));
        }
        let (mut count, mut bytes) = (self.ledger.quarantine_count, self.ledger.quarantine_bytes);
        let before_bytes = bytes;
        for (key, length) in &after {
            if let Some(before) =
                self.quarantined_length(key, engine).map_err(WriteError::Failed)?
            {
                count = count.saturating_sub(1);
                bytes = bytes.saturating_sub(before);
            }
            if let Some(length) = length {
                count += 1;
                bytes = bytes.saturating_add(*length);
            }
        }
        // What makes it smaller is welcome even when it is over a limit that was lowered.
        if bytes > self.quarantine_max && bytes > before_bytes {
            return Err(WriteError::QuarantineFull { bytes, max: self.quarantine_max });
        }
        (self.ledger.quarantine_count, self.ledger.quarantine_bytes) = (count, bytes);
        self.quarantine.extend(after);
        Ok(())
    }

    fn quarantined_length(
        &self,
        key: &[u8],
        engine: &dyn KeyValue,
    ) -> Result<Option<u64>, EngineFault> {
        if let Some(length) = self.quarantine.get(key) {
            return Ok(*length);
        }
        let value = engine.view()?.value(Table::Quarantine, key)?;
        Ok(value.map(|value| value.len() as u64))
    }
}
