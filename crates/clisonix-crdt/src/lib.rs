//! The CRDT merge layer: records in which concurrent edits merge.
