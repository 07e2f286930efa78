//! What a release looks like: dates, ages, places, references, masks, reports.

use clisonix_fhir::json::{Value, parse};
use clisonix_fhir::validate::validate;
use clisonix_research::{
    Project, QuasiIdentifier, Released, Rules, Scope, Withheld, ZipPopulation,
};

use crate::mac;

fn value(text: &str) -> Value {
    parse(text.as_bytes()).unwrap()
}

fn release(rules: Rules, texts: &[&str]) -> Released {
    let key = mac::keyed(7);
    let zips = ZipPopulation::load("021,700000").unwrap();
    let project = Project::new(rules, &key, 2026).with_zip_population(zips);
    let resources: Vec<Value> = texts.iter().map(|text| value(text)).collect();
    let released = project.deidentify(Scope::Patient("p"), &resources).unwrap();
    for resource in &released.resources {
        assert_eq!(validate(resource), []);
    }
    released
}

fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, step| match step.parse::<usize>() {
        Ok(index) => value.at(index),
        Err(_) => value.get(step),
    })
}

fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    at(value, path).and_then(Value::as_str)
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"1","gender":"female","birthDate":"1974-12-25",
    "name":[{"family":"Chalmers"}],"telecom":[{"value":"617-555-0134"}],
    "address":[{"line":["1 Main St"],"city":"Boston","state":"MA","postalCode":"02139","country":"US"}],
    "deceasedDateTime":"2025-02-03T04:05:06Z","link":[{"other":{"reference":"Patient/2"},"type":"seealso"}]}"#;

#[test]
fn a_patient_keeps_year_state_and_three_digits() {
    let released = release(Rules::safe_harbor(), &[PATIENT]);
    let patient = &released.resources[0];
    assert_eq!(text(patient, "birthDate"), Some("1974"));
    assert_eq!(text(patient, "deceasedDateTime"), Some("2025"));
    assert_eq!(text(patient, "gender"), Some("female"));
    assert_eq!(
        at(patient, "address.0").unwrap().to_text(),
        r#"{"state":"MA","postalCode":"021","country":"US"}"#
    );
    assert_eq!(text(patient, "meta.security.0.code"), Some("PSEUDED"));
    for gone in ["name", "telecom", "link"] {
        assert_eq!(patient.get(gone), None, "{gone}");
    }
    assert_ne!(text(patient, "id"), Some("1"));
    assert_eq!(released.report.smallest_group(), Some(1));
    let counts =
        released.report.elements().find(|(path, _)| *path == "Patient.birthDate").unwrap().1;
    assert_eq!((counts.kept, counts.changed, counts.withheld), (0, 1, 0));
}

#[test]
fn ages_over_89_are_one_group() {
    let old = r#"{"resourceType":"Patient","birthDate":"1936-03-04"}"#;
    let observation = r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":
        "http://loinc.org","code":"30525-0"}]},"effectiveDateTime":"1931-05-06",
        "valueQuantity":{"value":94.5,"unit":"years","system":"http://unitsofmeasure.org","code":"a"}}"#;
    let young = observation.replace("94.5", "89.5").replace("1931", "2001");
    let months =
        observation.replace("94.5", "1100").replace("\"a\"", "\"mo\"").replace("years", "Months");
    for rules in [Rules::safe_harbor(), Rules::expert()] {
        let released = release(rules.clone(), &[old, observation, &young, &months]);
        let [old, observed, hidden, months] = released.resources.as_slice() else { panic!() };
        assert_eq!(old.get("birthDate"), None);
        assert_eq!(text(old, "_birthDate.extension.1.valueString"), Some("90+"));
        assert_eq!(observed.get("effectiveDateTime"), None);
        assert_eq!(at(observed, "valueQuantity.value").unwrap().to_text(), "90");
        assert_eq!(text(observed, "valueQuantity.comparator"), Some(">="));
        // Beside the year of an event a younger age of the same patient tells the year of birth.
        assert_eq!(hidden.get("valueQuantity"), None);
        assert_eq!(at(months, "valueQuantity.value").unwrap().to_text(), "1080");
        let released = release(rules, &[&young]);
        let value = at(&released.resources[0], "valueQuantity.value").unwrap();
        assert_eq!(value.to_text(), "89.5");
    }
}

