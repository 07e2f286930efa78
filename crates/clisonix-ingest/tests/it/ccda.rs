//! C-CDA documents of the public corpus, whole and broken.

// Clippy allows these in `#[test]` functions only, and the functions between them are tests too.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clisonix_fhir::issue::Issue;
use clisonix_fhir::json::Value;
use clisonix_ingest::{Format, Hint, Intake, Mappings, Outcome, Overlay, take_in, take_in_with};
use proptest::prelude::*;

/// The corpus beside the project, or `None` with a visible line when it is not there.
fn corpus() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/ccda");
    if root.is_dir() {
        return Some(root);
    }
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "the C-CDA corpus is missing");
    eprintln!("SKIPPED: the C-CDA corpus is not beside the project");
    None
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "xml" || end == "ccda") {
            found.push(path);
        }
    }
}

/// Every whole document of the corpus that is XML and has a patient, with its bytes.
fn documents() -> Vec<(PathBuf, Vec<u8>)> {
    let Some(root) = corpus() else { return Vec::new() };
    let mut found = Vec::new();
    files(&root, &mut found);
    let read = found.into_iter().map(|path| (fs::read(&path).unwrap(), path));
    read.filter(|(bytes, _)| is_document(bytes)).map(|(bytes, path)| (path, bytes)).collect()
}

fn is_document(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    roxmltree::Document::parse(&text).is_ok_and(|xml| {
        let is_about_someone = |node: roxmltree::Node<'_, '_>| {
            node.tag_name().name() == "recordTarget" && node.children().any(|it| it.is_element())
        };
        xml.root_element().tag_name().name() == "ClinicalDocument"
            && xml.root_element().children().any(is_about_someone)
    })
}

fn intake(bytes: &[u8]) -> Intake {
    match take_in(bytes, &Hint::default()).into_iter().next() {
        Some(Outcome::Taken(intake)) => intake,
        other => panic!("not taken: {other:?}"),
    }
}

fn resources(intake: &Intake) -> Vec<&Value> {
    let stated = intake.statements.iter().flat_map(|statement| &statement.resources);
    stated.map(|stated| &stated.resource).collect()
}

fn of_type<'a>(intake: &'a Intake, ty: &str) -> Vec<&'a Value> {
    resources(intake).into_iter().filter(|it| it.resource_type() == Some(ty)).collect()
}

/// Leaves counted by a second, simpler walk: attributes, and texts that are not blank.
fn leaves(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let xml = roxmltree::Document::parse(text).unwrap();
    xml.descendants()
        .map(|node| match node.text().filter(|_| node.is_text()) {
            Some(text) => usize::from(!text.trim().is_empty()),
            None => node.attributes().len(),
        })
        .sum()
}

#[test]
fn every_leaf_is_used_or_kept() {
    let (mut used, mut all) = (0, 0);
    for (path, bytes) in documents() {
        let intake = intake(&bytes);
        let total = leaves(&bytes);
        assert_eq!(intake.used + intake.kept.len(), total, "{}", path.display());
        used += intake.used;
        all += total;
    }
    if let Some(percent) = (used * 100_usize).checked_div(all) {
        eprintln!("ccda: {used} of {all} leaves used ({percent} %)");
        assert!(percent >= 70, "only {percent} % of the leaves are used");
    }
}

#[test]
fn the_same_document_gives_the_same_intake() {
    for (path, bytes) in documents() {
        assert_eq!(intake(&bytes), intake(&bytes), "{}", path.display());
    }
}

#[test]
fn references_lead_to_resources_of_the_document() {
    for (path, bytes) in documents() {
        let intake = intake(&bytes);
        let known: Vec<String> = resources(&intake)
            .into_iter()
            .map(|it| {
                let id = it.get("id").and_then(Value::as_str).unwrap();
                format!("{}/{id}", it.resource_type().unwrap())
            })
            .collect();
        for resource in resources(&intake) {
            each_reference(resource, &mut |target| {
                assert!(known.iter().any(|it| it == target), "{}: {target}", path.display());
            });
        }
    }
}

