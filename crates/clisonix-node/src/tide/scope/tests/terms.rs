//! Terms that a record sets are regarded by whatever way they come in: what a node decides, which
//! looks only where terms are noted, is what looking at everything says.

use std::collections::BTreeMap;
use std::path::Path;

use clisonix_fhir::json::{self, Value};
use clisonix_pq::checkpoint::{Author, Authors};
use clisonix_pq::{Identity, Profile};
use clisonix_store::{Batch, Span, Table};

use super::{OTHER, PEER};
use crate::consent::{self, Basis, Decision, PeerRule, Shown};
use crate::load::tests::{BY, Counting, node, read};
use crate::reading::text_of;
use crate::{Aim, Node, NodeError, Outside as _, ReadVersion, RecordFault, stored};

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

/// The patient, within a feed's message.
const MESSAGE: &str = "urn:uuid:1";

/// A feed's message about one patient, with this label, and with this resource beside.
fn message(label: &str, other: &str) -> String {
    let other =
        if other.is_empty() { String::new() } else { format!(r#",{{"resource":{other}}}"#) };
    format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"fullUrl":"urn:uuid:1","resource":
        {{"resourceType":"Patient",{label}"identifier":[{{"system":"urn:test:mrn","value":"7"}}]}}}}
        {other}]}}"#
    )
}

fn label(system: &str, code: &str) -> String {
    format!(r#""meta":{{"security":[{{"system":"{system}","code":"{code}"}}]}},"#)
}

fn observation(id: &str, subject: &str, label: &str, note: u64) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}",{label}"status":"final","code":{{"text":"x"}},
        "subject":{{"reference":"{subject}"}},"valueString":"{note}"}}"#
    )
}

/// A consent of the patient that opts in or out.
fn consent(patient: &str, status: &str, code: &str) -> String {
    format!(
        r#"{{"resourceType":"Consent","id":"c","status":"{status}","scope":{{"coding":[{{"system":
        "http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},
        "category":[{{"coding":[{{"system":"http://loinc.org","code":"59284-0"}}]}}],
        "patient":{{"reference":"{patient}"}},
        "policyRule":{{"coding":[{{"system":"{ACT_CODE}","code":"{code}"}}]}},
        "provision":{{"period":{{"end":"2999-01-01"}}}}}}"#
    )
}

fn take(node: &Node, text: &str) {
    let mut load = node.load(BY);
    load.take(&read("one.json", text)).unwrap();
    load.finish().unwrap();
}

fn filled(directory: &Path, seed: u64) -> (Node, String) {
    let node = node(directory, seed);
    take(&node, &message("", ""));
    let record = node.find_record("7").unwrap();
    (node, record)
}

fn edit(node: &Node, record: &str, text: &str, version: ReadVersion<'_>) {
    let value = json::parse(text.as_bytes()).unwrap();
    node.edit(record, &value, version, BY).unwrap();
}

fn resources(node: &Node, record: &str) -> Vec<(Value, bool)> {
    let text = text_of(&node.store.snapshot().unwrap(), record).unwrap();
    let bundle = json::parse(text.bundle.as_bytes()).unwrap();
    let entries = bundle.get("entry").and_then(Value::as_array).unwrap_or_default();
    let disputed: Vec<Value> = node.conflicts(Some(record), BY).unwrap();
    let read = |entry: &Value| {
        let resource = entry.get("resource")?;
        let name = format!("{}/{}", resource.resource_type()?, resource.get("id")?.as_str()?);
        let is_of = |conflict: &Value| conflict.to_text().contains(&name);
        Some((resource.clone(), disputed.iter().any(is_of)))
    };
    entries.iter().filter_map(read).collect()
}

fn patient(node: &Node, record: &str) -> Option<Value> {
    let mut resources = resources(node, record).into_iter().map(|(resource, _)| resource);
    resources.find(|resource| resource.resource_type() == Some("Patient"))
}

/// `Patient/id`.
fn reference(node: &Node, record: &str) -> Option<String> {
    Some(format!("Patient/{}", patient(node, record)?.get("id")?.as_str()?))
}

const BASES: [Basis; 4] = [Basis::Nothing, Basis::Consent, Basis::Care, Basis::All];

