//! Which records a peer may hold: a function of the record's resources, the peer and the time.
//!
//! Nothing goes to a peer unless a rule of the site or a consent of the patient says that it may.
//! A denial in a consent outranks the site's rule and every other consent, and what cannot be
//! understood in a consent denies. What is decided is decided of each resource of the record; one
//! that the peer may not hold keeps the whole record back. For people: `docs/consent.md`.

mod actor;
mod period;
mod provision;

use std::collections::BTreeSet;
use std::fmt;

use clisonix_fhir::json::{self, Value};
use clisonix_ingest::sensitivity::{CONFIDENTIALITY, classes_of, labels};

pub use clisonix_ingest::sensitivity::SENSITIVE;

use self::provision::{Verdict, verdict};

/// Most consents that are looked at in one record; with more nothing is given out.
pub const MAX_CONSENTS: usize = 1_000;

/// Levels of confidentiality up to normal (HL7 `v3-Confidentiality`), which protect nothing by
/// themselves.
const ORDINARY: [&str; 4] = ["U", "L", "M", "N"];

/// On what ground a peer may hold patients' records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// None at all.
    #[default]
    Nothing,
    /// What a consent of the patient permits.
    Consent,
    /// What a consent permits, and records of patients whom the peer takes care of.
    Care,
    /// Every record, unless a consent denies it.
    All,
    /// Every record: the peer is another node of this organisation, so nothing is disclosed.
    Own,
}

impl Basis {
    /// What is decided on this ground about a patient's record that sets no terms; `None` if that
    /// depends on what is in it.
    pub(crate) const fn without_terms(self) -> Option<Decision> {
        match self {
            Self::Own => Some(Decision::Own),
            Self::All => Some(Decision::Rule),
            Self::Nothing | Self::Consent => Some(Decision::Nothing),
            Self::Care => None,
        }
    }
}

/// A site's rule about one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerRule {
    /// On what ground it may hold patients' records.
    pub basis: Basis,
    /// Whether it may hold shared records, such as practitioners and organisations.
    pub shared: bool,
    /// By which identifiers its organisation is known: system and value.
    pub identifiers: BTreeSet<(String, String)>,
    /// By which references it is known: `Organization/id`.
    pub references: BTreeSet<String>,
    /// For what it uses records: codes of HL7's `v3-ActReason`, such as `TREAT`.
    pub purposes: BTreeSet<String>,
    /// Sensitive classes that it may hold without a consent that names them, by the codes of
    /// [`SENSITIVE`].
    pub classes: BTreeSet<String>,
    /// What becomes of its orders to erase.
    pub orders: Orders,
}

/// What a site does with a peer's orders to erase. Content that the peer erased goes as soon as the
/// erasing change comes, whatever is decided here; an order brings that change to who would not get
/// it otherwise, and reaches the inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orders {
    /// They are carried out when they come.
    #[default]
    CarryOut,
    /// They wait for a person.
    Ask,
    /// They are refused; the peer is told.
    Refuse,
}

/// What was decided about a record and a peer, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Decision {
    /// It may: the peer is another node of this organisation.
    Own,
    /// It may: the site's rule gives the peer every record.
    Rule,
    /// It may: the peer takes care of the patient.
    Care,
    /// It may: a consent permits all that is in the record.
    Consent,
    /// It may: the site shares records of this kind.
    Shared,
    /// It may not: nothing permits it.
    Nothing,
    /// It may not: a consent denies it, or part of it.
    Denied,
    /// It may not: a consent cannot be understood.
    Unclear,
    /// It may not: it holds something of a sensitive class that nothing names.
    Sensitive,
    /// It may not: part of what is known of the patient is damaged, and a consent may be in it.
    Damaged,
}

impl Decision {
    /// Whether the peer may hold the record.
    pub const fn is_given(self) -> bool {
        matches!(self, Self::Own | Self::Rule | Self::Care | Self::Consent | Self::Shared)
    }

    /// Its word in logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Rule => "rule",
            Self::Care => "care",
            Self::Consent => "consent",
            Self::Shared => "shared",
            Self::Nothing => "nothing permits it",
            Self::Denied => "denied by consent",
            Self::Unclear => "unclear consent",
            Self::Sensitive => "sensitive class",
            Self::Damaged => "damaged",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// An entry of a record, as it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The resource.
    pub resource: &'a Value,
    /// Whether authors disagree about it.
    pub is_disputed: bool,
}

