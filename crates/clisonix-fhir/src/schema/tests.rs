//! The counts of R4 and the meaning of names.

use super::{ElementId, Kind, Scope, TypeId, compartment, resource_named, type_named};

#[test]
fn the_table_holds_all_of_r4() {
    assert_eq!(TypeId::all().count(), 210);
    let resources = TypeId::all().filter(|ty| ty.definition().kind == Kind::Resource);
    assert_eq!(resources.count(), 149);
    assert_eq!(ElementId::all().count(), 7590);
    assert!(ElementId::all().all(|id| !id.element().types.is_empty()));
}

#[test]
fn every_element_is_found_by_its_name_in_its_scope() {
    for ty in TypeId::all() {
        for &id in Scope::Type(ty).elements() {
            let element = id.element();
            if !element.choice {
                assert_eq!(Scope::Type(ty).member(element.name).unwrap().element, id);
            }
        }
    }
}

#[test]
fn names_mean_what_the_standard_says() {
    let observation = Scope::Type(resource_named("Observation").unwrap());
    let value = observation.member("valueQuantity").unwrap();
    assert_eq!((value.ty.name(), value.element.element().path), ("Quantity", "Observation.value"));
    assert_eq!(observation.member("valueString").unwrap().ty.name(), "string");
    assert!(observation.member("_valueString").unwrap().sibling);
    for name in ["value", "valueAddress", "valuestring", "_valueQuantity", "x", "", "resourceType"]
    {
        assert_eq!(observation.member(name), None, "{name}");
    }
    let component = observation.member("component").unwrap().scope().unwrap();
    let range = component.member("referenceRange").unwrap().scope();
    assert_eq!(range, observation.member("referenceRange").unwrap().scope());
    assert!(resource_named("DomainResource").is_none() && type_named("HumanName").is_some());
    let patient = compartment("Patient").unwrap();
    let member = patient.member(resource_named("Observation").unwrap()).unwrap();
    assert_eq!(member.paths, ["Observation.performer", "Observation.subject"]);
}

#[test]
fn an_element_that_is_not_of_hl7_stands_nowhere() {
    for (ty, name) in [("Meta", "project"), ("Binary", "url"), ("HealthcareService", "offeredIn")] {
        let scope = Scope::Type(type_named(ty).unwrap());
        assert_eq!(scope.member(name), None, "{ty}.{name}");
    }
}

#[test]
fn a_scope_has_its_own_elements_only() {
    let patient = Scope::Type(resource_named("Patient").unwrap());
    let observation = Scope::Type(resource_named("Observation").unwrap());
    assert!(patient.elements().iter().all(|&id| patient.has(id) && !observation.has(id)));
    assert!(!patient.has(ElementId(u16::MAX)));
    let required: Vec<_> = observation.required().map(|id| id.element().name).collect();
    assert_eq!(required, ["status", "code"]);
}