fn rule(basis: Basis) -> PeerRule {
    PeerRule {
        basis,
        references: ["Organization/lab".to_owned()].into(),
        purposes: ["TREAT".to_owned()].into(),
        ..PeerRule::default()
    }
}

/// What is decided of each of the patient's records on every ground, if everything is looked at.
fn looked_at(node: &Node, own: &str, basis: Basis) -> Vec<Decision> {
    let records = node.with_beside(own).unwrap();
    let all: Vec<_> = records.iter().map(|record| resources(node, record)).collect();
    let shown: Vec<Vec<Shown<'_>>> = all.iter().map(|one| super::super::shown_of(one)).collect();
    let decide = |at: usize| {
        let others = shown.iter().enumerate().filter(|(place, _)| *place != at);
        let beside: Vec<Shown<'_>> = others.flat_map(|(_, shown)| shown.iter().copied()).collect();
        consent::decide(&shown[at], &beside, &rule(basis), 1_700_000_000_000)
    };
    let own = decide(0);
    (0..records.len()).map(|at| if at == 0 || !own.is_given() { own } else { decide(at) }).collect()
}

/// Decides on every ground about every record of the patient, and holds it against a full look.
/// Gives what is decided of the own record.
fn decided(node: &Node, own: &str) -> BTreeMap<Basis, Decision> {
    let mut found = BTreeMap::new();
    for basis in BASES {
        // A second peer whose rule wants every record read.
        let rules = BTreeMap::from([(PEER, rule(basis)), (OTHER, rule(Basis::Care))]);
        node.set_peer_rules(&rules, BY).unwrap();
        let looked_at = looked_at(node, own, basis);
        for (record, expected) in node.with_beside(own).unwrap().iter().zip(looked_at) {
            assert_eq!(node.decision(PEER, record).unwrap(), expected, "{record} {basis:?}");
            // From memory it is the same.
            assert_eq!(node.decision(PEER, record).unwrap(), expected, "{record} {basis:?}");
        }
        found.insert(basis, node.decision(PEER, own).unwrap());
    }
    found
}

fn has_terms(node: &Node, record: &str) -> bool {
    stored::has_terms(&node.store.snapshot().unwrap(), record).unwrap()
}

const PLAIN: [Decision; 4] =
    [Decision::Nothing, Decision::Nothing, Decision::Nothing, Decision::Rule];

fn on_each(decided: &BTreeMap<Basis, Decision>) -> Vec<Decision> {
    decided.values().copied().collect()
}

#[test]
fn a_consent_or_a_label_in_a_feed_is_regarded() {
    let home = tempfile::tempdir().unwrap();
    let (plain, record) = filled(&home.path().join("plain"), 1);
    assert!(!has_terms(&plain, &record));
    assert_eq!(on_each(&decided(&plain, &record)), PLAIN);

    for (number, (label, other, expected)) in [
        (String::new(), consent(MESSAGE, "active", "OPTOUT"), Some(Decision::Denied)),
        (label(ACT_CODE, "PSY"), String::new(), Some(Decision::Sensitive)),
        (label(CONFIDENTIALITY, "R"), String::new(), Some(Decision::Sensitive)),
        (label("urn:other", "N"), String::new(), Some(Decision::Rule)),
        (label(CONFIDENTIALITY, "N"), String::new(), None),
        (label(CONFIDENTIALITY, "U"), observation("o", MESSAGE, "", 1), None),
    ]
    .into_iter()
    .enumerate()
    {
        let node = node(&home.path().join(number.to_string()), 2);
        take(&node, &message(&label, &other));
        assert_eq!(has_terms(&node, &record), expected.is_some(), "{label} {other}");
        let decided = decided(&node, &record);
        assert_eq!(decided[&Basis::All], expected.unwrap_or(Decision::Rule), "{label} {other}");
        assert_eq!(node.scrub(BY).unwrap().damaged, 0);
    }
}

