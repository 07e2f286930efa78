//! What an author wants, as a function from the resource they read to the one they write.

use clisonix_fhir::json::Value;

use crate::calendar::Day;
use crate::compose::{append, list, object, set, unset};
use crate::export::fhir::{concept, quantity, status_concept};
use crate::population::{Allergen, Unit};

/// What an author wants.
#[derive(Debug, Clone)]
pub enum Intent {
    /// Another dose: number and UCUM unit (`mg` or `ug`).
    Dose(i64, &'static str),
    /// The result is a text, not a number.
    ResultText(&'static str),
    /// The result is another number.
    ResultNumber(String, Unit),
    /// The problem is over since a day.
    Resolve(Day),
    /// The problem is back.
    Relapse,
    /// This was never true.
    EnteredInError,
    /// The order is done.
    Complete,
    /// The entry does not belong here.
    Remove,
    /// The next exposure may threaten life.
    RaiseCriticality,
    /// A new allergy, with its criticality.
    AddAllergy(&'static Allergen, &'static str),
    /// One more telephone.
    AddPhone(&'static str, String),
    /// The birth date was wrong.
    BirthDate(Day),
    /// The home address changed.
    MoveTo(String),
    /// A note beside the entry.
    Note(String),
}

/// What the author sends.
#[derive(Debug, Clone)]
pub enum Change {
    /// The whole resource as it should be.
    Write(Value),
    /// A resource that is not there yet.
    Create(Value),
    /// Remove what was read.
    Remove,
}

impl Intent {
    /// The change that carries the intent out on a resource as read. For a new entry, `read` is
    /// the Patient resource it belongs to.
    pub fn apply(&self, read: &Value) -> Change {
        let mut it = read.clone();
        match self {
            Self::Remove => return Change::Remove,
            Self::AddAllergy(allergen, criticality) => {
                return Change::Create(new_allergy(allergen, criticality, read));
            }
            Self::Dose(number, unit) => dose(&mut it, *number, unit),
            Self::ResultText(text) => {
                clear_value(&mut it);
                set(&mut it, "valueString", (*text).into());
            }
            Self::ResultNumber(number, unit) => {
                clear_value(&mut it);
                set(&mut it, "valueQuantity", quantity(number, unit.shown, unit.ucum));
            }
            Self::Resolve(day) => {
                set(&mut it, "clinicalStatus", status_concept("condition-clinical", "resolved"));
                unset(&mut it, "abatementPeriod");
                set(&mut it, "abatementDateTime", day.fhir().into());
            }
            Self::Relapse => {
                set(&mut it, "clinicalStatus", status_concept("condition-clinical", "relapse"));
                unset(&mut it, "abatementDateTime");
                unset(&mut it, "abatementPeriod");
            }
            Self::EnteredInError => set(&mut it, "status", "entered-in-error".into()),
            Self::Complete => set(&mut it, "status", "completed".into()),
            Self::RaiseCriticality => set(&mut it, "criticality", "high".into()),
            Self::AddPhone(kind, number) => {
                let phone = object! { "system": "phone", "value": number.clone(), "use": *kind };
                append(&mut it, "telecom", phone);
            }
            Self::BirthDate(day) => set(&mut it, "birthDate", day.fhir().into()),
            Self::MoveTo(line) => move_to(&mut it, line),
            Self::Note(text) => append(&mut it, "note", object! { "text": text.clone() }),
        }
        Change::Write(it)
    }
}

/// Replaces the dose and what repeats it in words; timing and route stay as read.
fn dose(it: &mut Value, number: i64, unit: &str) {
    let shown = if unit == "ug" { "mcg" } else { unit };
    let rate = object! { "doseQuantity": quantity(&number.to_string(), shown, unit) };
    let first = it.get("dosageInstruction").and_then(|all| all.at(0));
    let mut dosage = first.cloned().unwrap_or_else(|| object! {});
    unset(&mut dosage, "patientInstruction");
    set(&mut dosage, "text", format!("{number} {shown} by mouth").into());
    set(&mut dosage, "doseAndRate", list([rate]));
    set(it, "dosageInstruction", list([dosage]));
}

/// FHIR R4 2.6.1.4: of a choice only one type may be present.
fn clear_value(it: &mut Value) {
    let names: Vec<String> = it.as_object().map_or_else(Vec::new, |members| {
        members.keys().filter(|name| name.starts_with("value")).map(str::to_owned).collect()
    });
    for name in names {
        unset(it, &name);
    }
    unset(it, "dataAbsentReason");
}

fn move_to(it: &mut Value, line: &str) {
    let address = object! {
        "use": "home",
        "line": list([line.into()]),
        "city": "Phoenix",
        "state": "AZ",
        "postalCode": "85004",
        "country": "USA",
    };
    set(it, "address", list([address]));
}

fn new_allergy(allergen: &Allergen, criticality: &str, patient: &Value) -> Value {
    let id = patient.get("id").and_then(Value::as_str).unwrap_or_default();
    let clinical = status_concept("allergyintolerance-clinical", "active");
    let verified = status_concept("allergyintolerance-verification", "confirmed");
    object! {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": clinical,
        "verificationStatus": verified,
        "criticality": criticality,
        "code": concept(&allergen.codings()),
        "patient": object! { "reference": format!("Patient/{id}") },
    }
}
