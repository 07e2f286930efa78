//! The lexical form of each primitive type, once fitting and once not.

use super::{broken_rules, resource};

/// `name` is a type's suffix in `valueX` of an extension.
fn check_forms(name: &str, good: &[&str], bad: &[&str]) {
    let rule_of = |value: &str| {
        let text = format!(
            r#"{{"resourceType":"Basic","code":{{"text":"x"}},
            "extension":[{{"url":"http://example.org/x","value{name}":{value}}}]}}"#
        );
        broken_rules(&resource(&text)).first().map(|rule| rule.key)
    };
    for value in good {
        assert_eq!(rule_of(value), None, "{name} {value}");
    }
    for value in bad {
        assert_eq!(rule_of(value), Some("form"), "{name} {value}");
    }
    let other = if good.iter().all(|value| value.starts_with('"')) { "1" } else { "\"1\"" };
    assert_eq!(rule_of(other), Some("kind"), "{name}");
}

#[test]
fn numbers_and_truth() {
    check_forms("Boolean", &["true", "false"], &[]);
    check_forms("Decimal", &["1", "-0.10", "1e5"], &[]);
    check_forms("Integer", &["0", "-2147483648", "2147483647"], &["1.0", "2147483648", "1e2"]);
    check_forms("UnsignedInt", &["0", "2147483647"], &["-1", "2147483648"]);
    check_forms("PositiveInt", &["1", "2147483647"], &["0", "-1"]);
}

#[test]
fn texts() {
    check_forms("String", &[r#""x""#, r#"" x ""#], &[r#""""#, r#"" ""#]);
    check_forms("Markdown", &[r#""*x*""#], &[r#""""#]);
    check_forms("Code", &[r#""a""#, r#""a b""#], &[r#""""#, r#"" a""#, r#""a  b""#, r#""a\tb""#]);
    check_forms("Id", &[r#""a-B.9""#], &[r#""""#, r#""a_b""#, r#""é""#]);
    check_forms(
        "Base64Binary",
        &[r#""AAAA""#, r#""AA==""#],
        &[r#""AAA""#, r#""A===""#, r#""*AAA""#],
    );
}

#[test]
fn addresses() {
    let uris = [r#""http://example.org/x""#, r#""urn:oid:1.2.3""#, r#""x""#];
    let no_uris = [r#""""#, r#""a b""#, r#""urn:oid:1..2""#, r#""urn:uuid:12""#];
    check_forms("Uri", &uris, &no_uris);
    check_forms("Url", &uris, &no_uris);
    check_forms("Canonical", &[r#""http://example.org/x|1""#], &no_uris);
    check_forms(
        "Oid",
        &[r#""urn:oid:2.16.840""#],
        &[r#""2.16""#, r#""urn:oid:3.1""#, r#""urn:oid:1.02""#],
    );
    check_forms(
        "Uuid",
        &[r#""urn:uuid:c757873d-ec9a-4326-a141-556f43239520""#],
        &[r#""c757873d-ec9a-4326-a141-556f43239520""#, r#""urn:uuid:c757873d""#],
    );
}

#[test]
fn dates_and_times() {
    check_forms(
        "Date",
        &[r#""2024""#, r#""2024-12""#, r#""2024-02-29""#],
        &[
            r#""24""#,
            r#""2024-13""#,
            r#""2023-02-29""#,
            r#""2024-1-1""#,
            r#""2024-01-01T00:00:00Z""#,
        ],
    );
    check_forms(
        "DateTime",
        &[r#""2024""#, r#""2024-01-01T23:59:60Z""#, r#""2024-01-01T10:00:00.5+14:00""#],
        &[
            r#""2024-01-01T10:00Z""#,
            r#""2024-01-01T10:00:00""#,
            r#""2024-01T10:00:00Z""#,
            r#""2024-01-01T24:00:00Z""#,
            r#""2024-01-01T10:00:00+15:00""#,
        ],
    );
    check_forms("Instant", &[r#""2024-01-01T10:00:00Z""#], &[r#""2024-01-01""#]);
    check_forms("Time", &[r#""10:00:00""#, r#""10:00:00.123""#], &[r#""10:00""#, r#""10:00:00Z""#]);
}
