//! The canonical bytes of a state: equal for equal sets of changes, at every site.

use crate::page::Cell;
use crate::record::Record;
use crate::state::{ChangeNo, Sibling, Written};
use crate::wire::{put_bytes, put_u64};

impl Record {
    /// The state as bytes that do not depend on the order of arrival: entries, cells, live writes
    /// with the change that made each, what marks cover, and superseded statements of feeds.
    pub fn state_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, self.id.as_bytes());
        self.put_changes(&self.heads, &mut out);
        for (id, entry) in &self.entries {
            put_bytes(&mut out, id.ty.name().as_bytes());
            put_bytes(&mut out, id.id.as_bytes());
            self.put_changes(&entry.heads, &mut out);
            put_u64(&mut out, entry.cells().count() as u64);
            for (address, cell) in entry.cells() {
                put_bytes(&mut out, address);
                self.put_cell(&cell, &mut out);
            }
        }
        out
    }

    fn put_changes(&self, changes: &[ChangeNo], out: &mut Vec<u8>) {
        let mut ids: Vec<[u8; 32]> =
            changes.iter().filter_map(|&change| Some(self.id_of(change)?.0)).collect();
        ids.sort_unstable();
        put_u64(out, ids.len() as u64);
        for id in &ids {
            out.extend_from_slice(id);
        }
    }

    fn put_cell(&self, cell: &Cell<'_>, out: &mut Vec<u8>) {
        let mut siblings: Vec<Vec<u8>> =
            cell.siblings.iter().map(|sibling| self.sibling_bytes(sibling)).collect();
        siblings.sort_unstable();
        put_u64(out, siblings.len() as u64);
        for sibling in &siblings {
            out.extend_from_slice(sibling);
        }
        let mut superseded: Vec<_> =
            cell.superseded.iter().map(|old| (self.tables.feeds.name(old.feed), old.key)).collect();
        superseded.sort_unstable();
        put_u64(out, superseded.len() as u64);
        for (feed, key) in superseded {
            put_bytes(out, feed.as_bytes());
            put_u64(out, key.time);
            out.extend_from_slice(&key.message);
            out.extend_from_slice(&key.value);
        }
    }

    fn sibling_bytes(&self, sibling: &Sibling<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        self.put_changes(&sibling.changes().collect::<Vec<_>>(), &mut out);
        put_u64(&mut out, u64::from(sibling.covered));
        let (tag, bytes): (u8, &[u8]) = match sibling.write {
            Written::Set(text) => (0, text.as_bytes()),
            Written::Position(position) => (1, position),
            Written::Mark => (2, &[]),
            Written::Keep | Written::Edits(_) => (3, &[]),
            Written::Text(_, note) => (4, note.map_or(&[], |note| note.cell_text().as_bytes())),
        };
        out.push(tag);
        if let Written::Text(root, _) = sibling.write {
            root.name(&self.tables).put(&mut out);
        }
        put_bytes(&mut out, bytes);
        out
    }
}
