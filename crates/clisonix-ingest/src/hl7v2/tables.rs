//! Which HL7 table a field's codes come from, and URIs for names that only a sender knows.

use std::fmt::Write;

/// The URI of the code system of a field's codes, for coded values that name none.
pub(super) fn system_of_field(segment: &str, field: u16) -> Option<String> {
    let wanted = (segment, field);
    let at = TABLE_OF_FIELD.binary_search_by(|(name, number, _)| (*name, *number).cmp(&wanted));
    let (.., table) = TABLE_OF_FIELD.get(at.ok()?)?;
    Some(match table {
        // FHIR R4 binds interpretations to the v3 system, whose codes table 0078 took over.
        78 => "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation".to_owned(),
        table => format!("http://terminology.hl7.org/CodeSystem/v2-{table:04}"),
    })
}

/// A name as part of a URN: lower case is kept, what RFC 8141 does not allow is percent-encoded.
/// `None` for a blank name.
pub(super) fn uri_part(name: &str) -> Option<String> {
    let name = name.trim();
    let mut part = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            part.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(part, "%{byte:02X}");
        }
    }
    (!part.is_empty()).then_some(part)
}

/// Segment, field, number of the HL7-defined or suggested table (HL7 v2.9 appendix A), sorted.
#[rustfmt::skip]
const TABLE_OF_FIELD: &[(&str, u16, u16)] = &[
    ("AL1", 2, 127), ("AL1", 4, 128), ("DG1", 6, 52),
    ("NK1", 3, 63), ("NK1", 7, 131), ("NK1", 14, 2), ("NK1", 15, 1),
    ("OBR", 24, 74), ("OBX", 8, 78),
    ("PD1", 3, 204), ("PID", 6, 200), ("PID", 10, 5), ("PID", 15, 296), ("PID", 16, 2),
    ("PID", 17, 6), ("PID", 22, 189),
    ("PV1", 2, 4), ("PV1", 4, 7), ("PV1", 10, 69), ("PV1", 13, 92), ("PV1", 14, 23),
    ("PV1", 15, 9), ("PV1", 16, 99), ("PV1", 18, 18), ("PV1", 36, 112), ("PV1", 38, 114),
    ("PV2", 25, 217), ("PV2", 38, 430),
    ("RXA", 18, 322), ("RXE", 2, 292), ("RXR", 1, 162), ("RXR", 2, 163),
    ("SPM", 4, 487), ("SPM", 7, 488), ("SPM", 24, 493),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE_OF_FIELD.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)));
        let uri = system_of_field("PV1", 14);
        assert_eq!(uri.as_deref(), Some("http://terminology.hl7.org/CodeSystem/v2-0023"));
        assert_eq!(system_of_field("ZZZ", 1), None);
    }

    #[test]
    fn names_become_parts_of_a_uri() {
        assert_eq!(uri_part(" St. Mary's ").as_deref(), Some("St.%20Mary%27s"));
        assert_eq!(uri_part("  "), None);
    }
}
