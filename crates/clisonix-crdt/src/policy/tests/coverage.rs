//! The table is complete for the types of the clinical core.

use std::collections::{BTreeMap, BTreeSet};

use clisonix_fhir::schema::{ElementId, Kind, Scope, resource_named, type_named};
use clisonix_fhir::validate;

use super::super::cells::members;
use super::super::place::{ancestors, datatype_named, element_at};
use super::super::{Policy, PolicyRow, RowKind};
use crate::layout::{Shape, natural_shape, shape, thing_scope};

/// The types that the table must be complete for.
const CORE: [&str; 34] = [
    "AllergyIntolerance",
    "Appointment",
    "CarePlan",
    "CareTeam",
    "Communication",
    "Composition",
    "Condition",
    "Consent",
    "Coverage",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "EpisodeOfCare",
    "FamilyMemberHistory",
    "Goal",
    "Immunization",
    "List",
    "Medication",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "Procedure",
    "Provenance",
    "QuestionnaireResponse",
    "RelatedPerson",
    "ServiceRequest",
    "Specimen",
    "Task",
];

fn rows(kind: RowKind) -> impl Iterator<Item = &'static PolicyRow> {
    Policy::r4().rows().iter().filter(move |row| row.kind == kind)
}

/// All elements of the core's resources and their backbone elements, by path.
fn core() -> Vec<ElementId> {
    let is_core = |element: &ElementId| CORE.contains(&element.element().owner.name());
    let found: Vec<ElementId> = ElementId::all().filter(is_core).collect();
    assert!(found.len() > 1_000);
    found
}

fn is_inside_whole(element: ElementId) -> bool {
    ancestors(element).any(|(around, _)| Policy::r4().is_whole(around))
}

#[test]
fn each_type_has_rows_of_its_own() {
    for ty in CORE {
        assert!(resource_named(ty).is_some(), "{ty}");
        let own = |row: &&PolicyRow| row.path.split('.').next() == Some(ty);
        assert!(Policy::r4().rows().iter().any(|row| own(&row)), "{ty}");
    }
}

#[test]
fn what_an_invariant_names_together_is_one_cell_or_the_row_says_why_not() {
    let mut checked = 0;
    for (key, at, reads) in validate::invariant_reads() {
        let ty = at.split('.').next().unwrap_or_default();
        if reads.len() < 2 || !CORE.contains(&ty) {
            continue;
        }
        checked += 1;
        let scope = match element_at(at) {
            Some(element) if is_inside_whole(element) => {
                let said = rows(RowKind::Whole).any(|row| row.rule.split(' ').any(|k| k == key));
                assert!(said, "{key}: a whole row names it");
                continue;
            }
            Some(element) => thing_scope(element),
            None => Scope::Type(resource_named(at).unwrap()),
        };
        let elements: Vec<ElementId> = reads
            .iter()
            .map(|name| {
                let mut all = scope.elements().iter().copied();
                all.find(|element| element.element().name == *name)
                    .unwrap_or_else(|| panic!("{key} reads {name}, no member of {at}"))
            })
            .collect();
        let leaders: BTreeSet<u16> =
            elements.iter().map(|&element| Policy::r4().leader(element).0).collect();
        let kind = if leaders.len() == 1 { RowKind::Group } else { RowKind::Apart };
        // The row names the rule, and all that the rule reads.
        let named = rows(kind).any(|row| {
            let own = || members(row).unwrap().into_iter().map(|(element, _)| element);
            row.rule.split(' ').any(|rule| rule == key)
                && elements.iter().all(|element| own().any(|own| own == *element))
        });
        assert!(named, "{key} at {at} reads {reads:?}: no {} row names it", kind.as_str());
    }
    assert!(checked > 25, "{checked}");
}

#[test]
fn the_rules_that_rows_name_exist() {
    let known: BTreeSet<&str> = validate::invariants().map(|(key, _)| key).collect();
    for row in Policy::r4().rows() {
        for rule in row.rule.split(' ').filter(|rule| !rule.is_empty()) {
            let said_of_modifiers = rule == "isModifier" && is_modifier(&row.path);
            assert!(said_of_modifiers || known.contains(rule), "line {}: {rule}", row.line);
        }
    }
}

