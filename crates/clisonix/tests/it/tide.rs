//! Sites that exchange records, as real processes: apart, together, killed, stopped, cut off.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use clisonix_fhir::json::Value;

use crate::network::{Network, Place, settle, wait_for};
use crate::parties;
use crate::site::{bundle, number, text};

/// A finding of the test's patient, with a word to look for.
pub(crate) fn finding(word: &str) -> String {
    format!(
        r#"{{"resourceType":"Bundle","identifier":{{"system":"urn:test:finding","value":"{word}"}},
 "type":"collection","timestamp":"2024-05-03T08:00:00Z","entry":[
 {{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000001","resource":{{"resourceType":"Patient",
  "id":"pat-1","identifier":[{{"system":"urn:test:mrn","value":"MRN-1"}}]}}}},
 {{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000002","resource":{{"resourceType":"Observation",
  "identifier":[{{"system":"urn:test:finding","value":"{word}"}}],"status":"final",
  "code":{{"text":"finding"}},"valueString":"{word}",
  "subject":{{"reference":"urn:uuid:00000000-0000-4000-8000-000000000001"}}}}}}]}}"#
    )
}

/// Waits until a site shows a word.
fn seen(place: &Place, word: &str) {
    wait_for(word, || place.shown().contains(word).then_some(()));
}

#[test]
fn what_is_edited_apart_meets_also_after_a_kill() {
    let network = Network::default();
    let mut hospital = Place::new("hospital", &network);
    let mut laboratory = Place::new("laboratory", &network);
    hospital.serve();
    laboratory.serve();
    hospital.import(&bundle("hospital", "low"));
    settle(&[&hospital, &laboratory]);
    assert!(laboratory.shown().contains("Testa"));

    network.cut("laboratory", true);
    wait_for("the cut", || {
        let linked = hospital.status("laboratory").get("linked").and_then(Value::as_bool);
        (linked == Some(false)).then_some(())
    });
    hospital.import(&finding("at-the-hospital"));
    laboratory.import(&finding("at-the-laboratory"));
    laboratory.import(&bundle("laboratory", "high"));
    assert!(!laboratory.shown().contains("at-the-hospital"));
    network.cut("laboratory", false);
    settle(&[&hospital, &laboratory]);
    for place in [&hospital, &laboratory] {
        let shown = place.shown();
        for word in ["at-the-hospital", "at-the-laboratory", "high", "low"] {
            assert!(shown.contains(word), "{word} at the {}", place.name);
        }
    }

    // Killed in the middle of nothing in particular, and started again.
    laboratory.signal("-KILL");
    hospital.import(&finding("while-it-was-gone"));
    laboratory.serve();
    seen(&laboratory, "while-it-was-gone");
    settle(&[&hospital, &laboratory]);
    let status = wait_for("in sync", || {
        let status = hospital.status("laboratory");
        (status.get("in_sync").and_then(Value::as_bool) == Some(true)).then_some(status)
    });
    assert_eq!((number(&status, "lag_records"), number(&status, "lag_seconds")), (0, 0));
    assert!(number(&status, "records") >= 1 && number(&status, "bytes_out") > 0);
    for place in [&hospital, &laboratory] {
        let checked = place.objects(&["tide", "verify"]);
        assert_eq!(checked[0].get("sound").and_then(Value::as_bool), Some(true));
        assert!(number(&checked[0], "receipts") > 0);
        let scrubbed = place.objects(&["tide", "scrub"]);
        assert_eq!(number(&scrubbed[0], "damaged"), 0);
        assert!(number(&scrubbed[0], "changes") > 3);
    }
    hospital.signal("-TERM");
    // Without the process the commands open the store themselves.
    assert!(hospital.shown().contains("while-it-was-gone"));
}

#[test]
fn a_stopped_peer_holds_up_nobody() {
    let network = Network::default();
    let mut places = ["hospital", "laboratory", "clinic"].map(|name| Place::new(name, &network));
    places.iter_mut().for_each(Place::serve);
    places[0].import(&bundle("hospital", "low"));
    settle(&[&places[0], &places[1], &places[2]]);
    places[1].signal("-STOP");
    places[0].import(&finding("meanwhile"));
    seen(&places[2], "meanwhile");
    places[1].signal("-CONT");
    settle(&[&places[0], &places[1], &places[2]]);
}

#[test]
fn who_is_revoked_is_cut_and_a_wrong_key_is_shown() {
    let network = Network::default();
    let mut hospital = Place::new("hospital", &network);
    let mut clinic = Place::new("clinic", &network);
    hospital.serve();
    clinic.serve();
    hospital.import(&bundle("hospital", "low"));
    settle(&[&hospital, &clinic]);
    let revoked = hospital.run(&["peers", "revoke", "clinic", "--json"]);
    assert_eq!(revoked.code, Some(0), "{}", revoked.err);
    hospital.import(&finding("after-the-revocation"));
    wait_for("the refusal", || {
        let status = clinic.status("hospital");
        let error = status.get("last_error").and_then(Value::as_str).unwrap_or_default().to_owned();
        error.contains("refused with TLS alert").then_some(())
    });
    thread::sleep(Duration::from_millis(500));
    assert!(!clinic.shown().contains("after-the-revocation"));
    let listed = hospital.objects(&["peers", "list"]);
    let membership = |name: &str| {
        let peer = listed.iter().find(|peer| text(peer, "peer") == name);
        text(peer.expect("a peer"), "membership").to_owned()
    };
    assert_eq!((&*membership("clinic"), &*membership("laboratory")), ("revoked", "admitted"));
}

