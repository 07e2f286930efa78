//! Rules and consents of a node's own records, as its sessions ask for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use clisonix_fhir::json::{self, Value};
use clisonix_pq::Fingerprint;
use clisonix_tide::Scope;

use super::{NodeScope, ScopeChange};
use crate::consent::{Basis, Decision, PeerRule};
use crate::load::tests::{BY, bundle, node, read};
use crate::{Node, ReadVersion};

mod terms;

const PEER: Fingerprint = Fingerprint::from_bytes([1; 32]);
const OTHER: Fingerprint = Fingerprint::from_bytes([2; 32]);

/// The day at which the clock of the test starts, by number from 1970 and by name.
const START_DAY: u64 = 1_700_000_000 / 86_400;
const START_DATE: &str = "2023-11-14";

fn open(home: &tempfile::TempDir) -> (Arc<Node>, String) {
    let node = Arc::new(node(&home.path().join("data"), 1));
    let mut load = node.load(BY);
    load.take(&read("one.json", &bundle(1))).unwrap();
    load.finish().unwrap();
    let record = node.record_ids().unwrap().pop().unwrap();
    (node, record)
}

fn rules(node: &Node, basis: Basis) {
    let rule = PeerRule {
        basis,
        references: ["Organization/lab".to_owned()].into(),
        purposes: ["TREAT".to_owned()].into(),
        ..PeerRule::default()
    };
    node.set_peer_rules(&BTreeMap::from([(PEER, rule)]), BY).unwrap();
}

fn write(node: &Node, record: &str, text: &str) {
    let value = json::parse(text.as_bytes()).unwrap();
    node.edit(record, &value, ReadVersion::Current, BY).unwrap();
}

fn consent(node: &Node, record: &str, status: &str, until: &str) {
    let shown = json::parse(node.record_text(record, BY).unwrap().bundle.as_bytes()).unwrap();
    let entries = shown.get("entry").and_then(Value::as_array).unwrap();
    let mut resources = entries.iter().filter_map(|entry| entry.get("resource"));
    let patient = resources.find(|resource| resource.resource_type() == Some("Patient")).unwrap();
    let id = patient.get("id").and_then(Value::as_str).unwrap();
    write(
        node,
        record,
        &format!(
            r#"{{"resourceType":"Consent","id":"c","status":"{status}","scope":{{"coding":[{{"system":
            "http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},
            "category":[{{"coding":[{{"system":"http://loinc.org","code":"59284-0"}}]}}],
            "patient":{{"reference":"Patient/{id}"}},
            "policyRule":{{"coding":[{{"system":
            "http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTIN"}}]}},
            "provision":{{"period":{{"end":"{until}"}}}}}}"#
        ),
    );
}

#[test]
fn a_consent_holds_at_once_and_is_withdrawn_at_once() {
    let home = tempfile::tempdir().unwrap();
    let (node, record) = open(&home);
    let (scope, other) =
        (NodeScope::new(Arc::clone(&node), PEER), NodeScope::new(node.clone(), OTHER));
    assert!(!scope.may_hold(&record));
    rules(&node, Basis::Consent);
    assert_eq!(node.scope_change().unwrap(), Some(ScopeChange::Any));
    assert_eq!(node.scope_change().unwrap(), None);
    assert!(!scope.may_hold(&record));
    consent(&node, &record, "active", "2999-01-01");
    assert_eq!(node.decision(PEER, &record).unwrap(), Decision::Consent);
    assert!(scope.may_hold(&record) && !other.may_hold(&record) && !scope.may_hold("p-none"));
    consent(&node, &record, "inactive", "2999-01-01");
    assert!(!scope.may_hold(&record));
    rules(&node, Basis::All);
    assert!(scope.may_hold(&record));
    let digest = scope.digest();
    rules(&node, Basis::Nothing);
    assert!(!scope.may_hold(&record) && scope.digest() != digest);
}

#[test]
fn a_consent_whose_time_is_over_is_told() {
    let home = tempfile::tempdir().unwrap();
    let (node, record) = open(&home);
    rules(&node, Basis::Consent);
    node.scope_change().unwrap();
    // The clock of the test goes on by a millisecond whenever it is asked.
    let end = node.inside().outside.now_ms() / 1_000 + 2;
    assert_eq!(end / 86_400, START_DAY);
    let (hours, minutes, seconds) = (end / 3_600 % 24, end / 60 % 60, end % 60);
    let until = format!("{START_DATE}T{hours:02}:{minutes:02}:{seconds:02}Z");
    consent(&node, &record, "active", &until);
    assert!(node.decision(PEER, &record).unwrap().is_given());
    for _ in 0..70_000 {
        node.inside().outside.now_ms();
    }
    assert_eq!(node.scope_change().unwrap(), Some(ScopeChange::Records(vec![record.clone()])));
    assert_eq!(node.decision(PEER, &record).unwrap(), Decision::Nothing);
}

#[test]
fn an_organisation_is_known_by_its_identifiers() {
    let home = tempfile::tempdir().unwrap();
    let (node, record) = open(&home);
    let text = r#"{"resourceType":"Bundle","type":"collection","timestamp":"2024-01-01T00:00:00Z",
        "entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Organization",
        "identifier":[{"system":"urn:oid:5","value":"lab-5"}],"name":"Lab"}}]}"#;
    let mut load = node.load(BY);
    load.take(&read("org.json", text)).unwrap();
    load.finish().unwrap();
    let shared = node.record_ids().unwrap().into_iter().find(|id| id.starts_with("s-")).unwrap();
    let mut rule = PeerRule { basis: Basis::Care, ..PeerRule::default() };
    rule.identifiers.insert(("urn:oid:5".to_owned(), "lab-5".to_owned()));
    node.set_peer_rules(&BTreeMap::from([(PEER, rule.clone())]), BY).unwrap();
    assert_eq!(node.peer_rules().unwrap().get(&PEER), Some(&rule));
    assert_eq!(node.decision(PEER, &shared).unwrap(), Decision::Nothing);
    assert_eq!(node.decision(PEER, &record).unwrap(), Decision::Nothing);
    let bundle = json::parse(node.record_text(&shared, BY).unwrap().bundle.as_bytes()).unwrap();
    let entry = bundle.get("entry").and_then(|entries| entries.at(0)?.get("resource")).unwrap();
    let id = entry.get("id").and_then(Value::as_str).unwrap();
    write(
        &node,
        &record,
        &format!(
            r#"{{"resourceType":"Encounter","id":"e","status":"finished","class":{{"code":"AMB"}},
            "serviceProvider":{{"reference":"Organization/{id}"}}}}"#
        ),
    );
    assert_eq!(node.decision(PEER, &record).unwrap(), Decision::Care);
    rule.shared = true;
    node.set_peer_rules(&BTreeMap::from([(PEER, rule)]), BY).unwrap();
    assert_eq!(node.decision(PEER, &shared).unwrap(), Decision::Shared);
}
