//! Names of code and identifier systems: object identifiers and HL7 v2 names to FHIR's URIs.
//!
//! Sources: FHIR R4 4.3 (external code systems), HL7 Terminology naming systems, HL7 v2 table
//! 0396. The pairs stand in `mapping/systems.tbl`.

use std::collections::HashMap;
use std::sync::LazyLock;

static TABLE: &str = include_str!("../mapping/systems.tbl");

/// The root under which HL7 registers the code systems of its v2 tables.
const V2_TABLES_ROOT: &str = "2.16.840.1.113883.12.";

struct Systems {
    by_oid: HashMap<&'static str, &'static str>,
    by_name: HashMap<&'static str, &'static str>,
}

static SYSTEMS: LazyLock<Systems> = LazyLock::new(|| {
    let mut systems = Systems { by_oid: HashMap::new(), by_name: HashMap::new() };
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split_whitespace();
        let (Some(uri), Some(oids), Some(names)) = (columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        systems.by_oid.extend(list(oids).map(|oid| (oid, uri)));
        systems.by_name.extend(list(names).map(|name| (name, uri)));
    }
    systems
});

fn list(column: &'static str) -> impl Iterator<Item = &'static str> {
    column.split(',').filter(|item| *item != "-")
}

/// The URI of a system given as an object identifier, a UUID, an HL7 v2 name or a URI.
///
/// An unknown object identifier becomes `urn:oid:…`; an unknown name gives `None`, so that the
/// caller can keep it aside and report it.
pub fn system_uri(name: &str) -> Option<String> {
    let name = name.trim();
    let oid = name.strip_prefix("urn:oid:").unwrap_or(name);
    if is_oid(oid) {
        return Some(uri_of_oid(oid));
    }
    if name.contains("://") || name.starts_with("urn:") {
        return Some(name.to_owned());
    }
    if is_uuid(name) {
        return Some(format!("urn:uuid:{}", name.to_ascii_lowercase()));
    }
    uri_of_v2_name(name)
}

/// The URI of an object identifier in dotted form; an unknown one becomes `urn:oid:…`.
pub fn uri_of_oid(oid: &str) -> String {
    if let Some(uri) = SYSTEMS.by_oid.get(oid) {
        return (*uri).to_owned();
    }
    let table = oid.strip_prefix(V2_TABLES_ROOT).and_then(v2_table_uri);
    table.unwrap_or_else(|| format!("urn:oid:{oid}"))
}

/// The URI of a coding system by its HL7 v2 name (table 0396), for example `LN` or `HL70078`.
pub fn uri_of_v2_name(name: &str) -> Option<String> {
    let name = name.trim().to_ascii_uppercase();
    if let Some(uri) = SYSTEMS.by_name.get(name.as_str()) {
        return Some((*uri).to_owned());
    }
    name.strip_prefix("HL7").and_then(|table| v2_table_uri(table.trim_start_matches('-')))
}

/// The URI of an HL7 v2 table's code system by the table's number.
fn v2_table_uri(number: &str) -> Option<String> {
    let number: u16 = number.parse().ok().filter(|number| *number < 10_000)?;
    Some(format!("http://terminology.hl7.org/CodeSystem/v2-{number:04}"))
}

/// Whether the text is an object identifier: two or more numbers divided by dots.
pub fn is_oid(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.contains('.')
        && matches!(text.as_bytes(), [b'0'..=b'2', b'.', ..])
        && text.split('.').all(number)
}

/// Whether the text is a UUID in its usual form (RFC 9562 section 4).
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests;
