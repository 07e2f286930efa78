//! The record target into `Patient`.
//!
//! US Core 6.1 race, ethnicity; FHIR R4 core extensions for religion, birth place and birth time.

use clisonix_fhir::json::{Object, Value};

use super::actors::organization;
use super::codes::{GENDER, mapped, take_whole};
use super::datatypes::{
    address, addresses, coding, concept, contact_points, distinct, fixed_coding, fixed_concept,
    human_name, identifiers, put, put_list,
};
use super::draft::Draft;
use super::source::Elem;
use super::time::{date, date_time, point};

const EXTENSIONS: &str = "http://hl7.org/fhir/StructureDefinition/";
const US_CORE: &str = "http://hl7.org/fhir/us/core/StructureDefinition/";
const ROLE_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleCode";
const SSN: &str = "http://hl7.org/fhir/sid/us-ssn";
/// The five race and two ethnicity categories of the US Office of Management and Budget, by their
/// codes in CDC Race and Ethnicity.
const OMB: [&str; 7] = ["1002-5", "2028-9", "2054-5", "2076-8", "2106-3", "2135-2", "2186-5"];

/// Adds the patient of a `recordTarget`; `document` gives the people around them.
pub(crate) fn patient(record_target: Elem<'_>, document: Elem<'_>, draft: &mut Draft) {
    record_target.visit();
    let Some(role) = record_target.child("patientRole") else { return };
    role.visit();
    let person = role.child("patient").map(Elem::visit);
    let mut body = Draft::body("Patient");
    put_list(&mut body, "extension", person.map(extensions).unwrap_or_default());
    put_list(&mut body, "identifier", ordered(identifiers(role)));
    if let Some(person) = person {
        put_list(&mut body, "name", distinct(person.children("name").filter_map(human_name)));
    }
    put_list(&mut body, "telecom", contact_points(role));
    if let Some(person) = person {
        put(&mut body, "gender", gender(person.child("administrativeGenderCode")));
        put_birth(person, &mut body);
        put_death(person, &mut body);
    }
    put_list(&mut body, "address", addresses(role));
    if let Some(person) = person {
        put(&mut body, "maritalStatus", person.child("maritalStatusCode").and_then(concept));
        let mut contacts: Vec<Value> = person.children("guardian").filter_map(guardian).collect();
        contacts.extend(document.children("participant").filter_map(relative));
        put_list(&mut body, "contact", contacts);
        let languages = person.children("languageCommunication").filter_map(language);
        put_list(&mut body, "communication", distinct(languages));
    }
    if let Some(provider) = role.child("providerOrganization") {
        let managing = organization(provider, draft);
        let managing = managing.filter(|it| super::statements::refers_to(it, &["Organization"]));
        put(&mut body, "managingOrganization", managing);
    }
    draft.add(body, role);
}

/// A number that belongs to the person, not to who registered them, comes last: the first
/// identifier is the record's key.
fn ordered(mut identifiers: Vec<Value>) -> Vec<Value> {
    identifiers.sort_by_key(|id| id.get("system").and_then(Value::as_str) == Some(SSN));
    identifiers
}

