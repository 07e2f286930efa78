//! The demo at a small size keeps every promise it is graded on.

use clisonix_fhir::json::Value;

use crate::site::{Site, number};

#[test]
fn a_small_demo_keeps_its_promises() {
    let site = Site::new();
    let report = site.object(0, ["demo", "--patients", "4", "--seed", "7"]);
    let figure = |name| number(&report, name);
    assert_eq!(figure("patients_found"), 4);
    assert!(figure("duplicates_received") > 0 && figure("edits_submitted") > 0);
    assert!(figure("duplicates_left") * 20 <= figure("duplicates_received"));
    for name in ["false_merges", "edits_lost", "invalid_resources", "facts_lost"] {
        assert_eq!(figure(name), 0, "{name}");
    }
    assert_eq!(report.get("replicas_equal").and_then(Value::as_bool), Some(true));
    assert!(!site.path("data").exists(), "the demo leaves the user's data alone");
}

#[test]
fn kept_files_can_be_imported_again() {
    let site = Site::new();
    let keep = site.path("kept").to_string_lossy().into_owned();
    let arguments = ["demo", "--patients", "2", "--seed", "3", "--keep", &*keep];
    let report = site.object(0, arguments);
    let files = site.path("kept/files").to_string_lossy().into_owned();
    let summary = site.object(0, ["import", &files]);
    assert_eq!(
        number(&summary, "messages_applied") + number(&summary, "messages_unchanged"),
        number(&report, "messages")
    );
    assert_eq!(site.run(arguments).code, Some(2), "a directory that is in use is refused");
}

#[test]
fn sites_that_are_cut_off_meet_again_and_forget_what_is_withdrawn_and_erased() {
    let site = Site::new();
    let report = site.object(0, ["demo", "--sites", "3"]);
    let figure = |name| number(&report, name);
    let is = |name| report.get(name).and_then(Value::as_bool) == Some(true);
    assert!(is("sites_equal") && is("receipts_valid") && figure("receipts") > 0);
    assert!(figure("edits_submitted") > 0);
    for name in ["edits_lost", "withdrawn_values_found", "erased_values_found"] {
        assert_eq!(figure(name), 0, "{name}");
    }
    // The searches find what is there.
    for name in ["edits_found_in_traffic", "withdrawn_shown_before", "erased_shown_before"] {
        assert!(figure(name) > 0, "{name}");
    }
    assert!(!site.path("data").exists());
}