#[test]
fn expert_keeps_distances_and_moves_each_patient_by_its_own_days() {
    let encounter = |start: &str, end: &str| {
        format!(
            r#"{{"resourceType":"Encounter","status":"finished","class":{{"system":
            "http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"IMP"}},
            "period":{{"start":"{start}","end":"{end}"}}}}"#
        )
    };
    let resources = [value(&encounter("2024-02-27T10:00:00+01:00", "2024-03-02"))];
    let key = mac::keyed(9);
    let project = Project::new(Rules::expert(), &key, 2026);
    let of = |patient: &str| {
        let released = project.deidentify(Scope::Patient(patient), &resources).unwrap();
        let read = |path| text(&released.resources[0], path).unwrap().to_owned();
        (read("period.start"), read("period.end"))
    };
    let days = |text: &str| text[..10].parse::<jiff::civil::Date>().unwrap();
    let (start, end) = of("a");
    assert_eq!(days(&start).until(days(&end)).unwrap().get_days(), 4);
    assert!(start.ends_with("T10:00:00+01:00") && !start.starts_with("2024-02-27"));
    assert_eq!(of("a"), (start.clone(), end));
    assert!(["b", "c", "d"].iter().any(|other| of(other).0 != start));
    let shared = project.deidentify(Scope::Shared, &resources).unwrap();
    assert_eq!(text(&shared.resources[0], "period.start"), Some("2024"));
}

const OBSERVATION: &str = r##"{"resourceType":"Observation","id":"o","status":"final",
    "code":{"coding":[{"system":"http://loinc.org","code":"4548-4","display":"Hemoglobin A1c of Chalmers"}]},
    "subject":{"reference":"Patient/1","display":"Chalmers"},"performer":[{"reference":"Practitioner/9"}],
    "specimen":{"reference":"#s1"},"device":{"reference":"#d"},
    "contained":[{"resourceType":"Specimen","id":"s1","subject":{"reference":"Patient/1"},
    "type":{"coding":[{"system":"http://snomed.info/sct","code":"119297000"}]}},
    {"resourceType":"Basic","id":"d","code":{"text":"x"}}],
    "valueQuantity":{"value":7.20,"unit":"%","system":"http://unitsofmeasure.org","code":"%"}}"##;

#[test]
fn references_resolve_inside_and_are_dropped_outside() {
    let released = release(Rules::safe_harbor(), &[PATIENT, OBSERVATION]);
    let [patient, observation] = released.resources.as_slice() else { panic!() };
    let id = text(patient, "id").unwrap();
    let link = format!("Patient/{id}");
    assert_eq!(text(observation, "subject.reference"), Some(&*link));
    assert_eq!(at(observation, "subject.display"), None);
    assert_eq!(observation.get("performer"), None);
    assert_eq!(text(observation, "specimen.reference"), Some("#c1"));
    assert_eq!(text(observation, "contained.0.subject.reference"), Some(&*link));
    assert_eq!(at(observation, "contained.1"), None);
    assert_eq!(observation.get("device"), None);
    assert_eq!(at(observation, "valueQuantity.value").unwrap().to_text(), "7.20");
    assert_eq!(
        at(observation, "code.coding.0").unwrap().to_text(),
        r#"{"system":"http://loinc.org","code":"4548-4"}"#
    );
}

#[test]
fn pseudonyms_are_the_same_in_a_project_and_others_in_another() {
    let id = |key: u64, resources: &[Value]| {
        let key = mac::keyed(key);
        let project = Project::new(Rules::safe_harbor(), &key, 2026);
        let released = project.deidentify(Scope::Patient("p"), resources).unwrap();
        text(&released.resources[0], "id").unwrap().to_owned()
    };
    let (alone, both) = ([value(PATIENT)], [value(PATIENT), value(OBSERVATION)]);
    assert_eq!(id(1, &alone), id(1, &both));
    assert_ne!(id(1, &alone), id(2, &alone));
    assert!(id(1, &alone).bytes().all(|byte| (b'a'..=b'p').contains(&byte)));
}

