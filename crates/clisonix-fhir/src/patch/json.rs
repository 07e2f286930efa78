//! JSON Patch (RFC 6902) with JSON Pointer (RFC 6901).

use std::borrow::Cow;

use super::{
    Budget, MAX_PATCH_OPERATIONS, MAX_PATCH_VALUES, MAX_POINTER_BYTES, PatchError, PatchFault,
    check_depth,
};
use crate::fhirpath::Decimal;
use crate::json::{Number, Object, Value};

/// The document with the operations of a JSON Patch: the array of RFC 6902, section 3. Unknown
/// members of an operation are ignored, as the RFC asks.
///
/// # Errors
/// The index of the first operation that cannot be applied, or whose `test` is false.
pub fn json(document: Value, operations: &Value) -> Result<Value, PatchError> {
    let list = operations.as_array().ok_or(PatchError::Form)?;
    if list.len() > MAX_PATCH_OPERATIONS {
        return Err(PatchError::TooManyOperations);
    }
    let mut patched = Patched { document, budget: Budget(MAX_PATCH_VALUES) };
    for (index, operation) in list.iter().enumerate() {
        patched.step(operation).map_err(|fault| PatchError::Operation { index, fault })?;
    }
    Ok(patched.document)
}

/// The operations of a JSON Patch that can be applied to `document`, as values put at JSON Pointers in
/// order, where it only replaces values, adds members to objects and tests; `None` for any other.
pub fn assignments<'o>(
    document: &Value,
    operations: &'o Value,
) -> Option<Vec<(&'o str, &'o Value)>> {
    let list = operations.as_array()?;
    let mut all: Vec<(&str, &Value)> = Vec::with_capacity(list.len());
    for operation in list {
        let (name, path) = (operation.get("op")?.as_str()?, operation.get("path")?.as_str()?);
        match name {
            "test" => continue,
            "replace" => {}
            "add" => {
                let tokens = tokens(path)?;
                let (_, parents) = tokens.split_last()?;
                let is_member = matches!(target(document, parents)?, Value::Object(_));
                // What an operation before has put there need not be an object.
                if !is_member || all.iter().any(|(before, _)| path.starts_with(before)) {
                    return None;
                }
            }
            _ => return None,
        }
        if path.is_empty() {
            return None;
        }
        all.push((path, operation.get("value")?));
    }
    Some(all)
}

/// The document on its way.
struct Patched {
    document: Value,
    budget: Budget,
}

impl Patched {
    fn step(&mut self, operation: &Value) -> Result<(), PatchFault> {
        let operation = operation.as_object().ok_or(PatchFault::Part("op"))?;
        let name = operation.get("op").and_then(Value::as_str).ok_or(PatchFault::Part("op"))?;
        let path = pointer(operation, "path")?;
        match name {
            "add" => {
                let value = self.given(operation)?;
                self.add(&path, value)
            }
            "remove" => self.take(&path).map(drop),
            "replace" => {
                let value = self.given(operation)?;
                check_depth(path.len(), &value)?;
                *target_mut(&mut self.document, &path).ok_or(PatchFault::NotFound)? = value;
                Ok(())
            }
            "move" => {
                let from = pointer(operation, "from")?;
                self.relocate(&from, &path)
            }
            "copy" => {
                let from = pointer(operation, "from")?;
                let value = target(&self.document, &from).ok_or(PatchFault::NotFound)?;
                self.budget.spend(value)?;
                let value = value.clone();
                self.add(&path, value)
            }
            "test" => {
                let wanted = self.given(operation)?;
                let there = target(&self.document, &path).ok_or(PatchFault::NotFound)?;
                if equal(there, &wanted) { Ok(()) } else { Err(PatchFault::Test) }
            }
            _ => Err(PatchFault::Part("op")),
        }
    }

    /// The operation's `value`; `null` is a value.
    fn given(&mut self, operation: &Object) -> Result<Value, PatchFault> {
        let value = operation.get("value").ok_or(PatchFault::Part("value"))?;
        self.budget.spend(value)?;
        Ok(value.clone())
    }

