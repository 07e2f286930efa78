//! A JSON object that keeps the order of its members.

use std::{slice, vec};

use super::Value;

/// The members of a JSON object, in order, each name once.
///
/// A lookup is a walk over the members: FHIR's objects are small (the widest of the official
/// examples has a few dozen members), and a walk is faster than a hash there.
#[derive(Clone, Debug, Default)]
pub struct Object(Vec<(Box<str>, Value)>);

impl Object {
    /// An object without members.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// An object without members and with room for `members` of them.
    pub fn with_capacity(members: usize) -> Self {
        Self(Vec::with_capacity(members))
    }

    /// For the parser, which has checked that each name occurs once.
    pub(super) fn from_unique(members: Vec<(Box<str>, Value)>) -> Self {
        Self(members)
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the member `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| &**key == name).map(|(_, value)| value)
    }

    /// The value of the member `name`, for change.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.0.iter_mut().find(|(key, _)| &**key == name).map(|(_, value)| value)
    }

    /// Whether there is a member `name`.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets a member: in place if the name is there (the earlier value comes back), else at the end.
    pub fn insert(&mut self, name: impl Into<Box<str>>, value: impl Into<Value>) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        if let Some(there) = self.get_mut(&name) {
            return Some(std::mem::replace(there, value));
        }
        self.0.push((name, value));
        None
    }

    /// Takes the member `name` out; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let index = self.0.iter().position(|(key, _)| &**key == name)?;
        Some(self.0.remove(index).1)
    }

    /// Keeps the members that `keep` says yes to, in their order.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &mut Value) -> bool) {
        self.0.retain_mut(|(name, value)| keep(name, value));
    }

    /// The members in order.
    pub fn iter(&self) -> Members<'_> {
        Members(self.0.iter())
    }

    /// The members in order, their values for change.
    pub fn iter_mut(&mut self) -> MembersMut<'_> {
        MembersMut(self.0.iter_mut())
    }

    /// The members' names in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// The members' values in order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.0.iter().map(|(_, value)| value)
    }
}

impl PartialEq for Object {
    /// The same members, in any order (RFC 8259 section 4: an object is unordered).
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
            || (self.len() == other.len()
                && self.iter().all(|(name, value)| other.get(name) == Some(value)))
    }
}

impl Eq for Object {}

impl FromIterator<(Box<str>, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (Box<str>, Value)>>(members: I) -> Self {
        let mut object = Self::new();
        object.extend(members);
        object
    }
}

impl<'a> FromIterator<(&'a str, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (&'a str, Value)>>(members: I) -> Self {
        members.into_iter().map(|(name, value)| (Box::from(name), value)).collect()
    }
}

impl Extend<(Box<str>, Value)> for Object {
    fn extend<I: IntoIterator<Item = (Box<str>, Value)>>(&mut self, members: I) {
        for (name, value) in members {
            self.insert(name, value);
        }
    }
}

impl IntoIterator for Object {
    type Item = (Box<str>, Value);
    type IntoIter = IntoMembers;

    fn into_iter(self) -> IntoMembers {
        IntoMembers(self.0.into_iter())
    }
}

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a str, &'a Value);
    type IntoIter = Members<'a>;

    fn into_iter(self) -> Members<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Object {
    type Item = (&'a str, &'a mut Value);
    type IntoIter = MembersMut<'a>;

    fn into_iter(self) -> MembersMut<'a> {
        self.iter_mut()
    }
}

/// The members of an object, in order.
#[derive(Clone, Debug)]
pub struct Members<'a>(slice::Iter<'a, (Box<str>, Value)>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (&**name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Members<'_> {}

/// The members of an object, in order, their values for change.
#[derive(Debug)]
pub struct MembersMut<'a>(slice::IterMut<'a, (Box<str>, Value)>);

impl<'a> Iterator for MembersMut<'a> {
    type Item = (&'a str, &'a mut Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (&**name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for MembersMut<'_> {}

/// The members of an object, in order, taken out of it.
#[derive(Debug)]
pub struct IntoMembers(vec::IntoIter<(Box<str>, Value)>);

impl Iterator for IntoMembers {
    type Item = (Box<str>, Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for IntoMembers {}
