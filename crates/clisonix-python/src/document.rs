//! The class `clisonix._native.Document`: one replica, safe to share between threads.

use std::sync::{Mutex, MutexGuard};

use clisonix_crdt::{
    Blame, ChangeId, ChangeInfo, Conflict, ConflictKind, Difference, Erasure, Record,
};
use clisonix_fhir::json::Value;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::changes::{Changes, Given, GivenBase, GivenSource, read_heads};
use crate::edit::{Editor, apply_all, apply_one, check};
use crate::failure::Failure;
use crate::patch;
use crate::replica::{Replica, entry_id};
use crate::text;
use crate::value;

/// One replica of a document. All work is done without the interpreter's lock.
#[pyclass(frozen, module = "clisonix._native")]
pub(crate) struct Document {
    id: String,
    replica: Mutex<Replica>,
}

/// Feed, identity of the message, event time in milliseconds since the Unix epoch.
type SourceArgument = Option<(String, Option<[u8; 16]>, Option<u64>)>;

#[pymethods]
impl Document {
    #[new]
    fn new(document_id: &str) -> Result<Self, Failure> {
        if document_id.is_empty() || document_id.len() > clisonix_crdt::MAX_NAME_BYTES {
            return Err(Failure::Edit("a document needs an id of 1 to 512 bytes".into()));
        }
        Self::of(Record::new(document_id))
    }

    #[staticmethod]
    fn load(py: Python<'_>, bytes: &[u8]) -> Result<Self, Failure> {
        py.detach(|| Self::of(Record::load(bytes)?))
    }

    #[getter]
    fn document_id(&self) -> &str {
        &self.id
    }

    fn apply(
        &self,
        py: Python<'_>,
        changes: &Bound<'_, PyAny>,
        base: Option<&Bound<'_, PyAny>>,
        author: String,
        source: SourceArgument,
    ) -> Result<Vec<String>, Failure> {
        let (given, base) = (Given::read(changes)?, GivenBase::read(base)?);
        let editor = editor(author, source);
        self.locked(py, |replica| Ok(names(&apply_one(replica, given.changes()?, &base, &editor)?)))
    }

    fn apply_all(
        &self,
        py: Python<'_>,
        edits: &Bound<'_, PyList>,
        author: String,
        source: SourceArgument,
    ) -> Result<Vec<Vec<String>>, Failure> {
        let edits = edits.iter().map(|edit| {
            let pair: Result<(Bound<'_, PyAny>, Bound<'_, PyAny>), _> = edit.extract();
            let wrong = |_| Failure::Type("an edit is a pair of changes and base".into());
            let (changes, base) = pair.map_err(wrong)?;
            Ok((Given::read(&changes)?, GivenBase::read(Some(&base))?))
        });
        let edits: Vec<(Given, GivenBase)> = edits.collect::<Result<_, Failure>>()?;
        let editor = editor(author, source);
        self.locked(py, |replica| {
            let edits = edits.into_iter().map(|(given, base)| Ok((given.changes()?, base)));
            let edits: Vec<(Changes, GivenBase)> = edits.collect::<Result<_, Failure>>()?;
            let made = apply_all(replica, edits, &editor)?;
            Ok(made.iter().map(|changes| names(changes)).collect())
        })
    }

    fn patch(
        &self,
        py: Python<'_>,
        entry: &str,
        patch: &Bound<'_, PyAny>,
        base: Option<&Bound<'_, PyAny>>,
        author: String,
    ) -> Result<Vec<String>, Failure> {
        let (given, base) = (Given::read(patch)?, GivenBase::read(base)?);
        let editor = editor(author, None);
        self.locked(py, |replica| {
            replica.settle()?;
            let (id, operations) = (entry_id(entry)?, given.operations()?);
            Ok(names(&patch::apply_to_entry(replica, &operations, &id, &base, &editor)?))
        })
    }

    fn edit_text(
        &self,
        py: Python<'_>,
        entry: &str,
        path: &str,
        edits: Vec<(usize, usize, String)>,
        base: Option<&Bound<'_, PyAny>>,
        author: &str,
    ) -> Result<Vec<String>, Failure> {
        let base = GivenBase::read(base)?;
        self.locked(py, |replica| {
            replica.settle()?;
            let change = text::edit(replica, (&entry_id(entry)?, path), edits, &base, author)?;
            Ok(names(change.as_slice()))
        })
    }

