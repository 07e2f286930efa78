//! The change log, record states and indexes on disk.
