//! Orders to erase between real processes, a damaged log that comes back from a peer, and commands
//! that need own keys while a directory is served.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use clisonix_fhir::json::Value;
use clisonix_node::{Node, Outside};

use crate::network::{Network, Place, settle, wait_for};
use crate::site::{Ended, bundle, number, text};

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_else(|| panic!("no list {name}"))
}

/// A person decides anew what a peer may hold.
fn admit(place: &Place, peer: &Place, terms: &[&str]) {
    let file = place.site.path(&format!("{}.again", peer.name));
    let out = file.to_string_lossy().into_owned();
    let address = format!("{}.test:1", peer.name);
    let identifier = format!("urn:test:organization|{}", peer.name);
    let invite = ["peers", "invite", "--address", &address, "--identifier", &identifier];
    let invited = peer.run(&[&invite[..], &["--out", &out]].concat());
    let digits = invited.err.split(": ").nth(1).expect("a fingerprint").trim().to_owned();
    let add = ["peers", "add", &out, "--fingerprint", &digits];
    let added = place.run(&[&add[..], terms].concat());
    assert_eq!(added.code, Some(0), "{}", added.err);
}

#[test]
fn an_erasure_is_ordered_at_every_site_that_held_the_record_and_answered() {
    let network = Network::default();
    let mut places = ["hospital", "laboratory", "clinic"].map(|name| Place::new(name, &network));
    // Who gave a copy to whom is what the order follows: it must be the hospital to both.
    let [hospital, laboratory, clinic] = &mut places;
    hospital.serve();
    clinic.serve();
    hospital.import(&bundle("hospital", "low"));
    settle(&[hospital, clinic]);
    // The clinic may hold nothing any more, and neither gets nor gives; the laboratory asks first.
    admit(hospital, clinic, &["--basis", "nothing"]);
    admit(laboratory, clinic, &["--basis", "nothing"]);
    admit(laboratory, hospital, &["--basis", "all", "--shared", "--orders", "ask"]);
    laboratory.serve();
    let [hospital, laboratory, clinic] = &places;
    hospital.import(&bundle("hospital-later", "high"));
    wait_for("a later change", || laboratory.shown().contains("high").then_some(()));
    assert!(clinic.shown().contains("Testa") && !clinic.shown().contains("high"));

    let erased = hospital.objects(&["erase", "MRN-1", "--reason", "test"]);
    assert_eq!(number(&erased[0], "ordered_nodes"), 2);
    wait_for("the clinic's erasure", || (!clinic.shown().contains("Testa")).then_some(()));
    let asking = wait_for("the order at the laboratory", || {
        let orders = laboratory.objects(&["erasure", "list"]);
        orders.into_iter().find(|order| text(order, "state") == "asking")
    });
    let answers = |count: usize| {
        wait_for("receipts", || {
            let order = hospital.objects(&["erasure", "list"]).remove(0);
            (list(&order, "receipts").len() == count).then_some(order)
        })
    };
    let order = answers(1);
    assert_eq!(list(&order, "unanswered").len(), 1);
    assert_eq!(text(&list(&order, "receipts")[0], "done"), "destroyed");
    assert_eq!(number(&hospital.status("laboratory"), "orders_unanswered"), 1);
    assert_eq!(number(&hospital.status("clinic"), "orders_unanswered"), 0);

    let id = text(&asking, "order").get(..12).unwrap();
    let accepted = laboratory.run(&["erasure", "accept", id]);
    assert_eq!(accepted.code, Some(0), "{}", accepted.err);
    let order = answers(2);
    assert_eq!(list(&order, "unanswered").len(), 0);
    assert_eq!(laboratory.run(&["erasure", "refuse", id]).code, Some(4));
    for place in [hospital, laboratory, clinic] {
        assert!(!place.shown().contains("Testa"), "{}", place.name);
        let verified = place.run(&["verify"]);
        assert_eq!(verified.code, Some(0), "{}: {}{}", place.name, verified.out, verified.err);
    }
}

