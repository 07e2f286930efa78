//! Merge patch (RFC 7396).

use super::{PatchError, depth};
use crate::json::{MAX_DEPTH, Object, Value};

/// The resource with the members of `patch` in place of its own; `null` takes a member away.
///
/// # Errors
/// [`PatchError::TooDeep`] if the result would be nested too deeply.
pub fn merge(resource: &Value, patch: &Value) -> Result<Value, PatchError> {
    if depth(patch) > MAX_DEPTH {
        return Err(PatchError::TooDeep);
    }
    Ok(merged(Some(resource), patch))
}

/// RFC 7396, section 2: a patch that is no object replaces what is there.
fn merged(there: Option<&Value>, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut object = there.and_then(Value::as_object).cloned().unwrap_or_else(Object::new);
    for (name, change) in changes {
        if change.is_null() {
            object.remove(name);
        } else {
            let value = merged(object.get(name), change);
            object.insert(name, value);
        }
    }
    Value::Object(object)
}
