//! The change log, record states and indexes on disk.
//!
//! A [`Store`] is one data directory. Writers put everything that one accepted write means (raw
//! input, change, new state, index rows, access entries) into a [`Batch`]; batches of many threads
//! become durable together ([`Store::submit`]). Readers take a [`Snapshot`]. What the bytes mean
//! is not known here.
//!
//! With a [`Protection`] everything on disk is encrypted: each page of the file, each backup, and the
//! content of each record under a key of its own. Which algorithms do that is `clisonix-pq`'s matter.
//!
//! After any crash: what was acknowledged is there, what was not is absent or whole.
//!
//! The layout of keys, rows and backups is normative in `docs/formats/store.md`; the reasons are
//! in `docs/design/0003-store.md` and `0012-data-at-rest.md`.

mod access;
mod backup;
mod batch;
mod check;
mod codec;
mod committer;
mod content;
mod directory;
mod engine;
mod error;
mod group;
mod key_value;
mod ledger;
pub mod limit;
mod medium;
mod protection;
mod raw;
mod rotation;
mod row_seal;
mod sealed;
mod snapshot;
mod store;

pub use access::{Access, AccessEntry, AccessHead, Action, FIRST_LINK, Hash};
pub use backup::BackupReport;
pub use batch::Batch;
pub use check::CheckReport;
pub use committer::{Commits, Ticket};
pub use content::{Arrival, ChangePlace, MessageId, Quarantined, RawInput};
pub use error::{
    AccessLogError, BackupError, EngineFault, FaultKind, OpenError, ReadError, WriteError,
};
pub use group::Placement;
pub use key_value::{KeyValue, KeyValueView, Operation, Row, Rows, Span, Table};
pub use ledger::{FORMAT_VERSION, Incarnation};
pub use medium::{FileMedium, Medium};
pub use protection::{Protection, RowSeal, RowValue};
pub use raw::RawReader;
/// Where the embedded engine's bytes lie; what a [`Medium`] opens.
pub use redb::StorageBackend;
pub use snapshot::{Snapshot, StoredChange};
pub use store::{Migration, Reader, Store, StoreForm, StoreOptions};
