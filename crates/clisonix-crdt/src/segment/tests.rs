//! What a record asks of a log that stands apart, and what it makes of it.

use std::sync::Mutex;

use clisonix_fhir::json::{self, Object, Value};

use super::*;
use crate::actor::{ActorId, ActorSecret};
use crate::change::Source;
use crate::diff::Coverage;
use crate::edit::{Base, Origin};
use crate::time::HybridTime;

/// Segments, and how often they were asked for.
#[derive(Debug, Default)]
struct Segments {
    all: Vec<Vec<u8>>,
    asked: Mutex<u32>,
    lost: bool,
}

impl LogSource for Segments {
    fn segments(&self) -> Option<Vec<Vec<u8>>> {
        *self.asked.lock().unwrap() += 1;
        (!self.lost).then(|| self.all.clone())
    }
}

fn actors(start: u8) -> impl FnMut() -> (ActorId, ActorSecret) {
    let mut next = start;
    move || {
        next += 1;
        (ActorId([next; 16]), ActorSecret([next; 32]))
    }
}

fn object(text: &str) -> Object {
    let Ok(Value::Object(object)) = json::parse(text.as_bytes()) else { panic!("an object") };
    object
}

fn patient(year: usize) -> Object {
    object(&format!(
        r#"{{"resourceType":"Patient","id":"p","gender":"male","birthDate":"{year:04}"}}"#
    ))
}

fn origin(author: &str, ms: u64) -> Origin<'_> {
    Origin { author, time: HybridTime::from_millis(ms), source: None }
}

fn edit(record: &mut Record, year: usize, base: &Base, actor: u8) {
    let made = record
        .edit(&[&patient(year)], base, &origin("x", year as u64), &mut actors(actor))
        .unwrap();
    assert!(made.is_some());
}

fn say(record: &mut Record, message: u8, text: &str, actor: u8) {
    let source =
        Source { feed: "lab".into(), message: [message; 16], event_time_ms: message.into() };
    let origin = Origin { source: Some(source), ..origin("feed lab", u64::from(message)) };
    let said = record.state(&[(&object(text), Coverage::Whole)], &origin, &mut actors(actor));
    assert!(said.unwrap().is_some());
}

const CHANGES: usize = 100;

/// A record with a long history, and its log in segments of ten changes.
fn long() -> (Record, Vec<Vec<u8>>) {
    let mut record = Record::new("p");
    let mut segments = Vec::new();
    let mut stored = 0;
    for year in 1..=CHANGES {
        if year == 50 {
            say(
                &mut record,
                1,
                r#"{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/p"}}"#,
                100,
            );
        } else {
            edit(&mut record, year, &Base::Current, 1);
        }
        if record.change_count() == stored + 10 {
            segments.push(record.segment(stored));
            stored = record.change_count();
        }
    }
    (record, segments)
}

fn apart(record: &Record, segments: Vec<Vec<u8>>) -> (Record, Arc<Segments>) {
    let source = Arc::new(Segments { all: segments, ..Segments::default() });
    let loaded = Record::load_state(&record.save_state(), Arc::<Segments>::clone(&source)).unwrap();
    (loaded, source)
}

#[test]
fn a_loaded_state_is_read_and_edited_without_its_log() {
    let (whole, segments) = long();
    let (mut loaded, source) = apart(&whole, segments);
    assert_eq!(loaded.view().bundle_text(), whole.view().bundle_text());
    edit(&mut loaded, 1001, &Base::Current, 20);
    // The version of the Condition is older than the record's.
    let id = EntryId {
        ty: clisonix_fhir::schema::resource_named("Condition").unwrap(),
        id: "c1".into(),
    };
    let version = loaded.view().entry_version_id(&id).unwrap();
    let base = Base::Heads(loaded.heads_of_version(&version).unwrap());
    let condition = r#"{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/p"},"recordedDate":"2020"}"#;
    loaded
        .edit(&[&object(condition)], &base, &origin("y", 2000), &mut actors(30))
        .unwrap()
        .unwrap();
    // A feed that speaks of something new.
    say(
        &mut loaded,
        2,
        r#"{"resourceType":"Condition","id":"c2","subject":{"reference":"Patient/p"}}"#,
        40,
    );
    let last = loaded.view().heads();
    assert_eq!(loaded.latest_event_ms("lab"), Some(2));
    let (state, segment) = (loaded.save_state(), loaded.segment(CHANGES));
    assert_eq!(loaded.entries_since(CHANGES).len(), 3);
    assert_eq!((*source.asked.lock().unwrap(), loaded.has_read_log()), (0, false));

    // What was made without the log is what is made with it.
    let mut again = whole.fork();
    assert_eq!(again.receive(&segment).unwrap().applied, 3);
    assert_eq!(again.view().heads(), last);
    assert_eq!(again.state_bytes(), loaded.state_bytes());
    assert_eq!(again.save_state(), state);
}

#[test]
fn the_log_is_asked_for_once_and_is_the_same() {
    let (whole, segments) = long();
    let (mut loaded, source) = apart(&whole, segments);
    edit(&mut loaded, 1001, &Base::Current, 20);
    assert_eq!(loaded.history(None).len(), CHANGES + 1);
    assert_eq!(loaded.history(None).get(..CHANGES).unwrap(), whole.history(None));
    let first = whole.history(None).first().unwrap().id;
    assert_eq!(
        loaded.view_of(&loaded.at(&[first]).unwrap()).bundle_text(),
        whole.view_of(&whole.at(&[first]).unwrap()).bundle_text()
    );
    edit(&mut loaded, 1002, &Base::Heads(vec![first]), 21);
    assert_eq!(loaded.view().conflicts().len(), 1);
    assert!(loaded.is_sound() && !loaded.has_lost_log());
    assert_eq!(*source.asked.lock().unwrap(), 1);
}

#[test]
fn segments_are_joined_and_only_as_many_changes_are_read_as_the_state_has() {
    let (whole, segments) = long();
    let (old, young) = segments.split_at(7);
    let joined = [vec![join_segments(old).unwrap()], young.to_vec()].concat();
    let mut early = Record::new("p");
    early.receive(&joined[0]).unwrap();
    let (early, _) = apart(&early, vec![join_segments(&segments).unwrap()]);
    assert_eq!(early.history(None).len(), 70);
    let (loaded, _) = apart(&whole, joined.clone());
    assert_eq!(loaded.history(None), whole.history(None));
    assert!(joined[0].len() < old.iter().map(Vec::len).sum());
    let other = Record::new("q").segment(0);
    assert!(join_segments(&[joined[0].clone(), other]).is_err());
}

#[test]
fn a_log_that_cannot_be_read_is_told() {
    let (whole, segments) = long();
    for (all, lost) in
        [(segments.clone(), true), (segments[1..].to_vec(), false), (vec![vec![7]], false)]
    {
        let source = Arc::new(Segments { all, lost, ..Segments::default() });
        let loaded = Record::load_state(&whole.save_state(), source).unwrap();
        assert!(!loaded.has_lost_log());
        assert!(loaded.history(None).is_empty() && loaded.has_lost_log());
    }
    assert!(Record::load(&whole.save_state()).is_err());
    assert!(Record::load_state(&whole.save(), Arc::new(Segments::default())).is_err());
}
