//! The peers: the record as nested maps and lists, as their own documentation suggests.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use automerge::{AutoCommit, ObjId, ObjType, Prop, ROOT, ReadDoc, ScalarValue};
use bench_crdt::engine::{Engine, automerge::Automerge, loro::Loro, yrs::Yrs};
use clisonix_fhir::json::{self, Value as Tree};
use serde_json::{Map, Number, Value};

use crate::difference::difference;
use crate::suite::{Case, Outcome, Shown};

/// An engine, and what of disagreements it lets a reader see.
pub trait Peer: Engine {
    /// The places that hold more than one value, by entry; none where the engine keeps one only.
    fn shown(_doc: &mut Self::Doc) -> Result<Vec<(String, Vec<Value>)>> {
        Ok(Vec::new())
    }
}

impl Peer for Loro {}
impl Peer for Yrs {}

impl Peer for Automerge {
    fn shown(doc: &mut AutoCommit) -> Result<Vec<(String, Vec<Value>)>> {
        let mut found = Vec::new();
        let entries: Vec<String> = doc.keys(ROOT).collect();
        for entry in entries {
            let mut sides = Vec::new();
            register(doc, &ROOT, Prop::Map(entry.clone()), &mut sides)?;
            found.extend(sides.into_iter().map(|sides| (entry.clone(), sides)));
        }
        Ok(found)
    }
}

/// Plays a case; the branches arrive in either order at two more replicas.
pub fn play<P: Peer>(case: &Case, (name_a, name_b): (u8, u8)) -> Result<Outcome> {
    let [base, to_a, to_b] = [&case.base, &case.a, &case.b].map(|record| record_of(record));
    let stored = P::save(&mut P::create(&base.to_string(), 9)?)?;
    let load = |name: u8| P::load(&stored, u64::from(name));
    let (mut a, mut b) = (load(name_a)?, load(name_b)?);
    let (mark_a, mark_b) = (P::mark(&mut a), P::mark(&mut b));
    P::apply(&mut a, &difference(&base, &to_a))?;
    P::apply(&mut b, &difference(&base, &to_b))?;
    let (from_a, from_b) = (P::batch(&mut a, &mark_a)?, P::batch(&mut b, &mark_b)?);
    let (mut early, mut late) = (load(7)?, load(8)?);
    P::merge(&mut early, &from_a)?;
    P::merge(&mut early, &from_b)?;
    P::merge(&mut late, &from_b)?;
    P::merge(&mut late, &from_a)?;
    P::merge(&mut a, &from_b)?;
    P::merge(&mut b, &from_a)?;
    let read = |doc: &mut P::Doc| -> Result<BTreeMap<String, Tree>> {
        let record: Map<String, Value> = serde_json::from_str(&P::read(doc)?)?;
        record.into_iter().map(|(name, resource)| Ok((name, tree(resource)?))).collect()
    };
    let read = [read(&mut a)?, read(&mut b)?, read(&mut early)?, read(&mut late)?];
    let shown = P::shown(&mut early)?.into_iter().map(|(entry, sides)| {
        let sides = sides.into_iter().map(|side| tree(side).map(Some)).collect::<Result<_>>()?;
        Ok(Shown { entry, sides })
    });
    let shown = shown.collect::<Result<_>>()?;
    let is_same = read.windows(2).all(|pair| pair[0] == pair[1]);
    let [_, _, early, _] = read;
    Ok(Outcome { is_same, resources: early.into_values().collect(), shown })
}

/// The resources by type and id.
fn record_of(resources: &[Tree]) -> Value {
    let entry = |resource: &Tree| {
        let text = |name| resource.get(name).and_then(Tree::as_str).unwrap_or_default();
        let value = serde_json::from_str(&resource.to_text()).unwrap_or_default();
        (format!("{}/{}", text("resourceType"), text("id")), value)
    };
    Value::Object(resources.iter().map(entry).collect())
}

/// A value as read, kindly: whole numbers without a fraction, nothing empty.
fn tree(value: Value) -> Result<Tree> {
    let value = kindly(value).unwrap_or(Value::Null);
    json::parse(value.to_string().as_bytes()).context("JSON")
}

fn kindly(value: Value) -> Option<Value> {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0);
            Some(Value::Number(whole.map_or(number, |whole| Number::from(whole as i64))))
        }
        Value::Array(items) => {
            let items: Vec<Value> = items.into_iter().filter_map(kindly).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(members) => {
            let members = members.into_iter();
            let members: Map<String, Value> =
                members.filter_map(|(name, value)| Some((name, kindly(value)?))).collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
        other => Some(other),
    }
}

/// Collects what registers hold of more than one value, here and below.
fn register(doc: &AutoCommit, at: &ObjId, prop: Prop, found: &mut Vec<Vec<Value>>) -> Result<()> {
    let values = doc.get_all(at, prop.clone())?;
    if values.len() > 1 {
        let side = |(value, id): &(automerge::Value<'_>, ObjId)| {
            let value = value_of(doc, value, id)?;
            Ok(match &prop {
                Prop::Map(name) => Value::Object([(name.clone(), value)].into_iter().collect()),
                Prop::Seq(_) => value,
            })
        };
        let sides = values.iter().map(side).collect::<Result<Vec<_>>>()?;
        // Equal values disagree in nothing.
        if sides.windows(2).any(|pair| pair[0] != pair[1]) {
            found.push(sides);
        }
    }
    for (value, id) in &values {
        if value.is_object() {
            for prop in props(doc, id)? {
                register(doc, id, prop, found)?;
            }
        }
    }
    Ok(())
}

fn props(doc: &AutoCommit, object: &ObjId) -> Result<Vec<Prop>> {
    Ok(match doc.object_type(object)? {
        ObjType::List => (0..doc.length(object)).map(Prop::Seq).collect(),
        _ => doc.keys(object).map(Prop::Map).collect(),
    })
}

fn value_of(doc: &AutoCommit, value: &automerge::Value<'_>, id: &ObjId) -> Result<Value> {
    let inner = |prop: Prop| {
        let (value, id) = doc.get(id, prop)?.context("a member")?;
        value_of(doc, &value, &id)
    };
    match value {
        automerge::Value::Object(ObjType::List) => {
            Ok(Value::Array(props(doc, id)?.into_iter().map(inner).collect::<Result<_>>()?))
        }
        automerge::Value::Object(_) => {
            let members = doc.keys(id).map(|name| Ok((name.clone(), inner(Prop::Map(name))?)));
            Ok(Value::Object(members.collect::<Result<_>>()?))
        }
        automerge::Value::Scalar(scalar) => Ok(match scalar.as_ref() {
            ScalarValue::Str(text) => Value::from(text.to_string()),
            ScalarValue::F64(number) => Value::from(*number),
            ScalarValue::Boolean(value) => Value::from(*value),
            _ => Value::Null,
        }),
    }
}
