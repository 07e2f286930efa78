//! Which record each draft belongs to.

use std::collections::HashMap;

use clisonix_fhir::json::Value;
use clisonix_fhir::schema;

use super::table::TABLE;
use super::{Draft, Known, OWN_SYSTEM, content, key, pseudonym, references};
use crate::intake::RecordKey;

/// Members that name the patient before any other reference of the compartment does.
const SUBJECTS: [&str; 4] = ["subject", "patient", "beneficiary", "individual"];

/// How many references in a row a record is inherited along.
const MAX_STEPS: usize = 8;
/// How many references in a row go into the key of a shared resource without an identifier.
const SHARED_DEPTH: usize = 2;

/// The record of each draft, by the draft's number.
pub(super) struct Owners {
    records: Vec<Option<RecordKey>>,
}

impl Owners {
    pub(super) fn of(
        feed: &str,
        drafts: &[Draft],
        lookup: &dyn Fn(&str) -> Option<usize>,
        known: &Known,
    ) -> Self {
        let mut owners = Self { records: vec![None; drafts.len()] };
        owners.fill(drafts, |draft, _| {
            (draft.resource_type() == "Patient").then(|| patient_key(feed, draft))
        });
        owners.fill(drafts, |draft, owners| {
            if draft.resource_type() == "Patient" || TABLE.is_shared(draft.resource_type()) {
                return None;
            }
            subject(draft, |reference| owners.patient_of(feed, drafts, reference, lookup, known))
        });
        owners.inherit(drafts, lookup);
        owners.fill(drafts, |draft, _| Some(shared_key(draft, drafts, lookup, SHARED_DEPTH)));
        owners
    }

    pub(super) fn record(&self, index: usize) -> Option<&RecordKey> {
        self.records.get(index).and_then(Option::as_ref)
    }

    /// Asks for the record of every draft that has none yet.
    fn fill(&mut self, drafts: &[Draft], record: impl Fn(&Draft, &Self) -> Option<RecordKey>) {
        for (index, draft) in drafts.iter().enumerate() {
            if self.record(index).is_some() {
                continue;
            }
            let found = record(draft, self);
            if let Some(slot) = self.records.get_mut(index) {
                *slot = found;
            }
        }
    }

    /// The record that a `Reference` to a patient means, in the message or not.
    fn patient_of(
        &self,
        feed: &str,
        drafts: &[Draft],
        reference: &Value,
        lookup: &dyn Fn(&str) -> Option<usize>,
        known: &Known,
    ) -> Option<RecordKey> {
        let Some(text) = reference.get("reference").and_then(Value::as_str) else {
            let (system, value) = key::parts(reference.get("identifier")?)?;
            let is_patient = reference.get("type").and_then(Value::as_str) == Some("Patient");
            return is_patient.then(|| RecordKey::patient(system, value));
        };
        if let Some(index) = lookup(text) {
            let is_patient = drafts.get(index).is_some_and(|d| d.resource_type() == "Patient");
            return self.record(index).filter(|_| is_patient).cloned();
        }
        if let Some(("Patient", system, value)) = references::conditional(text) {
            return Some(RecordKey::patient(system, value));
        }
        if let Some(record) = known.patient(text) {
            return Some(record.clone());
        }
        if let Some(("Patient", id)) = pseudonym::referred(text) {
            return Some(pseudonym::patient(id));
        }
        let (text, _) = text.split_once("/_history/").unwrap_or((text, ""));
        let (base, id) = text.rsplit_once('/')?;
        let is_patient = base.rsplit('/').next() == Some("Patient");
        is_patient.then(|| source_key(feed, &format!("Patient/{id}")))
    }

    /// Gives drafts without a patient of their own the record of what refers to them, else of
    /// what they refer to, when that is one patient's: a `Binary` of a `DocumentReference`, a
    /// `Provenance` of an `Observation`.
    fn inherit(&mut self, drafts: &[Draft], lookup: &dyn Fn(&str) -> Option<usize>) {
        let open = |owners: &Self, index: usize, draft: &Draft| {
            owners.record(index).is_none() && !TABLE.is_shared(draft.resource_type())
        };
        if !drafts.iter().enumerate().any(|(index, draft)| open(self, index, draft)) {
            return;
        }
        for links in links(drafts, lookup) {
            for _ in 0..MAX_STEPS {
                let found: Vec<_> = drafts
                    .iter()
                    .enumerate()
                    .filter(|(index, draft)| open(self, *index, draft))
                    .filter_map(|(index, _)| Some((index, self.only_record(links.get(&index)?)?)))
                    .collect();
                if found.is_empty() {
                    break;
                }
                for (index, record) in found {
                    if let Some(slot) = self.records.get_mut(index) {
                        *slot = Some(record);
                    }
                }
            }
        }
    }