#[test]
fn an_edit_sets_terms_at_once_and_a_peer_that_receives_it_regards_them() {
    let home = tempfile::tempdir().unwrap();
    let (node, record) = filled(&home.path().join("one"), 1);
    let (other, _) = filled(&home.path().join("other"), 2);
    let rules = BTreeMap::from([(PEER, rule(Basis::All))]);
    node.set_peer_rules(&rules, BY).unwrap();
    other.set_peer_rules(&rules, BY).unwrap();
    assert_eq!(node.decision(PEER, &record).unwrap(), Decision::Rule);
    assert_eq!(other.decision(PEER, &record).unwrap(), Decision::Rule);
    let refused = consent(&reference(&node, &record).unwrap(), "active", "OPTOUT");
    edit(&node, &record, &refused, ReadVersion::Current);
    assert_eq!(node.decision(PEER, &record).unwrap(), Decision::Denied);
    send(&node, &other, &record);
    assert_eq!(other.decision(PEER, &record).unwrap(), Decision::Denied);
    // Withdrawn, it denies no more.
    let withdrawn = consent(&reference(&node, &record).unwrap(), "inactive", "OPTOUT");
    edit(&node, &record, &withdrawn, ReadVersion::Current);
    assert_eq!(node.decision(PEER, &record).unwrap(), Decision::Rule);
    send(&node, &other, &record);
    assert_eq!(other.decision(PEER, &record).unwrap(), Decision::Rule);
}

#[test]
fn a_scrub_notices_that_terms_are_not_noted() {
    let home = tempfile::tempdir().unwrap();
    let (node, record) = filled(&home.path().join("data"), 1);
    let refused = consent(&reference(&node, &record).unwrap(), "active", "OPTOUT");
    edit(&node, &record, &refused, ReadVersion::Current);
    let mut batch = Batch::new();
    batch.remove(Table::Index, &[b"g\0", record.as_bytes()].concat()).unwrap();
    node.store.write(batch).unwrap();
    assert!(!has_terms(&node, &record));
    assert!(matches!(node.verify(), Err(NodeError::Unsound)));
    let found = node.scrub(BY).unwrap();
    assert_eq!(found.named, [(record.clone(), RecordFault::Shown)]);
    assert_eq!(decided(&node, &record)[&Basis::All], Decision::Denied);
    assert_eq!(node.scrub(BY).unwrap().damaged, 0);
}

#[test]
fn a_store_without_the_rows_gets_them_when_it_is_opened() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data");
    let (first, record) = filled(&directory, 1);
    take(&first, &crate::load::tests::bundle(3));
    let refused = consent(&reference(&first, &record).unwrap(), "active", "OPTOUT");
    edit(&first, &record, &refused, ReadVersion::Current);
    let mut batch = Batch::new();
    let snapshot = first.store.snapshot().unwrap();
    let rows = snapshot.rows(Table::Index, &Span::prefix(b"g\0")).unwrap();
    let keys: Vec<_> = rows.map(|row| row.unwrap().key).collect();
    assert_eq!(keys, [[b"g\0", record.as_bytes()].concat()]);
    drop(snapshot);
    batch.remove(Table::Index, &keys[0]).unwrap();
    batch.put(Table::Meta, b"node-layout", vec![3]).unwrap();
    first.store.write(batch).unwrap();
    drop(first);
    let node = node(&directory, 2);
    assert_eq!(decided(&node, &record)[&Basis::All], Decision::Denied);
    assert_eq!(node.scrub(BY).unwrap().damaged, 0);
    let plain = node.find_record("N-1").unwrap();
    assert!(has_terms(&node, &record) && !has_terms(&node, &plain));
}

fn send(from: &Node, to: &Node, record: &str) {
    let heads = to.heads(record).unwrap();
    let (key, mut changes) = from.changes_since(record, &heads, BY).unwrap();
    if !to.receive(record, &key, &changes, BY).unwrap().refused.is_empty() {
        // It has erased what these are spelled against.
        changes = from.whole_changes_since(record, &heads, BY).unwrap().1;
        to.receive(record, &key, &changes, BY).unwrap();
    }
}

