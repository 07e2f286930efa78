//! The named limits of the store; crossing one is an error, never a cut.

/// Longest key of any table, bytes.
pub const MAX_KEY_BYTES: usize = 1024;
/// Longest record id, bytes of UTF-8.
pub const MAX_RECORD_ID_BYTES: usize = 255;
/// Longest value of any row, bytes.
pub const MAX_VALUE_BYTES: usize = 64 << 20;
/// Sum of the keys and values of one batch, bytes.
pub const MAX_BATCH_BYTES: usize = 256 << 20;
/// Rows in one batch.
pub const MAX_BATCH_ROWS: usize = 1 << 20;
/// Batches that one durable transaction takes at most.
pub const MAX_GROUP_BATCHES: usize = 1024;
/// A group takes no further batch once it holds this many bytes.
pub const MAX_GROUP_BYTES: usize = 64 << 20;
/// Batches that may wait; a further submitter is held back until there is room.
pub const MAX_WAITING_BATCHES: usize = 4096;
/// Bytes that may wait; a further submitter is held back until there is room.
pub const MAX_WAITING_BYTES: usize = 256 << 20;
/// Bytes that all quarantined messages may hold together, unless the options say otherwise.
pub const MAX_QUARANTINE_BYTES: u64 = 8 << 30;
/// Longest name of a feed or of a file, bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 1024;
/// Longest reason of a quarantined message, bytes of UTF-8.
pub const MAX_REASON_BYTES: usize = 1024;
/// Longest author of an access entry, bytes of UTF-8.
pub const MAX_AUTHOR_BYTES: usize = 256;
/// Longest purpose of an access entry, bytes of UTF-8.
pub const MAX_PURPOSE_BYTES: usize = 512;
/// Access entries in one batch.
pub const MAX_BATCH_ACCESSES: usize = 1 << 17;
/// Bytes of a large raw input in each of its part rows but the last. With what stands beside them
/// they fit into 1 MiB, because redb rounds a value's pages up to a power of two.
pub const RAW_PART_BYTES: usize = 1_000_000;
/// Longest raw input, bytes.
pub const MAX_INPUT_BYTES: u64 = 64 << 30;
