//! A patient whose psychiatric data is kept apart: how it comes in, is read, given and erased.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use clisonix_fhir::json::{self, Value};
use clisonix_pq::Fingerprint;

use crate::consent::{Basis, Decision, PeerRule};
use crate::load::tests::{BY, node, read};
use crate::{Aim, Node, ReadVersion};

const PEER: Fingerprint = Fingerprint::from_bytes([1; 32]);
const PSY: &str = r#""meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}]},"#;

fn observation(label: &str, code: &str, note: &str) -> String {
    format!(
        r#"{{"resource":{{"resourceType":"Observation",{label}"status":"final","code":{{"coding":[{{
        "system":"http://loinc.org","code":"{code}"}}]}},"subject":{{"reference":"urn:uuid:1"}},
        "effectiveDateTime":"2024-01-01T08:00:00Z","valueString":"{note}"}}}}"#
    )
}

/// A bundle of a patient and two observations; the second with this label.
fn message(label: &str, note: &str) -> String {
    let (plain, other) = (observation("", "8867-4", "calm"), observation(label, "75275-8", note));
    format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"fullUrl":"urn:uuid:1","resource":
        {{"resourceType":"Patient","identifier":[{{"system":"urn:test:mrn","value":"7"}}]}}}},
        {plain},{other}]}}"#
    )
}

fn take(node: &Node, text: &str) {
    let mut load = node.load(BY);
    load.take(&read("one.json", text)).unwrap();
    load.finish().unwrap();
}

/// A node that took a labelled observation in; the patient's own record, and the one beside it.
fn apart(directory: &Path) -> (Arc<Node>, String, String) {
    let node = Arc::new(node(directory, 1));
    take(&node, &message(PSY, "voices"));
    let [own, beside] = &node.with_beside(&node.find_record("7").unwrap()).unwrap()[..] else {
        panic!("there are two records")
    };
    let (own, beside) = (own.clone(), beside.clone());
    (node, own, beside)
}

fn only(node: &Node, record: &str) -> String {
    crate::reading::text_of(&node.store.snapshot().unwrap(), record).unwrap().bundle
}

/// The name of the observation with this code.
fn entry(node: &Node, record: &str, code: &str) -> String {
    let text = node.record_text(record, BY).unwrap().bundle;
    let bundle = json::parse(text.as_bytes()).unwrap();
    let entries = bundle.get("entry").and_then(Value::as_array).unwrap();
    let has = |resource: &&Value| resource.to_text().contains(code);
    let found = entries.iter().filter_map(|entry| entry.get("resource")).find(has).unwrap();
    format!("Observation/{}", found.get("id").and_then(Value::as_str).unwrap())
}

#[test]
fn a_labelled_resource_comes_into_a_record_of_its_own_and_is_shown_with_the_patient() {
    let home = tempfile::tempdir().unwrap();
    let (node, own, beside) = apart(&home.path().join("data"));
    assert!(own.starts_with("p-") && beside.starts_with("c-"));
    assert_eq!(node.record_ids().unwrap(), [beside.clone(), own.clone()]);
    assert_eq!(node.patients().unwrap().len(), 1);
    assert_eq!(node.shown_ids().unwrap(), std::slice::from_ref(&own));
    assert!(only(&node, &own).contains("calm") && !only(&node, &own).contains("voices"));
    assert!(only(&node, &beside).contains("voices") && !only(&node, &beside).contains("calm"));
    let whole = node.record_text(&own, BY).unwrap().bundle;
    assert!(whole.contains("calm") && whole.contains("voices"));
    assert_eq!(node.record_to_share(&own, BY).unwrap(), whole);
    let name = entry(&node, &own, "75275-8");
    assert_eq!(node.record_of(&name).unwrap(), Some(beside));
    assert_eq!(node.find_record(&name).unwrap(), own);
    assert_eq!(node.history(&own, None, BY).unwrap().len(), 2);
    assert_eq!(node.history(&own, Some(&name), BY).unwrap().len(), 1);
    node.verify().unwrap();
}