/// Random numbers.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// One step of somebody at a node that knows the record.
fn step(node: &Node, own: &str, chance: &mut Chance) {
    let label = match chance.below(5) {
        0 => label(ACT_CODE, "PSY"),
        1 => label(CONFIDENTIALITY, "V"),
        2 => label(CONFIDENTIALITY, "N"),
        _ => String::new(),
    };
    match chance.below(8) {
        0 | 1 => {
            let Some(patient) = reference(node, own) else { return };
            let status = chance.one_of(&["active", "active", "inactive", "draft"]);
            let code = chance.one_of(&["OPTIN", "OPTOUT"]);
            let consent = consent(&patient, status, code);
            edit(node, own, &consent, ReadVersion::Current);
        }
        2 | 3 => {
            let id = chance.one_of(&["o1", "o2"]);
            let Some(subject) = reference(node, own) else { return };
            let text = observation(id, &subject, &label, chance.below(1_000));
            edit(node, own, &text, ReadVersion::Current);
        }
        4 => {
            let other = observation("o3", MESSAGE, &label, chance.below(1_000));
            take(node, &message(&label, &other));
        }
        5 => {
            let name = chance.one_of(&["Consent/c", "Observation/o1", "Observation/o2"]);
            // It may be gone, or never have been.
            let _ = node.remove(name, None, BY);
        }
        6 => {
            let records = node.with_beside(own).unwrap();
            let record = &records[chance.below(records.len() as u64) as usize];
            let all = resources(node, record);
            if all.is_empty() {
                return;
            }
            let (one, _) = &all[chance.below(all.len() as u64) as usize];
            let id = one.get("id").and_then(Value::as_str).unwrap();
            let name = format!("{}/{id}", one.resource_type().unwrap());
            if one.resource_type() != Some("Patient") {
                node.erase(record, Aim::Entry(&name), "asked for", true, BY).unwrap();
            }
        }
        _ => {
            for conflict in node.conflicts(Some(own), BY).unwrap().iter().take(1) {
                let id = conflict.get("id").and_then(Value::as_str).unwrap();
                let sides = conflict.get("values").and_then(Value::as_array).unwrap();
                let side = sides[chance.below(sides.len() as u64) as usize].get("value");
                node.resolve(own, id, side, BY).unwrap();
            }
        }
    }
}

#[test]
fn whatever_two_nodes_do_each_decides_as_if_it_looked_at_everything() {
    let home = tempfile::tempdir().unwrap();
    let mut seen: BTreeMap<Decision, usize> = BTreeMap::new();
    let mut without_terms = 0;
    for seed in 0..24 {
        let folder = home.path().join(seed.to_string());
        std::fs::create_dir(&folder).unwrap();
        let (one, own) = filled(&folder.join("one"), 2 * seed + 1);
        let (other, _) = filled(&folder.join("other"), 2 * seed + 2);
        let mut chance = Chance(seed);
        for _ in 0..12 {
            let node = chance.one_of(&[&one, &other]);
            step(node, &own, &mut chance);
            if chance.below(3) == 0 {
                for record in one.with_beside(&own).unwrap() {
                    send(&one, &other, &record);
                }
                for record in other.with_beside(&own).unwrap() {
                    send(&other, &one, &record);
                }
            }
            for node in [&one, &other] {
                for decision in on_each(&decided(node, &own)) {
                    *seen.entry(decision).or_default() += 1;
                }
                without_terms += usize::from(!has_terms(node, &own));
            }
        }
        for node in [&one, &other] {
            assert_eq!(node.scrub(BY).unwrap().damaged, 0, "seed {seed}");
        }
    }
    // It is no test if some of them never come.
    for decision in [Decision::Rule, Decision::Consent, Decision::Denied, Decision::Sensitive] {
        assert!(seen.contains_key(&decision), "{seen:?}");
    }
    assert!(without_terms > 20, "{without_terms}");
}

/// Spoils the rows of a record's log from this one on, puts it aside, and says that an older program
/// wrote the store.
fn spoil(node: &Node, record: &str, first: usize) {
    let snapshot = node.store.snapshot().unwrap();
    let mut batch = Batch::new();
    let rows: Vec<_> = snapshot.changes(record, 0).unwrap().map(Result::unwrap).collect();
    assert!(rows.len() > first);
    for row in rows.into_iter().skip(first) {
        let mut bytes = row.bytes;
        *bytes.last_mut().unwrap() ^= 0x55;
        batch.replace_change(record, row.place, bytes).unwrap();
    }
    batch.put(Table::Meta, b"node-layout", vec![3]).unwrap();
    drop(snapshot);
    node.store.write(batch).unwrap();
    node.put_damaged_aside(record, BY).unwrap();
}

