//! FHIR R4 vocabulary: one static element table, JSON, paths and validation.
//!
//! The crate knows the standard and nothing of merging, storage or networks:
//!
//! * [`json`] reads and writes JSON and keeps every number's own text;
//! * [`schema`] is the element table, [`search`] the search parameters;
//! * [`validate`] checks a resource, [`reference`] finds what it refers to;
//! * [`fhirpath`] evaluates expressions about resources, [`patch`] applies patches to them;
//! * [`issue`] is how a problem in input is told, after FHIR's `OperationOutcome`.

pub mod fhirpath;
pub mod issue;
pub mod json;
pub mod patch;
pub mod reference;
pub mod schema;
pub mod search;
pub mod validate;
