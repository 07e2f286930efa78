//! The laws as properties: the state is a function of the set of changes, whatever the order.

use std::fmt::Write as _;

use clisonix_crdt::{Base, ChangeId, Record};
use clisonix_fhir::json::Value;
use proptest::prelude::*;

use crate::site::{Site, object, reload_apart};

/// One step of a random history over three sites.
#[derive(Clone, Debug)]
enum Act {
    Put {
        site: usize,
        entry: u8,
        gender: u8,
        names: Vec<u8>,
        phones: Vec<u8>,
        contacts: Vec<u8>,
    },
    PutOld {
        site: usize,
        entry: u8,
        back: u8,
        gender: u8,
    },
    Assert {
        site: usize,
        entry: u8,
        phones: Vec<u8>,
    },
    Remove {
        site: usize,
        entry: u8,
    },
    Feed {
        site: usize,
        feed: u8,
        message: u8,
        gender: u8,
        phones: Vec<u8>,
    },
    Resolve {
        site: usize,
        keep: bool,
    },
    Pull {
        to: usize,
        from: usize,
    },
    Reload {
        site: usize,
        apart: bool,
    },
    Type {
        site: usize,
        entry: u8,
        note: u8,
        at: u16,
        deleted: u8,
        inserted: String,
        back: Option<u8>,
    },
    Notes {
        site: usize,
        entry: u8,
        keep: u8,
        tail: String,
        back: Option<u8>,
    },
    Undo {
        site: usize,
        back: u8,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let site = 0..3_usize;
    let list = || proptest::collection::vec(0..4_u8, 0..4);
    prop_oneof![
        4 => (site.clone(), 0..3_u8, 0..3_u8, list(), list(), list()).prop_map(
            |(site, entry, gender, names, phones, contacts)| Act::Put { site, entry, gender, names, phones, contacts }),
        2 => (site.clone(), 0..3_u8, 0..6_u8, 0..3_u8)
            .prop_map(|(site, entry, back, gender)| Act::PutOld { site, entry, back, gender }),
        1 => (site.clone(), 0..3_u8, list()).prop_map(|(site, entry, phones)| Act::Assert { site, entry, phones }),
        2 => (site.clone(), 0..3_u8).prop_map(|(site, entry)| Act::Remove { site, entry }),
        3 => (site.clone(), 0..2_u8, 0..5_u8, 0..3_u8, list())
            .prop_map(|(site, feed, message, gender, phones)| Act::Feed { site, feed, message, gender, phones }),
        1 => (site.clone(), any::<bool>()).prop_map(|(site, keep)| Act::Resolve { site, keep }),
        1 => (site.clone(), any::<bool>()).prop_map(|(site, apart)| Act::Reload { site, apart }),
        5 => (site.clone(), 0..2_u8, 0..2_u8, any::<u16>(), 0..6_u8, "[a-c \"\n😀]{0,5}", proptest::option::weighted(0.2, 0..6_u8))
            .prop_map(|(site, entry, note, at, deleted, inserted, back)|
                Act::Type { site, entry, note, at, deleted, inserted, back }),
        3 => (site.clone(), 0..2_u8, 0..24_u8, "[xyz ]{1,6}", proptest::option::weighted(0.2, 0..6_u8))
            .prop_map(|(site, entry, keep, tail, back)| Act::Notes { site, entry, keep, tail, back }),
        1 => (site.clone(), 0..5_u8).prop_map(|(site, back)| Act::Undo { site, back }),
        3 => (site.clone(), site).prop_map(|(to, from)| Act::Pull { to, from }),
    ]
}

fn patient(entry: u8, gender: u8, names: &[u8], phones: &[u8], contacts: &[u8]) -> String {
    let gender = ["male", "female", "other"][usize::from(gender)];
    let join = |items: Vec<String>| items.join(",");
    let names = join(names.iter().map(|n| format!(r#"{{"family":"N{n}"}}"#)).collect());
    let phones =
        join(phones.iter().map(|n| format!(r#"{{"system":"phone","value":"{n}"}}"#)).collect());
    let contacts = join(
        contacts
            .iter()
            .map(|n| format!(r#"{{"gender":"{gender}","name":{{"family":"C{n}"}}}}"#))
            .collect(),
    );
    let mut text = format!(r#"{{"resourceType":"Patient","id":"p{entry}","gender":"{gender}""#);
    for (name, items) in [("name", names), ("telecom", phones), ("contact", contacts)] {
        if !items.is_empty() {
            let _ = write!(text, r#","{name}":[{items}]"#);
        }
    }
    text.push('}');
    text
}

fn run(sites: &mut [Site; 3], act: &Act) {
    match act {
        Act::Put { site, entry, gender, names, phones, contacts } => {
            sites[*site].put(&patient(*entry, *gender, names, phones, contacts));
        }
        Act::PutOld { site, entry, back, gender } => {
            let site = &mut sites[*site];
            let history = site.record.history(None);
            let Some(at) = history.len().checked_sub(1 + usize::from(*back)) else { return };
            let base = Base::Heads(vec![history[at].id]);
            site.put_at(&patient(*entry, *gender, &[], &[], &[]), &base).unwrap();
        }
        Act::Assert { site, entry, phones } => {
            sites[*site].put_at(&patient(*entry, 0, &[], phones, &[]), &Base::Assertion).unwrap();
        }
        Act::Remove { site, entry } => {
            let id = crate::site::entry_id(&format!("Patient/p{entry}"));
            let _ = sites[*site].with(None, |record, origin, actors| {
                record.remove(&id, &Base::Current, origin, actors)
            });
        }
        Act::Feed { site, feed, message, gender, phones } => {
            let source = clisonix_crdt::Source {
                feed: format!("feed-{feed}").into(),
                message: [*message; 16],
                event_time_ms: 1_600_000_000_000 + u64::from(*message % 3),
            };
            let text = patient(0, *gender, &[], phones, &[]);
            let object = object(&text);
            sites[*site]
                .with(Some(source), |record, origin, actors| {
                    record.state(&[(&object, clisonix_crdt::Coverage::Stated)], origin, actors)
                })
                .unwrap();
        }
        Act::Type { site, entry, note, at, deleted, inserted, back } => {
            type_in(&mut sites[*site], *entry, *note, (*at, *deleted, inserted), *back);
        }
        Act::Notes { site, entry, keep, tail, back } => {
            put_notes(&mut sites[*site], *entry, *keep, tail, *back);
        }
        Act::Undo { site, back } => {
            let site = &mut sites[*site];
            let own = format!("clinician-{}", char::from(site.name()));
            let history = site.record.history(None);
            let mut own = history.iter().rev().filter(|change| *change.author == *own);
            let Some(change) = own.nth(usize::from(*back)) else { return };
            site.with(None, |record, origin, actors| record.undo(&change.id, origin, actors))
                .unwrap();
        }
        Act::Resolve { site, keep } => {
            let site = &mut sites[*site];
            let Some(conflict) = site.conflicts().into_iter().next() else { return };
            let value = if *keep { conflict.sides[0].value.clone() } else { None };
            let value = if conflict.address.as_bytes().ends_with(&[0, 0]) {
                keep.then_some(Value::Bool(true))
            } else {
                value
            };
            site.with(None, |record, origin, actors| {
                record.resolve(&conflict.entry, &conflict.address, value.as_ref(), origin, actors)
            })
            .unwrap();
        }
        Act::Reload { site, apart } => {
            let record = &mut sites[*site].record;
            // What is known from reading is saved too.
            let before = (record.state_bytes(), record.view().bundle_text());
            *record =
                if *apart { reload_apart(record) } else { Record::load(&record.save()).unwrap() };
            assert_eq!((record.state_bytes(), record.view().bundle_text()), before);
        }
        Act::Pull { to, from } => {
            if to != from {
                let bytes = sites[*from].record.changes_since(&sites[*to].record.view().heads());
                let received = sites[*to].record.receive(&bytes).unwrap();
                assert!(received.refused.is_empty());
            }
        }
    }
}

fn base(site: &Site, back: Option<u8>) -> Base {
    let history = site.record.history(None);
    let at = back.and_then(|back| history.len().checked_sub(1 + usize::from(back)));
    at.map_or(Base::Current, |at| Base::Heads(vec![history[at].id]))
}

/// Types in a note where there is one.
fn type_in(
    site: &mut Site,
    entry: u8,
    note: u8,
    (at, deleted, inserted): (u16, u8, &str),
    back: Option<u8>,
) {
    let (id, pointer) =
        (crate::site::entry_id(&format!("Observation/o{entry}")), format!("/note/{note}/text"));
    let base = base(site, back);
    let text = match &base {
        Base::Heads(heads) => {
            let version = site.record.at(heads).unwrap();
            site.record.view_of(&version).text(&id, &pointer)
        }
        _ => site.record.view().text(&id, &pointer),
    };
    let Ok(text) = text else { return };
    let length = text.chars().count();
    let at = (usize::from(at) * (length + 1)) >> 16;
    let mut edits = clisonix_crdt::text::TextEdits::new();
    edits.delete(at, usize::from(deleted).min(length - at)).unwrap();
    edits.insert(at, inserted).unwrap();
    site.with(None, |record, origin, actors| {
        record.edit_text(&id, &pointer, &edits, &base, origin, actors)
    })
    .unwrap();
}

/// A plain client writes two notes: the first one is what it read, cut and with more words.
fn put_notes(site: &mut Site, entry: u8, keep: u8, tail: &str, back: Option<u8>) {
    let id = crate::site::entry_id(&format!("Observation/o{entry}"));
    let base = base(site, back);
    let read = match &base {
        Base::Heads(heads) => {
            let version = site.record.at(heads).unwrap();
            site.record.view_of(&version).text(&id, "/note/0/text")
        }
        _ => site.record.view().text(&id, "/note/0/text"),
    };
    let read = read.unwrap_or_else(|_| "seen at noon, all well".to_owned());
    let first: String = read.chars().take(usize::from(keep)).chain(tail.chars()).collect();
    let text = |text: &str| Value::from(text.to_owned()).to_text();
    let resource = format!(
        r#"{{"resourceType":"Observation","id":"o{entry}","status":"final","code":{{"text":"x"}},"note":[{{"text":{}}},{{"authorString":"ward","text":{}}}]}}"#,
        text(&first),
        text("a second note")
    );
    site.put_at(&resource, &base).unwrap();
}

pub(crate) fn cases() -> u32 {
    std::env::var("CLISONIX_LAW_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn any_order_with_any_duplicates_gives_the_same_bytes(
        acts in proptest::collection::vec(act(), 1..40),
        shuffle in any::<u64>(),
    ) {
        let mut sites = [Site::new(b'A'), Site::new(b'B'), Site::new(b'C')];
        for act in &acts {
            run(&mut sites, act);
        }
        let all: Vec<Vec<u8>> =
            sites.iter().map(|site| site.record.changes_since(&[])).collect();
        let mut singles: Vec<Vec<u8>> = Vec::new();
        for site in &sites {
            for change in site.record.history(None) {
                singles.push(site.record.change(&change.id).unwrap());
            }
        }
        for site in &mut sites {
            for bytes in &all {
                prop_assert!(site.record.receive(bytes).unwrap().refused.is_empty());
            }
        }
        let expected = sites[0].record.state_bytes();
        let shown = sites[0].record.view().bundle_text();
        for site in &sites {
            prop_assert_eq!(&site.record.state_bytes(), &expected);
            prop_assert_eq!(&site.record.view().bundle_text(), &shown);
            prop_assert_eq!(site.record.view().conflicts(), sites[0].record.view().conflicts());
        }
        // One change a message, in a random order, every third one twice.
        let mut order = shuffle;
        for index in (1..singles.len()).rev() {
            order = order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            singles.swap(index, (order >> 33) as usize % (index + 1));
        }
        let mut fresh = Record::new("patient-123");
        for (index, bytes) in singles.iter().enumerate() {
            fresh.receive(bytes).unwrap();
            if index % 3 == 0 {
                fresh.receive(bytes).unwrap();
            }
        }
        prop_assert_eq!(fresh.waiting_count(), 0);
        prop_assert_eq!(&fresh.state_bytes(), &expected);
        prop_assert_eq!(fresh.view().bundle_text(), shown);
        for site in &sites {
            let loaded = Record::load(&site.record.save()).unwrap();
            prop_assert_eq!(&loaded.state_bytes(), &expected);
            prop_assert_eq!(loaded.view().bundle_text(), fresh.view().bundle_text());
            prop_assert!(loaded.is_sound());
        }
        // The state at the present heads is the state.
        let heads: Vec<ChangeId> = fresh.view().heads();
        let version = fresh.at(&heads).unwrap();
        prop_assert_eq!(fresh.view_of(&version).bundle_text(), fresh.view().bundle_text());
    }

    #[test]
    fn one_writer_after_another_yields_the_last_document(
        steps in proptest::collection::vec(
            (0..3_u8, proptest::collection::vec(0..4_u8, 0..5), proptest::collection::vec(0..4_u8, 0..5),
             proptest::collection::vec(0..4_u8, 0..4)), 1..12),
    ) {
        let mut sites = [Site::new(b'A'), Site::new(b'B')];
        for (index, (gender, names, phones, contacts)) in steps.iter().enumerate() {
            let text = patient(0, *gender, names, phones, contacts);
            let (left, right) = sites.split_at_mut(1);
            let (writer, reader) = if index % 2 == 0 { (&mut left[0], &mut right[0]) } else { (&mut right[0], &mut left[0]) };
            writer.put(&text);
            prop_assert_eq!(writer.content("Patient/p0"), Some(crate::site::value(&text)));
            reader.pull(writer);
            prop_assert!(reader.conflicts().is_empty());
            prop_assert_eq!(reader.content("Patient/p0"), Some(crate::site::value(&text)));
        }
    }
}