#[test]
fn an_entry_stays_in_the_record_that_it_came_into_first() {
    let home = tempfile::tempdir().unwrap();
    let (node, own, beside) = apart(&home.path().join("data"));
    take(&node, &message("", "voices again"));
    assert!(!only(&node, &own).contains("voices") && only(&node, &beside).contains("again"));

    let other = crate::load::tests::node(&home.path().join("other"), 2);
    // In one load, so that the store does not have the one when the other comes.
    let mut load = other.load(BY);
    load.take(&read("one.json", &message("", "voices"))).unwrap();
    load.take(&read("two.json", &message(PSY, "voices again"))).unwrap();
    load.finish().unwrap();
    assert_eq!(other.record_ids().unwrap(), std::slice::from_ref(&own));
    assert!(only(&other, &own).contains("again"));

    let third = crate::load::tests::node(&home.path().join("third"), 3);
    let mut load = third.load(BY);
    load.take(&read("one.json", &message(PSY, "voices"))).unwrap();
    load.take(&read("two.json", &message("", "voices again"))).unwrap();
    load.finish().unwrap();
    assert!(!only(&third, &own).contains("voices") && only(&third, &beside).contains("again"));
}

#[test]
fn what_is_new_in_an_edit_goes_by_its_label_and_conflicts_are_settled_where_they_are() {
    let home = tempfile::tempdir().unwrap();
    let (node, own, beside) = apart(&home.path().join("data"));
    let write = |label: &str, id: &str, note: &str| {
        let text = format!(
            r#"{{"resourceType":"Observation","id":"{id}",{label}"status":"final","code":{{"text":"x"}},
            "valueString":"{note}"}}"#
        );
        let value = json::parse(text.as_bytes()).unwrap();
        node.edit(&own, &value, ReadVersion::Current, BY).unwrap().record
    };
    assert_eq!(write(PSY, "new", "fear"), beside);
    assert_eq!(write("", "new", "less fear"), beside);
    assert_eq!(write("", "plain", "none"), own);
    assert_eq!(write(PSY, "plain", "some"), own);

    let version = node.entry("Observation/new", BY).unwrap().unwrap();
    let version = version.get("meta").and_then(|meta| meta.get("versionId")?.as_str()).unwrap();
    for note in ["one", "two"] {
        let text = format!(
            r#"{{"resourceType":"Observation","id":"new",{PSY}"status":"final","code":{{"text":"x"}},
            "valueString":"{note}"}}"#
        );
        let value = json::parse(text.as_bytes()).unwrap();
        node.edit(&own, &value, ReadVersion::Version(version), BY).unwrap();
    }
    let open = node.conflicts(Some(&own), BY).unwrap();
    assert!(
        !open.is_empty()
            && open.iter().all(|one| one.get("record").and_then(Value::as_str) == Some(&beside))
    );
    assert_eq!(node.conflicts(None, BY).unwrap(), open);
    for conflict in &open {
        let id = conflict.get("id").and_then(Value::as_str).unwrap();
        let side = conflict.get("values").and_then(|sides| sides.at(0)?.get("value")).unwrap();
        assert_eq!(node.resolve(&own, id, Some(side), BY).unwrap().record, beside);
    }
    assert!(node.conflicts(Some(&own), BY).unwrap().is_empty());
}