    #[pyo3(signature = (entry, path, at=None))]
    fn text(
        &self,
        py: Python<'_>,
        entry: &str,
        path: &str,
        at: Option<&Bound<'_, PyAny>>,
    ) -> Result<String, Failure> {
        let at = GivenBase::read(at)?;
        self.locked(py, |replica| text::read(replica, &entry_id(entry)?, path, &at))
    }

    fn undo(&self, py: Python<'_>, change: &str, author: &str) -> Result<Vec<String>, Failure> {
        self.locked(py, |replica| {
            replica.settle()?;
            let change = change.parse().map_err(|_| Failure::UnknownVersion)?;
            let made = replica
                .write(author, None, |record, origin, actors| record.undo(&change, origin, actors));
            Ok(names(made?.as_slice()))
        })
    }

    fn erase(
        &self,
        py: Python<'_>,
        entry: Option<&str>,
        pointer: Option<&str>,
        base: Option<&Bound<'_, PyAny>>,
        reason: &str,
        author: &str,
    ) -> Result<Vec<String>, Failure> {
        let base = GivenBase::read(base)?;
        self.locked(py, |replica| {
            replica.settle()?;
            let entry = entry.map(entry_id).transpose()?;
            let what = match (&entry, pointer) {
                (Some(entry), Some(pointer)) => Erasure::Value { entry, pointer },
                (Some(entry), None) => Erasure::Entry(entry),
                (None, None) => Erasure::Record,
                (None, Some(_)) => {
                    return Err(Failure::Type("a pointer needs an entry".into()));
                }
            };
            let base = replica.base_or_now(&base)?;
            let done = replica.write(author, None, |record, origin, actors| {
                record.erase(&what, &base, reason, origin, actors)
            });
            Ok(names(&[done?.change]))
        })
    }

    fn differences(
        &self,
        py: Python<'_>,
        from_heads: &Bound<'_, PyAny>,
        to_heads: Option<&Bound<'_, PyAny>>,
    ) -> Result<String, Failure> {
        let (from, to) = (GivenBase::read(Some(from_heads))?, GivenBase::read(to_heads)?);
        self.locked(py, |replica| {
            let from = replica.heads_of(&from)?.unwrap_or_default();
            let now = || replica.record.view().heads();
            let to = replica.heads_of(&to)?.unwrap_or_else(now);
            let found = replica.record.differences(&from, &to)?;
            Ok(listed(found.iter().map(Difference::to_value)))
        })
    }

    fn remove(
        &self,
        py: Python<'_>,
        entry: &str,
        base: Option<&Bound<'_, PyAny>>,
        author: &str,
    ) -> Result<Vec<String>, Failure> {
        let base = GivenBase::read(base)?;
        self.locked(py, |replica| {
            replica.settle()?;
            let (id, base) = (entry_id(entry)?, replica.base_or_now(&base)?);
            let change = replica.write(author, None, |record, origin, actors| {
                record.remove(&id, &base, origin, actors)
            });
            Ok(names(change?.as_slice()))
        })
    }

    fn resolve(
        &self,
        py: Python<'_>,
        conflict: &str,
        sides: Option<Vec<String>>,
        value: &Bound<'_, PyAny>,
        author: &str,
    ) -> Result<Vec<String>, Failure> {
        let value = value::read(value)?;
        let entry = conflict.rsplit_once('/').map(|(entry, _)| entry).unwrap_or_default();
        let sides = sides.map(sorted);
        let is_seen = |open: &Conflict| {
            let now = || sorted(open.sides.iter().map(|side| side.change.to_string()).collect());
            sides.as_ref().is_none_or(|seen| *seen == now())
        };
        self.locked(py, |replica| {
            replica.settle()?;
            let id = entry_id(entry).map_err(|_| NO_CONFLICT)?;
            let open = replica.record.view().conflicts_of(&id);
            let open = open.into_iter().find(|open| open.id() == conflict && is_seen(open));
            let open = open.ok_or(NO_CONFLICT)?;
            replica.whole(|replica| Ok(names(resolve(replica, &open, &value, author)?.as_slice())))
        })
    }

    fn fork(&self, py: Python<'_>) -> Result<Self, Failure> {
        let replica = self.locked(py, |replica| replica.fork())?;
        Ok(Self { id: self.id.clone(), replica: Mutex::new(replica) })
    }

    #[pyo3(signature = (entry=None, at=None))]
    fn state(
        &self,
        py: Python<'_>,
        entry: Option<&str>,
        at: Option<&Bound<'_, PyAny>>,
    ) -> Result<String, Failure> {
        let at = GivenBase::read(at)?;
        self.locked(py, |replica| replica.text(entry, &at))
    }

