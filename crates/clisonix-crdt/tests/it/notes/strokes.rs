//! Typing on where one typed: the short way against the way that every other change takes.
//!
//! Whoever asks for the log ends its runs, and the next change goes the long way. So a history in
//! which somebody looks before every act is what the same history must come to without looking.

use clisonix_crdt::{Base, EditError, Erasure, Link, Received, Record};
use proptest::prelude::*;

use crate::site::{Site, entry_id, reload_apart};

use super::{ID, edits, observation};

#[derive(Clone, Debug)]
enum Act {
    /// Types some times in one note, each time where the time before ended.
    Type {
        site: usize,
        note: u8,
        at: u16,
        strokes: Vec<(u8, String)>,
    },
    /// Edits another member.
    Put {
        site: usize,
        status: bool,
    },
    /// Takes in what the other site has: by a link, change by change, or in one batch.
    Pull {
        to: usize,
        way: u8,
    },
    /// Saves and loads.
    Reload {
        site: usize,
        apart: bool,
    },
    Undo {
        site: usize,
        back: u8,
    },
    /// Erases the first note, or all there is.
    Erase {
        site: usize,
        all: bool,
    },
    /// Reads what is shown, which asks for ids.
    Read {
        site: usize,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let site = 0..2_usize;
    let strokes = prop::collection::vec((0..3_u8, "[a-c \"\n😀]{0,3}"), 1..8);
    prop_oneof![
        12 => (site.clone(), 0..2_u8, any::<u16>(), strokes)
            .prop_map(|(site, note, at, strokes)| Act::Type { site, note, at, strokes }),
        2 => (site.clone(), any::<bool>()).prop_map(|(site, status)| Act::Put { site, status }),
        6 => (site.clone(), 0..3_u8).prop_map(|(to, way)| Act::Pull { to, way }),
        1 => (site.clone(), any::<bool>()).prop_map(|(site, apart)| Act::Reload { site, apart }),
        1 => (site.clone(), 0..6_u8).prop_map(|(site, back)| Act::Undo { site, back }),
        1 => (site.clone(), any::<bool>()).prop_map(|(site, all)| Act::Erase { site, all }),
        2 => site.prop_map(|site| Act::Read { site }),
    ]
}

fn pointer(note: u8) -> String {
    format!("/note/{note}/text")
}

fn run(sites: &mut [Site; 2], act: &Act, look: &dyn Fn(&Record)) {
    let id = entry_id(ID);
    match act {
        Act::Type { site, note, at, strokes } => {
            let site = &mut sites[*site];
            let pointer = pointer(*note);
            let Ok(length) = site.record.view().text_length(&id, &pointer) else { return };
            let mut at = (usize::from(*at) * (length + 1)) >> 16;
            let mut length = length;
            for (deleted, inserted) in strokes {
                let deleted = usize::from(*deleted).min(length - at);
                let edits = edits(&[(at, deleted, inserted)]);
                look(&site.record);
                site.with(None, |record, origin, actors| {
                    record.type_text(&id, &pointer, &edits, origin, actors)
                })
                .unwrap();
                at += inserted.chars().count();
                length = length - deleted + inserted.chars().count();
            }
        }
        Act::Put { site, status } => {
            let site = &mut sites[*site];
            if site.shown(ID).is_some() {
                let status = if *status { "\"final\"" } else { "\"amended\"" };
                site.set(ID, "status", Some(status));
            }
        }
        Act::Pull { to, way } => pull(sites, *to, *way, look),
        Act::Reload { site, apart } => {
            let record = &mut sites[*site].record;
            let before = record.state_bytes();
            *record =
                if *apart { reload_apart(record) } else { Record::load(&record.save()).unwrap() };
            assert_eq!(record.state_bytes(), before);
        }
        Act::Undo { site, back } => {
            let site = &mut sites[*site];
            let own = format!("clinician-{}", char::from(site.name()));
            let history = site.record.history(None);
            let mut own = history.iter().rev().filter(|c| *c.author == *own && c.erases.is_none());
            let Some(change) = own.nth(usize::from(*back)) else { return };
            site.with(None, |record, origin, actors| record.undo(&change.id, origin, actors))
                .unwrap();
        }
        Act::Erase { site, all } => {
            let what = if *all {
                Erasure::Entry(&id)
            } else {
                Erasure::Value { entry: &id, pointer: "/note/0" }
            };
            let _ = sites[*site].with(None, |record, origin, actors| {
                record.erase(&what, &Base::Current, "by mistake", origin, actors)
            });
        }
        Act::Read { site } => drop(sites[*site].record.view().bundle_text()),
    }
}

/// Takes in what the other site has.
fn pull(sites: &mut [Site; 2], to: usize, way: u8, look: &dyn Fn(&Record)) {
    let (left, right) = sites.split_at_mut(1);
    let (to, from) = if to == 0 { (&mut left[0], &right[0]) } else { (&mut right[0], &left[0]) };
    let mut is_refused = false;
    let mut taken = |received: Received| is_refused |= !received.refused.is_empty();
    match way {
        0 => {
            let (mut out, mut back) = (Link::new(), Link::new());
            let message = back.read(&out.write(&from.record, 0)).unwrap();
            taken(to.record.receive_message(message).unwrap());
        }
        1 => {
            for change in from.record.history(None) {
                look(&to.record);
                taken(to.record.receive(&from.record.change(&change.id).unwrap()).unwrap());
            }
        }
        _ => {
            let bytes = from.record.changes_since(&to.record.view().heads());
            taken(to.record.receive(&bytes).unwrap());
        }
    }
    // What overwrites something that was erased here is to come in whole form.
    if is_refused {
        let bytes = from.record.whole_changes_since(&[]);
        assert!(to.record.receive(&bytes).unwrap().refused.is_empty());
    }
    assert_eq!(to.record.waiting_count(), 0);
}

/// Plays a history; `look` sees the record before every change.
fn play(acts: &[Act], look: &dyn Fn(&Record)) -> [Site; 2] {
    let mut a = Site::new(b'a');
    a.put(&observation(&["Slept well.", "second"]));
    let b = a.fork(b'b');
    let mut sites = [a, b];
    for act in acts {
        for site in &sites {
            look(&site.record);
        }
        run(&mut sites, act, look);
    }
    sites
}

/// All that can be seen of a record.
fn face(record: &Record) -> (Vec<u8>, Vec<u8>, Vec<u8>, String) {
    let history = record.history(None);
    let changes: Vec<u8> =
        history.iter().flat_map(|change| record.change(&change.id).unwrap()).collect();
    let view = record.view();
    let told = format!(
        "{history:?} {:?} {:?} {}",
        view.conflicts(),
        view.blame(&entry_id(ID)),
        view.bundle_text()
    );
    (record.save(), [record.changes_since(&[]), changes].concat(), record.state_bytes(), told)
}

fn look(record: &Record) {
    let _ = record.history(None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::laws::cases(), ..ProptestConfig::default() })]

    #[test]
    fn nobody_can_tell_the_short_way_from_the_long_one(
        acts in prop::collection::vec(act(), 1..24),
    ) {
        let (short, long) = (play(&acts, &|_| ()), play(&acts, &look));
        for (short, long) in short.iter().zip(&long) {
            prop_assert!(face(&short.record) == face(&long.record));
            prop_assert!(short.record.is_sound());
            let versions = short.record.history(None);
            for change in versions.iter().step_by(3) {
                let [a, b] = [&short.record, &long.record].map(|record| {
                    let version = record.at(&[change.id]).unwrap();
                    record.view_of(&version).bundle_text()
                });
                prop_assert_eq!(a, b);
            }
        }
    }
}

