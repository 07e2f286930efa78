//! The crate against planted identifiers, HL7's examples and synthetic patients.