#[test]
fn a_peer_may_hold_the_one_without_the_other() {
    let home = tempfile::tempdir().unwrap();
    let (node, own, beside) = apart(&home.path().join("data"));
    let decided = || (node.decision(PEER, &own).unwrap(), node.decision(PEER, &beside).unwrap());
    let rules = |basis, classes: &[&str]| {
        let rule = PeerRule {
            basis,
            purposes: ["TREAT".to_owned()].into(),
            references: ["Organization/lab".to_owned()].into(),
            classes: classes.iter().map(|class| (*class).to_owned()).collect(),
            ..PeerRule::default()
        };
        node.set_peer_rules(&BTreeMap::from([(PEER, rule)]), BY).unwrap();
    };
    rules(Basis::All, &[]);
    assert_eq!(decided(), (Decision::Rule, Decision::Sensitive));
    rules(Basis::All, &["PSY"]);
    assert_eq!(decided(), (Decision::Rule, Decision::Rule));
    rules(Basis::Own, &[]);
    assert_eq!(decided(), (Decision::Own, Decision::Own));
    rules(Basis::Care, &["PSY"]);
    assert_eq!(decided(), (Decision::Nothing, Decision::Nothing));
    rules(Basis::Consent, &[]);
    assert_eq!(decided(), (Decision::Nothing, Decision::Nothing));

    // The consent stands in the patient's own record and speaks for both.
    let patient = entry_of_patient(&node, &own);
    let consent = |provision: &str| {
        let text = format!(
            r#"{{"resourceType":"Consent","id":"c","status":"active","scope":{{"coding":[{{"system":
            "http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},
            "category":[{{"coding":[{{"system":"http://loinc.org","code":"59284-0"}}]}}],
            "patient":{{"reference":"{patient}"}},
            "policyRule":{{"coding":[{{"system":
            "http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTIN"}}]}},
            "provision":{{{provision}}}}}"#
        );
        let value = json::parse(text.as_bytes()).unwrap();
        assert_eq!(node.edit(&own, &value, ReadVersion::Current, BY).unwrap().record, own);
    };
    consent(r#""period":{"end":"2999-01-01"}"#);
    assert_eq!(decided(), (Decision::Consent, Decision::Sensitive));
    let label = r#""securityLabel":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}]"#;
    consent(&format!(r#""period":{{"end":"2999-01-01"}},"provision":[{{"type":"deny",{label}}}]"#));
    assert_eq!(decided(), (Decision::Consent, Decision::Denied));
    rules(Basis::All, &["PSY"]);
    assert_eq!(decided(), (Decision::Rule, Decision::Denied));
}

fn entry_of_patient(node: &Node, record: &str) -> String {
    let bundle = json::parse(only(node, record).as_bytes()).unwrap();
    let entries = bundle.get("entry").and_then(Value::as_array).unwrap();
    let mut resources = entries.iter().filter_map(|entry| entry.get("resource"));
    let patient = resources.find(|resource| resource.resource_type() == Some("Patient")).unwrap();
    format!("Patient/{}", patient.get("id").and_then(Value::as_str).unwrap())
}

#[test]
fn what_comes_from_a_peer_is_found_beside_the_patient_in_either_order() {
    let home = tempfile::tempdir().unwrap();
    let (node, own, beside) = apart(&home.path().join("data"));
    let other = crate::load::tests::node(&home.path().join("other"), 2);
    let send = |record: &str| {
        let (key, changes) = node.changes_since(record, &[], BY).unwrap();
        assert_eq!(other.receive(record, &key, &changes, BY).unwrap().refused, []);
    };
    send(&beside);
    // Until the patient's own record comes it stands for itself.
    let name = entry(&node, &own, "75275-8");
    assert_eq!(other.find_record(&name).unwrap(), beside);
    assert_eq!(other.patients().unwrap().len(), 1);
    assert_eq!(other.shown_ids().unwrap(), std::slice::from_ref(&beside));
    other.set_peer_rules(&all_of_psychiatry(), BY).unwrap();
    assert_eq!(other.decision(PEER, &beside).unwrap(), Decision::Nothing);
    send(&own);
    assert_eq!(other.shown_ids().unwrap(), std::slice::from_ref(&own));
    assert_eq!(other.decision(PEER, &beside).unwrap(), Decision::Rule);
    assert_eq!(other.record_text(&own, BY).unwrap(), node.record_text(&own, BY).unwrap());
}

fn all_of_psychiatry() -> BTreeMap<Fingerprint, PeerRule> {
    let classes = ["PSY".to_owned()].into();
    BTreeMap::from([(PEER, PeerRule { basis: Basis::All, classes, ..PeerRule::default() })])
}

#[test]
fn what_is_kept_apart_is_erased_with_the_patient() {
    let home = tempfile::tempdir().unwrap();
    let (node, own, beside) = apart(&home.path().join("data"));
    for record in node.with_beside(&own).unwrap() {
        node.erase(&record, Aim::Record, "asked for", true, BY).unwrap();
    }
    let left = node.record_text(&own, BY).unwrap().bundle;
    assert!(!left.contains("calm") && !left.contains("voices"));
    assert_eq!(node.with_beside(&own).unwrap(), [own.clone(), beside]);
    node.verify().unwrap();
}
