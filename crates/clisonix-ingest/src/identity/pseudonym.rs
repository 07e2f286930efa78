//! Pseudonyms: ids of 32 letters from `a` to `p`, which a de-identified release gives its resources.
//!
//! Such an id is all that is left of who or what is meant, so it is the identity: it stays as it is,
//! the same whatever file or feed it comes by. The natural keys of other resources would not do:
//! two results of one year are not one result because their days are gone.

use clisonix_fhir::json::Value;

use super::OWN_SYSTEM;
use crate::intake::{RecordKey, RecordKind};

/// Letters of a pseudonym: half a byte each, 128 bits.
const LETTERS: usize = 32;
/// What stands for a system where a pseudonym names a record.
const SYSTEM: &str = "pseudonym";

/// A resource's id, if it is a pseudonym.
pub(super) fn of(resource: &Value) -> Option<&str> {
    resource.get("id").and_then(Value::as_str).filter(|id| is_pseudonym(id))
}

/// The type and the pseudonym of a reference `Type/id`.
pub(super) fn referred(text: &str) -> Option<(&str, &str)> {
    text.split_once('/').filter(|(_, id)| is_pseudonym(id))
}

/// The record of a patient with a pseudonym.
pub(super) fn patient(pseudonym: &str) -> RecordKey {
    RecordKey::patient(system(), pseudonym)
}

/// The record of a shared resource with a pseudonym.
pub(super) fn shared(resource_type: &str, pseudonym: &str) -> RecordKey {
    RecordKey::shared(resource_type, system(), pseudonym)
}

/// The pseudonym that is a record's business key.
pub(crate) fn held(record: &RecordKey) -> Option<&str> {
    let own = record.system.strip_prefix(OWN_SYSTEM) == Some(SYSTEM);
    let value = match record.kind {
        RecordKind::Patient => Some(&*record.value),
        RecordKind::Shared => record.value.split_once('/').map(|(_, value)| value),
    };
    value.filter(|value| own && is_pseudonym(value))
}

fn system() -> String {
    format!("{OWN_SYSTEM}{SYSTEM}")
}

fn is_pseudonym(id: &str) -> bool {
    id.len() == LETTERS && id.bytes().all(|letter| matches!(letter, b'a'..=b'p'))
}
