//! The API boundary: submit, read, history, conflicts, resolve.
