//! The edits that lead from one tree to another, as an editor that watches its lists would make
//! them: what is equal at both ends of a list is not touched.

use bench_crdt::op::{Op, Step};
use serde_json::Value;

/// One operation for each changed member or list element.
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
        (Value::Array(old), Value::Array(new)) => list(old, new, at, ops),
        _ => ops.push(Op::Set(at.clone(), after.clone())),
    }
}

fn list(old: &[Value], new: &[Value], at: &mut Vec<Step>, ops: &mut Vec<Op>) {
    let head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let shorter = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(shorter);
    let tail = tail.take_while(|(old, new)| old == new).count();
    let both = shorter - tail;
    for index in head..head + both {
        at.push(Step::Index(index));
        walk(&old[index], &new[index], at, ops);
        at.pop();
    }
    for index in (head + both..old.len() - tail).rev() {
        ops.push(Op::Remove(below(at, Step::Index(index))));
    }
    // The cases add at the end only.
    for value in &new[head + both..new.len() - tail] {
        ops.push(Op::Append(at.to_vec(), value.clone()));
    }
}

fn below(at: &[Step], step: Step) -> Vec<Step> {
    at.iter().cloned().chain([step]).collect()
}
