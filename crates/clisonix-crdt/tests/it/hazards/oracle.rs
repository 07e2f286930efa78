//! The oracle: what is wrong with a merge, from FHIR R4, the base and the two branches alone.

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::{Scope, resource_named};

use super::judge::{Judge, Versions};
use super::kind::Claim;
use super::selection::Case;
use super::shape::is_valid;

/// What an engine made of a case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Whether all replicas hold the same.
    pub(crate) is_same: bool,
    /// The resources as read.
    pub(crate) resources: Vec<Value>,
    /// The disagreements that a reader can see.
    pub(crate) shown: Vec<Shown>,
}

/// One disagreement as shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// `Type/id` of the entry.
    pub(crate) entry: String,
    /// The values, each an object of members or a list element; `None` where one side emptied or
    /// removed it.
    pub(crate) sides: Vec<Option<Value>>,
}

/// What can be wrong with a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Problem {
    /// The merged resource breaks a rule that both authors kept.
    Invalid,
    /// A combination that neither author wrote stands in one statement.
    Mixed,
    /// What both authors stated once stands there twice.
    Doubled,
    /// Two values could not both stand, and nobody is told.
    Silent,
    /// What one author wrote is neither in the result nor in a conflict that is shown.
    Lost,
    /// A retraction does not stand.
    Retraction,
    /// Replicas with the same changes hold different things.
    Diverged,
    /// A conflict is shown where nobody disagrees.
    FalseAlarm,
}

impl Problem {
    /// All, in the order of the tables.
    pub(crate) const ALL: [Problem; 8] = [
        Problem::Invalid,
        Problem::Mixed,
        Problem::Doubled,
        Problem::Silent,
        Problem::Lost,
        Problem::Retraction,
        Problem::Diverged,
        Problem::FalseAlarm,
    ];

    /// The name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Problem::Invalid => "invalid",
            Problem::Mixed => "mixed",
            Problem::Doubled => "doubled",
            Problem::Silent => "silent",
            Problem::Lost => "lost",
            Problem::Retraction => "retraction",
            Problem::Diverged => "diverged",
            Problem::FalseAlarm => "false-alarm",
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) problem: Problem,
    pub(crate) place: String,
}

/// What is wrong with what an engine made of a case.
pub(crate) fn judge(case: &Case, outcome: &Outcome) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |problem, place: &str| faults.push(Fault { problem, place: place.to_owned() });
    if !outcome.is_same {
        fault(Problem::Diverged, "");
    }
    match case.claim {
        Claim::Disputed if outcome.shown.is_empty() => fault(Problem::Silent, ""),
        Claim::Agreed => outcome.shown.iter().for_each(|s| fault(Problem::FalseAlarm, &s.entry)),
        Claim::Disputed | Claim::Open => {}
    }
    let merged: Vec<Value> = outcome.resources.iter().map(without_version).collect();
    for resource in &merged {
        if !is_valid(resource) {
            fault(Problem::Invalid, &entry_of(resource));
        }
    }
    for target in dangling(case, &merged) {
        fault(Problem::Invalid, &format!("a reference to {target}, which is gone"));
    }
    for entry in entries(case, &merged) {
        faults.extend(judge_entry(case, outcome, &merged, &entry));
    }
    faults
}

fn judge_entry(case: &Case, outcome: &Outcome, merged: &[Value], entry: &str) -> Vec<Fault> {
    let versions = Versions {
        base: find(&case.base, entry),
        a: find(&case.a, entry),
        b: find(&case.b, entry),
        merged: find(merged, entry),
    };
    let mut judge = Judge::new(entry, &outcome.shown);
    let ty = entry.split('/').next().and_then(resource_named);
    if let Some(ty) = ty {
        judge.thing(Scope::Type(ty), versions, entry);
    }
    if merged.iter().filter(|resource| entry_of(resource) == entry).count() > 1 {
        judge.fault(Problem::Doubled, entry);
    }
    if tells_of_other_data(versions) {
        judge.fault(Problem::Mixed, &format!("{entry}.text"));
    }
    if is_retraction_lost(versions) {
        judge.fault(Problem::Retraction, entry);
    }
    judge.faults
}

/// A generated narrative beside other data than it was generated from (FHIR R4 2.4.0).
fn tells_of_other_data(versions: Versions<'_>) -> bool {
    let Some(merged) = versions.merged else { return false };
    let Some(text) = merged.get("text") else { return false };
    let is_generated = text.get("status").and_then(Value::as_str) == Some("generated");
    let branches = [versions.base, versions.a, versions.b];
    is_generated && !branches.into_iter().flatten().any(|branch| branch == merged)
}

/// One author says that the entry was entered in error, so it stays a retraction (FHIR R4 1.11:
/// entered-in-error tells not to act on the resource at all).
fn is_retraction_lost(versions: Versions<'_>) -> bool {
    let is_retracted = |object: Option<&Object>| {
        let names = ["status", "verificationStatus", "lifecycleStatus"];
        let texts = names.iter().filter_map(|name| Some(object?.get(name)?.to_text()));
        texts.into_iter().any(|text| text.contains("\"entered-in-error\""))
    };
    let Versions { base, a, b, merged } = versions;
    merged.is_some()
        && !is_retracted(base)
        && (is_retracted(a) || is_retracted(b))
        && !is_retracted(merged)
}

/// Entries that were there for an author and are referred to, but are gone.
fn dangling(case: &Case, merged: &[Value]) -> Vec<String> {
    let known = [&case.base, &case.a, &case.b].into_iter().flatten().map(entry_of);
    let is_dangling = |record: &[Value], target: &str| {
        let text = format!("\"reference\":\"{target}\"");
        find(record, target).is_none() && record.iter().any(|r| r.to_text().contains(&text))
    };
    let mut gone: Vec<String> = known
        .filter(|target| is_dangling(merged, target))
        .filter(|target| ![&case.a, &case.b].iter().any(|record| is_dangling(record, target)))
        .collect();
    gone.sort();
    gone.dedup();
    gone
}

fn entries(case: &Case, merged: &[Value]) -> Vec<String> {
    let records = [&case.base[..], &case.a, &case.b, merged];
    let mut names: Vec<String> = records.into_iter().flatten().map(entry_of).collect();
    names.sort();
    names.dedup();
    names
}

fn entry_of(resource: &Value) -> String {
    let text = |name| resource.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}/{}", text("resourceType"), text("id"))
}

fn find<'v>(record: &'v [Value], entry: &str) -> Option<&'v Object> {
    record.iter().find(|resource| entry_of(resource) == entry).and_then(Value::as_object)
}

/// Without what a server sets.
fn without_version(resource: &Value) -> Value {
    let mut resource = resource.clone();
    let Some(object) = resource.as_object_mut() else { return resource };
    if let Some(meta) = object.get_mut("meta").and_then(Value::as_object_mut) {
        meta.remove("versionId");
        meta.remove("lastUpdated");
        if meta.is_empty() {
            object.remove("meta");
        }
    }
    resource
}
