//! Conflicts, history and blame as JSON: one form for the command line, Python and HTTP.

use clisonix_fhir::json::{Number, Object, Value};

use crate::canonical;
use crate::change::Source;
use crate::conflict::{Conflict, Side};
use crate::erasure::ErasureInfo;
use crate::record::ChangeInfo;
use crate::version::Blame;

impl Conflict {
    /// The conflict's name within its record: entry and address; stays while it is open.
    pub fn id(&self) -> String {
        let address = canonical::hex(self.address.as_bytes());
        format!("{}/{address}", self.entry)
    }

    /// `{id, entry, path, kind, severity, shown, why, values: [{value, author, time, change,
    /// source, removed}]}`; times are FHIR instants.
    pub fn to_value(&self) -> Value {
        let mut object = Object::with_capacity(8);
        object.insert("id", self.id());
        object.insert("entry", self.entry.to_string());
        object.insert("path", self.path.as_str());
        object.insert("kind", self.kind.as_str());
        object.insert("severity", self.severity.as_str());
        object.insert("shown", self.shown.clone().unwrap_or_default());
        object.insert("why", self.why.as_str());
        object.insert("values", self.sides.iter().map(Side::to_value).collect::<Value>());
        Value::Object(object)
    }
}

impl Side {
    fn to_value(&self) -> Value {
        let mut object = Object::with_capacity(6);
        object.insert("value", self.value.clone().unwrap_or_default());
        object.insert("author", &*self.author);
        object.insert("time", self.time.to_string());
        object.insert("change", self.change.to_string());
        object.insert("source", source_value(self.source.as_ref()));
        object.insert("removed", self.removed);
        Value::Object(object)
    }
}

impl ChangeInfo {
    /// `{change, author, time, source, entries, dependencies}`; with `erases: {place, reason,
    /// operations}` if it ordered an erasure, and with `erased`, the number of its own operations
    /// whose content is gone, if there are such.
    pub fn to_value(&self) -> Value {
        let mut object = Object::with_capacity(6);
        object.insert("change", self.id.to_string());
        object.insert("author", &*self.author);
        object.insert("time", self.time.to_string());
        object.insert("source", source_value(self.source.as_ref()));
        let entries = self.entries.iter().map(|entry| Value::from(entry.to_string()));
        object.insert("entries", entries.collect::<Value>());
        let dependencies = self.dependencies.iter().map(|id| Value::from(id.to_string()));
        object.insert("dependencies", dependencies.collect::<Value>());
        if let Some(erases) = &self.erases {
            object.insert("erases", erases.to_value());
        }
        if self.erased > 0 {
            object.insert("erased", Value::from(self.erased as u64));
        }
        Value::Object(object)
    }
}

impl ErasureInfo {
    /// `{place, reason, operations}`; `operations` is null for all before it.
    fn to_value(&self) -> Value {
        let mut object = Object::with_capacity(3);
        object.insert("place", &*self.place);
        object.insert("reason", &*self.reason);
        let operations = self.operations.map(Value::from);
        object.insert("operations", operations.unwrap_or_default());
        Value::Object(object)
    }
}

impl Blame {
    /// `{path, author, time, change, source}`; part of a text has `characters: [start, end]` too.
    pub fn to_value(&self) -> Value {
        let mut object = Object::with_capacity(6);
        object.insert("path", self.path.as_str());
        if let Some(range) = &self.characters {
            let ends =
                [range.start as u64, range.end as u64].map(|at| Value::from(Number::from(at)));
            object.insert("characters", ends.into_iter().collect::<Value>());
        }
        object.insert("author", &*self.author);
        object.insert("time", self.time.to_string());
        object.insert("change", self.change.to_string());
        object.insert("source", source_value(self.source.as_ref()));
        Value::Object(object)
    }
}

fn source_value(source: Option<&Source>) -> Value {
    let Some(source) = source else { return Value::Null };
    let mut object = Object::with_capacity(3);
    object.insert("feed", &*source.feed);
    object.insert("message", canonical::hex(&source.message));
    object.insert("time", crate::time::HybridTime::from_millis(source.event_time_ms).to_string());
    Value::Object(object)
}