/// Whether the standard marks what is named so: the element, or one of that name.
fn is_modifier(path: &str) -> bool {
    match path.strip_prefix("*.") {
        Some(name) => ElementId::all().any(|element| {
            let definition = element.element();
            definition.modifier && definition.name == name
        }),
        None => path == "@modifier" || element_at(path).is_some_and(|e| e.element().modifier),
    }
}

#[test]
fn each_status_has_a_life_cycle() {
    const NAMES: [&str; 5] =
        ["clinicalStatus", "docStatus", "lifecycleStatus", "status", "verificationStatus"];
    let mut checked = 0;
    for element in core() {
        let definition = element.element();
        let Some(binding) = definition.binding.filter(|_| NAMES.contains(&definition.name)) else {
            continue;
        };
        if is_inside_whole(element) {
            continue;
        }
        checked += 1;
        let path = definition.path;
        let row = rows(RowKind::Lifecycle).find(|row| &*row.path == path);
        assert!(row.is_some(), "{path} has no life cycle");
        let choice = rows(RowKind::Failsafe).find(|row| &*row.path == path).unwrap();
        let named: BTreeSet<&str> = choice.words().collect();
        assert_eq!(named, binding.codes.iter().copied().collect(), "{path}");
        // A retraction comes after everything.
        if binding.allows("entered-in-error") {
            assert_eq!(choice.words().next(), Some("entered-in-error"), "{path}");
        }
    }
    assert!(checked >= 34, "{checked}");
}

#[test]
fn each_modifier_is_of_high_severity_by_a_row() {
    let paths: BTreeMap<&str, &PolicyRow> =
        rows(RowKind::Severity).map(|row| (&*row.path, row)).collect();
    for element in core() {
        let definition = element.element();
        if !definition.modifier || is_inside_whole(element) {
            continue;
        }
        let name = format!("*.{}", definition.name);
        let row = paths.get(definition.path).or_else(|| paths.get(name.as_str()));
        let row = row.or_else(|| paths.get("@modifier")).unwrap();
        assert_eq!(&*row.what, "high", "{}", definition.path);
        let leader = Policy::r4().leader(element);
        assert_eq!(Policy::r4().severity(leader).as_str(), "high", "{}", definition.path);
        // Beside codes, a modifier's safer value is named.
        let is_boolean = definition.types.first().copied() == type_named("boolean");
        let general = format!("*.{}", definition.name);
        let has_choice = rows(RowKind::Failsafe)
            .any(|row| &*row.path == definition.path || *row.path == general);
        assert!(has_choice || !is_boolean, "{}", definition.path);
    }
}

#[test]
fn each_list_has_a_key_or_the_file_says_that_it_has_none() {
    let mut checked = 0;
    for element in core() {
        let definition = element.element();
        let around = ancestors(element).nth(1);
        if !definition.is_list() || around.is_some_and(|(around, _)| is_inside_whole(around)) {
            continue;
        }
        checked += 1;
        let ty = definition.types.first().copied().unwrap();
        let keyed = Policy::r4().key(element, ty).is_some();
        let keyless = rows(RowKind::Keyless).any(|row| {
            &*row.path == definition.path
                || (datatype_named(&row.path) == Some(ty) && !definition.is_backbone())
        });
        assert!(keyed != keyless, "{}: {keyed} {keyless}", definition.path);
        if definition.is_backbone() && definition.owner.definition().kind == Kind::Resource {
            let own = |row: &PolicyRow| &*row.path == definition.path;
            let named = rows(RowKind::Key).chain(rows(RowKind::Keyless)).any(own);
            assert!(named, "{} has a row of its own", definition.path);
        }
    }
    assert!(checked > 250, "{checked}");
}

#[test]
fn a_leader_has_an_address_of_its_own() {
    for element in ElementId::all() {
        let leader = Policy::r4().leader(element);
        assert!(Policy::r4().members(leader).any(|member| member == element));
        if Policy::r4().is_grouped(element) {
            assert_eq!(shape(leader), Shape::Atomic);
            assert!(!leader.element().is_list());
        }
        if Policy::r4().is_whole(element) {
            assert_eq!((shape(element), natural_shape(element)), (Shape::Atomic, Shape::Thing));
        }
    }
}
