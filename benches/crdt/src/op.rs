//! Edits of a JSON tree, as a general CRDT library takes them: one operation
//! per changed member or list element.

use serde_json::Value;

/// One step down a tree.
#[derive(Clone, Debug)]
pub enum Step {
    /// A member of an object.
    Key(String),
    /// An element of a list.
    Index(usize),
}

/// One operation.
#[derive(Clone, Debug)]
pub enum Op {
    /// Put a value at a member of an object, or over an element of a list.
    Set(Vec<Step>, Value),
    /// Remove a member or an element.
    Remove(Vec<Step>),
    /// Add an element at the end of a list.
    Append(Vec<Step>, Value),
}

/// Reads `telecom/0/value`.
pub fn path(text: &str) -> Vec<Step> {
    let step = |word: &str| word.parse().map_or_else(|_| Step::Key(word.into()), Step::Index);
    text.split('/').map(step).collect()
}

/// The operations that lead from one tree to another: members by name, list
/// elements by index, what is longer appended, what is missing removed.
pub fn difference(before: &Value, after: &Value) -> Vec<Op> {
    let mut ops = Vec::new();
    walk(before, after, &mut Vec::new(), &mut ops);
    ops
}

fn walk(before: &Value, after: &Value, at: &mut Vec<Step>, ops: &mut Vec<Op>) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(old), Value::Object(new)) => {
            for key in old.keys().filter(|key| !new.contains_key(*key)) {
                ops.push(Op::Remove(below(at, Step::Key(key.clone()))));
            }
            for (key, value) in new {
                at.push(Step::Key(key.clone()));
                match old.get(key) {
                    Some(old) => walk(old, value, at, ops),
                    None => ops.push(Op::Set(at.clone(), value.clone())),
                }
                at.pop();
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                at.push(Step::Index(index));
                walk(old, new, at, ops);
                at.pop();
            }
            for index in (new.len()..old.len()).rev() {
                ops.push(Op::Remove(below(at, Step::Index(index))));
            }
            for value in new.iter().skip(old.len()) {
                ops.push(Op::Append(at.clone(), value.clone()));
            }
        }
        _ => ops.push(Op::Set(at.clone(), after.clone())),
    }
}

fn below(at: &[Step], step: Step) -> Vec<Step> {
    at.iter().cloned().chain([step]).collect()
}
