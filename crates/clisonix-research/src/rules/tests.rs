//! The built-in files, the coverage of the element table, and files that are refused.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use clisonix_fhir::schema::{ElementId, Kind, Scope, TypeId};

use super::*;

fn concrete() -> impl Iterator<Item = TypeId> {
    TypeId::all().filter(|ty| {
        let definition = ty.definition();
        definition.kind == Kind::Resource && !definition.is_abstract
    })
}

#[test]
fn the_built_in_files_load() {
    for profile in [Profile::SafeHarbor, Profile::Expert] {
        Rules::load(profile.file(), profile.text()).unwrap();
        assert_eq!(Rules::built_in(profile).name(), profile.as_str());
    }
}

#[test]
fn every_resource_type_is_named() {
    let rules = Rules::safe_harbor();
    let named: BTreeSet<&str> = rules
        .rows()
        .iter()
        .filter(|row| row.kind == RuleKind::Resource)
        .flat_map(RuleRow::places)
        .collect();
    let all: BTreeSet<&str> = concrete().map(TypeId::name).collect();
    assert_eq!(named, all);
}

/// Every element of the table is named, covered by its type's rule, or denied, and what is denied
/// without being named is the list here.
#[test]
fn every_element_is_covered_or_denied() {
    for profile in [Profile::SafeHarbor, Profile::Expert] {
        let rules = Rules::built_in(profile);
        let mut unnamed = BTreeSet::new();
        for element in ElementId::all() {
            for &ty in element.element().types {
                if rules.row(element, ty).is_none() {
                    unnamed.insert(element.element().path);
                }
            }
        }
        let expected = [
            "Bundle.entry.resource",
            "Bundle.entry.response.outcome",
            "Parameters.parameter.resource",
        ];
        assert_eq!(unnamed, BTreeSet::from(expected));
    }
}

/// The top-level elements of released types that the rules deny whatever they hold.
fn denied(rules: &Rules) -> String {
    let mut text = String::new();
    for ty in concrete().filter(|&ty| rules.releases(ty)) {
        let inherited = ["implicitRules", "extension", "modifierExtension", "contained", "text"];
        let elements = Scope::Type(ty).elements().iter().map(|id| (*id, id.element()));
        let gone = elements.filter(|(id, element)| {
            let is_gone = |&ty: &TypeId| {
                rules
                    .row(*id, ty)
                    .is_none_or(|row| matches!(&*row.method, "redact" | "text" | "mask"))
            };
            !inherited.contains(&element.name) && element.types.iter().all(is_gone)
        });
        let names: Vec<_> = gone.map(|(_, element)| format!("`{}`", element.name)).collect();
        if !names.is_empty() {
            let _ = writeln!(text, "| {} | {} |", ty.name(), names.join(", "));
        }
    }
    text
}

#[test]
fn research_page_lists_what_is_denied() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/research.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let mark = "<!-- denied: written by `CLISONIX_WRITE_DOCS=1 cargo test -p clisonix-research research_page` -->\n";
    let (before, there) = text.split_once(mark).unwrap();
    let table = format!("\n| type | elements |\n|---|---|\n{}", denied(&Rules::safe_harbor()));
    if std::env::var_os("CLISONIX_WRITE_DOCS").is_some() {
        std::fs::write(&page, format!("{before}{mark}{table}")).unwrap();
        return;
    }
    assert_eq!(there, table);
}

#[test]
fn more_special_rows_and_upper_files_go_first() {
    let text = "base safe-harbor\nelement | Patient.birthDate | redact | C | not needed\n\
                type | date | keep | C | agreed\nelement | Patient.address.state | redact | B | small\n";
    let rules = Rules::load("own", text).unwrap();
    assert_eq!(rules.name(), "own rules over safe-harbor");
    let chain = place::chains("Patient.birthDate");
    let [element] = chain[0].as_slice() else { panic!() };
    let ty = element.element().types[0];
    assert_eq!(&*rules.row(*element, ty).unwrap().method, "redact");
    let chain = place::chains("FamilyMemberHistory.date");
    assert_eq!(chain.len(), 1);
    let chain = place::chains("Patient.address.state");
    let [outer, inner] = chain[0].as_slice() else { panic!() };
    let step = rules.step(ROOT, *outer, outer.element().types[0]);
    let ty = inner.element().types[0];
    assert_eq!(rules.step(step.node, *inner, ty).method, Some(&Method::Redact));
    assert_eq!(rules.step(ROOT, *inner, ty).method, Some(&Method::State));
}

