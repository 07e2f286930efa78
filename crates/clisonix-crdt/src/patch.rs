//! JSON Patch (RFC 6902) with JSON Pointer (RFC 6901), applied to a JSON document whole or not at all.

use clisonix_fhir::json::{self, Number, Object, Value};

use crate::edit::EditError;

/// Most operations in one patch.
pub const MAX_PATCH_OPERATIONS: usize = 10_000;
/// Longest JSON Pointer, in bytes.
pub const MAX_POINTER_BYTES: usize = 4096;
/// Most JSON values that all operations of one patch put in, compare or move; `copy` could double a
/// document with every operation.
pub const MAX_PATCH_VALUES: usize = 1_000_000;

/// What is wrong with one operation.
type Reason = &'static str;

const NO_TARGET: Reason = "the target of the path does not exist";
const NO_SOURCE: Reason = "the target of `from` does not exist";
const NO_PLACE: Reason = "the path leads through something that is no object or array";
const BAD_POINTER: Reason = "not a JSON Pointer";
const BAD_INDEX: Reason = "an array index that is no number or beyond the end";
const TOO_MANY_VALUES: Reason = "the patch handles more values than the limit";

/// Applies a JSON Patch: `operations` is the array of RFC 6902, section 3. Unknown members of an
/// operation are ignored, as the RFC asks.
///
/// # Errors
/// [`EditError::Patch`] with the index of the first operation that cannot be applied, or whose
/// `test` is false; `document` is unchanged.
pub fn apply(document: &mut Value, operations: &Value) -> Result<(), EditError> {
    let wrong = |index, reason| EditError::Patch { index, reason };
    let list = operations.as_array().ok_or(wrong(0, "a patch is an array of operations"))?;
    if list.len() > MAX_PATCH_OPERATIONS {
        return Err(wrong(MAX_PATCH_OPERATIONS, "the patch has more operations than the limit"));
    }
    let mut patched = Patched { document: document.clone(), values_left: MAX_PATCH_VALUES };
    for (index, operation) in list.iter().enumerate() {
        patched.step(operation).map_err(|reason| wrong(index, reason))?;
    }
    *document = patched.document;
    Ok(())
}

/// The document on its way.
struct Patched {
    document: Value,
    values_left: usize,
}

impl Patched {
    fn step(&mut self, operation: &Value) -> Result<(), Reason> {
        let operation = operation.as_object().ok_or("an operation is an object")?;
        let name = operation.get("op").and_then(Value::as_str).ok_or("`op` is missing")?;
        let path = pointer(operation, "path")?;
        match name {
            "add" => {
                let value = self.given(operation)?;
                self.add(&path, value)
            }
            "remove" => self.take(&path, NO_TARGET).map(drop),
            "replace" => {
                let value = self.given(operation)?;
                check_depth(&path, &value)?;
                *find_mut(&mut self.document, &path).ok_or(NO_TARGET)? = value;
                Ok(())
            }
            "move" => {
                let from = pointer(operation, "from")?;
                self.relocate(&from, &path)
            }
            "copy" => {
                let from = pointer(operation, "from")?;
                let value = find(&self.document, &from).ok_or(NO_SOURCE)?;
                let count = size(value);
                let value = value.clone();
                self.spend(count)?;
                self.add(&path, value)
            }
            "test" => {
                let wanted = self.given(operation)?;
                let there = find(&self.document, &path).ok_or(NO_TARGET)?;
                if equal(there, &wanted) { Ok(()) } else { Err("the test is false") }
            }
            _ => Err("`op` is none of add, remove, replace, move, copy, test"),
        }
    }

    /// The operation's `value`; `null` is a value.
    fn given(&mut self, operation: &Object) -> Result<Value, Reason> {
        let value = operation.get("value").ok_or("`value` is missing")?;
        self.spend(size(value))?;
        Ok(value.clone())
    }

    fn spend(&mut self, values: usize) -> Result<(), Reason> {
        self.values_left = self.values_left.checked_sub(values).ok_or(TOO_MANY_VALUES)?;
        Ok(())
    }

