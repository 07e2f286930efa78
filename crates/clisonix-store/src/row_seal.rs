//! The engine with values sealed row by row. A row whose key was destroyed is not there.

use std::sync::Arc;

use crate::error::EngineFault;
use crate::key_value::{KeyValue, KeyValueView, Operation, Row, Rows, Span, Table};
use crate::protection::{RowSeal, RowValue};

/// An engine whose rows go through a [`RowSeal`].
pub(crate) struct RowSealed {
    engine: Arc<dyn KeyValue>,
    rows: Arc<dyn RowSeal>,
}

impl RowSealed {
    pub(crate) fn new(engine: Arc<dyn KeyValue>, rows: Arc<dyn RowSeal>) -> Self {
        Self { engine, rows }
    }
}

impl KeyValue for RowSealed {
    fn view(&self) -> Result<Box<dyn KeyValueView>, EngineFault> {
        Ok(Box::new(SealedView { view: self.engine.view()?, rows: Arc::clone(&self.rows) }))
    }

    fn commit(&self, operations: Vec<Operation>) -> Result<(), EngineFault> {
        self.engine.commit(seal_all(&*self.rows, operations)?)
    }

    fn recover(&self) -> Result<(), EngineFault> {
        self.engine.recover()
    }

    fn compact(&self) -> Result<bool, EngineFault> {
        self.engine.compact()
    }

    fn check(&self) -> Result<bool, EngineFault> {
        self.engine.check()
    }
}

/// The operations as they are stored.
pub(crate) fn seal_all(
    rows: &dyn RowSeal,
    mut operations: Vec<Operation>,
) -> Result<Vec<Operation>, EngineFault> {
    for operation in &mut operations {
        if let Some(value) = &mut operation.value
            && let Some(sealed) = rows.seal(operation.table, &operation.key, value)?
        {
            *value = sealed;
        }
    }
    Ok(operations)
}

struct SealedView {
    view: Box<dyn KeyValueView>,
    rows: Arc<dyn RowSeal>,
}

impl SealedView {
    fn open(
        &self,
        table: Table,
        key: &[u8],
        value: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, EngineFault> {
        Ok(match self.rows.open(table, key, value)? {
            RowValue::Whole(value) => Some(value),
            RowValue::Lost => None,
        })
    }
}

impl KeyValueView for SealedView {
    fn value(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, EngineFault> {
        let Some(value) = self.view.value(table, key)? else { return Ok(None) };
        self.open(table, key, value)
    }

    fn contains(&self, table: Table, key: &[u8]) -> Result<bool, EngineFault> {
        if !self.view.contains(table, key)? {
            return Ok(false);
        }
        if !self.rows.has_lost() {
            return Ok(true);
        }
        let Some(value) = self.view.value(table, key)? else { return Ok(false) };
        Ok(!self.rows.is_lost(table, key, &value))
    }

    fn rows(&self, table: Table, span: &Span) -> Result<Rows<'_>, EngineFault> {
        let rows = self.view.rows(table, span)?;
        Ok(Box::new(rows.filter_map(move |row| {
            let opened = row.and_then(|Row { key, value }| {
                let value = self.open(table, &key, value)?;
                Ok(value.map(|value| Row { key, value }))
            });
            opened.transpose()
        })))
    }

    fn count(&self, table: Table) -> Result<u64, EngineFault> {
        self.view.count(table)
    }
}
