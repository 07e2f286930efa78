//! Cases of consent, one a line: what the record holds, who asks, and what is decided.

use clisonix_fhir::json::{self, Value};

use super::{Basis, Decision, PeerRule, Shown, decide};

/// 2026-06-15T12:00:00Z.
const NOW_MS: i64 = 1_781_524_800_000;

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p"}"#;

fn lab() -> PeerRule {
    PeerRule {
        basis: Basis::Consent,
        identifiers: [("urn:oid:1".to_owned(), "lab".to_owned())].into(),
        references: ["Organization/lab".to_owned()].into(),
        purposes: ["TREAT".to_owned()].into(),
        ..PeerRule::default()
    }
}

fn with(basis: Basis) -> PeerRule {
    PeerRule { basis, ..lab() }
}

fn decide_texts(texts: &[&str], rule: &PeerRule) -> Decision {
    let values: Vec<Value> =
        texts.iter().map(|text| json::parse(text.as_bytes()).expect("JSON")).collect();
    let shown: Vec<Shown<'_>> =
        values.iter().map(|resource| Shown { resource, is_disputed: false }).collect();
    decide(&shown, &[], rule, NOW_MS)
}

/// A consent of the patient with this policy and these further members.
fn consent(policy: &str, provision: &str) -> String {
    let provision =
        if provision.is_empty() { String::new() } else { format!(r#","provision":{provision}"#) };
    format!(
        r#"{{"resourceType":"Consent","id":"c","status":"active","scope":{{"coding":[{{"system":
        "http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},
        "patient":{{"reference":"Patient/p"}},"policyRule":{{"coding":[{{"system":
        "http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{policy}"}}]}}{provision}}}"#
    )
}

fn actor(role: &str, reference: &str) -> String {
    format!(
        r#""actor":[{{"role":{{"coding":[{{"system":
        "http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"{role}"}}]}},
        "reference":{reference}}}]"#
    )
}

fn to_lab() -> String {
    actor("PRCP", r#"{"reference":"Organization/lab"}"#)
}

fn coded(member: &str, system: &str, code: &str) -> String {
    let system = match system {
        "reason" => "http://terminology.hl7.org/CodeSystem/v3-ActReason",
        "act" => "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "level" => "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
        "type" => "http://hl7.org/fhir/resource-types",
        other => other,
    };
    format!(r#""{member}":[{{"system":"{system}","code":"{code}"}}]"#)
}

fn action(code: &str) -> String {
    format!(
        r#""action":[{{"coding":[{{"system":
        "http://terminology.hl7.org/CodeSystem/consentaction","code":"{code}"}}]}}]"#
    )
}

fn permit(conditions: &str) -> String {
    rule("permit", conditions, &[])
}

fn deny(conditions: &str) -> String {
    rule("deny", conditions, &[])
}

