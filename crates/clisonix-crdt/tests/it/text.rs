//! The text cell: convergence, order, replay of real sessions, damaged and false messages.

mod fugue;
pub(crate) mod traces;

use clisonix_crdt::ActorId;
use clisonix_crdt::text::{EventId, EventRun, Text, TextEdits, TextError, TextVersion};
use proptest::prelude::*;

use fugue::{Fugue, Step};

fn agent(number: usize) -> ActorId {
    ActorId([number as u8 + 1; 16])
}

/// A site with the text cell and the oracle side by side.
#[derive(Clone, Default)]
struct Site {
    text: Text,
    oracle: Fugue,
    /// Steps of the oracle that this site has, by number, in the order of arrival.
    steps: Vec<usize>,
}

#[derive(Default)]
struct World {
    sites: Vec<Site>,
    steps: Vec<Step>,
    runs: Vec<EventRun>,
}

#[derive(Clone, Debug)]
enum Act {
    Insert { site: usize, at: u16, content: String },
    Delete { site: usize, at: u16, count: u16 },
    Backspace { site: usize, at: u16, count: u16 },
    Exchange { from: usize, to: usize },
}

const SITES: usize = 4;

fn act() -> impl Strategy<Value = Act> {
    let site = || 0..SITES;
    // Few places and short texts, so that edits meet.
    prop_oneof![
        4 => (site(), any::<u16>(), "[a-zäß😀]{1,6}")
            .prop_map(|(site, at, content)| Act::Insert { site, at, content }),
        2 => (site(), any::<u16>(), 1..5_u16)
            .prop_map(|(site, at, count)| Act::Delete { site, at, count }),
        1 => (site(), any::<u16>(), 1..4_u16)
            .prop_map(|(site, at, count)| Act::Backspace { site, at, count }),
        3 => (site(), site()).prop_map(|(from, to)| Act::Exchange { from, to }),
    ]
}

fn place(at: u16, length: usize) -> usize {
    (usize::from(at) * (length + 1)) >> 16
}

impl World {
    fn new() -> Self {
        Self { sites: vec![Site::default(); SITES], ..Self::default() }
    }

    fn play(&mut self, act: &Act) {
        match act {
            Act::Insert { site, at, content } => {
                let position = place(*at, self.sites[*site].text.len());
                self.insert(*site, position, content);
            }
            Act::Delete { site, at, count } => {
                let length = self.sites[*site].text.len();
                let position = place(*at, length);
                self.delete(*site, position, usize::from(*count).min(length - position));
            }
            Act::Backspace { site, at, count } => {
                let mut position = place(*at, self.sites[*site].text.len());
                for _ in 0..*count {
                    let Some(before) = position.checked_sub(1) else { break };
                    self.delete(*site, before, 1);
                    position = before;
                }
            }
            Act::Exchange { from, to } => self.exchange(*from, *to),
        }
    }

    fn insert(&mut self, site: usize, position: usize, content: &str) {
        let run = self.sites[site].text.insert(agent(site), position, content).unwrap();
        for (offset, character) in content.chars().enumerate() {
            let id = EventId { agent: run.agent, seq: run.seq + offset as u32 };
            let step = self.sites[site].oracle.insert(id, position + offset, character);
            self.note(site, step);
        }
        self.runs.push(run);
    }

    fn delete(&mut self, site: usize, position: usize, count: usize) {
        let run = self.sites[site].text.delete(agent(site), position, count).unwrap();
        for _ in 0..count {
            let step = self.sites[site].oracle.delete(position);
            self.note(site, step);
        }
        self.runs.push(run);
    }

    fn note(&mut self, site: usize, step: Step) {
        self.sites[site].steps.push(self.steps.len());
        self.steps.push(step);
    }

    fn exchange(&mut self, from: usize, to: usize) {
        let message = {
            let version = self.sites[to].text.version();
            self.sites[from].text.events_since(&version)
        };
        self.sites[to].text.receive(&message).unwrap();
        let missing: Vec<usize> = {
            let have = &self.sites[to].steps;
            self.sites[from].steps.iter().copied().filter(|step| !have.contains(step)).collect()
        };
        for step in missing {
            self.sites[to].oracle.take(&self.steps[step]);
            self.sites[to].steps.push(step);
        }
    }

