//! Five sites as real processes, each in a network of its own, while everything goes wrong at once:
//! one is cut off, one line is deaf in one direction, one is far, one is narrow, one breaks again and
//! again, one site is killed and then stopped, one has a full disk. Afterwards all are equal, nothing
//! acknowledged is lost, and each fault was named while it lasted.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use clisonix_fhir::json::{self, Value};

use crate::ground::Ground;
use crate::line::Fault;
use crate::made::FIVE;
use crate::network::{Network, Place, settle, settle_within, wait_for, wait_longer};
use crate::site::{Ended, bundle, number};
use crate::tide::finding;

/// Whom all sites edit.
const PATIENTS: [&str; 3] = ["MRN-1", "MRN-2", "MRN-3"];
/// The disk of the pharmacy.
const DISK_MEGABYTES: usize = 16;
/// Between two edits at a site.
const PAUSE: Duration = Duration::from_millis(400);
/// Most edits of one kind at a site: the test does not last longer than they do.
const MAX_EDITS: usize = 250;
/// Edits at the site that is killed, before it is.
const EDITS_BEFORE: usize = 9;
/// A kill may fall between two edits; then there is another one.
const MAX_KILLS: usize = 5;
/// Edits that a full disk refuses before there is room again.
const REFUSED: usize = 3;
/// The longest until all are equal again: dialing has pauses of half a minute by then.
const HEALING: Duration = Duration::from_secs(75);

/// How the program says that a disk is full.
const NO_ROOM: &str = "no room left on the medium";
/// How it says that nothing comes from a peer any more, and that no link opens since.
const APART: [&str; 3] =
    ["nothing came for too long", "cannot connect", "the opening took too long"];

#[test]
fn five_sites_come_together_again_after_every_fault() {
    let network = Network::default();
    let Some(mut places) = five(&network) else { return };
    places.iter_mut().for_each(Place::serve);
    for patient in PATIENTS {
        places[0].import(&bundle("hospital", "low").replace("MRN-1", patient));
    }
    settle(&places.each_ref());

    disturb(&network, &places);
    let acknowledged = edit_all(&network, &mut places);
    settle_within(HEALING, &places.each_ref());
    places.iter().for_each(agrees_with_all);
    judge(&mut places, &acknowledged);
}

/// The five sites; `None` where this process may not make them, which is told.
fn five(network: &Network) -> Option<[Place; 5]> {
    let made = (0..5).map(Ground::new).collect::<Result<Vec<_>, _>>().and_then(|grounds| {
        let on = |(name, ground): (&&'static str, _)| Place::on(name, network, Some(ground));
        let places: Vec<Place> = FIVE.iter().zip(grounds).map(on).collect();
        let places = <[Place; 5]>::try_from(places).ok().expect("five places");
        places[4].ground().disk(&places[4].site.path("data"), DISK_MEGABYTES).map(|()| places)
    });
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let is_needed = std::env::var("CI").as_deref() == Ok("true") && is_root;
    let told = made.map_err(|missing| {
        assert!(!is_needed, "{missing}");
        // Past the capturing of what tests print.
        let _ = writeln!(io::stderr(), "SKIPPED: five sites with faults: {missing}");
    });
    told.ok()
}

/// What goes wrong with lines, all at once.
fn disturb(network: &Network, places: &[Place; 5]) {
    let fine = Fault::default();
    network.disturb("hospital", "clinic", Fault { is_deaf: true, ..fine });
    let far = Fault { delay: Duration::from_millis(150), ..fine };
    let narrow = Fault { bytes_per_s: Some(16 << 10), ..fine };
    let breaking = Fault { breaks_after: Some(48 << 10), ..fine };
    for (one, two, fault) in [
        ("clinic", "practice", far),
        ("hospital", "practice", narrow),
        ("hospital", "pharmacy", breaking),
    ] {
        network.disturb(one, two, fault);
        network.disturb(two, one, fault);
    }
    places[1].ground().cut(true);
}

/// Edits at all sites while one is killed and stopped and one has no room; mends everything at last.
/// Gives the words that were acknowledged.
fn edit_all(network: &Network, places: &mut [Place; 5]) -> Vec<String> {
    let [hospital, laboratory, clinic, practice, pharmacy] = places;
    let (hospital, laboratory, clinic) = (&*hospital, &*laboratory, &*clinic);
    let is_over = &AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = Over(is_over);
        let edit = |place| scope.spawn(move || edit(place, is_over));
        let editing = vec![edit(hospital), edit(laboratory), edit(clinic)];
        let mut acknowledged = edit_and_kill(practice);
        practice.signal("-STOP");
        acknowledged.extend(edit_with_a_full_disk(pharmacy));
        // A value that two of them write, too; from a file that no other import uses.
        let high = laboratory.import_as("high.json", &bundle("laboratory", "high"));
        assert_eq!(high.code, Some(0), "{}", high.err);
        // Each fault is named where it is noticed, while it lasts.
        for (place, peer) in [
            (clinic, "hospital"),
            (hospital, "laboratory"),
            (laboratory, "clinic"),
            (clinic, "practice"),
            (&*pharmacy, "practice"),
        ] {
            apart(place, peer);
        }
        assert!(number(&hospital.status("pharmacy"), "links") > 2, "the line broke often");
        assert_ne!(hospital.digest(), laboratory.digest(), "they were apart");

        practice.signal("-CONT");
        network.mend();
        laboratory.ground().cut(false);
        pharmacy.ground().empty(&pharmacy.site.path("data"));
        for (place, word) in [(practice, "continued"), (pharmacy, "room")] {
            acknowledged.push(edit_once(place, word));
        }
        is_over.store(true, Ordering::Relaxed);
        acknowledged.extend(editing.into_iter().flat_map(|it| it.join().expect("edits")));
        acknowledged
    })
}

