//! What a release did: counts, never values.

use std::collections::BTreeMap;

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::ElementId;

/// How many values of one element went out and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// As they were.
    pub kept: u64,
    /// Reduced, shifted or replaced by a pseudonym.
    pub changed: u64,
    /// Not at all.
    pub withheld: u64,
}

/// Why a resource did not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Withheld {
    /// Its type is none of FHIR R4.
    UnknownType,
    /// The rules do not release its type.
    Type,
    /// It holds something unknown that may change what the rest means (`modifierExtension`,
    /// `implicitRules`).
    Modifier,
    /// It is nested deeper than [`MAX_DEPTH`](crate::MAX_DEPTH).
    TooDeep,
    /// Without what had to go it would break this rule of FHIR (or broke it before).
    Invalid(&'static str),
}

/// What people may be told apart by even in what is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum QuasiIdentifier {
    /// The year of birth as released, or that it is masked.
    BirthYear,
    /// `Patient.gender`
    Gender,
    /// The first three digits of the first address's ZIP code.
    Zip3,
    /// The first address's state.
    State,
}

/// What happened to one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Kept,
    Changed,
    Withheld,
}

/// The counts of one or more calls of [`Project::deidentify`](crate::Project::deidentify).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    rules: &'static str,
    free_text: bool,
    /// By type: how many came in, how many went out.
    resources: BTreeMap<&'static str, (u64, u64)>,
    withheld: BTreeMap<(&'static str, Withheld), u64>,
    elements: BTreeMap<ElementId, Counts>,
    /// Members that FHIR does not know.
    unknown: u64,
    /// Patients by what they may be told apart by; the keys never leave this struct.
    groups: BTreeMap<String, u64>,
}

impl Report {
    pub(crate) fn new(rules: &'static str, free_text: bool) -> Self {
        Self { rules, free_text, ..Self::default() }
    }

    pub(crate) fn came(&mut self, ty: &'static str) {
        self.resources.entry(ty).or_default().0 += 1;
    }

    pub(crate) fn went(&mut self, ty: &'static str) {
        self.resources.entry(ty).or_default().1 += 1;
    }

    pub(crate) fn stayed(&mut self, ty: &'static str, why: Withheld) {
        *self.withheld.entry((ty, why)).or_default() += 1;
    }

    pub(crate) fn events(&mut self, events: &[(ElementId, Event)], unknown: u64) {
        self.unknown += unknown;
        for &(element, event) in events {
            let counts = self.elements.entry(element).or_default();
            match event {
                Event::Kept => counts.kept += 1,
                Event::Changed => counts.changed += 1,
                Event::Withheld => counts.withheld += 1,
            }
        }
    }

    /// Counts a released patient among those who look the same.
    pub(crate) fn patient(&mut self, patient: &Value, by: &[QuasiIdentifier]) {
        let key: Vec<&str> = by.iter().map(|one| one.of(patient)).collect();
        *self.groups.entry(key.join("|")).or_default() += 1;
    }

    /// Adds another report, of the same rules.
    pub fn merge(&mut self, other: &Self) {
        if self.rules.is_empty() {
            self.rules = other.rules;
        }
        self.free_text |= other.free_text;
        self.unknown += other.unknown;
        for (&ty, &(came, went)) in &other.resources {
            let counts = self.resources.entry(ty).or_default();
            *counts = (counts.0 + came, counts.1 + went);
        }
        for (&key, &count) in &other.withheld {
            *self.withheld.entry(key).or_default() += count;
        }
        for (&element, other) in &other.elements {
            let counts = self.elements.entry(element).or_default();
            counts.kept += other.kept;
            counts.changed += other.changed;
            counts.withheld += other.withheld;
        }
        for (key, &count) in &other.groups {
            *self.groups.entry(key.clone()).or_default() += count;
        }
    }

