//! Automerge: maps for objects, lists for arrays, strings as scalars, one change per edit.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use automerge::transaction::Transactable;
use automerge::{
    ActorId, AutoCommit, AutoSerde, ChangeHash, ObjId, ObjType, Prop, ROOT, ReadDoc, ScalarValue,
    hydrate,
};
use serde_json::Value;

use super::Engine;
use crate::op::{Op, Step};

/// The engine.
pub struct Automerge;

impl Engine for Automerge {
    type Doc = AutoCommit;
    type Mark = Vec<ChangeHash>;

    const NAME: &'static str = "automerge";

    fn create(text: &str, site: u64) -> Result<AutoCommit> {
        let mut doc = AutoCommit::new().with_actor(actor(site));
        let value: Value = serde_json::from_str(text)?;
        let hydrate::Value::Map(root) = hydrated(&value) else { bail!("no object") };
        doc.init_root_from_hydrate(&root)?;
        doc.commit();
        Ok(doc)
    }

    fn load(bytes: &[u8], site: u64) -> Result<AutoCommit> {
        Ok(AutoCommit::load(bytes)?.with_actor(actor(site)))
    }

    fn save(doc: &mut AutoCommit) -> Result<Vec<u8>> {
        Ok(doc.save())
    }

    fn read(doc: &mut AutoCommit) -> Result<String> {
        Ok(serde_json::to_string(&AutoSerde::from(&*doc))?)
    }

    fn apply(doc: &mut AutoCommit, ops: &[Op]) -> Result<Vec<u8>> {
        for op in ops {
            apply(doc, op)?;
        }
        doc.commit();
        let change = doc.get_last_local_change().context("no change was made")?;
        Ok(change.raw_bytes().to_vec())
    }

    fn mark(doc: &mut AutoCommit) -> Vec<ChangeHash> {
        doc.get_heads()
    }

    fn batch(doc: &mut AutoCommit, since: &Vec<ChangeHash>) -> Result<Vec<u8>> {
        Ok(doc.save_after(since))
    }

    fn merge(doc: &mut AutoCommit, message: &[u8]) -> Result<()> {
        doc.load_incremental(message)?;
        Ok(())
    }

    fn shows_conflict(doc: &mut AutoCommit) -> Result<bool> {
        disagrees(doc, &ROOT)
    }

    // Changes are hash-linked, but the hash covers the content: without the
    // content no later change can be checked, and a document with a gap in its
    // history does not load.
    fn erases() -> Result<bool> {
        Ok(false)
    }
}

fn actor(site: u64) -> ActorId {
    let mut bytes = [0_u8; 16];
    bytes[8..].copy_from_slice(&site.to_be_bytes());
    ActorId::from(bytes)
}

/// Whether any register below holds more than one value.
fn disagrees(doc: &AutoCommit, object: &ObjId) -> Result<bool> {
    let is_list = matches!(doc.object_type(object)?, ObjType::List);
    let props: Vec<Prop> = if is_list {
        (0..doc.length(object)).map(Prop::Seq).collect()
    } else {
        doc.keys(object).map(Prop::Map).collect()
    };
    for prop in props {
        let values = doc.get_all(object, prop)?;
        if values.len() > 1 {
            return Ok(true);
        }
        for (value, id) in values {
            if value.is_object() && disagrees(doc, &id)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn apply(doc: &mut AutoCommit, op: &Op) -> Result<()> {
    match op {
        Op::Set(path, value) => {
            let (last, above) = path.split_last().context("an empty path")?;
            let object = place(doc, above)?;
            put(doc, &object, prop(last), value, false)
        }
        Op::Remove(path) => {
            let (last, above) = path.split_last().context("an empty path")?;
            let object = place(doc, above)?;
            Ok(doc.delete(object, prop(last))?)
        }
        Op::Append(path, value) => {
            let object = place(doc, path)?;
            let end = doc.length(&object);
            put(doc, &object, Prop::Seq(end), value, true)
        }
    }
}

fn put(doc: &mut AutoCommit, at: &ObjId, prop: Prop, value: &Value, insert: bool) -> Result<()> {
    match (hydrated(value), prop) {
        (hydrate::Value::Scalar(scalar), Prop::Seq(index)) if insert => {
            doc.insert(at, index, scalar)?;
        }
        (hydrate::Value::Scalar(scalar), prop) => doc.put(at, prop, scalar)?,
        (tree, prop) => drop(doc.batch_create_object(at, prop, &tree, insert)?),
    }
    Ok(())
}

fn place(doc: &AutoCommit, path: &[Step]) -> Result<ObjId> {
    path.iter().try_fold(ROOT, |at, step| {
        let (_, next) = doc.get(&at, prop(step))?.context("no such place")?;
        Ok(next)
    })
}

fn prop(step: &Step) -> Prop {
    match step {
        Step::Key(key) => Prop::Map(key.clone()),
        Step::Index(index) => Prop::Seq(*index),
    }
}

fn hydrated(value: &Value) -> hydrate::Value {
    match value {
        Value::Null => hydrate::Value::Scalar(ScalarValue::Null),
        Value::Bool(value) => hydrate::Value::Scalar(ScalarValue::Boolean(*value)),
        Value::Number(value) => {
            hydrate::Value::Scalar(ScalarValue::F64(value.as_f64().unwrap_or_default()))
        }
        Value::String(value) => hydrate::Value::Scalar(ScalarValue::Str(value.as_str().into())),
        Value::Array(values) => {
            hydrate::Value::from(values.iter().map(hydrated).collect::<Vec<_>>())
        }
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| (key.clone(), hydrated(value)));
            hydrate::Value::Map(members.collect::<HashMap<_, _>>().into())
        }
    }
}
