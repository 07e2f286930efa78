//! Reading: records for people and machines, history, versions, the access log.

use clisonix_fhir::json::Value;

use crate::site::{Site, bundle, number, text};

fn filled() -> Site {
    let site = Site::new();
    let file = site.file("one.json", bundle("a", "low"));
    assert_eq!(site.run(["import", &file]).code, Some(0));
    site
}

#[test]
fn a_record_is_found_by_every_name_it_has() {
    let site = filled();
    let history = site.object(0, ["history", "MRN-1"]);
    let bundle = site.object(0, ["show", "MRN-1"]);
    let entries = bundle.get("entry").and_then(Value::as_array).expect("entries");
    let patient = entries.iter().filter_map(|entry| entry.get("resource"));
    let mut patient = patient.filter(|it| it.resource_type() == Some("Patient"));
    let id = text(patient.next().expect("a patient"), "id").to_owned();
    for name in [&*id, &format!("Patient/{id}"), "urn:test:mrn|MRN-1"] {
        assert_eq!(site.object(0, ["show", name]), bundle);
        assert_eq!(site.object(0, ["history", name]), history);
    }
    assert_eq!(site.run(["show", "urn:test:other|MRN-1"]).code, Some(4));
}

#[test]
fn people_see_one_line_an_entry_grouped_by_type() {
    let site = filled();
    let ended = site.run(["show", "MRN-1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for words in ["Patient (1)", "Ada Testa, 1970-02-03", "AllergyIntolerance (1)", "penicillin"] {
        assert!(ended.out.contains(words), "{words} in {}", ended.out);
    }
}

#[test]
fn an_earlier_version_can_be_shown() {
    let site = filled();
    let first = text(&site.object(0, ["history", "MRN-1"]), "change").to_owned();
    let before = site.object(0, ["show", "MRN-1"]);
    let file = site.file("two.json", bundle("b", "high"));
    assert_eq!(site.run(["import", &file]).code, Some(0));
    assert_ne!(site.object(0, ["show", "MRN-1"]), before);
    assert_eq!(site.object(0, ["show", "MRN-1", "--at", &first]), before);
    let unknown = "0".repeat(64);
    assert_eq!(site.run(["show", "MRN-1", "--at", &unknown]).code, Some(4));
    assert_eq!(site.run(["show", "MRN-1", "--at", "zz"]).code, Some(2));
}

#[test]
fn history_names_author_time_feed_and_entries() {
    let site = filled();
    let change = site.object(0, ["history", "MRN-1"]);
    assert!(text(&change, "author").starts_with("feed "));
    assert_eq!(text(&change, "change").len(), 64);
    assert!(change.get("source").is_some_and(|source| source.get("feed").is_some()));
    let entries = change.get("entries").and_then(Value::as_array).expect("entries");
    let allergy = entries.iter().filter_map(Value::as_str).find(|it| it.starts_with("Allergy"));
    let allergy = allergy.expect("the allergy");
    assert_eq!(site.json(0, ["history", "MRN-1", "--entry", allergy]).len(), 1);
}

#[test]
fn every_reading_is_in_the_access_log() {
    let site = filled();
    let before = number(&site.object(0, ["verify"]), "access_entries");
    site.object(0, ["show", "MRN-1"]);
    site.json(0, ["conflicts"]);
    assert_eq!(number(&site.object(0, ["verify"]), "access_entries"), before + 2);
}

#[test]
fn a_backup_restores_to_the_same_record() {
    let site = filled();
    let record = site.object(0, ["show", "MRN-1"]);
    let backup = site.path("copy.backup").to_string_lossy().into_owned();
    let made = site.object(0, ["backup", &backup]);
    assert_eq!(text(&made, "sha256").len(), 64);
    assert_ne!(site.run(["backup", &backup]).code, Some(0), "a backup is never overwritten");
    let other = site.path("other").to_string_lossy().into_owned();
    assert_eq!(site.run(["restore", &backup, "--data", &other]).code, Some(0));
    assert_eq!(site.object(0, ["show", "MRN-1", "--data", &other]), record);
    assert_eq!(site.run(["verify", "--data", &other]).code, Some(0));
    assert_eq!(site.run(["restore", &backup, "--data", &other]).code, Some(1));
}