    fn exchange_all(&mut self) {
        for from in 0..SITES {
            self.exchange(from, 0);
        }
        for to in 1..SITES {
            self.exchange(0, to);
        }
    }

    fn check(&self) {
        for site in &self.sites {
            assert_eq!(site.text.to_string(), site.oracle.text());
            assert_eq!(site.text.len(), site.oracle.ids().len());
        }
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Every site shows what the oracle shows, at every step, and all the same at the end.
    #[test]
    fn the_order_is_that_of_fugue(acts in prop::collection::vec(act(), 1..60)) {
        let mut world = World::new();
        for act in &acts {
            world.play(act);
            world.check();
        }
        world.exchange_all();
        world.check();
        let end = world.sites[0].text.to_string();
        prop_assert!(world.sites.iter().all(|site| site.text.to_string() == end));
        let version = world.sites[0].text.version();
        prop_assert!(world.sites.iter().all(|site| site.text.version() == version));
    }

    /// One message for each edit, in any order and some of them twice.
    #[test]
    fn any_order_and_any_duplicates(
        acts in prop::collection::vec(act(), 1..40),
        shuffle in prop::collection::vec(any::<u32>(), 60),
    ) {
        let mut world = World::new();
        for act in &acts {
            world.play(act);
        }
        world.exchange_all();
        let full = &world.sites[0].text;
        let edits = world.runs.iter().filter(|run| run.count > 0);
        let mut messages: Vec<Vec<u8>> = edits.map(|&run| full.message(run).unwrap()).collect();
        let again: Vec<Vec<u8>> = messages.iter().step_by(3).cloned().collect();
        messages.extend(again);
        for (at, random) in shuffle.iter().enumerate().take(messages.len()) {
            let other = *random as usize % messages.len();
            messages.swap(at, other);
        }
        let mut text = Text::new();
        for message in &messages {
            let received = text.receive(message).unwrap();
            prop_assert_eq!(received.refused, 0);
        }
        prop_assert_eq!(text.waiting(), 0);
        prop_assert_eq!(text.to_string(), full.to_string());
        prop_assert_eq!(text.version(), full.version());
        text.verify().unwrap();
    }

    /// Stored, loaded and edited on; every version that was, read again; every author named.
    #[test]
    fn storing_versions_and_authors(acts in prop::collection::vec(act(), 1..40)) {
        let mut world = World::new();
        let mut versions: Vec<(TextVersion, String)> = Vec::new();
        for act in &acts {
            world.play(act);
            for site in &mut world.sites {
                site.text = Text::decode(&site.text.encode()).unwrap();
            }
            versions.push((world.sites[0].text.version(), world.sites[0].text.to_string()));
        }
        world.exchange_all();
        world.check();
        let text = &world.sites[0].text;
        for (version, was) in &versions {
            prop_assert_eq!(&text.at(version).unwrap(), was);
        }
        let ids = world.sites[0].oracle.ids();
        let mut named = Vec::new();
        for part in text.authors(0..text.len()).unwrap() {
            prop_assert_eq!(part.range.start, named.len());
            let first = part.event;
            named.extend((0..part.range.len()).map(|at| EventId { seq: first.seq + at as u32, ..first }));
        }
        prop_assert_eq!(named, ids);
    }

    /// Two runs typed at one place at the same time, forward or backward, stay whole.
    #[test]
    fn concurrent_runs_do_not_interleave(
        before in "[.]{0,3}",
        after in "[.]{0,3}",
        one in "[a-m]{1,8}",
        other in "[n-z]{1,8}",
        back_one in any::<bool>(),
        back_other in any::<bool>(),
        delete in any::<bool>(),
    ) {
        let mut first = Text::new();
        first.insert(agent(9), 0, &format!("{before}X{after}")).unwrap();
        if delete {
            first.delete(agent(9), before.len(), 1).unwrap();
        }
        let mut second = first.clone();
        let start = first.version();
        type_in(&mut first, agent(0), before.len(), &one, back_one);
        type_in(&mut second, agent(1), before.len(), &other, back_other);
        second.receive(&first.events_since(&start)).unwrap();
        let shown = |run: &str, back: bool| {
            if back { run.chars().rev().collect() } else { run.to_owned() }
        };
        let (one, other) = (shown(&one, back_one), shown(&other, back_other));
        let text = second.to_string();
        prop_assert!(text.contains(&one) && text.contains(&other), "{} {} {}", text, one, other);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), head in 0..3) {
        let mut bytes = bytes;
        match head {
            1 => bytes.insert(0, 1),
            2 => drop(bytes.splice(0..0, *b"CLXT\x01")),
            _ => {}
        }
        let _ = Text::decode(&bytes).map(|text| text.verify());
        let _ = TextEdits::decode(&bytes);
        let mut text = sample();
        let before = text.to_string();
        if text.receive(&bytes).is_err() {
            prop_assert_eq!(text.to_string(), before);
        }
    }