/// A node that signs, and has signed for what a feed told of the patient.
fn signing(directory: &Path) -> (Node, String) {
    let (node, record) = filled(directory, 1);
    let mut outside = Counting::new(1);
    let mut random = |bytes: &mut [u8]| outside.random(bytes);
    let identity = Identity::generate(Profile::Hybrid, &mut random).unwrap();
    let author = Author::new(identity, 0, &mut random).unwrap();
    let mut authors = Authors::new();
    authors.add(author.known().clone()).unwrap();
    node.sign_as(author).unwrap();
    node.set_authors(authors);
    take(&node, &message("", ""));
    while node.checkpoint().unwrap().is_some() {}
    (node, record)
}

#[test]
fn what_may_have_lost_a_consent_is_given_to_nobody_but_own_nodes() {
    let home = tempfile::tempdir().unwrap();
    for (first, expected) in [(1, Decision::Damaged), (0, Decision::Nothing)] {
        let directory = home.path().join(first.to_string());
        let (node, record) = signing(&directory);
        take(&node, &message("", &observation("o", MESSAGE, &label(ACT_CODE, "PSY"), 1)));
        let refused = consent(&reference(&node, &record).unwrap(), "active", "OPTOUT");
        edit(&node, &record, &refused, ReadVersion::Current);
        let records = node.with_beside(&record).unwrap();
        assert_eq!(records.len(), 2);
        let classes = ["PSY".to_owned()].into();
        let all = PeerRule { classes, ..rule(Basis::All) };
        let own = PeerRule { basis: Basis::Own, ..PeerRule::default() };
        node.set_peer_rules(&BTreeMap::from([(PEER, all), (OTHER, own)]), BY).unwrap();
        let decided = |node: &Node| -> Vec<Decision> {
            records.iter().map(|record| node.decision(PEER, record).unwrap()).collect()
        };
        assert_eq!(decided(&node), [Decision::Denied; 2]);
        spoil(&node, &record, first);
        assert_eq!(decided(&node), [expected; 2]);
        assert_eq!(node.decision(OTHER, &record).unwrap(), Decision::Own);
        drop(node);
        let node = self::node(&directory, 2);
        assert_eq!(decided(&node), [expected; 2]);
        // Somebody says that it is as it is.
        assert!(node.give_up(&record, BY).unwrap());
        for _ in 0..70_000 {
            node.inside().outside.now_ms();
        }
        let left = if first == 1 { Decision::Rule } else { Decision::Nothing };
        assert_eq!(decided(&node), [left; 2]);
    }
}

#[test]
fn what_was_decided_by_lost_rows_is_decided_anew_when_they_are_back() {
    let home = tempfile::tempdir().unwrap();
    let (node, record) = filled(&home.path().join("data"), 1);
    let refused = consent(&reference(&node, &record).unwrap(), "active", "OPTOUT");
    edit(&node, &record, &refused, ReadVersion::Current);
    node.set_peer_rules(&BTreeMap::from([(PEER, rule(Basis::All))]), BY).unwrap();
    node.scope_change().unwrap();
    let mut batch = Batch::new();
    let snapshot = node.store.snapshot().unwrap();
    let prefix = [b"s\0", record.as_bytes(), b"\0Consent"].concat();
    for row in snapshot.rows(Table::Index, &Span::prefix(&prefix)).unwrap() {
        batch.remove(Table::Index, &row.unwrap().key).unwrap();
    }
    drop(snapshot);
    node.store.write(batch).unwrap();
    assert_eq!(node.decision(PEER, &record).unwrap(), Decision::Rule);
    assert_eq!(node.scrub(BY).unwrap().named, [(record.clone(), RecordFault::Shown)]);
    assert_eq!(node.scope_change().unwrap(), Some(super::ScopeChange::Any));
    assert_eq!(node.decision(PEER, &record).unwrap(), Decision::Denied);
}
