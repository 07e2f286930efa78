//! Each invariant broken alone, with what it reads.

use std::collections::BTreeSet;

use super::{broken_rules, check_reads, resource};
use crate::validate::{Outcome, second_opinion};

/// A type's required members, so that only the rule in question is broken.
const STEMS: &[(&str, &str)] = &[
    ("AllergyIntolerance", r#""patient":{"reference":"Patient/a"}"#),
    (
        "Appointment",
        r#""status":"proposed","participant":[{"type":[{"text":"x"}],"status":"accepted"}]"#,
    ),
    ("Bundle", ""),
    ("CarePlan", r#""status":"active","intent":"plan","subject":{"reference":"Patient/a"}"#),
    ("CareTeam", r#""status":"active""#),
    (
        "Composition",
        r#""status":"final","type":{"text":"x"},"date":"2020","title":"x",
        "author":[{"reference":"Practitioner/a"}]"#,
    ),
    ("Condition", r#""subject":{"reference":"Patient/a"}"#),
    ("Consent", r#""status":"active","category":[{"text":"x"}]"#),
    (
        "FamilyMemberHistory",
        r#""status":"completed","patient":{"reference":"Patient/a"},"relationship":{"text":"x"}"#,
    ),
    (
        "Goal",
        r#""lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":"Patient/a"}"#,
    ),
    (
        "Immunization",
        r#""status":"completed","vaccineCode":{"text":"x"},"patient":{"reference":"Patient/a"},
        "occurrenceDateTime":"2020""#,
    ),
    ("List", r#""status":"current""#),
    (
        "MedicationAdministration",
        r#""status":"completed","medicationCodeableConcept":{"text":"x"},
        "subject":{"reference":"Patient/a"},"effectiveDateTime":"2020""#,
    ),
    ("MedicationDispense", r#""status":"completed","medicationCodeableConcept":{"text":"x"}"#),
    ("Observation", r#""status":"final""#),
    ("Organization", ""),
    ("Patient", ""),
    ("QuestionnaireResponse", r#""status":"completed""#),
    ("ServiceRequest", r#""status":"active","intent":"order","subject":{"reference":"Patient/a"}"#),
    ("Task", r#""status":"draft","intent":"order""#),
];

/// A datatype as the value of an extension.
fn datatype(name: &str, value: &str) -> String {
    format!(
        r#"{{"resourceType":"Basic","code":{{"text":"x"}},
        "extension":[{{"url":"http://example.org/x","value{name}":{value}}}]}}"#
    )
}

fn of_type(name: &str, members: &str) -> String {
    let stem = STEMS.iter().find(|(ty, _)| *ty == name).map_or("", |(_, stem)| stem);
    let comma = if stem.is_empty() { "" } else { "," };
    format!(r#"{{"resourceType":"{name}"{comma}{stem},{members}}}"#)
}

/// Members that break the rule and none else: key, datatype, value.
const DATATYPES: &[(&str, &str, &str)] = &[
    ("age-1", "Age", r#"{"value":-1,"code":"a","system":"http://unitsofmeasure.org"}"#),
    ("att-1", "Attachment", r#"{"data":"AAAA"}"#),
    ("cnt-3", "Count", r#"{"value":1.5,"code":"1","system":"http://unitsofmeasure.org"}"#),
    ("cpt-2", "ContactPoint", r#"{"value":"1"}"#),
    ("dis-1", "Distance", r#"{"value":1}"#),
    (
        "drq-1",
        "DataRequirement",
        r#"{"type":"Patient","codeFilter":[{"path":"x","searchParam":"y"}]}"#,
    ),
    ("drq-2", "DataRequirement", r#"{"type":"Patient","dateFilter":[{"valueDateTime":"2020"}]}"#),
    ("drt-1", "Duration", r#"{"code":"h","system":"http://unitsofmeasure.org"}"#),
    ("exp-1", "Expression", r#"{"language":"text/cql"}"#),
    ("per-1", "Period", r#"{"start":"2021","end":"2020-12"}"#),
    ("qty-3", "Quantity", r#"{"value":1,"code":"mg"}"#),
    ("rat-1", "Ratio", r#"{"numerator":{"value":1}}"#),
    ("rng-2", "Range", r#"{"low":{"value":2.0,"unit":"mg"},"high":{"value":1.9,"unit":"mg"}}"#),
    ("tim-1", "Timing", r#"{"repeat":{"duration":1}}"#),
    ("tim-2", "Timing", r#"{"repeat":{"period":1}}"#),
    ("tim-4", "Timing", r#"{"repeat":{"duration":-1,"durationUnit":"h"}}"#),
    ("tim-5", "Timing", r#"{"repeat":{"period":-1,"periodUnit":"h"}}"#),
    ("tim-6", "Timing", r#"{"repeat":{"periodMax":1}}"#),
    ("tim-7", "Timing", r#"{"repeat":{"durationMax":1}}"#),
    ("tim-8", "Timing", r#"{"repeat":{"countMax":1}}"#),
    ("tim-9", "Timing", r#"{"repeat":{"offset":1,"when":["CM"]}}"#),
    ("tim-10", "Timing", r#"{"repeat":{"timeOfDay":["10:00:00"],"when":["CM"]}}"#),
    (
        "trd-1",
        "TriggerDefinition",
        r#"{"type":"named-event","name":"x","timingDate":"2020","data":[{"type":"Patient"}]}"#,
    ),
    (
        "trd-2",
        "TriggerDefinition",
        r#"{"type":"named-event","name":"x","condition":{"language":"text/cql","expression":"x"}}"#,
    ),
    ("trd-3", "TriggerDefinition", r#"{"type":"periodic"}"#),
    ("ext-1", "Meta", r#"{"extension":[{"url":"http://example.org/y"}]}"#),
];

/// The same for resources: key, type, members, the elements that are read.
const RESOURCES: &[(&str, &str, &str, &[&str])] = &[
    (
        "ait-1",
        "AllergyIntolerance",
        r#""code":{"text":"x"}"#,
        &["clinicalStatus", "verificationStatus"],
    ),
    (
        "ait-2",
        "AllergyIntolerance",
        r#""clinicalStatus":{"coding":[{"code":"active",
            "system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"}]},
        "verificationStatus":{"coding":[{"code":"entered-in-error",
            "system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"}]}"#,
        &["clinicalStatus", "verificationStatus"],
    ),
    ("app-2", "Appointment", r#""start":"2020-01-01T10:00:00Z""#, &["start", "end"]),
    (
        "app-4",
        "Appointment",
        r#""cancelationReason":{"text":"x"}"#,
        &["cancelationReason", "status"],
    ),
    ("bdl-1", "Bundle", r#""type":"collection","total":1"#, &["total", "type"]),
    (
        "bdl-2",
        "Bundle",
        r#""type":"collection","entry":[{"search":{"mode":"match"},"resource":{"resourceType":"Patient"}}]"#,
        &["entry", "type"],
    ),
    (
        "bdl-3",
        "Bundle",
        r#""type":"transaction","entry":[{"resource":{"resourceType":"Patient"}}]"#,
        &["entry", "type"],
    ),
    (
        "bdl-4",
        "Bundle",
        r#""type":"batch-response","entry":[{"resource":{"resourceType":"Patient"}}]"#,
        &["entry", "type"],
    ),
    (
        "bdl-5",
        "Bundle",
        r#""type":"collection","entry":[{"fullUrl":"http://example.org/1"}]"#,
        &["entry"],
    ),
    (
        "bdl-7",
        "Bundle",
        r#""type":"collection","entry":[
        {"fullUrl":"http://example.org/1","resource":{"resourceType":"Patient"}},
        {"fullUrl":"http://example.org/1","resource":{"resourceType":"Patient"}}]"#,
        &["entry", "type"],
    ),
    (
        "bdl-8",
        "Bundle",
        r#""type":"collection","entry":[
        {"fullUrl":"http://example.org/Patient/1/_history/1","resource":{"resourceType":"Patient"}}]"#,
        &["entry"],
    ),
    ("bdl-12", "Bundle", r#""type":"message""#, &["entry", "type"]),
    ("cmp-1", "Composition", r#""section":[{"title":"x"}]"#, &["section"]),
    (
        "cmp-2",
        "Composition",
        r#""section":[{"section":[{"emptyReason":{"text":"x"},"entry":[{"reference":"List/1"}]}]}]"#,
        &["section"],
    ),
    ("con-1", "Condition", r#""stage":[{"type":{"text":"x"}}]"#, &["stage"]),
    (
        "con-2",
        "Condition",
        r#""evidence":[{"extension":[{"url":"http://x.org","valueCode":"x"}]}]"#,
        &["evidence"],
    ),
    ("con-4", "Condition", r#""abatementDateTime":"2020""#, &["clinicalStatus", "abatement"]),
    (
        "con-4",
        "Condition",
        r#""_abatementString":{"extension":[{"url":"http://x.org","valueCode":"x"}]}"#,
        &["clinicalStatus", "abatement"],
    ),
    (
        "con-5",
        "Condition",
        r#""clinicalStatus":{"coding":[{"code":"active",
            "system":"http://terminology.hl7.org/CodeSystem/condition-clinical"}]},
        "verificationStatus":{"coding":[{"code":"entered-in-error",
            "system":"http://terminology.hl7.org/CodeSystem/condition-ver-status"}]}"#,
        &["clinicalStatus", "verificationStatus"],
    ),
    (
        "cpl-3",
        "CarePlan",
        r#""activity":[{"detail":{"status":"scheduled"},"reference":{"reference":"Task/1"}}]"#,
        &["activity"],
    ),
    (
        "ctm-1",
        "CareTeam",
        r#""participant":[{"member":{"reference":"Patient/1"},"onBehalfOf":{"reference":"Organization/1"}}]"#,
        &["participant"],
    ),
    ("fhs-1", "FamilyMemberHistory", r#""ageString":"x","bornString":"y""#, &["age", "born"]),
    ("fhs-2", "FamilyMemberHistory", r#""estimatedAge":true"#, &["estimatedAge", "age"]),
    ("gol-1", "Goal", r#""target":[{"detailString":"x"}]"#, &["target"]),
    ("imm-1", "Immunization", r#""education":[{"publicationDate":"2020"}]"#, &["education"]),
    (
        "inv-1",
        "Task",
        r#""authoredOn":"2020-02","lastModified":"2020-01-31""#,
        &["lastModified", "authoredOn"],
    ),
    (
        "lst-1",
        "List",
        r#""mode":"working","emptyReason":{"text":"x"},"entry":[{"item":{"reference":"Condition/1"}}]"#,
        &["emptyReason", "entry"],
    ),
    (
        "lst-2",
        "List",
        r#""mode":"working","entry":[{"deleted":true,"item":{"reference":"Condition/1"}}]"#,
        &["mode", "entry"],
    ),
    (
        "lst-3",
        "List",
        r#""mode":"changes","entry":[{"date":"2020","item":{"reference":"Condition/1"}}]"#,
        &["mode", "entry"],
    ),
    ("mad-1", "MedicationAdministration", r#""dosage":{"text":"x"}"#, &["dosage"]),
    (
        "mdd-1",
        "MedicationDispense",
        r#""whenPrepared":"2020-01-02","whenHandedOver":"2020-01-01""#,
        &["whenPrepared", "whenHandedOver"],
    ),
    (
        "obs-3",
        "Observation",
        r#""code":{"text":"x"},"referenceRange":[{"type":{"text":"x"}}]"#,
        &["referenceRange"],
    ),
    (
        "obs-6",
        "Observation",
        r#""code":{"text":"x"},"valueQuantity":{"value":1},"dataAbsentReason":{"text":"x"}"#,
        &["value", "dataAbsentReason"],
    ),
    (
        "obs-7",
        "Observation",
        r#""code":{"coding":[{"system":"http://loinc.org","code":"1"}]},"valueString":"x",
        "component":[{"code":{"coding":[{"system":"http://loinc.org","code":"1"}]}}]"#,
        &["value", "code", "component"],
    ),
    ("org-1", "Organization", r#""active":true"#, &["identifier", "name"]),
    ("org-2", "Organization", r#""name":"x","address":[{"use":"home"}]"#, &["address"]),
    ("org-3", "Organization", r#""name":"x","telecom":[{"use":"home"}]"#, &["telecom"]),
    ("pat-1", "Patient", r#""contact":[{"gender":"female"}]"#, &["contact"]),
    ("ppc-1", "Consent", r#""scope":{"text":"x"}"#, &["policy", "policyRule"]),
    (
        "ppc-2",
        "Consent",
        r#""policyRule":{"text":"x"},"scope":{"coding":[{"system":"something","code":"patient-privacy"}]}"#,
        &["patient", "scope"],
    ),
    (
        "ppc-3",
        "Consent",
        r#""policyRule":{"text":"x"},"scope":{"coding":[{"system":"something","code":"research"}]}"#,
        &["patient", "scope"],
    ),
    (
        "ppc-4",
        "Consent",
        r#""policyRule":{"text":"x"},"scope":{"coding":[{"system":"something","code":"adr"}]}"#,
        &["patient", "scope"],
    ),
    (
        "ppc-5",
        "Consent",
        r#""policyRule":{"text":"x"},"scope":{"coding":[{"system":"something","code":"treatment"}]}"#,
        &["patient", "scope"],
    ),
    ("prr-1", "ServiceRequest", r#""orderDetail":[{"text":"x"}]"#, &["orderDetail", "code"]),
    (
        "qrs-1",
        "QuestionnaireResponse",
        r#""item":[{"linkId":"1","answer":[{"item":[{"linkId":"2","answer":[{"valueString":"x"}],"item":[{"linkId":"3"}]}]}]}]"#,
        &["item"],
    ),
    ("txt-1", "Patient", r#""text":{"status":"generated","div":"<div>x</div>"}"#, &["text"]),
    (
        "txt-2",
        "Patient",
        r#""text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"/>"}"#,
        &["text"],
    ),
];

/// Rules that cannot be broken alone, by a whole resource: the first key is the one in question.
const TOGETHER: &[(&[&str], &str)] = &[
    (
        &["app-1"],
        r#"{"resourceType":"Appointment","status":"proposed","participant":[{"status":"accepted"}]}"#,
    ),
    (
        &["app-3"],
        r#"{"resourceType":"Appointment","status":"booked","participant":[{"type":[{"text":"x"}],"status":"accepted"}]}"#,
    ),
    (&["bdl-9", "bdl-10", "bdl-11"], r#"{"resourceType":"Bundle","type":"document"}"#),
];

/// Rules with tests of their own, next to this one.
const ELSEWHERE: &[&str] = &["ele-1", "dom-2", "dom-3", "dom-4", "dom-5", "ref-1"];

#[test]
fn each_invariant_is_told_with_what_it_reads() {
    for (key, name, value) in DATATYPES {
        check_reads(&datatype(name, value), key, &["extension"]);
    }
    for (key, name, members, reads) in RESOURCES {
        check_reads(&of_type(name, members), key, reads);
    }
    for (keys, text) in TOGETHER {
        let rules = broken_rules(&resource(text));
        assert_eq!(rules.iter().map(|rule| rule.key).collect::<Vec<_>>(), *keys, "{text}");
    }
}

#[test]
fn no_invariant_goes_without_a_test() {
    let broken =
        DATATYPES.iter().map(|(key, ..)| *key).chain(RESOURCES.iter().map(|(key, ..)| *key));
    let together = TOGETHER.iter().flat_map(|(keys, _)| keys.iter().copied());
    let tested: BTreeSet<_> = broken.chain(together).chain(ELSEWHERE.iter().copied()).collect();
    let all: BTreeSet<_> = crate::validate::coded_invariants().map(|(key, _)| key).collect();
    assert_eq!(tested, all);
}

#[test]
fn an_invariant_holds_in_nested_places_too() {
    check_reads(
        r##"{"resourceType":"Patient","managingOrganization":{"reference":"#o"},
        "contained":[{"resourceType":"Organization","id":"o","active":true}]}"##,
        "org-1",
        &["contained"],
    );
    check_reads(
        r#"{"resourceType":"Bundle","type":"collection","entry":[
        {"resource":{"resourceType":"Organization","active":true}}]}"#,
        "org-1",
        &["entry"],
    );
    check_reads(
        r#"{"resourceType":"Patient","birthDate":"2020","_birthDate":{"extension":[
        {"url":"http://example.org/x"}]}}"#,
        "ext-1",
        &["birthDate"],
    );
    check_reads(
        r#"{"resourceType":"Patient","identifier":[{"period":{"start":"2021","end":"2020"}}]}"#,
        "per-1",
        &["identifier"],
    );
}

#[test]
fn every_rule_reads_elements_of_its_place() {
    use crate::schema::{ElementId, Scope, type_named};
    use crate::validate::invariant;
    for rule in invariant::rules() {
        let scope = type_named(rule.at).map(Scope::Type).or_else(|| {
            ElementId::all().find(|id| id.element().path == rule.at).map(Scope::Element)
        });
        let scope = scope.unwrap_or_else(|| panic!("{} is nowhere", rule.at));
        for name in rule.reads {
            let is_named = scope.elements().iter().any(|id| id.element().name == *name);
            assert!(is_named, "{} {name}", rule.key);
        }
    }
}

/// Keys of which the expression cannot decide in the broken form above, and why.
const UNDECIDED: &[(&str, &str)] = &[
    ("bdl-11", "there is no entry whose type could be asked for"),
    ("bdl-12", "there is no entry whose type could be asked for"),
];

#[test]
fn the_expressions_find_each_broken_invariant_too() {
    let datatypes = DATATYPES.iter().map(|(key, name, value)| (*key, datatype(name, value)));
    let resources = RESOURCES.iter().map(|(key, name, members, _)| (*key, of_type(name, members)));
    let together =
        TOGETHER.iter().flat_map(|(keys, text)| keys.iter().map(|key| (*key, (*text).to_owned())));
    let patient = resource(r#"{"resourceType":"Patient"}"#);
    for (key, text) in datatypes.chain(resources).chain(together) {
        let value = resource(&text);
        let resolver = |text: &str| text.starts_with("Patient/").then_some(&patient);
        let found = second_opinion(&value, Some(&resolver));
        let verdict = found.iter().find(|verdict| verdict.key == key);
        let outcome = verdict.map(|verdict| verdict.outcome);
        let is_undecided = UNDECIDED.iter().any(|(known, _)| *known == key);
        let wanted = if is_undecided { Outcome::Undecided } else { Outcome::Broken };
        assert_eq!(outcome, Some(wanted), "{key} {text}");
    }
}

#[test]
fn entries_of_a_bundle_without_a_type_are_neither_requests_nor_responses() {
    let text = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient"}}]}"#;
    let rules = broken_rules(&resource(text));
    assert_eq!(rules.iter().map(|rule| rule.key).collect::<Vec<_>>(), ["min", "bdl-3", "bdl-4"]);
}

/// Rules that are checked by expression: key, resource, path of the fault, what is read.
const EXPRESSED: &[(&str, &str, &str, &[&str])] = &[
    (
        "vsd-1",
        r#"{"resourceType":"ValueSet","status":"draft","compose":{"include":[{"concept":[{"code":"x"}]}]}}"#,
        "ValueSet.compose.include[0]",
        &["compose"],
    ),
    (
        "que-2",
        r#"{"resourceType":"Questionnaire","status":"draft","item":[
        {"linkId":"1","type":"string"},{"linkId":"1","type":"string"}]}"#,
        "Questionnaire",
        // `descendants()` reads every element.
        &[],
    ),
    (
        "que-3",
        r#"{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group",
        "item":[{"linkId":"2","type":"display","code":[{"code":"x"}]}]}]}"#,
        "Questionnaire.item[0].item[0]",
        &["item"],
    ),
    (
        "grp-1",
        r#"{"resourceType":"Group","type":"person","actual":false,"member":[{"entity":{"reference":"Patient/1"}}]}"#,
        "Group",
        &["actual", "member"],
    ),
    (
        "inv-1",
        r#"{"resourceType":"Parameters","parameter":[{"name":"x"}]}"#,
        "Parameters.parameter[0]",
        &["parameter"],
    ),
    (
        "eld-3",
        r#"{"resourceType":"StructureDefinition","url":"http://example.org/s","name":"S","status":"draft",
        "kind":"logical","abstract":false,"type":"S","differential":{"element":[{"id":"S","path":"S","max":"-1"}]}}"#,
        "StructureDefinition.differential.element[0].max",
        &["differential"],
    ),
    (
        "vsd-1",
        r##"{"resourceType":"Patient","generalPractitioner":[{"reference":"#v"}],
        "contained":[{"resourceType":"ValueSet","id":"v","status":"draft","compose":{"include":[{"concept":[{"code":"x"}]}]}}]}"##,
        "Patient.contained[0].compose.include[0]",
        &["contained"],
    ),
];

#[test]
fn rules_of_other_types_are_told_by_expression() {
    for (key, text, path, reads) in EXPRESSED {
        let rules = broken_rules(&resource(text));
        let rule = rules.iter().find(|rule| rule.key == *key);
        let rule = rule.unwrap_or_else(|| panic!("{key} is not broken: {rules:?}"));
        assert_eq!(rule.issue.path, *path, "{key}");
        let mut read: Vec<&str> = rule.reads.iter().map(|name| &**name).collect();
        read.sort_unstable();
        assert!(reads.is_empty() || read == *reads, "{key} reads {read:?}");
    }
    assert!(super::super::invariants().count() > super::super::coded_invariants().count() + 100);
}
