//! FHIR R4 vocabulary: one static element table, JSON, paths and validation.