#[test]
fn shared_resources_are_released_first_and_referred_to() {
    let key = mac::keyed(7);
    let mut project = Project::new(Rules::safe_harbor(), &key, 2026);
    let practitioner = r#"{"resourceType":"Practitioner","id":"9","name":[{"family":"House"}],
        "identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"123"}]}"#;
    let shared = project.deidentify(Scope::Shared, &[value(practitioner)]).unwrap();
    project.remember(&shared);
    let link = format!("Practitioner/{}", text(&shared.resources[0], "id").unwrap());
    let conditional = "Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|123";
    for reference in ["Practitioner/9", "Practitioner/9/_history/2", conditional] {
        let resource = value(&OBSERVATION.replace("Practitioner/9", reference));
        let released = project.deidentify(Scope::Patient("p"), &[resource]).unwrap();
        assert_eq!(text(&released.resources[0], "performer.0.reference"), Some(&*link));
    }
    let elsewhere = OBSERVATION.replace("Practitioner/9", "http://elsewhere.org/Practitioner/9");
    let released = project.deidentify(Scope::Patient("p"), &[value(&elsewhere)]).unwrap();
    assert_eq!(released.resources[0].get("performer"), None);
}

#[test]
fn what_is_required_is_masked_and_unknown_modifiers_stay_home() {
    let allergy = r#"{"resourceType":"AllergyIntolerance","id":"a","patient":{"reference":"Patient/5"},
        "verificationStatus":{"coding":[{"system":
        "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
        "code":"entered-in-error"}]},
        "code":{"text":"penicillin, says Mrs. Chalmers"}}"#;
    let released = release(Rules::safe_harbor(), &[allergy]);
    let masked = text(&released.resources[0], "patient.extension.0.valueCode");
    assert_eq!(masked, Some("masked"));
    assert_eq!(released.resources[0].get("code"), None);
    let modified = r#"{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/1"},
        "modifierExtension":[{"url":"http://example.org/not","valueBoolean":true}]}"#;
    let implicit = r#"{"resourceType":"Condition","id":"e","subject":{"reference":"Patient/1"},
        "implicitRules":"http://example.org/rules"}"#;
    let pointing = r#"{"resourceType":"ClinicalImpression","id":"d","status":"completed",
        "subject":{"reference":"Patient/1"},"problem":[{"reference":"Condition/c"}]}"#;
    let released = release(Rules::safe_harbor(), &[PATIENT, modified, implicit, pointing]);
    assert_eq!(released.resources.len(), 2);
    assert_eq!(released.resources[1].get("problem"), None);
    let withheld: Vec<_> = released.report.withheld().collect();
    assert_eq!(withheld, [("Condition", Withheld::Modifier, 2)]);
}

#[test]
fn extensions_go_out_by_their_address() {
    let patient = r#"{"resourceType":"Patient","extension":[
        {"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-race","extension":[
            {"url":"ombCategory","valueCoding":{"system":"urn:oid:2.16.840.1.113883.6.238","code":"2106-3"}},
            {"url":"text","valueString":"White"}]},
        {"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex","valueCode":"F"},
        {"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex","valueCode":"Chalmers"},
        {"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"Smith"}],
        "_gender":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode":"asked-declined"}]},
        "_birthDate":{"id":"x","extension":[{"url":"http://example.org/time","valueString":"13:28"}]}}"#;
    let released = release(Rules::safe_harbor(), &[patient]);
    let patient = &released.resources[0];
    assert_eq!(patient.get("extension").unwrap().as_array().unwrap().len(), 2);
    assert_eq!(text(patient, "extension.0.extension.0.valueCoding.code"), Some("2106-3"));
    assert_eq!(at(patient, "extension.0.extension.1"), None);
    assert_eq!(text(patient, "extension.1.valueCode"), Some("F"));
    assert_eq!(text(patient, "_gender.extension.0.valueCode"), Some("asked-declined"));
    assert_eq!(patient.get("_birthDate"), None);
}

