//! The program killed in the middle of an import: nothing acknowledged is lost, the rest follows.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use clisonix_demo::export;
use clisonix_demo::population::Population;

use crate::site::{Site, number};

/// People in the generated population.
const PEOPLE: u32 = 12;

#[test]
fn an_import_that_was_killed_can_be_run_again() {
    let whole = Site::new();
    export::write(&Population::generate(PEOPLE, 5), &whole.path("files")).expect("files");
    let files = whole.path("files").to_string_lossy().into_owned();
    assert_eq!(number(&whole.object(0, ["import", &files]), "messages_rejected"), 0);

    for wait_ms in [8, 16, 24, 32, 48, 120, 300] {
        let site = Site::new();
        let mut child = site.command();
        let child = child.args(["import", &files]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = child.spawn().expect("the program runs");
        sleep(Duration::from_millis(wait_ms));
        // SIGKILL; an import that was faster than this is one more run of the second half.
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert_eq!(number(&site.object(0, ["import", &files]), "messages_rejected"), 0);
        assert_eq!(site.run(["verify"]).code, Some(0));
        for identifier in identifiers(Path::new(&files)) {
            let here = site.object(0, ["show", &identifier]);
            let there = whole.object(0, ["show", &identifier]);
            assert_eq!(entries(&here), entries(&there), "{identifier}");
        }
    }
}

/// Entries without their versions, which name changes and so differ from store to store.
fn entries(bundle: &clisonix_fhir::json::Value) -> Vec<clisonix_fhir::json::Value> {
    let entries = bundle.get("entry").and_then(|entries| entries.as_array()).expect("entries");
    let resources = entries.iter().filter_map(|entry| entry.get("resource")).cloned();
    let bare = resources.map(|mut resource| {
        if let Some(object) = resource.as_object_mut() {
            object.remove("meta");
        }
        resource
    });
    bare.collect()
}

/// The people's shared identifiers, read from the HL7 v2 files as sent (PID-3.1).
fn identifiers(files: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![files.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).expect("a directory").flatten().map(|it| it.path()));
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let segments = text.split('\r').filter(|segment| segment.starts_with("PID|"));
        found.extend(segments.filter_map(|segment| {
            let field = segment.split('|').nth(3)?;
            field.split(['^', '~']).next().map(str::to_owned)
        }));
    }
    found.sort();
    found.dedup();
    assert_eq!(found.len(), PEOPLE as usize);
    found
}