/// Whether a resource has a say in who may hold the record that it is in, beside the site's rule and
/// the care relation: it is a Consent, or has a security label other than an ordinary level of
/// confidentiality. `resource` is JSON as a record writes it.
pub(crate) fn sets_terms(resource: &str) -> bool {
    if resource.contains(r#""resourceType":"Consent""#) {
        return true;
    }
    let is_ordinary =
        |(system, code): (&str, &str)| system == CONFIDENTIALITY && ORDINARY.contains(&code);
    resource.contains(r#""security":"#)
        && json::parse(resource.as_bytes())
            .map_or(true, |resource| !labels(&resource).all(is_ordinary))
}

/// Decides whether a peer may hold a record of a patient, of whom `beside` is what other records
/// hold: consents and care are looked for there too. `now_ms` is in milliseconds since
/// 1970-01-01T00:00:00Z.
pub fn decide(
    record: &[Shown<'_>],
    beside: &[Shown<'_>],
    rule: &PeerRule,
    now_ms: i64,
) -> Decision {
    match rule.basis {
        Basis::Own => return Decision::Own,
        Basis::Nothing => return Decision::Nothing,
        _ => {}
    }
    let known = || record.iter().chain(beside);
    let is_consent = |shown: &&Shown<'_>| shown.resource.resource_type() == Some("Consent");
    let consents: Vec<&Shown<'_>> = known().filter(is_consent).collect();
    if consents.len() > MAX_CONSENTS {
        return Decision::Unclear;
    }
    let ground = match rule.basis {
        Basis::All => Some(Decision::Rule),
        Basis::Care if actor::takes_care(known(), rule) => Some(Decision::Care),
        _ => None,
    };
    let patients: Vec<String> = known().filter_map(|shown| patient(shown.resource)).collect();
    let mut found = ground.unwrap_or(Decision::Consent);
    for shown in record {
        let one = of_resource(shown.resource, &consents, &patients, ground, (rule, now_ms));
        match one {
            Decision::Denied | Decision::Unclear => return one,
            given if given.is_given() => {}
            // A denial that comes later in the record is the better reason.
            withheld => found = withheld,
        }
    }
    // What was erased as a whole has nothing left to be decided about but the rule: by that the
    // erasure reaches the peer.
    if record.is_empty() { ground.unwrap_or(Decision::Nothing) } else { found }
}

/// Decides about one resource of a record.
fn of_resource(
    resource: &Value,
    consents: &[&Shown<'_>],
    patients: &[String],
    ground: Option<Decision>,
    (rule, now_ms): (&PeerRule, i64),
) -> Decision {
    let classes = classes_of(resource);
    let (mut is_permitted, mut named) = (false, BTreeSet::new());
    for consent in consents {
        match verdict(consent, resource, patients, (rule, now_ms)) {
            Verdict::Denied => return Decision::Denied,
            Verdict::Unclear => return Decision::Unclear,
            Verdict::Permitted(classes) => {
                is_permitted = true;
                named.extend(classes);
            }
            Verdict::Silent => {}
        }
    }
    let covered = |class: &&str| rule.classes.contains(*class) || named.contains(*class);
    if !is_permitted && ground.is_none() {
        Decision::Nothing
    } else if !classes.iter().all(covered) {
        Decision::Sensitive
    } else {
        ground.unwrap_or(Decision::Consent)
    }
}

/// `Patient/id` of a patient.
fn patient(resource: &Value) -> Option<String> {
    (resource.resource_type()? == "Patient").then(|| reference_to(resource))?
}

/// `Type/id` of a resource.
fn reference_to(resource: &Value) -> Option<String> {
    Some(format!("{}/{}", resource.resource_type()?, resource.get("id")?.as_str()?))
}

/// The elements of a list, or the one value that stands alone.
fn each<'a>(resource: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let value = resource.get(name);
    let list = value.and_then(Value::as_array).unwrap_or_default();
    list.iter().chain(value.filter(|value| !value.is_array()))
}

/// System and code of a Coding; an absent system is empty.
fn coding(value: &Value) -> Option<(&str, &str)> {
    let system = value.get("system").and_then(Value::as_str).unwrap_or_default();
    Some((system, value.get("code")?.as_str()?))
}

#[cfg(test)]
mod tests;
