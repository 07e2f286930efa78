//! Sensitive classes of data, known by the security labels of HL7.

use clisonix_fhir::json::Value;

use super::{coding, each};

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
pub(super) const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

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

/// The sensitive classes that a resource is labelled with.
pub(super) fn of(resource: &Value) -> Vec<&'static str> {
    let labels: Vec<(&str, &str)> = labels(resource).collect();
    let is_labelled = |class: &&SensitiveClass| labels.contains(&(class.system, class.code));
    SENSITIVE.iter().filter(is_labelled).map(|class| class.code).collect()
}

/// The security labels of a resource: system and code.
pub(super) fn labels(resource: &Value) -> impl Iterator<Item = (&str, &str)> {
    let meta = resource.get("meta").into_iter();
    meta.flat_map(|meta| each(meta, "security")).filter_map(coding)
}

/// How confidential a level is; greater is more (HL7 v3 Confidentiality is ordered).
pub(super) fn level(code: &str) -> Option<u8> {
    ["U", "L", "M", "N", "R", "V"].iter().position(|level| *level == code).map(|at| at as u8)
}
