//! HL7 v2, C-CDA and FHIR into edits.