#[test]
fn every_resource_is_valid() {
    for (path, bytes) in documents() {
        for resource in resources(&intake(&bytes)) {
            let issues = clisonix_fhir::validate::validate(resource);
            let errors: Vec<_> = issues.into_iter().filter(Issue::is_error).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        }
    }
}

/// What was refused because the resource would not have been valid; may only shrink.
#[test]
fn few_resources_are_refused() {
    let mut refused = 0;
    for (path, bytes) in documents() {
        for issue in intake(&bytes).issues {
            if issue.message.starts_with("not taken over") {
                refused += 1;
                eprintln!("ccda: {}: {issue}", path.file_name().unwrap().display());
            }
        }
    }
    assert_eq!(refused, 0, "resources refused");
}

fn each_reference(value: &Value, visit: &mut impl FnMut(&str)) {
    if let Some(object) = value.as_object() {
        for (name, inner) in object {
            match inner.as_str().filter(|_| name == "reference") {
                Some(target) => visit(target),
                None => each_reference(inner, visit),
            }
        }
    }
    for inner in value.as_array().unwrap_or_default() {
        each_reference(inner, visit);
    }
}

/// Prints what the corpus becomes; how many resources of each type is part of the promise.
#[test]
fn the_corpus_becomes_every_promised_type() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let documents = documents();
    for (_, bytes) in &documents {
        for resource in resources(&intake(bytes)) {
            *counts.entry(resource.resource_type().unwrap().to_owned()).or_default() += 1;
        }
    }
    eprintln!("ccda: {} documents: {counts:?}", documents.len());
    if documents.is_empty() {
        return;
    }
    for ty in [
        "Patient",
        "Composition",
        "Condition",
        "AllergyIntolerance",
        "MedicationStatement",
        "DiagnosticReport",
        "Observation",
        "Immunization",
        "Encounter",
        "Procedure",
        "Practitioner",
        "Organization",
        "DocumentReference",
    ] {
        assert!(counts.contains_key(ty), "no {ty}");
    }
}

#[test]
fn documents_that_cannot_be_read_are_rejected_with_a_reason() {
    let Some(root) = corpus() else { return };
    let bytes = fs::read(root.join("onc-cures-update/negative/NT_BadXml_r11_v2.xml")).unwrap();
    let outcomes = take_in(&bytes, &Hint::default());
    let [Outcome::Rejected(rejected)] = outcomes.as_slice() else { panic!("taken") };
    assert!(rejected.issues.iter().any(|issue| issue.message.contains("line 59")));
}

/// Codes of a member's codings.
fn codes<'a>(resource: &'a Value, member: &str) -> Vec<&'a str> {
    let codings = resource.get(member).and_then(|it| it.get("coding")).and_then(Value::as_array);
    let codings = codings.unwrap_or_default().iter();
    codings.filter_map(|coding| coding.get("code")?.as_str()).collect()
}

#[test]
fn facts_of_a_known_document_are_stated() {
    let Some(root) = corpus() else { return };
    let path = "onc-cures-update/documents/170.315_b1_toc_amb_ccd_r21_sample2_v11.xml";
    let intake = intake(&fs::read(root.join(path)).unwrap());
    let patients = of_type(&intake, "Patient");
    let [patient] = patients.as_slice() else { panic!("one patient") };
    assert_eq!(patient.get("birthDate").and_then(Value::as_str), Some("1980-07-01"));
    assert_eq!(patient.get("gender").and_then(Value::as_str), Some("male"));
    // A negated generic problem is said as "no current problems".
    let none = of_type(&intake, "Condition");
    assert!(none.iter().any(|it| codes(it, "code") == ["160245001"]));
    assert_eq!(intake.event_time_ms, Some(1_437_523_200_000));
}