/// Ends the editing, also when the test fails meanwhile.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Edits until it is over. Where the disk is not full every edit is taken, whatever the lines do.
fn edit(place: &Place, is_over: &AtomicBool) -> Vec<String> {
    let words = (0..MAX_EDITS).map(|number| format!("{}-{number}", place.name));
    let words = words.take_while(|_| !is_over.load(Ordering::Relaxed));
    words.map(|word| edit_once(place, &word)).collect()
}

fn edit_once(place: &Place, word: &str) -> String {
    let ended = place.try_import(&of_patient(word));
    assert_eq!(ended.code, Some(0), "{word}: {}", ended.err);
    thread::sleep(PAUSE);
    word.to_owned()
}

/// A finding of one of the patients, who follows from the word.
fn of_patient(word: &str) -> String {
    let patient = word.bytes().map(usize::from).sum::<usize>() % PATIENTS.len();
    finding(word).replace("MRN-1", PATIENTS[patient])
}

/// Kills a site in the middle of its edits, starts it again, and tries again what was not taken.
fn edit_and_kill(place: &mut Place) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for kill in 0..MAX_KILLS {
        let tried = edit_until_killed(place, kill);
        place.signal("-KILL");
        place.serve();
        let lost = "the serving process ended before the command did";
        let is_cut_short = tried.iter().any(|(_, ended)| ended.err.contains(lost));
        acknowledged.extend(tried.into_iter().map(|(word, ended)| match ended.code {
            Some(0) => word,
            _ => edit_once(place, &word),
        }));
        if is_cut_short {
            return acknowledged;
        }
    }
    panic!("never killed in the middle");
}

/// Three edit at once while the process is killed; gives what they were told.
fn edit_until_killed(place: &Place, kill: usize) -> Vec<(String, Ended)> {
    let (is_over, taken) = (&AtomicBool::new(false), &AtomicUsize::new(0));
    let write = move |writer: usize| {
        let words = (0..MAX_EDITS).map(|number| format!("killed-{kill}-{writer}-{number}"));
        let words = words.take_while(|_| !is_over.load(Ordering::Relaxed));
        let tried = words.map(|word| {
            let ended = place.import_as(&format!("{writer}.json"), &of_patient(&word));
            taken.fetch_add(usize::from(ended.code == Some(0)), Ordering::Relaxed);
            (word, ended)
        });
        tried.collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let _over = Over(is_over);
        let writing = [0, 1, 2].map(|writer| scope.spawn(move || write(writer)));
        wait_for("edits", || (taken.load(Ordering::Relaxed) >= EDITS_BEFORE).then_some(()));
        place.send("-KILL");
        // Who begins anew until then opens the store itself.
        is_over.store(true, Ordering::Relaxed);
        writing.into_iter().flat_map(|writer| writer.join().expect("edits")).collect()
    })
}

