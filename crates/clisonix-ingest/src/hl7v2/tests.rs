//! Small messages with one peculiarity each, and every public message.

mod corpus;

use clisonix_fhir::json::Value;

use super::*;

/// By the tables that come with the program.
pub(super) fn take_in(bytes: &[u8], hint: &Hint) -> Vec<Outcome> {
    super::take_in(bytes, hint, &crate::Mappings::built_in().unwrap().hl7v2)
}

pub(super) fn taken(text: &str) -> Intake {
    let outcomes = take_in(text.as_bytes(), &Hint::default());
    let Some(Outcome::Taken(intake)) = outcomes.into_iter().next() else { panic!("not taken") };
    intake
}

/// All resources of a type.
pub(super) fn resources<'a>(intake: &'a Intake, ty: &str) -> Vec<&'a Value> {
    let all = intake.statements.iter().flat_map(|statement| &statement.resources);
    all.map(|stated| &stated.resource).filter(|r| r.resource_type() == Some(ty)).collect()
}

/// The value at a path of member names and list positions: `name.0.family`.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, step| match step.parse() {
        Ok(index) => value.at(index),
        Err(_) => value.get(step),
    })
}

pub(super) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

const ADMISSION: &str = "MSH|^~\\&|ADT|NORTH|||20260102030405+0100||ADT^A01^ADT_A01|C1|P|2.5.1\r\
    EVN|A01|202601020300\r\
    PID|1||77^^^NORTH&1.2.3&ISO^PI~12^^^NORTH&1.2.3&ISO^MR||DOE^JANE^Q^^^^L||19700203|F|||1 MAIN ST^^TOWN^ST^12345^USA^H||^PRN^PH^^1^555^1234567|^^Internet^j@example.org||M|||123456789||||||||||202501\r\
    NK1|1|DOE^JOHN|SPO^Spouse^HL70063|\"\"\r\
    PV1|1|I|W1^R2^B3^NORTH||||11^WELBY^MARCUS^^^DR^^^NPI&2.16.840.1.113883.4.6&ISO^^^^NPI||||||||||||V9^^^NORTH&1.2.3&ISO|||||||||||||||||||||||||202601020255\r\
    AL1|1|DA^Drug^HL70127|70618^Penicillin^RXNORM|SV|HIVES~RASH\r\
    DG1|1||I10^Hypertension^I10C|||A\r\
    ZPD|local|a&b\\T\\c\r";

#[test]
fn the_tables_have_no_mistakes() {
    if let Err(mistakes) = mapping(&[]) {
        let text: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        panic!("{}", text.join("\n"));
    }
}

#[test]
fn an_admission() {
    let intake = taken(ADMISSION);
    assert_eq!(intake.feed, "ADT|NORTH");
    assert_eq!(intake.control_id.as_deref(), Some("C1"));
    assert_eq!(intake.event_time_ms, Some(1_767_319_200_000));
    assert_eq!(intake.statements.len(), 1);
    let record = &intake.statements[0].record;
    // The enterprise's identifier (PI) names the record before the medical record number (MR).
    assert_eq!((record.system.as_str(), record.value.as_str()), ("urn:oid:1.2.3", "77"));
    let patient = resources(&intake, "Patient")[0];
    assert_eq!(text(patient, "name.0.family"), "DOE");
    assert_eq!(text(patient, "name.0.use"), "official");
    assert_eq!(text(patient, "birthDate"), "1970-02-03");
    assert_eq!(text(patient, "gender"), "female");
    assert_eq!(text(patient, "address.0.city"), "TOWN");
    assert_eq!(text(patient, "deceasedDateTime"), "2025-01");
    assert_eq!(text(patient, "contact.0.name.family"), "DOE");
    assert_eq!(at(patient, "contact.0.address"), Some(&Value::Null));
    let telecom = at(patient, "telecom").unwrap().to_text();
    assert!(telecom.contains("1 555 1234567") && telecom.contains("j@example.org"), "{telecom}");
    let encounter = resources(&intake, "Encounter")[0];
    assert_eq!(text(encounter, "class.code"), "IMP");
    assert_eq!(text(encounter, "status"), "in-progress");
    assert_eq!(text(encounter, "period.start"), "2026-01-02T02:55:00+01:00");
    assert_eq!(text(encounter, "participant.0.individual.display"), "DR MARCUS WELBY");
    let allergy = resources(&intake, "AllergyIntolerance")[0];
    assert_eq!(text(allergy, "code.coding.0.code"), "70618");
    assert_eq!(text(allergy, "criticality"), "high");
    assert_eq!(text(allergy, "reaction.0.manifestation.1.text"), "RASH");
    let condition = resources(&intake, "Condition")[0];
    assert_eq!(text(condition, "code.coding.0.system"), "http://hl7.org/fhir/sid/icd-10-cm");
    let local = intake.kept.iter().find(|kept| kept.address == "ZPD-2.1.2").unwrap();
    assert_eq!(local.value, "b\\T\\c");
}