#[test]
fn facts_agree_with_the_expected_bundles() {
    let Some(root) = corpus() else { return };
    let folder = root.join("microsoft-fhir-converter");
    let (mut met, mut wanted) = (0, 0);
    let mut found = Vec::new();
    files(&folder, &mut found);
    for path in found {
        let expected = path.with_extension("expected.json");
        let Ok(text) = fs::read(&expected) else { continue };
        let bundle = clisonix_fhir::json::parse(&text).unwrap();
        let intake = intake(&fs::read(&path).unwrap());
        for (ty, member) in [
            ("Condition", "code"),
            ("AllergyIntolerance", "code"),
            ("Immunization", "vaccineCode"),
            ("Observation", "code"),
            ("Procedure", "code"),
        ] {
            let ours: Vec<&str> =
                of_type(&intake, ty).into_iter().flat_map(|it| codes(it, member)).collect();
            let entries = bundle.get("entry").and_then(Value::as_array).unwrap_or_default();
            let theirs = entries.iter().filter_map(|entry| entry.get("resource"));
            for resource in theirs.filter(|it| it.resource_type() == Some(ty)) {
                let codes = codes(resource, member);
                if codes.is_empty() {
                    continue;
                }
                wanted += 1;
                let is_met = codes.iter().any(|code| ours.contains(code));
                met += usize::from(is_met);
                if !is_met {
                    eprintln!("ccda: not met: {ty} {codes:?} in {}", path.display());
                }
            }
        }
    }
    eprintln!("ccda: {met} of {wanted} expected codes are stated");
    assert!(met * 100 >= wanted * 80, "{met} of {wanted}");
}

