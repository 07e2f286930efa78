//! Loro: `LoroMap` for objects, `LoroList` for arrays, snapshots with full history.

use anyhow::{Context, Result, bail};
use loro::VersionVector;
use loro::{Container, ExportMode, LoroDoc, LoroList, LoroMap, LoroValue, ValueOrContainer};
use serde_json::Value;

use super::Engine;
use crate::op::{Op, Step};

/// The engine.
pub struct Loro;

impl Engine for Loro {
    type Doc = LoroDoc;
    type Mark = VersionVector;

    const NAME: &'static str = "loro";

    fn create(text: &str, site: u64) -> Result<LoroDoc> {
        let doc = LoroDoc::new();
        doc.set_peer_id(site)?;
        let value: Value = serde_json::from_str(text)?;
        fill_map(&doc.get_map("root"), &value)?;
        doc.commit();
        Ok(doc)
    }

    fn load(bytes: &[u8], site: u64) -> Result<LoroDoc> {
        let doc = LoroDoc::from_snapshot(bytes)?;
        doc.set_peer_id(site)?;
        Ok(doc)
    }

    fn save(doc: &mut LoroDoc) -> Result<Vec<u8>> {
        Ok(doc.export(ExportMode::Snapshot)?)
    }

    fn read(doc: &mut LoroDoc) -> Result<String> {
        Ok(serde_json::to_string(&doc.get_map("root").get_deep_value())?)
    }

    fn apply(doc: &mut LoroDoc, ops: &[Op]) -> Result<Vec<u8>> {
        let before = doc.oplog_vv();
        for op in ops {
            apply(doc, op)?;
        }
        doc.commit();
        Ok(doc.export(ExportMode::updates(&before))?)
    }

    fn mark(doc: &mut LoroDoc) -> VersionVector {
        doc.oplog_vv()
    }

    fn batch(doc: &mut LoroDoc, since: &VersionVector) -> Result<Vec<u8>> {
        Ok(doc.export(ExportMode::updates(since))?)
    }

    fn merge(doc: &mut LoroDoc, message: &[u8]) -> Result<()> {
        doc.import(message)?;
        Ok(())
    }

    // History can be cut off at a point (a shallow snapshot) but not one value
    // taken out of it, and operations name each other by peer and counter, not
    // by hash: there is no chain to verify.
    fn erases() -> Result<bool> {
        Ok(false)
    }
}

fn apply(doc: &LoroDoc, op: &Op) -> Result<()> {
    match op {
        Op::Set(path, value) => {
            let (last, above) = path.split_last().context("an empty path")?;
            match (place(doc, above)?, last) {
                (Container::Map(map), Step::Key(key)) => put(&map, key, value),
                (Container::List(list), Step::Index(index)) => {
                    list.delete(*index, 1)?;
                    insert(&list, *index, value)
                }
                _ => bail!("no such place"),
            }
        }
        Op::Remove(path) => {
            let (last, above) = path.split_last().context("an empty path")?;
            match (place(doc, above)?, last) {
                (Container::Map(map), Step::Key(key)) => Ok(map.delete(key)?),
                (Container::List(list), Step::Index(index)) => Ok(list.delete(*index, 1)?),
                _ => bail!("no such place"),
            }
        }
        Op::Append(path, value) => match place(doc, path)? {
            Container::List(list) => insert(&list, list.len(), value),
            _ => bail!("no such list"),
        },
    }
}

fn place(doc: &LoroDoc, path: &[Step]) -> Result<Container> {
    let mut at = Container::Map(doc.get_map("root"));
    for step in path {
        let next = match (&at, step) {
            (Container::Map(map), Step::Key(key)) => map.get(key),
            (Container::List(list), Step::Index(index)) => list.get(*index),
            _ => None,
        };
        let Some(ValueOrContainer::Container(next)) = next else { bail!("no such place") };
        at = next;
    }
    Ok(at)
}

fn fill_map(map: &LoroMap, value: &Value) -> Result<()> {
    for (key, value) in value.as_object().context("no object")? {
        put(map, key, value)?;
    }
    Ok(())
}

fn fill_list(list: &LoroList, values: &[Value]) -> Result<()> {
    for (index, value) in values.iter().enumerate() {
        insert(list, index, value)?;
    }
    Ok(())
}

fn put(map: &LoroMap, key: &str, value: &Value) -> Result<()> {
    match value {
        Value::Object(_) => fill_map(&map.insert_container(key, LoroMap::new())?, value),
        Value::Array(values) => fill_list(&map.insert_container(key, LoroList::new())?, values),
        _ => Ok(map.insert(key, scalar(value))?),
    }
}

fn insert(list: &LoroList, index: usize, value: &Value) -> Result<()> {
    match value {
        Value::Object(_) => fill_map(&list.insert_container(index, LoroMap::new())?, value),
        Value::Array(values) => fill_list(&list.insert_container(index, LoroList::new())?, values),
        _ => Ok(list.insert(index, scalar(value))?),
    }
}

fn scalar(value: &Value) -> LoroValue {
    match value {
        Value::Bool(value) => LoroValue::from(*value),
        Value::Number(value) => LoroValue::from(value.as_f64().unwrap_or_default()),
        Value::String(value) => LoroValue::from(value.as_str()),
        _ => LoroValue::Null,
    }
}
