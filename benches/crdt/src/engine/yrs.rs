//! yrs, the Rust port of Yjs: `Y.Map` for objects, `Y.Array` for arrays, update format v1.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use yrs::types::ToJson;
use yrs::updates::decoder::Decode;
use yrs::{
    Any, Array, ArrayPrelim, Doc, In, Map, MapPrelim, MapRef, Out, ReadTxn, StateVector, Transact,
    TransactionMut, Update,
};

use super::Engine;
use crate::op::{Op, Step};

/// The engine.
pub struct Yrs;

/// A document with its root map at hand.
pub struct Replica {
    doc: Doc,
    root: MapRef,
}

impl Engine for Yrs {
    type Doc = Replica;
    type Mark = StateVector;

    const NAME: &'static str = "yrs";

    fn create(text: &str, site: u64) -> Result<Replica> {
        let replica = empty(site);
        let value: Value = serde_json::from_str(text)?;
        let mut transaction = replica.doc.transact_mut();
        for (key, value) in value.as_object().context("no object")? {
            replica.root.insert(&mut transaction, key.as_str(), prelim(value));
        }
        drop(transaction);
        Ok(replica)
    }

    fn load(bytes: &[u8], site: u64) -> Result<Replica> {
        let mut replica = empty(site);
        Self::merge(&mut replica, bytes)?;
        Ok(replica)
    }

    fn save(replica: &mut Replica) -> Result<Vec<u8>> {
        Ok(replica.doc.transact().encode_state_as_update_v1(&StateVector::default()))
    }

    fn read(replica: &mut Replica) -> Result<String> {
        let mut text = String::new();
        replica.root.to_json(&replica.doc.transact()).to_json(&mut text);
        Ok(text)
    }

    fn apply(replica: &mut Replica, ops: &[Op]) -> Result<Vec<u8>> {
        let mut transaction = replica.doc.transact_mut();
        for op in ops {
            apply(&replica.root, &mut transaction, op)?;
        }
        Ok(transaction.encode_update_v1())
    }

    fn mark(replica: &mut Replica) -> StateVector {
        replica.doc.transact().state_vector()
    }

    fn batch(replica: &mut Replica, since: &StateVector) -> Result<Vec<u8>> {
        Ok(replica.doc.transact().encode_diff_v1(since))
    }

    fn merge(replica: &mut Replica, message: &[u8]) -> Result<()> {
        let update = Update::decode_v1(message)?;
        Ok(replica.doc.transact_mut().apply_update(update)?)
    }

    // Items name each other by client and clock; nothing is hash-linked, so
    // there is no chain to verify.
    fn erases() -> Result<bool> {
        Ok(false)
    }
}

fn empty(site: u64) -> Replica {
    let doc = Doc::with_client_id(site);
    let root = doc.get_or_insert_map("root");
    Replica { doc, root }
}

fn apply(root: &MapRef, transaction: &mut TransactionMut, op: &Op) -> Result<()> {
    match op {
        Op::Set(path, value) => {
            let (last, above) = path.split_last().context("an empty path")?;
            match (place(root, transaction, above)?, last) {
                (Out::YMap(map), Step::Key(key)) => {
                    map.insert(transaction, key.as_str(), prelim(value));
                }
                (Out::YArray(array), Step::Index(index)) => {
                    array.remove(transaction, *index as u32);
                    array.insert(transaction, *index as u32, prelim(value));
                }
                _ => bail!("no such place"),
            }
        }
        Op::Remove(path) => {
            let (last, above) = path.split_last().context("an empty path")?;
            match (place(root, transaction, above)?, last) {
                (Out::YMap(map), Step::Key(key)) => drop(map.remove(transaction, key)),
                (Out::YArray(array), Step::Index(index)) => {
                    array.remove(transaction, *index as u32);
                }
                _ => bail!("no such place"),
            }
        }
        Op::Append(path, value) => match place(root, transaction, path)? {
            Out::YArray(array) => drop(array.push_back(transaction, prelim(value))),
            _ => bail!("no such list"),
        },
    }
    Ok(())
}

fn place(root: &MapRef, transaction: &TransactionMut, path: &[Step]) -> Result<Out> {
    let mut at = Out::YMap(root.clone());
    for step in path {
        at = match (&at, step) {
            (Out::YMap(map), Step::Key(key)) => map.get(transaction, key),
            (Out::YArray(array), Step::Index(index)) => array.get(transaction, *index as u32),
            _ => None,
        }
        .context("no such place")?;
    }
    Ok(at)
}

fn prelim(value: &Value) -> In {
    match value {
        Value::Null => In::Any(Any::Null),
        Value::Bool(value) => In::Any(Any::from(*value)),
        Value::Number(value) => In::Any(Any::from(value.as_f64().unwrap_or_default())),
        Value::String(value) => In::Any(Any::from(value.as_str())),
        Value::Array(values) => In::Array(ArrayPrelim::from_iter(values.iter().map(prelim))),
        Value::Object(members) => In::Map(MapPrelim::from_iter(
            members.iter().map(|(key, value)| (key.as_str(), prelim(value))),
        )),
    }
}
