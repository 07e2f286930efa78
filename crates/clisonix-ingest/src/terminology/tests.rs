//! Names of systems: known, unknown, and things that are no system.

use super::{is_oid, is_uuid, system_uri};

#[test]
fn known_names_become_uris() {
    let pairs = [
        ("2.16.840.1.113883.6.1", "http://loinc.org"),
        ("urn:oid:2.16.840.1.113883.6.96", "http://snomed.info/sct"),
        ("LN", "http://loinc.org"),
        ("ln", "http://loinc.org"),
        ("2.16.840.1.113883.6.59", "http://hl7.org/fhir/sid/cvx"),
        ("2.16.840.1.113883.12.292", "http://hl7.org/fhir/sid/cvx"),
        ("2.16.840.1.113883.12.78", "http://terminology.hl7.org/CodeSystem/v2-0078"),
        ("HL70078", "http://terminology.hl7.org/CodeSystem/v2-0078"),
        ("HL7nnnn-is-no-table", ""),
        ("1.2.3.4", "urn:oid:1.2.3.4"),
        ("http://example.org/x", "http://example.org/x"),
        ("99LOCAL", ""),
    ];
    for (name, uri) in pairs {
        assert_eq!(system_uri(name).unwrap_or_default(), uri, "{name}");
    }
}

#[test]
fn shapes_are_told_apart() {
    assert!(is_oid("2.16.840"));
    assert!(!is_oid("2..16") && !is_oid("216") && !is_oid("3.1") && !is_oid("2.16."));
    assert!(is_uuid("db734647-fc99-424c-a864-7e3cda82e703"));
    assert!(!is_uuid("db734647-fc99-424c-a864-7e3cda82e70"));
}
