//! Where an element stands in the JSON of its resource.

use super::item::Node;
use crate::json::Value;

/// A step from a JSON value into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the member of that name.
    Member(Box<str>),
    /// To the element of an array.
    Index(usize),
}

impl Node<'_> {
    /// The way from `document` to the element, or to its `_` sibling if it has no value; `None` if
    /// it is no part of this very document. Equal values elsewhere are other elements.
    pub fn location_in(&self, document: &Value) -> Option<Vec<Step>> {
        let wanted = self.value().or_else(|| self.sibling())?;
        let mut way = Vec::new();
        search(document, wanted, &mut way).then_some(way)
    }
}

/// The depth of a document that was read is limited, and so is this.
fn search(value: &Value, wanted: &Value, way: &mut Vec<Step>) -> bool {
    if std::ptr::eq(value, wanted) {
        return true;
    }
    let mut found = |step: Step, inner: &Value| {
        way.push(step);
        let found = search(inner, wanted, way);
        if !found {
            way.pop();
        }
        found
    };
    match value {
        Value::Object(object) => {
            object.iter().any(|(name, inner)| found(Step::Member(name.into()), inner))
        }
        Value::Array(items) => {
            items.iter().enumerate().any(|(index, inner)| found(Step::Index(index), inner))
        }
        _ => false,
    }
}
