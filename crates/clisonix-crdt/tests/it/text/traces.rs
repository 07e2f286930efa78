//! Real editing sessions (josephg/editing-traces): the text at the end is the recorded one.

use std::io::Read;
use std::path::PathBuf;

use clisonix_crdt::ActorId;
use clisonix_crdt::text::{EventId, EventRun, Text, TextEdits};
use clisonix_fhir::json::{Value, parse};

pub(crate) struct Trace {
    pub(crate) start: String,
    pub(crate) end: String,
    pub(crate) steps: Vec<Step>,
}

/// Edits by one agent that has seen the steps `parents`.
pub(crate) struct Step {
    pub(crate) parents: Vec<usize>,
    pub(crate) agent: u8,
    pub(crate) patches: Vec<(usize, usize, String)>,
}

fn number(value: &Value) -> usize {
    value.as_number().unwrap().as_str().parse().unwrap()
}

/// Reads a trace; none, with a visible line, where the data is not at hand.
pub(crate) fn load(name: &str) -> Option<Trace> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../../../shared/data/traces").join(format!("{name}.json.gz"));
    let Ok(file) = std::fs::File::open(&path) else {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no trace {name}");
        println!("SKIPPED: no trace {name}");
        return None;
    };
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    let json = parse(&bytes).unwrap();
    let text = |name| json.get(name).and_then(|text| text.as_str()).unwrap_or_default().to_owned();
    let concurrent = json.get("kind").and_then(|kind| kind.as_str()) == Some("concurrent");
    let list = json.get("txns").unwrap().as_array().unwrap().iter().enumerate();
    let steps = list.map(|(at, step)| step_of(at, step, concurrent)).collect();
    Some(Trace { start: text("startContent"), end: text("endContent"), steps })
}

fn step_of(at: usize, step: &Value, concurrent: bool) -> Step {
    let member = |name: &str| step.get(name).and_then(|list| list.as_array());
    let parents = match member("parents") {
        Some(parents) if concurrent => parents.iter().map(number).collect(),
        _ => at.checked_sub(1).into_iter().collect(),
    };
    let patch = |patch: &Value| {
        let content = patch.at(2).unwrap().as_str().unwrap().to_owned();
        (number(patch.at(0).unwrap()), number(patch.at(1).unwrap()), content)
    };
    Step {
        parents,
        agent: step.get("agent").map_or(0, |agent| number(agent) as u8),
        patches: member("patches").unwrap().iter().map(patch).collect(),
    }
}

fn agent(number: u8) -> ActorId {
    ActorId([number + 1; 16])
}

/// Plays a trace with parents; gives the text and the events of each step.
fn play(trace: &Trace) -> (Text, Vec<EventRun>) {
    let mut text = Text::new();
    let mut runs: Vec<EventRun> = Vec::new();
    for step in &trace.steps {
        let parents: Vec<EventId> =
            step.parents.iter().map(|&parent| runs[parent].last().unwrap()).collect();
        let mut edits = TextEdits::new();
        for (position, deleted, inserted) in &step.patches {
            edits.delete(*position, *deleted).unwrap();
            edits.insert(*position, inserted).unwrap();
        }
        runs.push(text.apply(agent(step.agent), &parents, &edits).unwrap());
    }
    (text, runs)
}

fn check_sequential(name: &str) {
    let Some(trace) = load(name) else { return };
    let mut text = Text::new();
    let writer = agent(0);
    text.insert(writer, 0, &trace.start).unwrap();
    for (position, deleted, inserted) in trace.steps.iter().flat_map(|step| &step.patches) {
        text.delete(writer, *position, *deleted).unwrap();
        text.insert(writer, *position, inserted).unwrap();
    }
    assert!(text.to_string() == trace.end);
    let stored = text.encode();
    println!("{name}: {} events, {} bytes stored", text.events(), stored.len());
    let loaded = Text::decode(&stored).unwrap();
    assert!(loaded.to_string() == trace.end);
    loaded.verify().unwrap();
    let authors = loaded.authors(0..loaded.len()).unwrap();
    assert_eq!(authors.iter().map(|part| part.range.len()).sum::<usize>(), loaded.len());
}

#[test]
fn automerge_paper() {
    check_sequential("automerge-paper");
}

#[test]
fn seph_blog1() {
    check_sequential("seph-blog1");
}

#[test]
fn friendsforever() {
    let Some(trace) = load("friendsforever") else { return };
    let (text, runs) = play(&trace);
    assert!(text.to_string() == trace.end);
    text.verify().unwrap();
    let stored = text.encode();
    println!("friendsforever: {} events, {} bytes stored", text.events(), stored.len());
    assert!(Text::decode(&stored).unwrap().to_string() == trace.end);

    let messages: Vec<Vec<u8>> = runs.iter().map(|&run| text.message(run).unwrap()).collect();
    let mut one_by_one = Text::new();
    for message in &messages {
        one_by_one.receive(message).unwrap();
    }
    assert!(one_by_one.to_string() == trace.end);
    let mut backwards = Text::new();
    for message in messages.iter().rev() {
        backwards.receive(message).unwrap();
    }
    assert_eq!(backwards.waiting(), 0);
    assert!(backwards.to_string() == trace.end);
}