    /// Single bytes changed, bytes cut off: an error and nothing changed, or still a text that its
    /// log leads to.
    #[test]
    fn damaged_bytes_never_panic(
        acts in prop::collection::vec(act(), 1..20),
        damage in prop::collection::vec((any::<u16>(), any::<u8>()), 1..4),
        cut in any::<u16>(),
    ) {
        let mut world = World::new();
        for act in &acts {
            world.play(act);
        }
        world.exchange_all();
        let full = &world.sites[0].text;
        let mut text = sample();
        for mut bytes in [full.events_since(&TextVersion::default()), full.encode()] {
            for (at, value) in &damage {
                let at = usize::from(*at) % bytes.len();
                bytes[at] = *value;
            }
            if cut % 4 == 0 {
                bytes.truncate(usize::from(cut) % bytes.len());
            }
            let (before, version) = (text.to_string(), text.version());
            if text.receive(&bytes).is_err() {
                prop_assert_eq!(text.to_string(), before);
                prop_assert_eq!(text.version(), version);
            }
            text.verify().unwrap();
            if let Ok(mut loaded) = Text::decode(&bytes) {
                let _ = loaded.verify();
                let _ = loaded.authors(0..loaded.len());
                let _ = loaded.receive(&full.events_since(&TextVersion::default()));
                let _ = loaded.insert(agent(7), 0, "x");
                let _ = loaded.encode();
            }
        }
    }
}

fn type_in(text: &mut Text, agent: ActorId, at: usize, run: &str, back: bool) {
    for (offset, character) in run.chars().enumerate() {
        let at = if back { at } else { at + offset };
        text.insert(agent, at, &character.to_string()).unwrap();
    }
}

fn sample() -> Text {
    let mut text = Text::new();
    text.insert(agent(0), 0, "a small note").unwrap();
    let mut other = text.clone();
    text.insert(agent(0), 2, "very ").unwrap();
    other.delete(agent(1), 2, 6).unwrap();
    text.receive(&other.events_since(&TextVersion::default())).unwrap();
    text
}

#[test]
fn long_insertions_and_deletions_merge() {
    let mut one = Text::new();
    one.insert(agent(0), 0, &"0123456789".repeat(500)).unwrap();
    let mut two = one.clone();
    let start = one.version();
    one.insert(agent(0), 2_500, &"äöü€".repeat(1_000)).unwrap();
    one.delete(agent(0), 1_000, 2_000).unwrap();
    two.delete(agent(1), 500, 4_000).unwrap();
    two.insert(agent(1), 500, &"x".repeat(3_000)).unwrap();
    let (from_one, from_two) = (one.events_since(&start), two.events_since(&start));
    one.receive(&from_two).unwrap();
    two.receive(&from_one).unwrap();
    assert_eq!(one.to_string(), two.to_string());
    assert_eq!(one.len(), 500 + 500 + 3_000 + 3_500);
    one.verify().unwrap();
}

#[test]
fn edits_are_checked_against_the_text() {
    let mut text = Text::new();
    text.insert(agent(0), 0, "ab").unwrap();
    let refused = text.insert(agent(0), 3, "c");
    assert_eq!(refused, Err(TextError::Position { position: 3, len: 2 }));
    let refused = text.delete(agent(0), 1, 2);
    assert_eq!(refused, Err(TextError::Position { position: 3, len: 2 }));
    assert_eq!(
        text.delete(agent(0), usize::MAX, 2).unwrap_err(),
        text.delete(agent(0), usize::MAX, 1).unwrap_err()
    );
    assert_eq!((text.to_string().as_str(), text.events()), ("ab", 2));
}