    /// The record that all those drafts belong to that have one.
    fn only_record(&self, drafts: &[usize]) -> Option<RecordKey> {
        let mut records = drafts.iter().filter_map(|draft| self.record(*draft));
        let first = records.next()?;
        records.all(|record| record == first).then(|| first.clone())
    }
}

/// For each draft those that refer to it, and those that it refers to.
fn links(
    drafts: &[Draft],
    lookup: &dyn Fn(&str) -> Option<usize>,
) -> [HashMap<usize, Vec<usize>>; 2] {
    let mut links = [HashMap::new(), HashMap::new()];
    let [to, from] = &mut links;
    for (index, draft) in drafts.iter().enumerate() {
        references::each(&draft.resource, &mut |text| {
            if let Some(target) = lookup(text) {
                to.entry(target).or_insert_with(Vec::new).push(index);
                from.entry(index).or_insert_with(Vec::new).push(target);
            }
        });
    }
    links
}

/// The first patient that the references of the compartment lead to, `subject` and its like first.
fn subject(draft: &Draft, record: impl Fn(&Value) -> Option<RecordKey>) -> Option<RecordKey> {
    let direct = SUBJECTS.iter().filter_map(|member| draft.resource.get(member));
    let direct = direct.filter(|value| value.as_object().is_some());
    if let Some(found) = direct.clone().find_map(&record) {
        return Some(found);
    }
    let ty = schema::resource_named(draft.resource_type())?;
    let member = schema::compartment("Patient")?.member(ty)?;
    member.paths.iter().find_map(|path| {
        let members: Vec<&str> = path.split('.').skip(1).collect();
        key::at(&draft.resource, &members).into_iter().find_map(&record)
    })
}

/// A patient's key: the enterprise's identifier (v2 table 0203 `PI`), else the medical record number
/// (`MR`), else the first, else the source's own id.
fn patient_key(feed: &str, draft: &Draft) -> RecordKey {
    if let Some(pseudonym) = pseudonym::of(&draft.resource) {
        return pseudonym::patient(pseudonym);
    }
    let identifiers = key::at(&draft.resource, &["identifier"]);
    let of_type = |code| identifiers.iter().filter(move |id| key::has_type(id, code));
    let ranked = of_type("PI").chain(of_type("MR")).chain(&identifiers);
    let mut best = ranked.copied().filter_map(key::parts);
    if let Some((system, value)) = best.next() {
        return RecordKey::patient(system, value);
    }
    let value = identifiers.iter().find_map(|identifier| identifier.get("value")?.as_str());
    match (&draft.origin, value) {
        (Some(origin), _) => source_key(feed, origin),
        (None, Some(value)) => source_key(feed, value),
        (None, None) => RecordKey::patient(
            content_system(),
            content::content_hash(&draft.resource, &|_| Some(String::new())),
        ),
    }
}

/// A key from an id that means something within its feed only.
fn source_key(feed: &str, id: &str) -> RecordKey {
    RecordKey::patient(format!("{OWN_SYSTEM}feed:{feed}"), id)
}

/// A shared resource's key: the best business identifier, else its content.
///
/// A reference to another draft counts as that one's own key, as far as `depth` goes.
fn shared_key(
    draft: &Draft,
    drafts: &[Draft],
    lookup: &dyn Fn(&str) -> Option<usize>,
    depth: usize,
) -> RecordKey {
    if let Some(pseudonym) = pseudonym::of(&draft.resource) {
        return pseudonym::shared(draft.resource_type(), pseudonym);
    }
    let rank = |system: &str| TABLE.business.iter().position(|business| *business == system);
    let identifiers = key::at(&draft.resource, &["identifier"]);
    let whole = identifiers.into_iter().filter_map(key::parts);
    let best = whole.min_by_key(|(system, _)| rank(system).unwrap_or(usize::MAX));
    if let Some((system, value)) = best {
        return RecordKey::shared(draft.resource_type(), system, value);
    }
    let content = content::content_hash(&draft.resource, &|text| {
        let target = drafts.get(lookup(text)?)?;
        Some(match depth.checked_sub(1) {
            Some(depth) => shared_key(target, drafts, lookup, depth).id(),
            None => target.resource_type().to_owned(),
        })
    });
    RecordKey::shared(draft.resource_type(), content_system(), &content)
}

fn content_system() -> String {
    format!("{OWN_SYSTEM}content")
}
