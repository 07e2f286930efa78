//! JSON as FHIR needs it: numbers keep their own text, members keep their order.
//!
//! FHIR R4 2.6.2 ("JSON representation of resources") asks that the precision of a decimal is kept:
//! `1.10` and `1.1` are different statements. A float cannot hold that, so a [`Number`] is its text.
//! The reader is strict RFC 8259; a member name that occurs twice in one object is refused, because
//! two readers could disagree on which one counts.

mod number;
mod object;
mod parser;
mod writer;

#[cfg(test)]
mod tests;

pub use number::Number;
pub use object::{IntoMembers, Members, MembersMut, Object};
pub use parser::{
    MAX_BYTES, MAX_DEPTH, MAX_NUMBER_BYTES, MAX_VALUES, ParseError, ParseErrorKind, parse,
};

/// One JSON value.
///
/// Two objects are equal when they have the same members, in any order; numbers are equal when
/// their texts are (`1.0` is not `1.00`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it was written.
    Number(Number),
    /// A string, unescaped.
    String(Box<str>),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(Object),
}

impl Value {
    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The truth value, if this is a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The number, if this is one.
    pub fn as_number(&self) -> Option<&Number> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }

    /// The elements, if this is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The elements for change, if this is an array.
    pub fn as_array_mut(&mut self) -> Option<&mut Vec<Value>> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The members, if this is an object.
    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The members for change, if this is an object.
    pub fn as_object_mut(&mut self) -> Option<&mut Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The member `name`, if this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_object()?.get(name)
    }

    /// The member `name` for change, if this is an object that has it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.as_object_mut()?.get_mut(name)
    }

    /// The element at `index`, if this is an array that has it.
    pub fn at(&self, index: usize) -> Option<&Value> {
        self.as_array()?.get(index)
    }

    /// The element at `index` for change, if this is an array that has it.
    pub fn at_mut(&mut self, index: usize) -> Option<&mut Value> {
        self.as_array_mut()?.get_mut(index)
    }

    /// Whether this is an array.
    pub fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of `Patient`, `Observation`, ... in the member `resourceType`.
    pub fn resource_type(&self) -> Option<&str> {
        self.get("resourceType")?.as_str()
    }

    /// Appends the value without any white space to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        writer::write_compact(self, out);
    }

    /// The value as text without any white space.
    pub fn to_text(&self) -> String {
        writer::text_of(writer::write_compact, self)
    }

    /// The value as text for people: one member or element on a line, indented by two spaces.
    pub fn to_pretty(&self) -> String {
        writer::text_of(writer::write_pretty, self)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into_boxed_str())
    }
}

impl From<Box<str>> for Value {
    fn from(text: Box<str>) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Number(value.into())
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::Array(items)
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::Array(items.into_iter().collect())
    }
}