#[test]
fn an_agent_that_writes_twice_is_named() {
    let mut one = Text::new();
    one.insert(agent(0), 0, "hello").unwrap();
    let mut clone = Text::new();
    clone.insert(agent(0), 0, "help!").unwrap();
    clone.insert(agent(1), 0, "more ").unwrap();
    let message = clone.events_since(&TextVersion::default());
    assert!(matches!(one.receive(&message), Err(TextError::Reused { seq: 0, .. })));
    assert_eq!((one.to_string().as_str(), one.events()), ("hello", 5));
    // The same content after other events is another event too.
    let mut late = Text::new();
    late.insert(agent(2), 0, "h").unwrap();
    late.insert(agent(0), 1, "hello").unwrap();
    let message = late.events_since(&TextVersion::default());
    assert!(matches!(one.receive(&message), Err(TextError::Reused { .. })));
    assert_eq!(one.version(), TextVersion::new(vec![EventId { agent: agent(0), seq: 4 }]));
    // So it is when those other events are not here.
    let message = late.message(EventRun { agent: agent(0), seq: 0, count: 5 }).unwrap();
    assert!(matches!(one.receive(&message), Err(TextError::Reused { .. })));
}

#[test]
fn an_event_beyond_the_text_it_has_seen_is_refused() {
    let mut one = Text::new();
    one.insert(agent(0), 0, "hello").unwrap();
    let mut two = one.clone();
    two.insert(agent(1), 5, " world").unwrap();
    let start = one.version();
    for far in [6, 100, 1 << 23] {
        let mut edits = TextEdits::new();
        edits.insert(far, "x").unwrap();
        assert!(matches!(
            two.apply(agent(2), start.heads(), &edits),
            Err(TextError::Misplaced { seq: 0, .. })
        ));
        let mut edits = TextEdits::new();
        edits.delete(far - 1, 2).unwrap();
        assert!(matches!(
            two.apply(agent(2), start.heads(), &edits),
            Err(TextError::Misplaced { .. })
        ));
    }
    assert_eq!(two.to_string(), "hello world");
    two.verify().unwrap();
    let mut edits = TextEdits::new();
    edits.insert(5, ", my").unwrap();
    edits.delete(0, 1).unwrap();
    edits.insert(0, "J").unwrap();
    let edits = TextEdits::decode(&edits.encode()).unwrap();
    two.apply(agent(2), start.heads(), &edits).unwrap();
    assert_eq!(two.to_string(), "Jello world, my");
}

#[test]
fn what_waits_is_counted_and_stored() {
    let mut one = Text::new();
    let first = one.insert(agent(0), 0, "first").unwrap();
    let second = one.insert(agent(1), 5, " second").unwrap();
    let third = one.insert(agent(0), 12, " third").unwrap();
    let mut two = Text::new();
    for run in [third, second, third] {
        assert_eq!(two.receive(&one.message(run).unwrap()).unwrap().applied, 0);
    }
    assert_eq!((two.waiting(), two.len()), (13, 0));
    let mut two = Text::decode(&two.encode()).unwrap();
    assert_eq!(two.waiting(), 13);
    let received = two.receive(&one.message(first).unwrap()).unwrap();
    assert_eq!((received.applied, received.waiting), (18, 0));
    assert_eq!(two.to_string(), "first second third");
    let again = two.receive(&one.events_since(&TextVersion::default())).unwrap();
    assert_eq!(again.applied, 0);
}

#[test]
fn a_slice_counts_characters() {
    let mut text = Text::new();
    text.insert(agent(0), 0, &"aä€😀".repeat(2_000)).unwrap();
    assert_eq!(text.len(), 8_000);
    assert_eq!(text.slice(3_999..4_003), "😀aä€");
    assert_eq!(text.slice(7_998..9_000), "€😀");
    text.delete(agent(0), 1, 7_998).unwrap();
    assert_eq!(text.to_string(), "a😀");
}
