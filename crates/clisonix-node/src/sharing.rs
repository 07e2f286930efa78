//! Reading records for others: patients are searched for, and each record that leaves is logged.

use clisonix_store::Action;

use crate::error::NodeError;
use crate::node::{By, Node};
use crate::reading::whole_text_of;

impl Node {
    /// Shows every patient's record to `each`: its id, and its FHIR Bundle as JSON text. For a
    /// search through all of them, which is one line of the access log; what is given out of it is
    /// read again by [`Self::record_to_share`].
    ///
    /// # Errors
    /// [`NodeError::Author`]; those of `each`, which end the search.
    pub fn search<E: From<NodeError>>(
        &self,
        by: By<'_>,
        mut each: impl FnMut(&str, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.log_access(by, Action::Search, None)?;
        for patient in self.patients()? {
            let snapshot = self.store.snapshot().map_err(NodeError::from)?;
            let text = whole_text_of(&snapshot, &patient.record)?;
            each(&patient.record, &text.bundle)?;
        }
        Ok(())
    }

    /// A record as it is now, as the JSON text of a FHIR Bundle, to be sealed for somebody else.
    ///
    /// # Errors
    /// [`NodeError::NotFound`].
    pub fn record_to_share(&self, record: &str, by: By<'_>) -> Result<String, NodeError> {
        let text = whole_text_of(&self.store.snapshot()?, record)?;
        self.log_records(by, Action::Share, &self.with_beside(record)?)?;
        Ok(text.bundle)
    }
}