/// Fills the disk, edits until nothing more is taken, and kills and starts the site on the full disk.
fn edit_with_a_full_disk(place: &mut Place) -> Vec<String> {
    let mut acknowledged = vec![edit_once(place, "before")];
    acknowledged.extend(edit_until_full(place, "full"));
    place.signal("-KILL");
    place.serve();
    // What the store's file gave back when it was opened is taken, too.
    acknowledged.extend(edit_until_full(place, "fuller"));
    acknowledged
}

/// What is refused for want of room is told why, and in the status of peers, too.
fn edit_until_full(place: &Place, name: &str) -> Vec<String> {
    place.ground().fill(&place.site.path("data"));
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    // What lies free within the store's file is used up first.
    for word in (0..MAX_EDITS).map(|number| format!("{name}-{number}")) {
        let ended = place.try_import(&of_patient(&word));
        if ended.code == Some(0) {
            acknowledged.push(word);
            continue;
        }
        assert_eq!((ended.code, ended.err.contains(NO_ROOM)), (Some(1), true), "{}", ended.err);
        refused += 1;
        if refused == REFUSED {
            break;
        }
    }
    assert_eq!(refused, REFUSED, "edits on a full disk");
    named(place, "clinic", |status| error(status).contains(NO_ROOM));
    acknowledged
}

/// Waits until a site says that it has no link to a peer, and why.
fn apart(place: &Place, peer: &str) {
    named(place, peer, |status| {
        let is_linked = status.get("linked").and_then(Value::as_bool);
        is_linked == Some(false) && APART.iter().any(|words| error(status).contains(words))
    });
}

/// Waits for a site's status of a peer.
fn named(place: &Place, peer: &str, is_so: impl Fn(&Value) -> bool) {
    let what = format!("the {peer} as the {} sees it", place.name);
    wait_for(&what, || is_so(&place.status(peer)).then_some(()));
}

fn error(status: &Value) -> &str {
    status.get("last_error").and_then(Value::as_str).unwrap_or_default()
}

/// Waits until a site has signed receipts with all others.
fn agrees_with_all(place: &Place) {
    let is_signed = |peer: &Value| {
        peer.get("in_sync").and_then(Value::as_bool) == Some(true)
            && peer.get("peers_receipt_ms").is_some_and(|time| *time != Value::Null)
    };
    wait_longer(HEALING, &format!("receipts at the {}", place.name), || {
        let peers = place.objects(&["tide", "status"]);
        (peers.len() + 1 == FIVE.len() && peers.iter().all(is_signed)).then_some(())
    });
}

/// All show the same bytes, with everything that was acknowledged, and no process had a fault.
fn judge(places: &mut [Place; 5], acknowledged: &[String]) {
    let shown = places.each_ref().map(|place| {
        let records = PATIENTS.map(|patient| place.run(&["show", patient, "--json"]).out);
        (records, place.run(&["conflicts", "--json"]).out)
    });
    let [(records, conflicts), ..] = &shown;
    for (place, other) in places.iter().zip(&shown) {
        assert!(*other == shown[0], "the {} shows something else", place.name);
    }
    assert!(!conflicts.is_empty());
    let words: Vec<String> = records.iter().flat_map(|record| words(record)).collect();
    let found: BTreeSet<&str> = words.iter().map(String::as_str).collect();
    let expected: BTreeSet<&str> = acknowledged.iter().map(String::as_str).collect();
    // Nothing lost, nothing twice, and nothing that was refused.
    assert_eq!(found, expected);
    assert_eq!(found.len(), words.len());

    for place in places {
        let checked = place.objects(&["tide", "verify"]);
        assert_eq!(checked[0].get("sound").and_then(Value::as_bool), Some(true), "{}", place.name);
        assert_eq!(place.run(&["verify"]).code, Some(0), "{}", place.name);
        assert_eq!(place.ended(), None, "the {} still serves", place.name);
        let said = place.said();
        assert!(!said.iter().any(|line| line.contains("panicked")), "{said:?}");
        place.signal("-TERM");
    }
}

/// The findings of a record.
fn words(record: &str) -> Vec<String> {
    let record = json::parse(record.as_bytes()).expect("JSON");
    let entries = record.get("entry").and_then(Value::as_array).expect("entries");
    let word = |entry: &Value| entry.get("resource")?.get("valueString")?.as_str().map(Into::into);
    entries.iter().filter_map(word).collect()
}
