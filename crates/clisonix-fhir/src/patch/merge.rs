//! Merge patch (RFC 7396).

use super::{PatchError, depth};
use crate::json::{MAX_DEPTH, Object, Value};

/// The resource with the members of `patch` in place of its own; `null` takes a member away.
///
/// # Errors
/// [`PatchError::TooDeep`] if the result would be nested too deeply.
pub fn merge(mut resource: Value, patch: &Value) -> Result<Value, PatchError> {
    if depth(patch) > MAX_DEPTH {
        return Err(PatchError::TooDeep);
    }
    merge_into(&mut resource, patch);
    Ok(resource)
}

/// RFC 7396, section 2: a patch that is no object replaces what is there.
fn merge_into(there: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *there = patch.clone();
        return;
    };
    if there.as_object().is_none() {
        *there = Value::Object(Object::new());
    }
    let Some(object) = there.as_object_mut() else { return };
    for (name, change) in changes {
        if change.is_null() {
            object.remove(name);
        } else if let Some(value) = object.get_mut(name) {
            merge_into(value, change);
        } else {
            let mut value = Value::Null;
            merge_into(&mut value, change);
            object.insert(name, value);
        }
    }
}
