//! Texts in a saved record: for reading, each as its cell's text; the history stays in the log.

use std::sync::Arc;

use clisonix_fhir::schema::TypeId;

use crate::address::MAX_ADDRESS_BYTES;
use crate::change::{MAX_ENTRY_ID_BYTES, is_fhir_id};
use crate::record::Record;
use crate::saved::MAX_RECORD_BYTES;
use crate::state::EntryId;
use crate::wire::{DecodeError, Reader, put_bytes, put_u64};

use super::{Note, Root};

impl Record {
    /// Appends the texts that are typed in; nothing where there are none.
    pub(crate) fn put_notes(&self, out: &mut Vec<u8>) {
        let all = || {
            self.entries.iter().flat_map(|(id, entry)| entry.notes.iter().map(move |at| (id, at)))
        };
        let count = all().count();
        if count == 0 {
            return;
        }
        put_u64(out, count as u64);
        for (id, (address, note)) in all() {
            put_u64(out, u64::from(id.ty.0));
            put_bytes(out, if id.id == self.id { &[] } else { id.id.as_bytes() });
            put_bytes(out, address);
            note.root.put(out);
            put_bytes(out, note.cell_text().as_bytes());
        }
    }

    /// Reads what [`Self::put_notes`] wrote, up to the end.
    pub(crate) fn read_notes(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let count = if reader.is_empty() { 0 } else { reader.count("texts")? };
        for _ in 0..count {
            let at = reader.at();
            let wrong = DecodeError::Meaningless { what: "text", at };
            let ty = u16::try_from(reader.u64()?).ok().and_then(TypeId::checked).ok_or(wrong)?;
            let id = match reader.str(MAX_ENTRY_ID_BYTES, "entry id")? {
                "" => &*self.id,
                id => id,
            };
            let id = EntryId { ty, id: Some(id).filter(|id| is_fhir_id(id)).ok_or(wrong)?.into() };
            let address = reader.bytes(MAX_ADDRESS_BYTES, "address length")?;
            let root = Root::read(reader)?;
            let text = reader.str(MAX_RECORD_BYTES, "text")?;
            let known = self.tables.last_seq(root.actor) >= root.seq;
            let entry = self.entries.get_mut(&id).filter(|_| known).ok_or(wrong)?;
            super::place(address).ok_or(wrong)?;
            entry.notes.put(address, Arc::new(Note::loaded(root, text)));
        }
        Ok(())
    }
}