fn rule(kind: &str, conditions: &str, nested: &[String]) -> String {
    let comma = if conditions.is_empty() { "" } else { "," };
    let nested = match nested {
        [] => String::new(),
        nested => format!(r#","provision":[{}]"#, nested.join(",")),
    };
    format!(r#"{{"type":"{kind}"{comma}{conditions}{nested}}}"#)
}

fn period(start: &str, end: &str) -> String {
    format!(r#""period":{{"start":"{start}","end":"{end}"}}"#)
}

/// What is decided of a record with a patient and this consent, for the laboratory.
fn of_provision(policy: &str, provision: &str) -> Decision {
    decide_texts(&[PATIENT, &consent(policy, provision)], &lab())
}

#[test]
fn without_a_rule_and_without_a_consent_nothing_goes_out() {
    for basis in [Basis::Nothing, Basis::Consent, Basis::Care] {
        assert_eq!(decide_texts(&[PATIENT], &with(basis)), Decision::Nothing);
    }
    assert_eq!(decide_texts(&[PATIENT], &with(Basis::All)), Decision::Rule);
    assert_eq!(decide_texts(&[PATIENT], &with(Basis::Own)), Decision::Own);
    assert_eq!(decide_texts(&[], &with(Basis::All)), Decision::Rule);
    // A rule of nothing is not opened by a consent.
    let texts = [PATIENT, &consent("OPTIN", "")];
    assert_eq!(decide_texts(&texts, &with(Basis::Nothing)), Decision::Nothing);
}

#[test]
fn provisions_permit_when_all_their_conditions_surely_hold() {
    use Decision::{Consent, Denied, Nothing, Unclear};
    let other = actor("PRCP", r#"{"reference":"Organization/other"}"#);
    let by_identifier = actor("PRCP", r#"{"identifier":{"system":"urn:oid:1","value":"lab"}}"#);
    let nobody = actor("PRCP", r#"{"display":"the lab"}"#);
    let now = period("2026-01-01", "2026-12-31");
    let past = period("2020-01-01", "2026-06-14");
    let both = |one: &str, two: &str| format!("{one},{two}");
    let cases: &[(&str, String, Decision)] = &[
        ("OPTIN", String::new(), Consent),
        ("OPTOUT", String::new(), Denied),
        ("SOMETHING", String::new(), Unclear),
        ("OPTIN", permit(""), Consent),
        ("OPTIN", deny(""), Denied),
        ("OPTOUT", permit(&to_lab()), Consent),
        ("OPTOUT", permit(&other), Nothing),
        ("OPTOUT", permit(&by_identifier), Consent),
        ("OPTOUT", permit(&nobody), Nothing),
        ("OPTIN", deny(&to_lab()), Denied),
        ("OPTIN", deny(&other), Nothing),
        ("OPTIN", deny(&nobody), Denied),
        ("OPTOUT", permit(&actor("AUT", r#"{"reference":"Organization/lab"}"#)), Nothing),
        ("OPTOUT", permit(&actor("CST", r#"{"reference":"Organization/lab"}"#)), Consent),
        // Period.
        ("OPTIN", format!("{{{now}}}"), Consent),
        ("OPTIN", format!("{{{past}}}"), Nothing),
        ("OPTOUT", permit(&both(&to_lab(), &now)), Consent),
        ("OPTOUT", permit(&both(&to_lab(), &past)), Nothing),
        ("OPTIN", deny(&past), Nothing),
        ("OPTIN", deny(&now), Denied),
        ("OPTIN", permit(&period("2026-06-15", "2026-06-15")), Consent),
        ("OPTIN", permit(&period("2026", "2026")), Consent),
        ("OPTIN", permit(&period("2026-06", "2026-06")), Consent),
        ("OPTIN", permit(&period("2026-06-15T12:00:01Z", "2027")), Nothing),
        ("OPTIN", permit(&period("2026-01-01", "2026-06-15T13:59:59+02:00")), Nothing),
        ("OPTIN", permit(&period("soon", "2027")), Nothing),
        ("OPTIN", deny(&period("soon", "2027")), Denied),
        // Purpose.
        ("OPTOUT", permit(&coded("purpose", "reason", "TREAT")), Consent),
        ("OPTOUT", permit(&coded("purpose", "reason", "HRESCH")), Nothing),
        ("OPTIN", deny(&coded("purpose", "reason", "HRESCH")), Nothing),
        ("OPTIN", deny(&coded("purpose", "reason", "TREAT")), Denied),
        ("OPTIN", deny(&coded("purpose", "urn:own", "X")), Denied),
        ("OPTIN", permit(&coded("purpose", "urn:own", "TREAT")), Nothing),
        // Action.
        ("OPTOUT", permit(&action("access")), Consent),
        ("OPTOUT", permit(&action("disclose")), Consent),
        ("OPTOUT", permit(&action("correct")), Nothing),
        ("OPTIN", deny(&action("correct")), Nothing),
        ("OPTIN", deny(&action("use")), Denied),
        ("OPTIN", deny(&action("unheard-of")), Denied),
        // What is not followed never permits.
        ("OPTOUT", permit(r#""dataPeriod":{"start":"2020"}"#), Nothing),
        ("OPTIN", deny(r#""dataPeriod":{"start":"2020"}"#), Denied),
        ("OPTIN", permit(&coded("class", "urn:ietf:bcp:13", "application/pdf")), Nothing),
        ("OPTIN", deny(&coded("class", "urn:ietf:bcp:13", "application/pdf")), Denied),
        ("OPTIN", r#"{"type":"maybe"}"#.to_owned(), Unclear),
        ("OPTIN", r#"{"modifierExtension":[{"url":"u"}]}"#.to_owned(), Unclear),
        // A root without a type: only its period is understood.
        ("OPTIN", format!("{{{}}}", to_lab()), Unclear),
        ("OPTOUT", format!("{{{other}}}"), Denied),
        ("OPTOUT", format!(r#"{{"provision":[{}]}}"#, permit(&to_lab())), Consent),
        ("OPTOUT", format!(r#"{{{past},"provision":[{}]}}"#, permit(&to_lab())), Nothing),
        ("OPTIN", r#"{"provision":[{}]}"#.to_owned(), Unclear),
    ];
    for (number, (policy, provision, expected)) in cases.iter().enumerate() {
        assert_eq!(of_provision(policy, provision), *expected, "{number}: {policy} {provision}");
    }
}

#[test]
fn exceptions_turn_a_rule_round_and_a_denial_among_them_counts_most() {
    use Decision::{Consent, Denied, Nothing, Unclear};
    let mut deep = permit("");
    for _ in 0..20 {
        deep = rule("permit", "", &[deep]);
    }
    let cases = [
        (rule("permit", "", &[deny(&to_lab())]), Denied),
        (rule("deny", "", &[permit(&to_lab())]), Consent),
        (rule("deny", "", &[permit(&to_lab()), deny(&to_lab())]), Denied),
        (rule("deny", "", &[rule("permit", &to_lab(), &[deny(&action("use"))])]), Denied),
        (rule("permit", "", &[permit(&to_lab())]), Consent),
        (rule("permit", "", &[permit(&coded("class", "type", "Observation"))]), Nothing),
        (rule("permit", &to_lab(), &[deny(&coded("class", "type", "Observation"))]), Consent),
        (deep, Unclear),
    ];
    for (provision, expected) in cases {
        assert_eq!(of_provision("OPTIN", &provision), expected, "{provision}");
    }
}

#[test]
fn one_resource_that_may_not_go_keeps_the_record_back() {
    let observation = r#"{"resourceType":"Observation","id":"o","code":{"coding":[
        {"system":"http://loinc.org","code":"2823-3"}]}}"#;
    let of = |provision: &str| {
        decide_texts(&[PATIENT, observation, &consent("OPTIN", provision)], &lab())
    };
    let code = r#""code":[{"coding":[{"system":"http://loinc.org","code":"2823-3"}]}]"#;
    let one = r#""data":[{"meaning":"instance","reference":{"reference":"Observation/o"}}]"#;
    let related = r#""data":[{"meaning":"related","reference":{"reference":"Task/1"}}]"#;
    let observations = coded("class", "type", "Observation");
    for conditions in [code, one, &observations] {
        assert_eq!(of(&permit(conditions)), Decision::Nothing);
        assert_eq!(of(&deny(conditions)), Decision::Denied);
        assert_eq!(of(&rule("permit", "", &[deny(conditions)])), Decision::Denied);
    }
    assert_eq!(of(&permit(related)), Decision::Nothing);
    assert_eq!(of(&deny(related)), Decision::Denied);
    assert_eq!(of(&deny(&coded("class", "type", "Procedure"))), Decision::Nothing);
    let elsewhere = deny(&coded("class", "type", "Procedure"));
    assert_eq!(of(&rule("permit", "", &[elsewhere])), Decision::Consent);
}

#[test]
fn only_a_consent_that_is_in_force_and_about_the_patient_permits() {
    let given = consent("OPTIN", "");
    let changed = |from: &str, to: &str| {
        assert!(given.contains(from), "{from}");
        decide_texts(&[PATIENT, &given.replace(from, to)], &lab())
    };
    for status in ["draft", "proposed", "rejected", "inactive", "entered-in-error"] {
        let to = format!(r#""status":"{status}""#);
        assert_eq!(changed(r#""status":"active""#, &to), Decision::Nothing, "{status}");
    }
    assert_eq!(changed(r#""status":"active","#, ""), Decision::Unclear);
    assert_eq!(changed("patient-privacy", "research"), Decision::Nothing);
    assert_eq!(changed("patient-privacy", "other"), Decision::Unclear);
    assert_eq!(changed("Patient/p", "Patient/q"), Decision::Nothing);
    let implicit = r#""implicitRules":"urn:x","status":"active""#;
    assert_eq!(changed(r#""status":"active""#, implicit), Decision::Unclear);
    let refuted = r#""verification":[{"verified":false}],"status":"active""#;
    assert_eq!(changed(r#""status":"active""#, refuted), Decision::Nothing);
    let verified = r#""verification":[{"verified":true}],"status":"active""#;
    assert_eq!(changed(r#""status":"active""#, verified), Decision::Consent);
    // A denial counts whoever it names as the patient, and an old permission does not outrank it.
    let denied = consent("OPTOUT", "").replace("Patient/p", "Patient/q");
    assert_eq!(decide_texts(&[PATIENT, &given, &denied], &lab()), Decision::Denied);
    assert_eq!(decide_texts(&[PATIENT, &denied], &with(Basis::All)), Decision::Denied);
    assert_eq!(decide_texts(&[PATIENT, &denied], &with(Basis::Own)), Decision::Own);
}

#[test]
fn a_consent_that_authors_disagree_about_permits_nothing() {
    let values = [PATIENT, &consent("OPTIN", "")].map(|text| json::parse(text.as_bytes()).unwrap());
    let decided = |is_disputed| {
        let shown = [
            Shown { resource: &values[0], is_disputed: false },
            Shown { resource: &values[1], is_disputed },
        ];
        decide(&shown, &[], &lab(), NOW_MS)
    };
    assert_eq!((decided(false), decided(true)), (Decision::Consent, Decision::Unclear));
}

#[test]
fn sensitive_classes_need_a_permission_that_names_them() {
    let secret = format!(
        r#"{{"resourceType":"Condition","id":"s","meta":{{{}}}}}"#,
        coded("security", "act", "PSY")
    );
    let restricted = secret.replace("v3-ActCode", "v3-Confidentiality").replace("PSY", "R");
    for secret in [&secret, &restricted] {
        for basis in [Basis::All, Basis::Consent] {
            let texts = [PATIENT, secret, &consent("OPTIN", "")];
            assert_eq!(decide_texts(&texts, &with(basis)), Decision::Sensitive);
        }
        assert_eq!(decide_texts(&[PATIENT, secret], &with(Basis::Own)), Decision::Own);
    }
    let mut rule = with(Basis::All);
    rule.classes.insert("PSY".to_owned());
    assert_eq!(decide_texts(&[PATIENT, &secret], &rule), Decision::Rule);
    assert_eq!(decide_texts(&[PATIENT, &restricted], &rule), Decision::Sensitive);
    // A consent that names the class, beside one that permits the rest.
    let named = consent("OPTIN", &permit(&coded("securityLabel", "act", "PSY")));
    let texts = [PATIENT, &secret, &consent("OPTIN", ""), &named];
    assert_eq!(decide_texts(&texts, &lab()), Decision::Consent);
    assert_eq!(decide_texts(&[PATIENT, &secret, &named], &lab()), Decision::Nothing);
    let denied = consent("OPTIN", &deny(&coded("securityLabel", "act", "PSY")));
    assert_eq!(decide_texts(&[PATIENT, &secret, &denied], &rule), Decision::Denied);
    assert_eq!(decide_texts(&[PATIENT, &denied], &rule), Decision::Rule);
}

#[test]
fn levels_of_confidentiality_reach_down_for_a_permission_and_up_for_a_denial() {
    let labelled = |level: &str| {
        format!(
            r#"{{"resourceType":"Patient","id":"p","meta":{{{}}}}}"#,
            coded("security", "level", level)
        )
    };
    let of = |level: &str, provision: &str| {
        // The consent itself is part of the record.
        let consent = consent("OPTIN", provision);
        let meta = format!(r#""meta":{{{}}},"status""#, coded("security", "level", "L"));
        decide_texts(&[&labelled(level), &consent.replace(r#""status""#, &meta)], &lab())
    };
    let normal = coded("securityLabel", "level", "N");
    assert_eq!(of("N", &permit(&normal)), Decision::Consent);
    assert_eq!(of("L", &permit(&normal)), Decision::Consent);
    assert_eq!(of("R", &permit(&normal)), Decision::Nothing);
    assert_eq!(of("N", &deny(&normal)), Decision::Denied);
    assert_eq!(of("L", &deny(&normal)), Decision::Nothing);
    assert_eq!(of("V", &deny(&normal)), Decision::Denied);
    assert_eq!(of_provision("OPTIN", &permit(&normal)), Decision::Nothing);
    assert_eq!(of_provision("OPTIN", &deny(&normal)), Decision::Denied);
}

#[test]
fn who_takes_care_of_the_patient_may_hold_the_record() {
    let lab_reference = r#"{"reference":"Organization/lab"}"#;
    let resource = |ty: &str, rest: &str| format!(r#"{{"resourceType":"{ty}","id":"x",{rest}}}"#);
    let member = |name: &str| format!(r#""{name}":{lab_reference}"#);
    let listed = |name: &str| format!(r#""{name}":[{lab_reference}]"#);
    let status = |status: &str, rest: String| format!(r#""status":"{status}",{rest}"#);
    let cases = [
        (resource("Patient", &listed("generalPractitioner")), true),
        (resource("Patient", &member("managingOrganization")), true),
        (resource("Encounter", &status("finished", member("serviceProvider"))), true),
        (resource("Encounter", &status("entered-in-error", member("serviceProvider"))), false),
        (resource("EpisodeOfCare", &status("active", member("managingOrganization"))), true),
        (resource("EpisodeOfCare", &status("finished", member("managingOrganization"))), false),
        (resource("CareTeam", &status("active", listed("managingOrganization"))), true),
        (
            resource(
                "CareTeam",
                &status("active", format!(r#""participant":[{{{}}}]"#, member("member"))),
            ),
            true,
        ),
        (
            resource(
                "CareTeam",
                &status("active", format!(r#""participant":[{{{}}}]"#, member("onBehalfOf"))),
            ),
            true,
        ),
        (resource("CareTeam", &status("inactive", listed("managingOrganization"))), false),
        (resource("Observation", &listed("performer")), false),
    ];
    for (text, takes_care) in cases {
        let decided = decide_texts(&[PATIENT, &text], &with(Basis::Care));
        let expected = if takes_care { Decision::Care } else { Decision::Nothing };
        assert_eq!(decided, expected, "{text}");
        assert_eq!(decide_texts(&[PATIENT, &text], &with(Basis::Consent)), Decision::Nothing);
    }
    let denied = consent("OPTOUT", "");
    let cared = resource("Encounter", &status("finished", member("serviceProvider")));
    assert_eq!(decide_texts(&[PATIENT, &cared, &denied], &with(Basis::Care)), Decision::Denied);
}

#[test]
fn odd_shapes_never_permit() {
    for text in [
        r#"{"resourceType":"Consent"}"#,
        r#"{"resourceType":"Consent","status":7,"provision":[]}"#,
        r#"{"resourceType":"Consent","status":"active","scope":[],"provision":{"provision":7}}"#,
        r#"{"resourceType":"Consent","status":"active","scope":{"text":"privacy"}}"#,
    ] {
        assert_eq!(decide_texts(&[PATIENT, text], &lab()), Decision::Unclear, "{text}");
    }
}

/// The official examples of HL7 (R4), for the organisation that they name, without a rule of the
/// site: a permission only where the page of the standard cannot be read in another way.
#[test]
fn the_official_examples_permit_nothing_that_they_do_not_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let path = std::path::Path::new(path).join("fhir/r4-examples/r4-examples-instances.tar.xz");
    if !path.exists() {
        assert!(std::env::var_os("CI").is_none(), "the official examples are missing");
        eprintln!("SKIPPED: the official examples are missing");
        return;
    }
    let unpack = std::process::Command::new("tar")
        .args(["-xJOf"])
        .arg(&path)
        .args(["--wildcards", "*consent-example*.json"])
        .output()
        .expect("tar");
    let text = String::from_utf8(unpack.stdout).expect("UTF-8");
    let mut told = Vec::new();
    for text in text.split_inclusive("\n}") {
        let Ok(consent) = json::parse(text.trim().as_bytes()) else { continue };
        if consent.resource_type() != Some("Consent") {
            continue;
        }
        let patient = consent.get("patient").and_then(|p| p.get("reference")?.as_str());
        let id = patient.and_then(|p| p.split_once('/')).map_or("", |(_, id)| id);
        let patient = format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#);
        let mut peer = lab();
        peer.references.insert("Organization/f001".to_owned());
        let decided = decide_texts(&[&patient, &consent.to_text()], &peer);
        let name = consent.get("id").and_then(Value::as_str).unwrap_or_default();
        told.push((name.trim_start_matches("consent-example-").to_owned(), decided));
    }
    told.sort();
    let expected = [
        ("Emergency", Decision::Denied),
        ("Out", Decision::Denied),
        ("basic", Decision::Nothing),
        ("grantor", Decision::Denied),
        ("notAuthor", Decision::Unclear),
        ("notOrg", Decision::Denied),
        ("notThem", Decision::Unclear),
        ("notThis", Decision::Unclear),
        ("notTime", Decision::Nothing),
        ("pkb", Decision::Unclear),
        ("signature", Decision::Unclear),
        ("smartonfhir", Decision::Nothing),
    ];
    let expected: Vec<(String, Decision)> =
        expected.into_iter().map(|(name, decided)| (name.to_owned(), decided)).collect();
    assert_eq!(told, expected);
}
