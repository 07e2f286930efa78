//! Five sites as real processes, each in a network of its own, while everything goes wrong at once:
//! one is cut off, a line is half open, one is killed and then stopped, one has a full disk, and the
//! other lines are slow. Afterwards all are equal, nothing acknowledged is lost, and each fault was
//! named while it lasted.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use clisonix_fhir::json::Value;

use crate::ground::Ground;
use crate::network::{FIVE, Fault, Network, Place, settle, wait_for};
use crate::site::bundle;
use crate::tide::finding;

/// The disk of the pharmacy.
const DISK_MEGABYTES: usize = 24;
/// How long sites are edited while the faults last.
const EDITING: Duration = Duration::from_secs(8);

/// The five sites; without namespaces on loopback, and then nobody's disk can be full.
fn five(network: &Network) -> Vec<Place> {
    let mut grounds: Vec<Option<Ground>> = (0..FIVE.len() as u8).map(Ground::new).collect();
    if grounds.iter().any(Option::is_none) {
        println!("SKIPPED: no network namespaces and no full disk: this process may not make them");
        grounds = FIVE.iter().map(|_| None).collect();
    }
    let place = |(name, ground): (&&'static str, _)| Place::among(FIVE, name, network, ground);
    FIVE.iter().zip(grounds).map(place).collect()
}

/// Cuts a site off without a word, where it has a line of its own.
fn cut(network: &Network, place: &Place, is_cut: bool) {
    match &place.ground {
        Some(ground) => ground.cut(is_cut),
        None => network.cut(place.name, is_cut),
    }
}

/// Takes findings in until the time is over or one is refused; gives those that were acknowledged.
fn edit(place: &Place, acknowledged: &mut Vec<String>) {
    let begun = Instant::now();
    for number in 0.. {
        if begun.elapsed() >= EDITING {
            break;
        }
        let word = format!("{}-{number}", place.name);
        if place.try_import(&finding(&word)).code != Some(0) {
            break;
        }
        acknowledged.push(word);
        thread::sleep(Duration::from_millis(200));
    }
}

/// Waits until a site's status says this of a peer.
fn named(place: &Place, peer: &str, words: &[&str]) {
    let mut last = Value::Null;
    wait_for(&format!("{words:?} of the {peer} at the {}", place.name), || {
        last = place.status(peer);
        let error = last.get("last_error").and_then(Value::as_str).unwrap_or_default();
        words.iter().any(|words| error.contains(words)).then_some(())
    });
}

#[test]
fn five_sites_come_together_again_after_every_fault() {
    let network = Network::default();
    let mut places = five(&network);
    let has_disk = places[4].ground.as_ref().is_some_and(|ground| {
        let folder = places[4].site.path("data");
        fs::create_dir_all(&folder).expect("a folder");
        ground.disk(&folder, DISK_MEGABYTES)
    });
    places.iter_mut().for_each(Place::serve);
    places[0].import(&bundle("hospital", "low"));
    settle(&places.iter().collect::<Vec<_>>());

    // Everything at once.
    cut(&network, &places[1], true);
    let deaf = Fault { is_deaf: true, ..Fault::default() };
    network.disturb("hospital", "clinic", deaf);
    let far = Fault { delay: Duration::from_millis(150), ..Fault::default() };
    network.disturb("clinic", "practice", far);
    let slow = Fault { bytes_per_s: Some(16 << 10), ..Fault::default() };
    network.disturb("hospital", "practice", slow);
    if has_disk && let Some(ground) = &places[4].ground {
        ground.fill(&places[4].site.path("data"), true);
    }
    let mut acknowledged = edited(&places[..3]);
    let last = places.split_off(3);
    let [mut practice, pharmacy] = <[Place; 2]>::try_from(last).ok().expect("two places");

    // Killed in the middle of its edits, started again, then stopped.
    acknowledged.extend(killed(&mut practice));
    practice.serve();
    practice.signal("-STOP");

    // A full disk takes nothing more in, sooner or later, and says so.
    if has_disk {
        let mut taken = Vec::new();
        edit(&pharmacy, &mut taken);
        acknowledged.extend(taken);
        named(&pharmacy, "hospital", &["the node"]);
    }
    let silent = ["nothing came for too long", "the connection failed", "cannot connect"];
    named(&places[0], "clinic", &silent);
    named(&places[0], "laboratory", &silent);
    named(&places[2], "practice", &silent);

    // All is mended.
    practice.signal("-CONT");
    for other in ["clinic", "practice"] {
        network.disturb("hospital", other, Fault::default());
    }
    network.disturb("clinic", "practice", Fault::default());
    cut(&network, &places[1], false);
    if has_disk && let Some(ground) = &pharmacy.ground {
        ground.fill(&pharmacy.site.path("data"), false);
    }
    places.extend([practice, pharmacy]);
    settle(&places.iter().collect::<Vec<_>>());
    for place in &places {
        let shown = place.shown();
        let lost: Vec<&String> =
            acknowledged.iter().filter(|word| !shown.contains(&format!("\"{word}\""))).collect();
        assert!(lost.is_empty(), "lost at the {}: {lost:?}", place.name);
        let checked = place.objects(&["tide", "verify"]);
        assert_eq!(checked[0].get("sound").and_then(Value::as_bool), Some(true), "{}", place.name);
    }
}

/// Edits at several sites at once.
fn edited(places: &[Place]) -> Vec<String> {
    thread::scope(|scope| {
        let edit = |place| {
            let mut acknowledged = Vec::new();
            edit(place, &mut acknowledged);
            acknowledged
        };
        let editing: Vec<_> = places.iter().map(|place| scope.spawn(move || edit(place))).collect();
        editing.into_iter().flat_map(|editing| editing.join().expect("edits")).collect()
    })
}

/// Kills a site while it is edited.
fn killed(place: &mut Place) -> Vec<String> {
    let mut kill = place.kill();
    let acknowledged = thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(EDITING / 4);
            assert!(kill.status().expect("kill").success());
        });
        let mut acknowledged = Vec::new();
        edit(place, &mut acknowledged);
        acknowledged
    });
    place.ended();
    acknowledged
}