#[test]
fn what_a_revoked_peer_signs_later_is_put_aside() {
    let network = Network::default();
    let mut places = ["hospital", "laboratory", "clinic"].map(|name| Place::new(name, &network));
    places.iter_mut().for_each(Place::serve);
    let [hospital, laboratory, clinic] = &places;
    hospital.import(&bundle("hospital", "low"));
    clinic.import(&finding("signed-before"));
    settle(&[hospital, laboratory, clinic]);
    let revoked = hospital.run(&["peers", "revoke", "clinic", "--json"]);
    assert_eq!(revoked.code, Some(0), "{}", revoked.err);
    clinic.import(&finding("signed-later"));
    seen(laboratory, "signed-later");
    let quarantined = || hospital.objects(&["quarantine"]);
    wait_for("the quarantine", || (!quarantined().is_empty()).then_some(()));
    let shown = hospital.shown();
    assert!(shown.contains("signed-before") && !shown.contains("signed-later"));
}

#[test]
fn another_node_at_a_peers_address_is_refused_and_shown() {
    let network = Network::default();
    let mut hospital = Place::new("hospital", &network);
    let mut clinic = Place::new("clinic", &network);
    clinic.serve();
    network.lead_as("laboratory", "clinic");
    hospital.serve();
    wait_for("the refusal", || {
        let status = hospital.status("laboratory");
        let error = status.get("last_error").and_then(Value::as_str).unwrap_or_default().to_owned();
        error.contains("not the pinned one").then_some(())
    });
}

#[test]
fn commands_go_on_while_a_directory_is_served() {
    let network = Network::default();
    let mut hospital = Place::new("hospital", &network);
    hospital.serve();
    let socket = fs::metadata(hospital.site.path("data/serve.socket")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600, "the socket is for its owner only");
    // A relative path means the folder of who asks.
    hospital.site.file("inbox/one.json", bundle("hospital", "low"));
    let mut command = hospital.site.command();
    command.current_dir(hospital.site.path("inbox")).args(["import", "one.json"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(hospital.shown().contains("Testa"));
    // Who asked stands in the history, not who serves.
    let mut command = hospital.site.command();
    command.env("CLISONIX_AUTHOR", "dr-other").args(["erase", "MRN-1", "--reason", "a test"]);
    assert!(command.output().unwrap().status.success());
    assert!(hospital.run(&["history", "MRN-1"]).out.contains("dr-other"));
    assert!(!hospital.shown().contains("Testa"));
    let missing = hospital.run(&["show", "nobody"]);
    assert_eq!((missing.code, missing.out.as_str()), (Some(4), ""));
    assert!(missing.err.starts_with("clisonix: "));
    let backup = hospital.site.path("copy").to_string_lossy().into_owned();
    assert_eq!(hospital.run(&["backup", &backup]).code, Some(0));
    assert_eq!(hospital.run(&["verify"]).code, Some(0));
    // What needs the store for itself says so.
    assert_eq!(hospital.run(&["store", "rotate"]).code, Some(5));
    hospital.signal("-TERM");
    assert!(!hospital.site.path("data/serve.socket").exists());
    assert_eq!(hospital.run(&["store", "rotate"]).code, Some(0));
}

#[test]
fn a_bundle_goes_where_no_line_leads() {
    let network = Network::default();
    let hospital = Place::new("hospital", &network);
    let clinic = Place::new("clinic", &network);
    hospital.import(&bundle("hospital", "low"));
    hospital.import(&finding("by-hand"));
    let file = hospital.site.path("out.share").to_string_lossy().into_owned();
    let export = ["tide", "export", "--for", "clinic", "--out", &file];
    let exported = parties::objects(&hospital.site, &export);
    assert_eq!(number(&exported[0], "records"), 1);
    let sealed = fs::read(&file).unwrap();
    assert!(!sealed.windows(7).any(|part| part == b"by-hand"));
    for _ in 0..2 {
        let taken = clinic.objects(&["tide", "import", &file]);
        assert_eq!((number(&taken[0], "records"), number(&taken[0], "refused")), (1, 0));
    }
    assert_eq!(clinic.digest(), hospital.digest());
    assert!(clinic.shown().contains("by-hand"));
    // Not for this site, and not as it was written.
    let laboratory = Place::new("laboratory", &network);
    assert_eq!(laboratory.run(&["tide", "import", &file]).code, Some(7));
    let mut altered = sealed;
    let middle = altered.len() - 3000;
    altered[middle] ^= 1;
    let altered = clinic.site.file("altered.share", altered);
    assert_eq!(clinic.run(&["tide", "import", &altered]).code, Some(6));
}

#[test]
fn what_is_erased_at_one_site_is_erased_at_the_others() {
    let network = Network::default();
    let mut hospital = Place::new("hospital", &network);
    let mut laboratory = Place::new("laboratory", &network);
    hospital.serve();
    laboratory.serve();
    hospital.import(&bundle("hospital", "low"));
    laboratory.import(&finding("by-the-laboratory"));
    seen(&hospital, "by-the-laboratory");
    settle(&[&hospital, &laboratory]);
    let erased = hospital.run(&["erase", "MRN-1", "--reason", "a test"]);
    assert_eq!(erased.code, Some(0), "{}", erased.err);
    wait_for("the erasure", || {
        eprintln!("{}", laboratory.status("hospital").to_text());
        eprintln!("{}", hospital.status("laboratory").to_text());
        (!laboratory.shown().contains("by-the-laboratory")).then_some(())
    });
    settle(&[&hospital, &laboratory]);
}
