//! The converse of the leak test: what is coded comes out.

use std::collections::BTreeMap;

use clisonix_fhir::json::Value;
use clisonix_research::{Project, Rules, Scope};

use crate::{data, mac};

/// Codes with their systems, and amounts with their units, as lines.
fn content(value: &Value, into: &mut BTreeMap<String, usize>) {
    match value {
        Value::Object(object) => {
            let text = |name: &str| object.get(name).and_then(Value::as_str);
            let number = object.get("value").and_then(Value::as_number);
            match (text("system"), text("code"), number) {
                (_, _, Some(number)) => {
                    let unit = text("code").or(text("unit")).unwrap_or_default();
                    *into.entry(format!("{} {unit}", number.as_str())).or_default() += 1;
                }
                (Some(system), Some(code), None) => {
                    *into.entry(format!("{system}|{code}")).or_default() += 1;
                }
                _ => {}
            }
            let inner = object.iter().filter(|(name, _)| {
                // Types of identifiers, labels, and what the profiles drop as a whole.
                !matches!(
                    *name,
                    "meta" | "identifier" | "extension" | "contained" | "contact" | "text"
                )
            });
            inner.for_each(|(_, member)| content(member, into));
        }
        Value::Array(items) => items.iter().for_each(|item| content(item, into)),
        _ => {}
    }
}

#[test]
fn coded_content_of_synthetic_patients_survives() {
    let key = mac::keyed(2);
    for rules in [Rules::safe_harbor(), Rules::expert()] {
        let name = rules.name();
        let project = Project::new(rules.clone(), &key, 2026);
        let (mut all, mut lost) = (0, BTreeMap::new());
        for bundle in data::patients(4) {
            let entries = bundle.get("entry").and_then(Value::as_array).unwrap();
            let resources = entries.iter().filter_map(|entry| entry.get("resource"));
            let released_types = |resource: &&Value| {
                let ty = resource.resource_type().and_then(clisonix_fhir::schema::resource_named);
                ty.is_some_and(|ty| rules.releases(ty))
            };
            let mut before = BTreeMap::new();
            resources.filter(released_types).for_each(|resource| content(resource, &mut before));
            let released =
                project.deidentify(Scope::Patient("p"), std::slice::from_ref(&bundle)).unwrap();
            let mut after = BTreeMap::new();
            released.resources.iter().for_each(|resource| content(resource, &mut after));
            for (line, count) in before {
                all += count;
                let there = after.get(&line).copied().unwrap_or_default();
                if there < count {
                    *lost.entry(line).or_insert(0) += count - there;
                }
            }
        }
        if all == 0 {
            return;
        }
        eprintln!("{name}: {all} codes and amounts, {} lost", lost.values().sum::<usize>());
        for (line, count) in &lost {
            eprintln!("  {count} {line}");
        }
        // Codes of systems that no row names: of a payer's own, and addresses in place of codes.
        lost.retain(|line, _| !EXPECTED.iter().any(|begin| line.starts_with(begin)));
        assert!(lost.is_empty(), "{name}: {lost:?}");
    }
}

const EXPECTED: &[&str] = &[
    "https://bluebutton.cms.gov/",
    "http://ihe.net/fhir/ValueSet/",
    "urn:ietf:rfc:3986|",
    "http://dicom.nema.org/medical/dicom/current/",
];

#[test]
fn coded_content_of_clinical_examples_survives() {
    let types =
        ["Observation", "Condition", "AllergyIntolerance", "Procedure", "MedicationRequest"];
    let key = mac::keyed(3);
    for rules in [Rules::safe_harbor(), Rules::expert()] {
        let name = rules.name();
        let project = Project::new(rules, &key, 2026);
        let (mut all, mut lost) = (0, BTreeMap::new());
        for (file, example) in data::examples() {
            if !types.contains(&example.resource_type().unwrap()) {
                continue;
            }
            let mut before = BTreeMap::new();
            content(&example, &mut before);
            let released = project.deidentify(Scope::Patient("p"), &[example]).unwrap();
            let mut after = BTreeMap::new();
            released.resources.iter().for_each(|resource| content(resource, &mut after));
            for (line, count) in before {
                all += count;
                let there = after.get(&line).copied().unwrap_or_default();
                if there < count {
                    *lost.entry(format!("{line} ({file})")).or_insert(0) += count - there;
                }
            }
        }
        if all == 0 {
            return;
        }
        let known = [
            "http://snomed.info/",
            "http://loinc.org",
            "http://terminology.hl7.org/",
            "http://www.nlm",
        ];
        eprintln!("{name}: {all} codes and amounts, {} lost", lost.values().sum::<usize>());
        for (line, count) in &lost {
            eprintln!("  {count} {line}");
        }
        let of_known =
            lost.iter().filter(|(line, _)| known.iter().any(|one| line.starts_with(one)));
        assert!(of_known.count() <= MALFORMED, "{name}");
    }
}

/// Codes in the examples that are none of their systems: an expression of SNOMED CT.
const MALFORMED: usize = 1;