const RESULT: &str = "MSH|^~\\&|LAB|NORTH|||20260102||ORU^R01^ORU_R01|C2|P|2.5.1\r\
    PID|1||12^^^NORTH&1.2.3&ISO^MR||DOE^JANE\r\
    ORC|RE|P1^EHR|F1^LAB\r\
    OBR|1|P1^EHR|F1^LAB|24323-8^Panel^LN|||20260101080000-0500||||||||||||||||||F\r\
    NTE|1||order note\r\
    OBX|1|NM|2951-2^Sodium^LN||+0140.50|mmol/L^^UCUM|136-145|H|||F\r\
    NTE|1||first line~second line\r\
    OBX|2|SN|1-8^Count^LN||>^1.5||||||C\r\
    OBX|3|SN|2-8^Range^LN||^1^-^3||||||F\r\
    OBX|4|CE|3-8^Colour^LN||R^Red^99C||||||F\r\
    OBX|5|TX|4-8^Text^LN||a ^ b~line two||||||P\r\
    OBX|6|DT|5-8^Day^LN||202601||||||F\r\
    OBX|7|ED|6-8^Paper^LN||^AP^PDF^Base64^SGVsbG8=||||||F\r\
    OBX|8|NM|7-8^Odd^LN||high||||||F\r\
    SPM|1|S1^EHR&&S2^LAB||BLD^Blood^HL70487\r\
    OBR|2||F2^LAB|5-1^Other^LN|||20260101090000-0500|||||||||||||||||||\r\
    OBX|1|ST|8-8^Word^LN||yes||||||X\r";

#[test]
fn a_result() {
    let intake = taken(RESULT);
    let observations = resources(&intake, "Observation");
    let of = |code: &str| {
        let found = observations.iter().find(|o| text(o, "code.coding.0.code") == code);
        *found.unwrap_or_else(|| panic!("{code}"))
    };
    assert_eq!(observations.len(), 8);
    let sodium = of("2951-2");
    let value = at(sodium, "valueQuantity.value").unwrap().as_number().unwrap();
    assert_eq!(value.as_str(), "140.50");
    assert_eq!(text(sodium, "valueQuantity.code"), "mmol/L");
    assert_eq!(text(sodium, "effectiveDateTime"), "2026-01-01T08:00:00-05:00");
    assert_eq!(text(sodium, "note.0.text"), "first line\nsecond line");
    assert_eq!(text(sodium, "interpretation.0.coding.0.code"), "H");
    assert_eq!(text(sodium, "referenceRange.0.text"), "136-145");
    assert!(text(sodium, "specimen.reference").starts_with("Specimen/"));
    assert_eq!(text(of("1-8"), "valueQuantity.comparator"), ">");
    assert_eq!(text(of("1-8"), "status"), "corrected");
    assert!(at(of("2-8"), "valueRange.high.value").is_some());
    assert_eq!(text(of("3-8"), "valueCodeableConcept.coding.0.system"), "urn:hl7v2:NORTH:99C");
    assert_eq!(text(of("4-8"), "valueString"), "a ^ b\nline two");
    assert_eq!(text(of("5-8"), "valueDateTime"), "2026-01");
    assert!(at(of("7-8"), "valueQuantity").is_none());
    assert_eq!(text(of("8-8"), "status"), "cancelled");
    assert!(at(of("8-8"), "specimen").is_none());
    assert!(intake.kept.iter().any(|k| k.value == "high"));
    let reports = resources(&intake, "DiagnosticReport");
    let report = reports.iter().find(|r| text(r, "code.coding.0.code") == "24323-8").unwrap();
    assert_eq!(reports.len(), 2);
    assert_eq!(at(report, "result").unwrap().as_array().unwrap().len(), 7);
    assert_eq!(text(report, "presentedForm.0.data"), "SGVsbG8=");
    assert_eq!(text(report, "identifier.0.value"), "F1");
    assert_eq!(resources(&intake, "Specimen").len(), 1);
    assert_eq!(text(resources(&intake, "ServiceRequest")[0], "note.0.text"), "order note");
}

#[test]
fn the_same_bytes_give_the_same_intake() {
    for message in [ADMISSION, RESULT] {
        assert_eq!(taken(message), taken(message));
    }
}

#[test]
fn delete_retracts_and_empty_says_nothing() {
    let intake = taken(
        "MSH|^~\\&|A|B|||20260102||ADT^A08|1|P|2.5\r\
        PID|1||1^^^X&1.2&ISO^MR||DOE^J||\"\"|\"\"|||\"\"||\"\"\r",
    );
    let patient = resources(&intake, "Patient")[0];
    for member in ["birthDate", "gender", "address", "telecom"] {
        assert_eq!(patient.get(member), Some(&Value::Null), "{member}");
    }
    assert!(patient.get("maritalStatus").is_none());
}

#[test]
fn patients_of_one_message_stay_apart() {
    let intake = taken(
        "MSH|^~\\&|A|B|||20260102||ORU^R01|1|P|2.5\r\
        PID|1||1^^^X&1.2&ISO^MR||ONE^A\rOBR|1||f1|a^A^L\rOBX|1|ST|c^C^L||x||||||F\r\
        PID|2||2^^^X&1.2&ISO^MR||TWO^B\rOBR|1||f2|a^A^L\rOBX|1|ST|c^C^L||y||||||F\r",
    );
    assert_eq!(intake.statements.len(), 2);
    for statement in &intake.statements {
        let id = statement.record.id();
        for stated in statement.resources.iter().filter(|s| s.resource.get("subject").is_some()) {
            assert_eq!(text(&stated.resource, "subject.reference"), format!("Patient/{id}"));
        }
    }
}

#[test]
fn what_cannot_be_read_is_rejected_with_its_place() {
    let outcomes = take_in(
        b"junk\rMSH|^~\\&|A\rPID|1||1\rMSHx\rMSH|^~\\&|A|B\rPID|1||1|\\X4",
        &Hint::default(),
    );
    let rejected: Vec<usize> = outcomes
        .iter()
        .filter_map(|o| match o {
            Outcome::Rejected(rejected) => Some(rejected.raw.start),
            Outcome::Taken(_) => None,
        })
        .collect();
    assert_eq!((outcomes.len(), rejected), (3, vec![0, 30]));
}