    /// RFC 6902, 4.1: into an array before the index, into an object in place of what is there.
    fn add(&mut self, path: &[String], value: Value) -> Result<(), Reason> {
        check_depth(path, &value)?;
        let Some((last, parents)) = path.split_last() else {
            self.document = value;
            return Ok(());
        };
        match find_mut(&mut self.document, parents).ok_or(NO_TARGET)? {
            Value::Object(object) => {
                object.insert(last.as_str(), value);
                Ok(())
            }
            Value::Array(items) => {
                let at = if last == "-" { Some(items.len()) } else { index(last) };
                let at = at.filter(|&at| at <= items.len()).ok_or(BAD_INDEX)?;
                items.insert(at, value);
                Ok(())
            }
            _ => Err(NO_PLACE),
        }
    }

    fn take(&mut self, path: &[String], missing: Reason) -> Result<Value, Reason> {
        let Some((last, parents)) = path.split_last() else {
            return Err("the whole document cannot be taken away");
        };
        match find_mut(&mut self.document, parents).ok_or(missing)? {
            Value::Object(object) => object.remove(last).ok_or(missing),
            Value::Array(items) => {
                let at = index(last).filter(|&at| at < items.len()).ok_or(missing)?;
                Ok(items.remove(at))
            }
            _ => Err(NO_PLACE),
        }
    }

    fn relocate(&mut self, from: &[String], path: &[String]) -> Result<(), Reason> {
        let there = find(&self.document, from).ok_or(NO_SOURCE)?;
        let count = size(there);
        self.spend(count)?;
        if from == path {
            return Ok(());
        }
        // RFC 6902, 4.4: a location cannot be moved into one of its children.
        if path.starts_with(from) {
            return Err("a value cannot be moved into itself");
        }
        let value = self.take(from, NO_SOURCE)?;
        self.add(path, value)
    }
}

/// The patched document must stay readable for whoever reads what is written from it.
fn check_depth(path: &[String], value: &Value) -> Result<(), Reason> {
    if path.len() + depth(value) > json::MAX_DEPTH {
        return Err("the document would be nested more deeply than the limit");
    }
    Ok(())
}

/// The reference tokens of the pointer in a member (RFC 6901, sections 3 and 4).
fn pointer(operation: &Object, member: &str) -> Result<Vec<String>, Reason> {
    let missing = if member == "from" { "`from` is missing" } else { "`path` is missing" };
    let text = operation.get(member).and_then(Value::as_str).ok_or(missing)?;
    tokens(text).ok_or(BAD_POINTER)
}

/// The reference tokens of a JSON Pointer (RFC 6901), unescaped; `None` if it is none.
pub fn tokens(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    if pointer.len() > MAX_POINTER_BYTES {
        return None;
    }
    pointer.strip_prefix('/')?.split('/').map(unescape).collect()
}

fn unescape(token: &str) -> Option<String> {
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
    Some(out)
}

/// An array index: digits without leading zeros (RFC 6901, section 4).
fn index(token: &str) -> Option<usize> {
    let plain = token.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (token.len() > 1 && token.starts_with('0')) {
        return None;
    }
    token.parse().ok()
}

fn find<'a>(document: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, token| match value {
        Value::Object(object) => object.get(token),
        Value::Array(items) => items.get(index(token)?),
        _ => None,
    })
}

fn find_mut<'a>(document: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(document, |value, token| match value {
        Value::Object(object) => object.get_mut(token),
        Value::Array(items) => items.get_mut(index(token)?),
        _ => None,
    })
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(object) => 1 + object.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// RFC 6902, 4.6: numbers by value, objects in any order of members.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || decimal(a).is_some_and(|a| decimal(b) == Some(a))
        }
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

/// A number's sign, digits without zeros at either end, and the power of ten of the last digit.
/// `1.10`, `11e-1` and `1.1` are one; zero has no sign. `None` if the exponent is beyond reason.
fn decimal(number: &Number) -> Option<(bool, String, i64)> {
    let text = number.as_str();
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_end_matches('0');
    let power = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let power = power.checked_add(i64::try_from(digits.len() - kept.len()).ok()?)?;
    let kept = kept.trim_start_matches('0');
    Some(if kept.is_empty() { (false, String::new(), 0) } else { (negative, kept.into(), power) })
}

#[cfg(test)]
mod tests;