    fn heads(&self, py: Python<'_>) -> Result<Vec<String>, Failure> {
        self.locked(py, |replica| Ok(names(&replica.record.view().heads())))
    }

    fn version(&self, py: Python<'_>) -> Result<String, Failure> {
        self.locked(py, |replica| Ok(replica.record.view().version_id()))
    }

    #[pyo3(signature = (heads, whole = false))]
    fn changes_since<'py>(
        &self,
        py: Python<'py>,
        heads: &Bound<'_, PyList>,
        whole: bool,
    ) -> Result<Bound<'py, PyBytes>, Failure> {
        let wrong = |_| Failure::Type("heads are a list of str".into());
        let heads = read_heads(&heads.extract::<Vec<String>>().map_err(wrong)?)?;
        let bytes = self.locked(py, |replica| {
            let record = &replica.record;
            let bytes = if whole {
                record.whole_changes_since(&heads)
            } else {
                record.changes_since(&heads)
            };
            Ok(bytes)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn save<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>, Failure> {
        let bytes = self.locked(py, |replica| Ok(replica.record.save()))?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn conflicts(&self, py: Python<'_>) -> Result<String, Failure> {
        self.locked(py, |replica| {
            Ok(listed(replica.record.view().conflicts().iter().map(Conflict::to_value)))
        })
    }

    #[pyo3(signature = (entry=None))]
    fn history(&self, py: Python<'_>, entry: Option<&str>) -> Result<String, Failure> {
        self.locked(py, |replica| {
            let entry = entry.map(entry_id).transpose()?;
            Ok(listed(replica.record.history(entry.as_ref()).iter().map(ChangeInfo::to_value)))
        })
    }

    fn blame(&self, py: Python<'_>, entry: &str) -> Result<String, Failure> {
        self.locked(py, |replica| {
            let (id, view) = (entry_id(entry)?, replica.record.view());
            if view.resource_text(&id).is_none() {
                return Err(Failure::NotFound("there is no such entry"));
            }
            Ok(listed(view.blame(&id).iter().map(Blame::to_value)))
        })
    }

    /// Numbers of entries, of changes, and of changes that wait for others.
    fn counts(&self, py: Python<'_>) -> Result<(usize, usize, usize), Failure> {
        self.locked(py, |replica| {
            let record = &replica.record;
            Ok((record.view().entries().count(), record.change_count(), record.waiting_count()))
        })
    }
}

const NO_CONFLICT: Failure =
    Failure::NotFound("there is no such open conflict: it is settled, or has further sides");

impl Document {
    fn of(record: Record) -> Result<Self, Failure> {
        Ok(Self { id: record.id().to_owned(), replica: Mutex::new(Replica::new(record)?) })
    }

    /// Runs `work` on the replica without the interpreter's lock: other Python threads go on, and
    /// one that waits for the replica holds nothing that the one at work could need.
    fn locked<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Replica) -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        py.detach(|| {
            let mut guard: MutexGuard<'_, Replica> =
                self.replica.lock().map_err(|_| Failure::Broken)?;
            work(&mut guard)
        })
    }
}

/// Settles a conflict; what is shown afterwards must be valid if it was before.
fn resolve(
    replica: &mut Replica,
    open: &Conflict,
    value: &Value,
    author: &str,
) -> Result<Option<ChangeId>, Failure> {
    let is_presence = matches!(open.kind, ConflictKind::Removal | ConflictKind::Reference);
    let value = match value {
        Value::Bool(keep) if is_presence => keep.then_some(value),
        Value::Null => None,
        Value::Bool(_) | Value::Array(_) => return Err(wrong_value()),
        _ if is_presence => return Err(wrong_value()),
        value => Some(value),
    };
    let shown = |replica: &Replica| replica.record.view().resource(&open.entry);
    let was_valid = shown(replica).is_none_or(|resource| check(&resource, "").is_ok());
    let change = replica.write(author, None, |record, origin, actors| {
        record.resolve(&open.entry, &open.address, value, origin, actors)
    })?;
    match shown(replica) {
        Some(resource) if was_valid => check(&resource, "").map(|()| change),
        _ => Ok(change),
    }
}

fn wrong_value() -> Failure {
    Failure::Type("a removal takes True or False, any other conflict the value to be shown".into())
}

fn editor(author: String, source: SourceArgument) -> Editor {
    let source = source.map(|(feed, message, time_ms)| GivenSource { feed, message, time_ms });
    Editor { author, source }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

/// A JSON array.
fn listed(rows: impl Iterator<Item = Value>) -> String {
    Value::Array(rows.collect()).to_text()
}

fn names(changes: &[ChangeId]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}
