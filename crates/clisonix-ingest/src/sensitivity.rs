//! Sensitive classes of data, known by the security labels of HL7, and the records that keep them
//! apart.

use clisonix_fhir::json::Value;

use crate::intake::{RecordKey, RecordKind};

/// Resources by which the others of a patient are decided about: they stay in the patient's own
/// record, whatever their labels are.
const NOT_KEPT_APART: [&str; 2] = ["Patient", "Consent"];

/// A class of data that law or custom protects more than other health data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SensitiveClass {
    /// The code system of its label.
    pub system: &'static str,
    /// Its code there, by which rules name it.
    pub code: &'static str,
    /// Why it is in the list.
    pub reason: &'static str,
}

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
/// The code system of levels of confidentiality.
pub const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

const fn act(code: &'static str, reason: &'static str) -> SensitiveClass {
    SensitiveClass { system: ACT_CODE, code, reason }
}

/// The classes, from HL7's value sets of information sensitivity policies (`v3-ActCode`) and the
/// levels of `v3-Confidentiality` above normal.
pub const SENSITIVE: &[SensitiveClass] = &[
    act("ETH", "alcohol and drug treatment: 42 CFR part 2 asks for a consent that names it"),
    act("SUD", "substance use disorder: 42 CFR part 2, and many national laws"),
    act("ETHUD", "alcohol use disorder: as SUD"),
    act("OPIOIDUD", "opioid use disorder: as SUD"),
    act("PSY", "psychiatry: kept apart by national laws of mental health"),
    act(
        "PSYTHPN",
        "psychotherapy notes: 45 CFR 164.508(a)(2) asks for an authorisation of its own",
    ),
    act("MH", "mental health: as PSY"),
    act("BH", "behavioural health: holds mental health and substance use"),
    act("COGN", "cognitive disability: stigma"),
    act("DVD", "developmental disability: stigma"),
    act("EMOTDIS", "emotional disturbance: as MH"),
    act("HIV", "HIV and AIDS: laws of many states and countries"),
    act("STD", "sexually transmitted disease: laws of many states, minors' own consent"),
    act("SEX", "sexuality and reproduction: minors' own consent"),
    act("SCA", "sickle cell disease: named in federal programmes, stigma"),
    act("GDIS", "genetic disease: laws on genetic discrimination"),
    act("ABORTION", "termination of pregnancy: laws differ between places and reach across them"),
    act("VIO", "violence: safety of the person"),
    act("SDV", "sexual assault and domestic violence: safety of the person"),
    act("IDS", "identity hidden: safety of the person"),
    act("TABOO", "the patient is not to be told yet by others"),
    act("CELEB", "persons of public interest, whose records are looked at out of curiosity"),
    act("EMP", "employees of the organisation, whose colleagues could read it"),
    SensitiveClass { system: CONFIDENTIALITY, code: "R", reason: "labelled restricted" },
    SensitiveClass { system: CONFIDENTIALITY, code: "V", reason: "labelled very restricted" },
];

/// The sensitive classes that a resource is labelled with, in the order of [`SENSITIVE`].
pub fn classes_of(resource: &Value) -> Vec<&'static str> {
    let labels: Vec<(&str, &str)> = labels(resource).collect();
    let is_labelled = |class: &&SensitiveClass| labels.contains(&(class.system, class.code));
    SENSITIVE.iter().filter(is_labelled).map(|class| class.code).collect()
}

/// The security labels of a resource: system, which is empty where there is none, and code.
pub fn labels(resource: &Value) -> impl Iterator<Item = (&str, &str)> {
    let labels = resource.get("meta").and_then(|meta| meta.get("security"));
    let list = labels.and_then(Value::as_array).unwrap_or_default();
    // A label that stands alone is no valid FHIR, and a label all the same.
    list.iter().chain(labels.filter(|labels| !labels.is_array())).filter_map(|label| {
        let system = label.get("system").and_then(Value::as_str).unwrap_or_default();
        Some((system, label.get("code")?.as_str()?))
    })
}

/// The record in which a patient's data of a resource's classes is kept apart; `None` for what
/// belongs into `record` itself.
pub fn kept_apart(record: &RecordKey, resource: &Value) -> Option<RecordKey> {
    let ty = resource.resource_type().unwrap_or_default();
    if record.kind != RecordKind::Patient || NOT_KEPT_APART.contains(&ty) {
        return None;
    }
    let mut classes = classes_of(resource);
    classes.sort_unstable();
    (!classes.is_empty()).then(|| record.of_classes(&classes.join("+")))
}
