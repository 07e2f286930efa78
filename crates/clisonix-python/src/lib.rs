//! The native half of the Python package `clisonix`: records, edits and merges on text and bytes,
//! and sealed shares.
//!
//! What users import is Python (`python/clisonix`): it turns dicts into calls of this module and
//! JSON text into dicts. Wall clock and randomness are read here and handed to the merge layer.

mod changes;
mod clock;
mod document;
mod edit;
mod failure;
mod patch;
mod replica;
mod sharing;
mod text;
mod value;

/// `clisonix._native`.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use super::document::Document;
    #[pymodule_export]
    use super::sharing::{Keys, PublicKeys, Trust, open, seal, verify};
}