#[test]
fn what_one_types_stands_in_a_run_until_somebody_asks() {
    let mut a = Site::new(b'a');
    a.put(&observation(&[""]));
    let id = entry_id(ID);
    let types = |site: &mut Site, at: usize| {
        let edits = edits(&[(at, 0, "x")]);
        site.with(None, |record, origin, actors| {
            record.type_text(&id, &pointer(0), &edits, origin, actors)
        })
        .unwrap();
    };
    (0..200).for_each(|at| types(&mut a, at));
    let mut b = Site::new(b'b');
    b.record = a.record.clone();
    look(&b.record);
    assert!(a.record.size_bytes() * 3 < b.record.size_bytes());
    let mut c = Site::new(b'c');
    c.record.receive(&a.record.clone().changes_since(&[])).unwrap();
    assert!(c.record.size_bytes() * 3 < b.record.size_bytes());
    // A run that was asked for ends; typing on begins the next.
    (200..400).for_each(|at| types(&mut b, at));
    let size = b.record.size_bytes();
    look(&b.record);
    assert!(size * 3 < b.record.size_bytes() * 2);
    assert_eq!(b.record.history(None).len(), 401);
}

#[test]
fn a_pointer_leads_elsewhere_once_two_notes_say_the_same() {
    let mut a = Site::new(b'a');
    a.put(&observation(&["ab", ""]));
    let id = entry_id(ID);
    let mut types = |at: usize, inserted: &str| {
        a.with(None, |record, origin, actors| {
            record.type_text(&id, &pointer(1), &edits(&[(at, 0, inserted)]), origin, actors)
        })
    };
    assert_eq!((types(0, "a"), types(1, "b")), (Ok(true), Ok(true)));
    assert_eq!(types(2, "c"), Err(EditError::Pointer));
    assert_eq!(a.record.view().text_length(&id, &pointer(0)), Ok(2));
}
