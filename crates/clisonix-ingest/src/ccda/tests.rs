//! Small documents with one peculiarity each.

use std::collections::HashSet;

use clisonix_fhir::json::Value;

use super::*;
use crate::Mappings;

/// A document with these elements in its header and these sections' components in its body.
pub(super) fn document(header: &str, body: &str) -> String {
    format!(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc"
        xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="1.2.3" extension="d1"/>
        <code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/><title>T</title>
        <effectiveTime value="20200102030405+0100"/>{header}
        <component><structuredBody>{body}</structuredBody></component></ClinicalDocument>"#
    )
}

const TARGET: &str = r#"<recordTarget><patientRole><id root="1.2.3.4" extension="p1"/></patientRole></recordTarget>"#;

/// A document about somebody with one section of that LOINC code and those entries.
pub(super) fn section(loinc: &str, entries: &str) -> String {
    let body = format!(
        r#"<component><section><code code="{loinc}" codeSystem="2.16.840.1.113883.6.1"/>
        {entries}</section></component>"#
    );
    document(TARGET, &body)
}

pub(super) fn taken(text: &str) -> Intake {
    let mapping = &Mappings::built_in().unwrap().ccda;
    match take_in(text.as_bytes(), &Hint::default(), mapping) {
        Outcome::Taken(intake) => intake,
        Outcome::Rejected(rejected) => panic!("{rejected:?}"),
    }
}

/// All resources of a type.
pub(super) fn resources<'a>(intake: &'a Intake, ty: &str) -> Vec<&'a Value> {
    let all = intake.statements.iter().flat_map(|statement| &statement.resources);
    all.map(|stated| &stated.resource).filter(|it| it.resource_type() == Some(ty)).collect()
}

/// A member of the only resource of a type, as text; empty when it is not there.
fn member(document: &str, ty: &str, name: &str) -> String {
    let intake = taken(document);
    let found = resources(&intake, ty);
    let [resource] = found.as_slice() else { panic!("{} of {ty}", found.len()) };
    resource.get(name).map(Value::to_text).unwrap_or_default()
}

fn observation(inner: &str) -> String {
    section(
        "30954-2",
        &format!(
            r#"<entry><observation classCode="OBS" moodCode="EVN">
            <code code="2-2" codeSystem="2.16.840.1.113883.6.1"/>{inner}</observation></entry>"#
        ),
    )
}

#[test]
fn the_tables_have_no_mistakes() {
    if let Err(mistakes) = mapping(&[]) {
        let text: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        panic!("{}", text.join("\n"));
    }
}

/// A site replaces a row by its id, so within a block an id means one row.
#[test]
fn a_row_id_stands_once_in_its_block() {
    for (file, text) in TABLES {
        let (mut block, mut seen) = ("", HashSet::new());
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            if let Some(head) = line.strip_prefix("block ") {
                (block, seen) = (head, HashSet::new());
            }
            let Some((_, id)) = line.rsplit_once("   \"").filter(|_| line.ends_with('"')) else {
                continue;
            };
            assert!(seen.insert(id), "{file}: {block}: {id}");
        }
    }
}