fn fault(text: &str) -> String {
    Rules::load("own", text).unwrap_err().to_string()
}

#[test]
fn wrong_rows_are_named() {
    let row = |row: &str| fault(&format!("# own\n{row}"));
    assert_eq!(
        row("element | Patient.birthdate | keep | | x"),
        "own:2: `Patient.birthdate` is not of FHIR R4"
    );
    assert_eq!(row("elements | x | keep | | x"), "own:2: unknown kind of row `elements`");
    assert_eq!(
        row("element | Patient.name | year | | x"),
        "own:2: `year` cannot be used for `Patient.name`"
    );
    assert_eq!(row("type | HumanName | hide | A | x"), "own:2: unknown method `hide`");
    assert_eq!(
        row("type | HumanName | redact | Z | x"),
        "own:2: `Z` is no item of 45 CFR 164.514(b)(2)(i), A to R"
    );
    assert_eq!(
        row("type | date | year | C |"),
        RuleErrorKind::Incomplete.to_string().replace("a row", "own:2: a row")
    );
    assert_eq!(row("base open"), format!("own:2: {}", RuleErrorKind::Base));
    assert_eq!(row("shift-days 0"), format!("own:2: {}", RuleErrorKind::ShiftDays));
    assert_eq!(row("resource | Disease | release | | x"), "own:2: `Disease` is not of FHIR R4");
    assert_eq!(row("system | http://x | LA9 | | x"), "own:2: `LA9` is no form");
    assert_eq!(
        row("type | Extension | walk | | x"),
        "own:2: `walk` cannot be used for `Extension`"
    );
    let twice = "type | date | year | C | x\ntype | date | keep | C | x";
    assert_eq!(fault(twice), "own:2: `date` already has such a row");
}

#[test]
fn anonymizer_configurations_are_mapped_or_refused_by_name() {
    let load = |text: &str| Rules::load_anonymizer("ms.json", text, Profile::SafeHarbor);
    let config = r#"{"fhirVersion":"R4","processingErrors":"raise","fhirPathRules":[
        {"path":"Patient.birthDate","method":"dateShift"},
        {"path":"nodesByType('date')","method":"redact"},
        {"path":"nodesByType('Address').city","method":"keep"},
        {"path":"nodesByName('valueSet')","method":"redact"},
        {"path":"Patient.gender","method":"redact"}],
        "parameters":{"dateShiftKey":"","enablePartialDatesForRedact":true}}"#;
    let rules = load(config).unwrap();
    let method = |path: &str| {
        let chain = place::chains(path);
        let element = *chain[0].last().unwrap();
        rules.row(element, element.element().types[0]).unwrap().method.clone()
    };
    assert_eq!(&*method("Patient.birthDate"), "shift");
    assert_eq!(&*method("Immunization.expirationDate"), "year");
    assert_eq!(&*method("Address.city"), "keep");
    assert_eq!(&*method("Patient.gender"), "redact");
    assert_eq!(&*method("Patient.name"), "redact");
    let refused = |text: &str| load(text).unwrap_err().to_string();
    let rule = |rule: &str| refused(&format!(r#"{{"fhirPathRules":[{rule}]}}"#));
    assert_eq!(
        rule(r#"{"path":"Extension.where(url='a')","method":"redact"}"#),
        "ms.json:1: `Extension.where(url='a')` is not supported"
    );
    assert_eq!(
        rule(r#"{"path":"Patient.name","method":"perturb"}"#),
        "ms.json:1: `perturb` is not supported"
    );
    assert_eq!(
        rule(r#"{"path":"Patient.names","method":"keep"}"#),
        "ms.json:1: `Patient.names` is not of FHIR R4"
    );
    let scope = r#"{"fhirPathRules":[],"parameters":{"dateShiftScope":"resource"}}"#;
    assert_eq!(refused(scope), "ms.json:0: `dateShiftScope` is not supported");
    let key = r#"{"fhirPathRules":[],"parameters":{"cryptoHashKey":"123"}}"#;
    assert!(refused(key).starts_with("ms.json:0: `cryptoHashKey` must be empty"));
}