    /// The name of the rules: `safe-harbor`, `expert`, or a project's own.
    pub fn rules(&self) -> &'static str {
        self.rules
    }

    /// Whether free text went out; then no profile's promise holds.
    pub fn free_text(&self) -> bool {
        self.free_text
    }

    /// Types with how many resources came in and how many went out.
    pub fn resources(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        self.resources.iter().map(|(&ty, &(came, went))| (ty, came, went))
    }

    /// Types with why how many did not go out.
    pub fn withheld(&self) -> impl Iterator<Item = (&'static str, Withheld, u64)> {
        self.withheld.iter().map(|(&(ty, why), &count)| (ty, why, count))
    }

    /// Paths of elements (`Patient.birthDate`, `Coding.code`) with their counts. An element that was
    /// withheld counts once, whatever it held.
    pub fn elements(&self) -> impl Iterator<Item = (&'static str, Counts)> {
        self.elements.iter().map(|(id, &counts)| (id.element().path, counts))
    }

    /// Members that FHIR R4 does not have; none of them went out.
    pub fn unknown_members(&self) -> u64 {
        self.unknown
    }

    /// How many groups of patients there are who look the same.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The size of the smallest of these groups (k); `None` without patients.
    pub fn smallest_group(&self) -> Option<u64> {
        self.groups.values().copied().min()
    }

    /// How many patients are in groups of fewer than `k`.
    pub fn patients_in_groups_below(&self, k: u64) -> u64 {
        self.groups.values().filter(|size| **size < k).sum()
    }

    /// The report as JSON, for a manifest.
    pub fn to_value(&self) -> Value {
        let mut report = Object::new();
        report.insert("rules", self.rules);
        report.insert("freeText", self.free_text);
        let counted = |count: u64| Value::from(count);
        let resources = self.resources().map(|(ty, came, went)| {
            let counts = [("in", counted(came)), ("out", counted(went))];
            (Box::from(ty), Value::from(counts.into_iter().collect::<Object>()))
        });
        report.insert("resources", resources.collect::<Object>());
        let withheld = self.withheld().map(|(ty, why, count)| {
            let row =
                [("type", ty.into()), ("why", why.as_text().into()), ("count", counted(count))];
            Value::from(row.into_iter().collect::<Object>())
        });
        report.insert("withheld", withheld.collect::<Value>());
        let elements = self.elements().map(|(path, counts)| {
            let kept = [("kept", counts.kept), ("changed", counts.changed)];
            let all = kept.into_iter().chain([("withheld", counts.withheld)]);
            let object: Object = all.map(|(name, count)| (name, counted(count))).collect();
            (Box::from(path), Value::from(object))
        });
        report.insert("elements", elements.collect::<Object>());
        report.insert("unknownMembers", self.unknown);
        report.insert("groups", self.groups.len() as u64);
        if let Some(smallest) = self.smallest_group() {
            report.insert("smallestGroup", smallest);
        }
        report.into()
    }
}

impl Withheld {
    /// The reason in words.
    pub fn as_text(self) -> String {
        match self {
            Self::UnknownType => "its type is none of FHIR R4".into(),
            Self::Type => "its type is not released".into(),
            Self::Modifier => "it holds an unknown modifier".into(),
            Self::TooDeep => "it is nested too deeply".into(),
            Self::Invalid(rule) => format!("it would break the rule {rule}"),
        }
    }
}

impl QuasiIdentifier {
    fn of(self, patient: &Value) -> &str {
        let address = || patient.get("address").and_then(|list| list.at(0));
        let text = match self {
            Self::BirthYear => patient.get("birthDate").and_then(Value::as_str),
            Self::Gender => patient.get("gender").and_then(Value::as_str),
            Self::Zip3 => address().and_then(|one| one.get("postalCode")).and_then(Value::as_str),
            Self::State => address().and_then(|one| one.get("state")).and_then(Value::as_str),
        };
        let text = text.unwrap_or_default();
        if self == Self::BirthYear { text.get(..4).unwrap_or(text) } else { text }
    }
}