#[test]
fn identifiers_follow_their_root() {
    for (xml, fhir) in [
        (
            r#"<id root="2.16.840.1.113883.4.6" extension="1"/>"#,
            r#"[{"value":"1","system":"http://hl7.org/fhir/sid/us-npi"}]"#,
        ),
        (r#"<id root="1.2.3" extension="a"/>"#, r#"[{"value":"a","system":"urn:oid:1.2.3"}]"#),
        (
            r#"<id root="1.2.3"/><id root="1.2.3"/>"#,
            r#"[{"value":"urn:oid:1.2.3","system":"urn:ietf:rfc:3986"}]"#,
        ),
        (
            r#"<id root="LOCAL" extension="a"/>"#,
            r#"[{"value":"LOCAL^a","system":"urn:clisonix:root"}]"#,
        ),
        (r#"<id nullFlavor="UNK"/>"#, ""),
        (r#"<id extension="a"/>"#, ""),
    ] {
        assert_eq!(member(&observation(xml), "Observation", "identifier"), fhir, "{xml}");
    }
}

#[test]
fn translations_carry_the_code_when_the_code_is_null() {
    let xml = r#"<value xsi:type="CD" nullFlavor="OTH"><originalText>x y</originalText>
        <translation code="1" codeSystem="2.16.840.1.113883.6.96"/></value>"#;
    let fhir = r#"{"coding":[{"code":"1","system":"http://snomed.info/sct"}],"text":"x y"}"#;
    assert_eq!(member(&observation(xml), "Observation", "valueCodeableConcept"), fhir);
    let xml = r#"<value xsi:type="CD" nullFlavor="UNK"/>"#;
    let absent = member(&observation(xml), "Observation", "dataAbsentReason");
    assert!(absent.contains(r#""code":"unknown""#), "{absent}");
}

#[test]
fn quantities_name_ucum_only_for_what_can_be_ucum() {
    for (xml, fhir) in [
        (
            r#"value=".50" unit="mm[Hg]""#,
            r#"{"value":0.50,"unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}"#,
        ),
        (r#"value="5" unit="per day""#, r#"{"value":5,"unit":"per day"}"#),
        (r#"value="5" unit="1""#, r#"{"value":5,"system":"http://unitsofmeasure.org","code":"1"}"#),
    ] {
        let xml = format!(r#"<value xsi:type="PQ" {xml}/>"#);
        assert_eq!(member(&observation(&xml), "Observation", "valueQuantity"), fhir, "{xml}");
    }
}

#[test]
fn an_interval_with_one_end_is_a_comparison() {
    for (ends, member_name, fhir) in [
        (
            r#"<low value="1"/><high value="2"/>"#,
            "valueRange",
            r#"{"low":{"value":1},"high":{"value":2}}"#,
        ),
        (r#"<low value="1"/>"#, "valueQuantity", r#"{"value":1,"comparator":">="}"#),
        (
            r#"<high value="2" inclusive="false"/>"#,
            "valueQuantity",
            r#"{"value":2,"comparator":"<"}"#,
        ),
    ] {
        let xml = format!(r#"<value xsi:type="IVL_PQ">{ends}</value>"#);
        assert_eq!(member(&observation(&xml), "Observation", member_name), fhir, "{xml}");
    }
}

#[test]
fn phone_numbers_lose_their_scheme() {
    for (xml, fhir) in [
        (r#"value="tel:+1-2" use="HP""#, r#"[{"system":"phone","value":"+1-2","use":"home"}]"#),
        (r#"value="mailto:a@b.c""#, r#"[{"system":"email","value":"a@b.c"}]"#),
        (r#"value="https://a.b/c""#, r#"[{"system":"url","value":"https://a.b/c"}]"#),
        (r#"value="555 1234""#, r#"[{"system":"phone","value":"555 1234"}]"#),
        (r#"nullFlavor="UNK""#, ""),
    ] {
        let target = TARGET.replace("</patientRole>", &format!("<telecom {xml}/></patientRole>"));
        assert_eq!(member(&document(&target, ""), "Patient", "telecom"), fhir, "{xml}");
    }
}

#[test]
fn an_end_before_the_start_is_left_aside() {
    let xml = r#"<effectiveTime><low value="20200102"/><high value="2018"/></effectiveTime>"#;
    let intake = taken(&observation(xml));
    let [observation] = resources(&intake, "Observation")[..] else { panic!("one observation") };
    assert_eq!(observation.get("effectivePeriod").unwrap().to_text(), r#"{"start":"2020-01-02"}"#);
    assert!(intake.kept.iter().any(|kept| kept.address.ends_with("effectiveTime/high/@value")));
    assert!(intake.issues.iter().any(|issue| issue.code == IssueCode::Invariant));
}

const VITALS: &str = r#"<entry><organizer classCode="CLUSTER" moodCode="EVN">
    <templateId root="2.16.840.1.113883.10.20.22.4.26"/><id root="1.2.9" extension="o1"/>
    <code code="46680005" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/>
    <effectiveTime><low value="202001020304+0000"/><high value="202001020305+0000"/></effectiveTime>
    <component><observation classCode="OBS" moodCode="EVN"><code code="8867-4"
    codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>
    <effectiveTime value="202001020304+0000"/><value xsi:type="PQ" value="70" unit="/min"/>
    </observation></component>
    <component><observation classCode="OBS" moodCode="EVN"><code code="9279-1"
    codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>
    <value xsi:type="PQ" value="15" unit="/min"/></observation></component></organizer></entry>"#;

#[test]
fn a_vital_signs_organizer_is_carried_by_its_signs() {
    let intake = taken(&section("8716-3", VITALS));
    let signs = resources(&intake, "Observation");
    assert_eq!(signs.len(), 2, "the organizer is no observation of its own");
    for sign in &signs {
        assert!(sign.get("category").unwrap().to_text().contains("vital-signs"));
        assert!(sign.get("valueQuantity").is_some());
    }
    // The sign without a time of its own has the organizer's.
    let period = signs.iter().find_map(|sign| sign.get("effectivePeriod")).unwrap();
    assert_eq!(
        period.to_text(),
        r#"{"start":"2020-01-02T03:04:00+00:00","end":"2020-01-02T03:05:00+00:00"}"#
    );
    let kept: Vec<&str> =
        intake.kept.iter().filter_map(|kept| kept.address.split("/organizer/").nth(1)).collect();
    assert_eq!(kept, ["id/@root", "id/@extension"]);
}

#[test]
fn what_fhir_requires_and_the_document_lacks_is_said_to_be_unknown() {
    let document = section("11450-4", "").replace("<title>T</title>", "<title> </title>");
    let intake = taken(&document);
    let [composition] = resources(&intake, "Composition")[..] else { panic!("one document") };
    assert!(composition.get("_title").is_some());
    assert!(intake.issues.iter().any(|it| it.message == "the document has no title"));
}

#[test]
fn the_authors_own_id_may_be_the_patients() {
    let author = r#"<author><time value="2020"/><assignedAuthor>
        <id root="1.2.3.4" extension="p1"/></assignedAuthor></author>"#;
    let intake = taken(&document(&format!("{TARGET}{author}"), ""));
    let patient = resources(&intake, "Patient")[0].get("id").and_then(Value::as_str).unwrap();
    let [composition] = resources(&intake, "Composition")[..] else { panic!("one document") };
    let author = composition.get("author").unwrap().to_text();
    assert_eq!(author, format!(r#"[{{"reference":"Patient/{patient}"}}]"#));
    assert!(resources(&intake, "Practitioner").is_empty());
}

#[test]
fn an_entry_that_no_rule_reads_is_told_and_kept() {
    let entry = r#"<entry><supply classCode="SPLY" moodCode="RQO"/></entry>"#;
    let intake = taken(&section("10160-0", entry));
    let told = |issue: &&Issue| issue.path.ends_with("/entry/supply");
    assert_eq!(intake.issues.iter().filter(told).count(), 1);
    assert!(intake.kept.iter().any(|kept| kept.address.ends_with("/supply/@moodCode")));
}
