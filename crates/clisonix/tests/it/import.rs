//! Taking in: each kind recognised, nothing twice, rejects kept and tried again.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use crate::site::{Site, bundle, number};

#[test]
fn a_file_taken_in_twice_changes_nothing() {
    let site = Site::new();
    let file = site.file("one.json", bundle("a", "low"));
    let first = site.object(0, ["import", &file]);
    assert_eq!(number(&first, "messages_applied"), 1);
    assert_eq!(number(&first, "resources"), 2);
    let before = site.object(0, ["show", "MRN-1"]);
    let second = site.object(0, ["import", &file]);
    assert_eq!(number(&second, "messages_applied"), 0);
    assert_eq!(number(&second, "messages_unchanged"), 1);
    assert_eq!(site.object(0, ["show", "MRN-1"]), before);
    assert_eq!(site.json(0, ["history", "MRN-1"]).len(), 1);
}

#[test]
fn the_summary_names_what_was_done() {
    let site = Site::new();
    let file = site.file("one.json", bundle("a", "low"));
    let ended = site.run(["import", &file]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for row in ["files", "messages applied", "resources per second", "source values kept"] {
        assert!(ended.out.contains(row), "{row} in {}", ended.out);
    }
}

#[test]
fn directories_are_taken_in_with_everything_below_but_hidden_files() {
    let site = Site::new();
    site.file("in/b/two.json", bundle("b", "low"));
    site.file("in/one.json", bundle("a", "low"));
    site.file("in/.hidden", "not for us");
    let directory = site.path("in").to_string_lossy().into_owned();
    let summary = site.object(0, ["import", &directory]);
    assert_eq!(number(&summary, "files"), 2);
    assert_eq!(site.json(0, ["history", "MRN-1"]).len(), 2);
}

#[test]
fn what_cannot_be_read_is_kept_and_the_rest_is_taken_in() {
    let site = Site::new();
    let cut = bundle("a", "low");
    let files = [
        site.file("0-unknown.bin", [0x7F, b'E', b'L', b'F', 1, 2, 3]),
        site.file("1-broken.json", cut.get(..cut.len() - 40).expect("text")),
        site.file("2-broken.xml", "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><title>"),
        site.file("3-cut.hl7", "MSH|^~\\&|"),
        site.file("4-utf16.json", [0xFF, 0xFE, b'{', 0]),
        site.file("5-empty.json", ""),
        site.file("6-good.json", bundle("b", "low")),
    ];
    let mut arguments = vec!["import"];
    arguments.extend(files.iter().map(String::as_str));
    let summary = site.object(3, &arguments);
    assert_eq!(number(&summary, "messages_rejected"), 6, "{}", summary.to_text());
    assert_eq!(number(&summary, "messages_applied"), 1);
    assert_eq!(number(&summary, "quarantine"), 6);
    let held = site.json(0, ["quarantine"]);
    assert_eq!(held.len(), 6);
    for message in &held {
        let issues = message.get("issues").and_then(|issues| issues.as_array()).expect("issues");
        assert!(!issues.is_empty(), "{}", message.to_text());
    }
    // Taken in once more: nothing is kept twice.
    let again = site.object(3, &arguments);
    assert_eq!(number(&again, "quarantine"), 6);
}

#[test]
fn the_quarantine_can_be_tried_again() {
    let site = Site::new();
    let file = site.file("broken.json", "{\"resourceType\":\"Bundle\",");
    assert_eq!(site.run(["import", &file]).code, Some(3));
    let retried = site.object(3, ["import", "--retry"]);
    assert_eq!(number(&retried, "messages_rejected"), 1);
    let held = site.object(0, ["quarantine"]);
    assert_eq!(number(&held, "attempts"), 2);
}

#[test]
fn issues_say_where_and_never_what() {
    let site = Site::new();
    let mut text = bundle("a", "low").replace("\"1970-02-03\"", "\"Secretvalue\"");
    text.truncate(text.len() - 3);
    let file = site.file("named.json", text);
    let ended = site.run(["import", &file]);
    assert!(ended.err.contains("named.json:"), "{}", ended.err);
    for secret in ["Secretvalue", "Testa", "MRN-1", "91936005"] {
        assert!(!ended.err.contains(secret) && !ended.out.contains(secret), "{}", ended.err);
    }
}

#[test]
fn a_file_over_the_limit_is_kept_listed_and_in_the_backup() {
    let site = Site::new();
    let file = site.file("large.json", vec![b' '; (60 << 20) + 1]);
    let small = site.file("small.json", bundle("a", "low"));
    for _ in 0..2 {
        let summary = site.object(3, ["import", &file, &small]);
        assert_eq!(number(&summary, "messages_rejected"), 1);
    }
    let held = site.object(0, ["quarantine"]);
    assert_eq!(number(&held, "size_bytes"), (60 << 20) + 1);
    assert_eq!(site.object(0, ["show", "MRN-1"]).resource_type(), Some("Bundle"));
    let retried = site.run(["import", "--retry"]);
    assert_eq!(retried.code, Some(3));
    for words in ["larger than 60 MiB", "split it"] {
        assert!(retried.err.contains(words), "{}", retried.err);
    }
    let backup = site.path("copy.backup").to_string_lossy().into_owned();
    assert_eq!(site.run(["backup", &backup]).code, Some(0));
    let other = site.path("other").to_string_lossy().into_owned();
    assert_eq!(site.run(["restore", &backup, "--data", &other]).code, Some(0));
    assert_eq!(site.object(0, ["quarantine", "--data", &other]).get("file"), held.get("file"));
}

/// Bytes of NDJSON that the large test makes; by default enough to be read in pieces, with
/// `CLISONIX_LARGE_MB=200` more than could be read at once.
fn ndjson_bytes() -> usize {
    let asked = std::env::var("CLISONIX_LARGE_MB").ok().and_then(|text| text.parse::<usize>().ok());
    asked.map_or(2 << 20, |megabytes| megabytes * 1_000_000)
}

#[test]
fn lines_of_any_number_are_taken_in_and_each_belongs_to_its_patient() {
    const PATIENTS: usize = 200;
    let site = Site::new();
    let path = site.path("many.ndjson");
    let mut out = BufWriter::new(File::create(&path).expect("a file"));
    let (mut written, mut lines) = (0, 0);
    // The patients come last.
    while written < ndjson_bytes() {
        let (patient, note) = (lines % PATIENTS, "made ".repeat(120));
        let line = format!(
            "{{\"resourceType\":\"Observation\",\"id\":\"o{lines}\",\"status\":\"final\",\"code\":{{\
             \"text\":\"number {lines}\"}},\"subject\":{{\"reference\":\"Patient/{patient}\"}},\
             \"note\":[{{\"text\":\"{note}\"}}]}}\n"
        );
        out.write_all(line.as_bytes()).expect("written");
        written += line.len();
        lines += 1;
    }
    for patient in 0..PATIENTS {
        writeln!(
            out,
            "{{\"resourceType\":\"Patient\",\"id\":\"{patient}\",\"identifier\":[{{\"system\":\
             \"urn:test:mrn\",\"value\":\"N-{patient}\"}}]}}"
        )
        .expect("written");
    }
    out.flush().expect("written");
    drop(out);
    let summary = site.object(0, ["import", &path.to_string_lossy()]);
    assert_eq!(number(&summary, "messages_applied"), i64::try_from(lines + PATIENTS).expect("few"));
    let shown = site.object(0, ["show", "N-7"]);
    let entries = shown.get("entry").and_then(|entries| entries.as_array()).expect("entries");
    assert_eq!(entries.len(), 1 + (lines - 7).div_ceil(PATIENTS));
}

#[test]
fn many_records_in_one_file_are_taken_in() {
    let site = Site::new();
    let lines = (0..5000).map(|number| {
        format!(
            "{{\"resourceType\":\"Patient\",\"id\":\"n{number}\",\"identifier\":[{{\"system\":\
             \"urn:test:mrn\",\"value\":\"N-{number}\"}}],\"gender\":\"unknown\"}}\n"
        )
    });
    let file = site.file("many.ndjson", lines.collect::<String>());
    let summary = site.object(0, ["import", &file]);
    assert_eq!(number(&summary, "resources"), 5000);
    assert_eq!(site.object(0, ["show", "N-4999"]).resource_type(), Some("Bundle"));
}