#[test]
fn free_text_and_displays_go_out_only_if_asked_for() {
    let key = mac::keyed(7);
    let note = r#"{"resourceType":"Condition","subject":{"reference":"Patient/1"},
        "code":{"text":"sugar","coding":[{"system":"http://snomed.info/sct","code":"44054006",
        "display":"Diabetes mellitus type 2"}]},"note":[{"text":"as told","authorString":"Ann Smith"}]}"#;
    let resources = [value(note)];
    let own =
        |_: &str, code: &str, display: &str| code == "44054006" && display.starts_with("Diab");
    let project = Project::new(Rules::safe_harbor(), &key, 2026);
    let released = project.deidentify(Scope::Patient("p"), &resources).unwrap();
    assert_eq!(at(&released.resources[0], "code.text"), None);
    assert_eq!(at(&released.resources[0], "code.coding.0.display"), None);
    let project = project.with_free_text().with_displays(&own);
    let released = project.deidentify(Scope::Patient("p"), &resources).unwrap();
    assert_eq!(text(&released.resources[0], "code.text"), Some("sugar"));
    assert_eq!(text(&released.resources[0], "note.0.text"), Some("as told"));
    assert_eq!(at(&released.resources[0], "note.0.authorString"), None);
    assert!(text(&released.resources[0], "code.coding.0.display").is_some());
    assert!(released.report.free_text());
}

#[test]
fn amounts_without_a_known_unit_stay_home() {
    let observation = |quantity: &str| {
        let text = format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"coding":[{{"system":
            "http://loinc.org","code":"4548-4"}}]}},"valueQuantity":{quantity}}}"#
        );
        let released = release(Rules::safe_harbor(), &[&text]);
        released.resources[0].get("valueQuantity").map(Value::to_text)
    };
    assert_eq!(
        observation(r#"{"value":5,"unit":"mg"}"#),
        Some(r#"{"value":5,"unit":"mg"}"#.into())
    );
    assert_eq!(observation(r#"{"value":5,"unit":"Chalmers"}"#), None);
    assert_eq!(observation(r#"{"value":6175550134}"#), None);
    let coded = r#"{"value":5,"unit":"as Mr. Smith says","system":"http://unitsofmeasure.org","code":"mg"}"#;
    let plain = r#"{"value":5,"system":"http://unitsofmeasure.org","code":"mg"}"#;
    assert_eq!(observation(coded), Some(plain.into()));
}

#[test]
fn reports_of_patients_add_up() {
    let key = mac::keyed(7);
    let by = [QuasiIdentifier::BirthYear, QuasiIdentifier::Gender];
    let project = Project::new(Rules::safe_harbor(), &key, 2026).with_quasi_identifiers(&by);
    let mut sum = clisonix_research::Report::default();
    for (patient, born) in [("a", "1974-01-02"), ("b", "1974-08-09"), ("c", "1980-01-01")] {
        let resource = value(&PATIENT.replace("1974-12-25", born));
        sum.merge(&project.deidentify(Scope::Patient(patient), &[resource]).unwrap().report);
    }
    assert_eq!((sum.groups(), sum.smallest_group()), (2, Some(1)));
    assert_eq!(sum.patients_in_groups_below(2), 1);
    assert_eq!(sum.resources().collect::<Vec<_>>(), [("Patient", 3, 3)]);
    assert!(!sum.to_value().to_text().contains("1974"));
    let strange = [value(r#"{"resourceType":"Disease"}"#), value("[1]")];
    let released = project.deidentify(Scope::Patient("p"), &strange).unwrap();
    assert_eq!(released.report.withheld().collect::<Vec<_>>(), [("", Withheld::UnknownType, 2)]);
}