#[test]
fn own_keys_are_used_while_a_directory_is_served() {
    let network = Network::default();
    let mut hospital = Place::new("hospital", &network);
    let mut laboratory = Place::new("laboratory", &network);
    hospital.serve();
    laboratory.serve();
    hospital.import(&bundle("hospital", "low"));
    settle(&[&hospital, &laboratory]);
    let site = &hospital.site;
    let path = |name: &str| site.path(name).to_string_lossy().into_owned();
    let public = |place: &Place| {
        let exported = place.run(&["keys", "export", place.name]);
        assert_eq!(exported.code, Some(0), "{}", exported.err);
        site.file(&format!("{}.pub", place.name), exported.out)
    };
    let (own, other) = (public(&hospital), public(&laboratory));
    let terms = ["--to", &other, "--as", "hospital", "--until", "none", "--basis", "test"];
    let purpose = ["--purpose", "test"];

    let share = path("records.share");
    let seal = [&["seal", "--record", "MRN-1", "--out", &share], &terms[..], &purpose].concat();
    // The pass-phrase is that of who asks, and a wrong one opens nothing.
    let wrong = site.file("wrong", "not the four words\n");
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = site.command();
    command.env("CLISONIX_KEYS", site.path("keys")).env("CLISONIX_PASSPHRASE_FILE", &wrong);
    let refused = Ended::of(&command.args(&seal).output().unwrap());
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert!(!site.path("records.share").exists());
    let sealed = hospital.run(&seal);
    assert_eq!(sealed.code, Some(0), "{}", sealed.err);
    let opened = ["open", &share, "--from", &own, "--as", "laboratory", "--out", "-"];
    let opened = laboratory.run(&opened);
    assert!(opened.out.contains("Testa"), "{}", opened.err);

    let share = path("research.share");
    let research = ["share", "research", "--project", "study", "--deidentify", "safe-harbor"];
    let chosen = ["--having", "Patient", "--out", &share];
    let sealed = hospital.run(&[&research[..], &chosen, &terms, &purpose].concat());
    assert_eq!(sealed.code, Some(0), "{}", sealed.err);
    assert!(site.path("keys/study.project").exists(), "the project's key is beside the own keys");

    let (order, receipt) = (path("order"), path("receipt"));
    let erase = ["erase", "MRN-1", "--reason", "test", "--order", &order, "--as", "hospital"];
    let erased = hospital.objects(&erase);
    assert_eq!(number(&erased[0], "ordered_nodes"), 1);
    wait_for("the erasure", || (!laboratory.shown().contains("Testa")).then_some(()));
    let carry_out = ["erasure", "carry-out", &order, "--from", &own, "--as", "laboratory"];
    let carried = laboratory.objects(&[&carry_out[..], &["--receipt", &receipt]].concat());
    assert_eq!(text(&carried[0], "done"), "destroyed");

    // Without a serving process what is kept is shown.
    wait_for("a receipt", || {
        let status = hospital.status("laboratory");
        status.get("peers_receipt_ms").filter(|time| **time != Value::Null).map(drop)
    });
    hospital.signal("-TERM");
    let kept = hospital.status("laboratory");
    assert_eq!(kept.get("serving").and_then(Value::as_bool), Some(false));
    assert!(number(&kept, "peers_receipt_ms") > 0 && number(&kept, "receipt_ms") > 0);
    assert!(hospital.run(&["tide", "status"]).out.contains("not serving"));
}

/// An outside in which nothing changes.
struct Still;

impl Outside for Still {
    fn now_ms(&mut self) -> u64 {
        1_700_000_000_000
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// The value of the last row of changes in a backup that is not sealed (`docs/formats/store.md`).
fn last_change(backup: &[u8]) -> Vec<u8> {
    let (mut rest, mut found) = (&backup[8 + 4 + 16..], Vec::new());
    while rest[0] != 0xff {
        let key = usize::from(u16::from_be_bytes([rest[1], rest[2]]));
        let value = u32::from_be_bytes(*rest[3..].first_chunk().unwrap()) as usize;
        if rest[0] == 2 {
            found = rest[7 + key..7 + key + value].to_vec();
        }
        rest = &rest[7 + key + value..];
    }
    found
}

#[test]
fn a_log_that_is_damaged_on_disk_comes_back_from_a_peer() {
    let network = Network::default();
    let mut hospital = Place::new("hospital", &network);
    let mut laboratory = Place::new("laboratory", &network);
    // Of an encrypted store a whole page would be refused.
    drop(Node::open(&laboratory.site.path("data"), Box::new(Still)).expect("a plain store"));
    hospital.serve();
    laboratory.serve();
    hospital.import(&bundle("hospital", "low"));
    settle(&[&hospital, &laboratory]);
    laboratory.signal("-TERM");
    let copy = laboratory.site.path("copy");
    assert_eq!(laboratory.run(&["backup", &copy.to_string_lossy()]).code, Some(0));
    let row = last_change(&fs::read(copy).unwrap());
    let store = laboratory.site.path("data/store.redb");
    let mut file = fs::read(&store).unwrap();
    let starts = |at: &usize| file[*at] == row[0] && file[*at..].starts_with(&row);
    let places: Vec<usize> = (0..=file.len() - row.len()).filter(starts).collect();
    assert!(!places.is_empty());
    for at in places {
        file[at + row.len() / 2] ^= 0x10;
    }
    fs::write(&store, file).unwrap();

    let scrubbed = laboratory.run(&["tide", "scrub", "--json"]);
    assert_eq!(scrubbed.code, Some(6), "{}", scrubbed.err);
    let scrubbed = clisonix_fhir::json::parse(scrubbed.out.trim().as_bytes()).unwrap();
    assert_eq!((number(&scrubbed, "damaged"), number(&scrubbed, "put_aside")), (1, 1));
    let damaged = |place: &Place| {
        let status = place.objects(&["tide", "status"]);
        status.into_iter().find(|object| object.get("damaged").is_some())
    };
    assert!(number(&damaged(&laboratory).expect("it is shown"), "missing") > 0);
    laboratory.serve();
    settle(&[&hospital, &laboratory]);
    wait_for("the repair", || damaged(&laboratory).is_none().then_some(()));
    assert!(laboratory.shown().contains("Testa"));
    for arguments in [&["verify"][..], &["tide", "scrub"]] {
        assert_eq!(laboratory.run(arguments).code, Some(0));
    }
}