    /// RFC 6902, 4.1: into an array before the index, into an object in place of what is there.
    fn add(&mut self, path: &[Cow<'_, str>], value: Value) -> Result<(), PatchFault> {
        check_depth(path.len(), &value)?;
        let Some((last, parents)) = path.split_last() else {
            self.document = value;
            return Ok(());
        };
        match target_mut(&mut self.document, parents).ok_or(PatchFault::NotFound)? {
            Value::Object(object) => {
                object.insert(last.as_ref(), value);
                Ok(())
            }
            Value::Array(items) => {
                let at = if last == "-" { Some(items.len()) } else { index(last) };
                let at = at.filter(|&at| at <= items.len()).ok_or(PatchFault::Index)?;
                items.insert(at, value);
                Ok(())
            }
            _ => Err(PatchFault::NoPlace),
        }
    }

    fn take(&mut self, path: &[Cow<'_, str>]) -> Result<Value, PatchFault> {
        let (last, parents) = path.split_last().ok_or(PatchFault::Whole)?;
        match target_mut(&mut self.document, parents).ok_or(PatchFault::NotFound)? {
            Value::Object(object) => object.remove(last).ok_or(PatchFault::NotFound),
            Value::Array(items) => {
                let at = index(last).filter(|&at| at < items.len());
                Ok(items.remove(at.ok_or(PatchFault::NotFound)?))
            }
            _ => Err(PatchFault::NoPlace),
        }
    }

    fn relocate(&mut self, from: &[Cow<'_, str>], path: &[Cow<'_, str>]) -> Result<(), PatchFault> {
        let there = target(&self.document, from).ok_or(PatchFault::NotFound)?;
        self.budget.spend(there)?;
        if from == path {
            return Ok(());
        }
        // RFC 6902, 4.4: a location cannot be moved into one of its children.
        if path.starts_with(from) {
            return Err(PatchFault::Whole);
        }
        let value = self.take(from)?;
        self.add(path, value)
    }
}

/// The reference tokens of the pointer in a member (RFC 6901, sections 3 and 4).
fn pointer<'a>(
    operation: &'a Object,
    member: &'static str,
) -> Result<Vec<Cow<'a, str>>, PatchFault> {
    let text = operation.get(member).and_then(Value::as_str).ok_or(PatchFault::Part(member))?;
    tokens(text).ok_or(PatchFault::Pointer)
}

/// The reference tokens of a JSON Pointer (RFC 6901), unescaped; `None` if it is none.
pub fn tokens(pointer: &str) -> Option<Vec<Cow<'_, str>>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    if pointer.len() > MAX_POINTER_BYTES {
        return None;
    }
    let rest = pointer.strip_prefix('/')?;
    let is_plain = !rest.as_bytes().contains(&b'~');
    let slashes = rest.bytes().filter(|&byte| byte == b'/').count();
    let mut tokens = Vec::with_capacity(slashes + 1);
    for token in rest.split('/') {
        tokens.push(if is_plain { Cow::Borrowed(token) } else { unescape(token)? });
    }
    Some(tokens)
}

fn unescape(token: &str) -> Option<Cow<'_, str>> {
    if !token.contains('~') {
        return Some(Cow::Borrowed(token));
    }
    let mut out = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(char) = chars.next() {
        match char {
            '~' => match chars.next()? {
                '0' => out.push('~'),
                '1' => out.push('/'),
                _ => return None,
            },
            char => out.push(char),
        }
    }
    Some(Cow::Owned(out))
}

/// An array index: digits without leading zeros (RFC 6901, section 4).
pub fn index(token: &str) -> Option<usize> {
    let plain = token.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (token.len() > 1 && token.starts_with('0')) {
        return None;
    }
    token.parse().ok()
}

/// The value at the end of a JSON Pointer's tokens.
pub fn target<'a>(document: &'a Value, path: &[Cow<'_, str>]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, token| match value {
        Value::Object(object) => object.get(token),
        Value::Array(items) => items.get(index(token)?),
        _ => None,
    })
}

/// The value at the end of a JSON Pointer's tokens, for writing.
pub fn target_mut<'a>(document: &'a mut Value, path: &[Cow<'_, str>]) -> Option<&'a mut Value> {
    path.iter().try_fold(document, |value, token| match value {
        Value::Object(object) => object.get_mut(token),
        Value::Array(items) => items.get_mut(index(token)?),
        _ => None,
    })
}

/// RFC 6902, 4.6: numbers by value, objects in any order of members.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || is_same_number(a, b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(name, a): (&str, &Value)| b.get(name).is_some_and(|b| equal(a, b));
            a.len() == b.len() && a.iter().all(same)
        }
        (a, b) => a == b,
    }
}

/// Numbers that are too long for a decimal are the same only where their texts are.
fn is_same_number(a: &Number, b: &Number) -> bool {
    let decimals = Decimal::parse(a.as_str()).zip(Decimal::parse(b.as_str()));
    decimals.is_some_and(|(a, b)| a == b)
}
