//! `docs/policy.md` says what the policy table says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use clisonix_crdt::{ConflictSeverity, Policy, PolicyRow, RowKind};

const BEGIN: &str =
    "<!-- rows: written by `CLISONIX_WRITE_DOCS=1 cargo test -p clisonix-crdt policy_page` -->\n";
const END: &str = "<!-- end of rows -->";

/// One table for each type, general rows first.
fn rendered() -> String {
    let mut types: BTreeMap<&str, Vec<&PolicyRow>> = BTreeMap::new();
    for row in Policy::r4().rows() {
        let first = row.path.split('.').next().unwrap();
        let is_general =
            first.starts_with(['*', '@']) || clisonix_fhir::schema::resource_named(first).is_none();
        types.entry(if is_general { "" } else { first }).or_default().push(row);
    }
    let mut page = String::new();
    for (ty, rows) in types {
        let title = if ty.is_empty() { "Every type" } else { ty };
        write!(
            page,
            "\n### {title}\n\n| kind | place | what | rule | reason |\n|---|---|---|---|---|\n"
        )
        .unwrap();
        for row in rows {
            let code = |text: &str| match text {
                "" => String::new(),
                text => format!("`{text}`"),
            };
            let (path, what) = (code(&row.path), code(&row.what));
            let kind = row.kind.as_str();
            writeln!(page, "| {kind} | {path} | {what} | {} | {} |", row.rule, row.reason).unwrap();
        }
    }
    page.push('\n');
    page
}

#[test]
fn policy_page_shows_every_row() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (rows, after) = rest.split_once(END).unwrap();
    let wanted = rendered();
    if std::env::var_os("CLISONIX_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
        return;
    }
    assert!(rows == wanted, "docs/policy.md has other rows than the table; the command is in it");
}

#[test]
fn policy_page_explains_every_word() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (page, _) = page.split_once(BEGIN).unwrap();
    for kind in RowKind::ALL {
        assert!(page.contains(&format!("\n* `{}`: ", kind.as_str())), "{}", kind.as_str());
    }
    for severity in ConflictSeverity::ALL {
        assert!(page.contains(&format!("\n  * `{}`: ", severity.as_str())), "{severity:?}");
    }
    for word in ["`*`", "`*.status`", "`@modifier`", "`@group`", "`@other`", "`(place)`"] {
        assert!(page.contains(word), "{word}");
    }
    // The site table that the page shows as an example is one.
    let example = page.split("```\n").find(|text| text.starts_with("severity |")).unwrap();
    assert!(Policy::with_site_table("example", example).is_ok());
}