/// Measures once; a release build is asked for by `CLISONIX_MEASURE=1`.
#[test]
fn documents_a_second() {
    if std::env::var("CLISONIX_MEASURE").is_err() {
        return;
    }
    let documents = documents();
    let bytes: usize = documents.iter().map(|(_, bytes)| bytes.len()).sum();
    let start = std::time::Instant::now();
    let rounds = 10;
    for _ in 0..rounds {
        for (_, bytes) in &documents {
            let _ = take_in(bytes, &Hint::default());
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let count = f64::from(rounds) * f64::from(u32::try_from(documents.len()).unwrap());
    let megabytes = f64::from(rounds) * f64::from(u32::try_from(bytes).unwrap()) / 1e6;
    eprintln!("ccda: {:.0} documents/s, {:.1} MB/s", count / seconds, megabytes / seconds);
}

const SMALL: &str = r##"<?xml version="1.0"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<id root="1.2.3" extension="d1"/><code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/>
<title>T</title><effectiveTime value="20200102030405+0100"/>
<recordTarget><patientRole><id root="1.2.3.4" extension="p1"/></patientRole></recordTarget>
<author><time value="2020"/><assignedAuthor><id root="1.2.3.5" extension="a"/></assignedAuthor></author>
<component><structuredBody><component><section>
<templateId root="2.16.840.1.113883.10.20.22.2.3.1"/><code code="30954-2" codeSystem="2.16.840.1.113883.6.1"/>
<text><table><tr><td ID="r1">a &lt; b<br/></td></tr></table></text>
<entry><organizer classCode="BATTERY" moodCode="EVN"><id root="1.2.3.6"/>
<code code="1-1" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>
<component><observation classCode="OBS" moodCode="EVN"><id root="1.2.3.7"/>
<code code="2-2" codeSystem="2.16.840.1.113883.6.1"><originalText><reference value="#r1"/></originalText></code>
<statusCode code="completed"/><effectiveTime value="202001020304"/>
<value xsi:type="PQ" value="1.50" unit="mg/dL"/></observation></component></organizer></entry>
</section></component></structuredBody></component></ClinicalDocument>"##;

#[test]
fn a_result_keeps_its_number_its_words_and_its_precision() {
    let intake = intake(SMALL.as_bytes());
    let observations = of_type(&intake, "Observation");
    let [observation] = observations.as_slice() else { panic!("one observation") };
    let text = observation.to_text();
    assert!(text.contains(r#""value":1.50,"unit":"mg/dL""#), "{text}");
    assert!(text.contains(r#""text":"a < b""#), "{text}");
    // A time of day without an offset is read at the offset of the document's own time.
    assert!(text.contains(r#""effectiveDateTime":"2020-01-02T03:04:00+01:00""#), "{text}");
    assert_eq!(intake.event_time_ms, Some(1_577_930_645_000));
    assert_eq!(intake.statements.len(), 2);
}

/// The ids of all observations of a message.
fn observation_ids(intake: &Intake) -> Vec<String> {
    let ids = of_type(intake, "Observation").into_iter();
    ids.map(|it| it.get("id").and_then(Value::as_str).unwrap().to_owned()).collect()
}

/// One result without an offset, by two routes: the zone of the message's own time, else of the
/// feed, makes it one fact with one id.
#[test]
fn the_same_result_by_two_routes_is_one_fact() {
    for (offset, zone_minutes) in [("+0100", 0), ("", 60), ("", 0)] {
        let document = SMALL.replace("+0100", offset);
        let message = format!(
            "MSH|^~\\&|LAB|NORTH|||20200102040000{offset}||ORU^R01^ORU_R01|C1|P|2.5.1\r\
             PID|1||p1^^^&1.2.3.4&ISO\rOBR|1|||1-1^^LN|||202001020304\r\
             OBX|1|NM|2-2^^LN||1.50|mg/dL^^UCUM|||||F|||202001020304\r"
        );
        let hint = Hint { zone_minutes, ..Hint::for_feed("north") };
        let ids = [document.as_bytes(), message.as_bytes()].map(|bytes| {
            let outcomes = take_in(bytes, &hint);
            let [Outcome::Taken(intake)] = outcomes.as_slice() else { panic!("taken") };
            observation_ids(intake)
        });
        assert_eq!(ids[0], ids[1], "{offset} {zone_minutes}");
        assert_eq!(ids[0].len(), 1);
    }
}

/// A site's own file replaces a row by its id, adds a row and adds to a code map.
#[test]
fn a_sites_overlay_reaches_ccda() {
    let overlay = "block OBSERVATION_BODY -> Observation\n\
                   statusCode/@code -> status when statusCode/@code = \"final\" \"statusCode\"\n\
                   \"site\" -> meta.tag[+].code \"site\"\n\
                   effectiveTime/@value -> issued when effectiveTime/@value \"site issued\"\n\
                   codemap section_kind\n  30954-2 = vital-signs\n";
    let overlay = Overlay { format: Format::Ccda, name: "site.map", text: overlay };
    let mappings = Mappings::load(&[overlay]).unwrap();
    let mut found = Vec::new();
    let hint = Hint::default();
    // Known by its code only, so that the site's word about the code decides.
    let document = SMALL.replace("2.16.840.1.113883.10.20.22.2.3.1", "1.2.3.9");
    take_in_with(&mappings, document.as_bytes(), &hint, &mut |outcome| found.push(outcome));
    let [Outcome::Taken(intake)] = found.as_slice() else { panic!("taken") };
    let observations = of_type(intake, "Observation");
    let [observation] = observations.as_slice() else { panic!("one observation") };
    let text = observation.to_text();
    for said in [
        r#""status":"unknown""#,
        r#""tag":[{"code":"site"}]"#,
        r#""issued":"2020-01-02T03:04:00+01:00""#,
        r#""code":"vital-signs""#,
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert!(intake.kept.iter().any(|kept| kept.address.ends_with("observation/statusCode/@code")));

    let wrong = Overlay { format: Format::Ccda, name: "site.map", text: "block X -> Pateint\n" };
    let mistakes = Mappings::load(&[wrong]).unwrap_err();
    assert!(mistakes.iter().any(|it| it.to_string().starts_with("site.map:1:12:")));
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(at in 0..SMALL.len(), with in any::<u8>(), cut in 0..SMALL.len()) {
        let mut bytes = SMALL.as_bytes().to_vec();
        bytes[at] = with;
        let _ = take_in(&bytes, &Hint::default());
        bytes.truncate(cut);
        let _ = take_in(&bytes, &Hint::default());
    }

    #[test]
    fn changed_values_never_panic(at in 0..60usize, with in "[-+.:0-9a-z#\u{e9} ]{0,20}") {
        let parts: Vec<&str> = SMALL.split('"').collect();
        let at = (at * 2 + 1) % parts.len();
        let changed: Vec<&str> = parts
            .iter()
            .enumerate()
            .map(|(index, part)| if index == at { with.as_str() } else { part })
            .collect();
        let _ = take_in(changed.join("\"").as_bytes(), &Hint::default());
    }
}