fn gender(code: Option<Elem<'_>>) -> Option<&'static str> {
    if code.is_some_and(|code| code.peek("nullFlavor") == Some("UNK")) {
        code?.mark_attribute("nullFlavor");
        return Some("unknown");
    }
    mapped(code, GENDER)
}

fn put_birth(person: Elem<'_>, body: &mut Object) {
    let Some(birth) = person.child("birthTime") else { return };
    let time = point(birth).filter(super::time::Point::is_instant);
    put(body, "birthDate", date(birth));
    if let Some(time) = time {
        let mut sibling = Object::new();
        let time = extension("patient-birthTime", "valueDateTime", time.date_time());
        sibling.insert("extension", vec![time]);
        body.insert("_birthDate", sibling);
    }
}

fn put_death(person: Elem<'_>, body: &mut Object) {
    if let Some(at) = person.child("deceasedTime").and_then(date_time) {
        body.insert("deceasedDateTime", at);
        if let Some(flag) =
            person.child("deceasedInd").filter(|it| it.peek("value") == Some("true"))
        {
            flag.mark_attribute("value");
        }
    } else if let Some(flag) = person.child("deceasedInd")
        && let Some(value @ ("true" | "false")) = flag.peek("value")
    {
        flag.mark_attribute("value");
        body.insert("deceasedBoolean", value == "true");
    }
}

fn extensions(person: Elem<'_>) -> Vec<Value> {
    let mut list = Vec::new();
    list.extend(omb(person, "raceCode", "us-core-race", 5));
    list.extend(omb(person, "ethnicGroupCode", "us-core-ethnicity", 1));
    let religion = person.child("religiousAffiliationCode").and_then(concept);
    list.extend(
        religion.map(|religion| extension("patient-religion", "valueCodeableConcept", religion)),
    );
    let place = person.path(&["birthplace", "place"]).map(Elem::visit);
    let place = place.and_then(|place| place.child("addr")).and_then(address);
    list.extend(place.map(|place| extension("patient-birthPlace", "valueAddress", place)));
    list
}

fn extension(name: &str, member: &str, value: impl Into<Value>) -> Value {
    let mut extension = Object::new();
    extension.insert("url", format!("{EXTENSIONS}{name}"));
    extension.insert(member, value);
    extension.into()
}

/// The US Core extension for race or ethnicity; `most` is how many categories it allows.
fn omb(person: Elem<'_>, member: &'static str, name: &str, most: usize) -> Option<Value> {
    let mut categories = Vec::new();
    let mut parts = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for code in person.children(member) {
        let unknown = code.peek("nullFlavor").filter(|flavor| matches!(*flavor, "UNK" | "ASKU"));
        if let Some(flavor) = unknown {
            code.mark_attribute("nullFlavor");
            let shown = if flavor == "UNK" { "Unknown" } else { "Asked but no answer" };
            let system = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor";
            let coding = fixed_coding(system, flavor, Some(shown));
            if categories.len() < most && !categories.contains(&coding) {
                categories.push(coding);
                words.push(shown.to_owned());
            }
            continue;
        }
        let is_omb = code.peek("code").is_some_and(|code| OMB.contains(&code));
        if is_omb && categories.len() >= most {
            continue;
        }
        let Some(coding) = coding(code) else { continue };
        if let Some(shown) = coding.get("display").and_then(Value::as_str) {
            words.push(shown.to_owned());
        } else if let Some(code) = coding.get("code").and_then(Value::as_str) {
            words.push(code.to_owned());
        }
        if is_omb { categories.push(coding.into()) } else { parts.push(Value::Object(coding)) }
    }
    if words.is_empty() {
        return None;
    }
    let part = |url: &str, member: &str, value: Value| {
        let mut part = Object::new();
        part.insert("url", url);
        part.insert(member, value);
        Value::Object(part)
    };
    let mut inner: Vec<Value> =
        categories.into_iter().map(|it| part("ombCategory", "valueCoding", it)).collect();
    inner.extend(
        distinct(parts.into_iter()).into_iter().map(|it| part("detailed", "valueCoding", it)),
    );
    words.dedup();
    inner.push(part("text", "valueString", words.join(", ").into()));
    let mut extension = Object::new();
    extension.insert("extension", inner);
    extension.insert("url", format!("{US_CORE}{name}"));
    Some(extension.into())
}

fn language(communication: Elem<'_>) -> Option<Value> {
    let code = communication.child("languageCode")?;
    let tag = code.take("code").filter(|tag| !tag.contains(char::is_whitespace))?;
    let mut out = Object::new();
    out.insert("language", fixed_concept("urn:ietf:bcp:47", tag, None));
    if let Some(flag) = communication.child("preferenceInd")
        && let Some(value @ ("true" | "false")) = flag.peek("value")
    {
        flag.mark_attribute("value");
        out.insert("preferred", value == "true");
    }
    Some(out.into())
}

fn guardian(guardian: Elem<'_>) -> Option<Value> {
    let code = guardian.child("code").and_then(concept);
    let code = code.unwrap_or_else(|| fixed_concept(ROLE_CODE, "GUARD", Some("guardian")));
    contact(guardian, guardian.child("guardianPerson"), code)
}

/// A participant who stands beside the patient: next of kin, emergency contact, caregiver.
fn relative(participant: Elem<'_>) -> Option<Value> {
    let entity = participant.child("associatedEntity")?;
    let class = entity.peek("classCode")?;
    if participant.peek("typeCode") != Some("IND")
        || !matches!(class, "NOK" | "ECON" | "CAREGIVER" | "PRS" | "GUARD")
    {
        return None;
    }
    let system = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";
    let code = entity.child("code").and_then(concept);
    let code = code.unwrap_or_else(|| fixed_concept(system, class, None));
    let contact = contact(entity, entity.child("associatedPerson"), code)?;
    participant.visit();
    Some(contact)
}

/// FHIR pat-1: a contact has a name, a telecom, an address or an organisation.
fn contact(role: Elem<'_>, person: Option<Elem<'_>>, relationship: Value) -> Option<Value> {
    let mut out = Object::new();
    out.insert("relationship", vec![relationship]);
    let person = person.map(Elem::visit);
    put(&mut out, "name", person.and_then(|person| person.child("name")).and_then(human_name));
    put_list(&mut out, "telecom", contact_points(role));
    put(&mut out, "address", role.child("addr").and_then(address));
    if out.len() == 1 {
        role.unmark();
        return None;
    }
    role.visit();
    if let Some(code) = role.child("code").filter(|code| code.peek("code").is_some()) {
        take_whole(code);
    }
    Some(out.into())
}
