//! The invariants coded by hand against the standard's own expressions: two implementations must
//! say the same of every official example and of thousands of changes to them.

use std::collections::{BTreeMap, BTreeSet};

use clisonix_fhir::fhirpath::{self, EvaluationError};
use clisonix_fhir::json::{self, Value};
use clisonix_fhir::schema::{Kind, TypeId};
use clisonix_fhir::search;
use clisonix_fhir::validate::{self, Outcome};

use crate::data;

const ARCHIVE: &str = "fhir/r4-examples/r4-examples-instances.tar.xz";

/// Changes of each example; `CLISONIX_MUTATIONS` asks for more.
const CHANGES: usize = 16;
/// Larger examples are looked at unchanged only.
const MAX_CHANGED_BYTES: usize = 40_000;
const SEED: u64 = 0x5eed_0fac;

/// Faults of the structure: what a rule across elements says then is of no use, and the two
/// implementations look at different things (an empty array is there for one and not for the other).
const STRUCTURAL: &[&str] = &["unknown", "kind", "empty", "choice", "form", "sibling", "type"];

/// One expression, `htmlChecks()`, stands for both; by hand they are told apart.
const NARRATIVE: &[&str] = &["txt-1", "txt-2"];

#[test]
fn every_expression_can_be_read() {
    let mut keys = BTreeSet::new();
    for (key, at, text) in validate::expressions() {
        assert!(fhirpath::parse(text).is_ok(), "{key} at {at}: {:?}", fhirpath::parse(text).err());
        keys.insert(key);
    }
    assert!(keys.len() > 190, "{}", keys.len());
    let parameters = search::parameters().iter().map(|parameter| parameter.expression);
    for text in parameters.filter(|text| !text.is_empty()) {
        assert!(fhirpath::parse(text).is_ok(), "{text}: {:?}", fhirpath::parse(text).err());
    }
}

#[test]
fn both_implementations_agree_on_the_examples_and_on_changes_of_them() {
    let Some(archive) = data::path(ARCHIVE) else { return };
    let changes = std::env::var("CLISONIX_MUTATIONS").ok();
    let changes = changes.map_or(CHANGES, |text| text.parse().unwrap());
    let stubs = stubs();
    let (mut compared, mut skipped, mut broken) = (0_usize, 0_usize, BTreeMap::new());
    let mut differences: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let files = data::unpack(&archive);
    let mut examples: Vec<(String, usize, Value)> = files
        .into_iter()
        .map(|(name, bytes)| (name, bytes.len(), json::parse(&bytes).unwrap()))
        .collect();
    examples.sort_by(|a, b| a.0.cmp(&b.0));
    let mut by_type: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (_, _, example) in &examples {
        by_type.entry(example.resource_type().unwrap()).or_default().push(example);
    }
    for (number, (name, size, original)) in examples.iter().enumerate() {
        let rounds = if *size > MAX_CHANGED_BYTES { 0 } else { changes };
        for round in 0..=rounds {
            let mut random = Random(SEED ^ ((number as u64) << 20) ^ round as u64);
            let mut resource = original.clone();
            let siblings = &by_type[original.resource_type().unwrap()];
            let what = match round {
                0 => String::new(),
                _ if round % 3 == 0 => random.borrow(&mut resource, siblings),
                _ => random.change(&mut resource),
            };
            match compare(&resource, &stubs) {
                None => skipped += 1,
                Some((keys, found)) => {
                    compared += 1;
                    for key in keys {
                        *broken.entry(key).or_insert(0) += 1;
                    }
                    for (key, how) in found {
                        let list = differences.entry(key).or_default();
                        list.push(format!("{name} {round} ({what}): {how}"));
                    }
                }
            }
        }
    }
    for (key, list) in &mut differences {
        let count = list.len();
        list.truncate(4);
        list.insert(0, format!("{count} of {key}"));
    }
    eprintln!("{compared} resources compared, {skipped} of broken structure; broken: {broken:?}");
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(compared > 724 * changes / 3, "{compared}");
}

type Differences = Vec<(String, String)>;

/// The keys that both call broken, and where they differ; `None` for a broken structure.
fn compare(
    resource: &Value,
    stubs: &BTreeMap<&'static str, Value>,
) -> Option<(BTreeSet<&'static str>, Differences)> {
    let coded: BTreeSet<_> = validate::coded_invariants().map(|(key, _)| key).collect();
    let by_hand = validate::broken_rules(resource);
    if by_hand.iter().any(|rule| STRUCTURAL.contains(&rule.key)) {
        return None;
    }
    let one_name = |key: &'static str| if NARRATIVE.contains(&key) { "txt-1" } else { key };
    let by_hand: BTreeSet<_> =
        by_hand.iter().map(|rule| one_name(rule.key)).filter(|key| coded.contains(key)).collect();
    let resolver = |text: &str| {
        let ty = text.split_once('/').map_or("", |(ty, _)| ty);
        stubs.get(ty)
    };
    let mut by_expression = BTreeSet::new();
    // Where the expression gives nothing, either verdict of the other implementation will do: the
    // standard does not say whether a rule is kept that cannot be decided.
    let mut undecided = BTreeSet::new();
    let mut differences = Vec::new();
    for verdict in validate::second_opinion(resource, Some(&resolver)) {
        match verdict.outcome {
            Outcome::Broken => drop(by_expression.insert(one_name(verdict.key))),
            Outcome::Undecided => drop(undecided.insert(one_name(verdict.key))),
            Outcome::Failed(error) => {
                let allowed = matches!(error, EvaluationError::TooCostly);
                if !allowed {
                    let how = format!("fails at {}: {error}", verdict.path);
                    differences.push((verdict.key.to_owned(), how));
                }
            }
        }
    }
    by_expression.retain(|key| coded.contains(key));
    for key in by_hand.difference(&by_expression).filter(|key| !undecided.contains(*key)) {
        differences.push(((*key).to_owned(), "broken by hand only".to_owned()));
    }
    for key in by_expression.difference(&by_hand) {
        differences.push(((*key).to_owned(), "broken by expression only".to_owned()));
    }
    Some((by_hand.intersection(&by_expression).copied().collect(), differences))
}

/// A resource of each type, for references to resolve to: ctm-1 resolves a reference to ask for the
/// type of its target, which the rule coded by hand takes from the reference's text.
fn stubs() -> BTreeMap<&'static str, Value> {
    let types = TypeId::all().map(TypeId::definition);
    let resources = types.filter(|ty| ty.kind == Kind::Resource && !ty.is_abstract);
    resources
        .map(|ty| {
            let text = format!(r#"{{"resourceType":"{}"}}"#, ty.name);
            (ty.name, json::parse(text.as_bytes()).unwrap())
        })
        .collect()
}

/// xorshift64*: the same seed gives the same changes everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.max(1);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit.max(1)
    }

    /// Takes a few members over from other examples of the type.
    fn borrow(&mut self, resource: &mut Value, siblings: &[&Value]) -> String {
        let mut taken = Vec::new();
        for _ in 0..=self.below(3) {
            let other = siblings[self.below(siblings.len())].as_object().unwrap();
            let (name, value) = other.iter().nth(self.below(other.len())).unwrap();
            resource.as_object_mut().unwrap().insert(name, value.clone());
            taken.push(name.to_owned());
        }
        format!("borrowed {taken:?}")
    }

    /// Changes something somewhere, and says what.
    fn change(&mut self, resource: &mut Value) -> String {
        let paths = paths_of(resource);
        let path = paths[self.below(paths.len())].clone();
        let (last, above) = path.split_last().unwrap();
        let other = paths[self.below(paths.len())].clone();
        let text = texts(resource);
        let text = text[self.below(text.len())].clone();
        let kind = self.below(7);
        let taken = follow(resource, &other).clone();
        let holder = follow(resource, above);
        match (holder, last) {
            (Value::Object(object), Key::Name(name)) => match kind {
                0 | 1 => drop(object.remove(name)),
                2 => drop(object.insert(&**name, text)),
                3 => {
                    let old = object.get_mut(name).unwrap();
                    match old {
                        Value::Array(items) => items.clear(),
                        Value::Number(number) => {
                            *number = json::Number::from_text(&negated(number.as_str())).unwrap();
                        }
                        Value::Bool(value) => *value = !*value,
                        _ => drop(object.remove(name)),
                    }
                }
                4 => {
                    // A primitive without its value: only an extension.
                    let is_plain = matches!(
                        object.get(name),
                        Some(Value::String(_) | Value::Number(_) | Value::Bool(_))
                    );
                    if is_plain && !name.starts_with('_') && name != "resourceType" && name != "id"
                    {
                        let extension =
                            r#"{"extension":[{"url":"http://example.org/x","valueCode":"x"}]}"#;
                        object.remove(name);
                        object
                            .insert(format!("_{name}"), json::parse(extension.as_bytes()).unwrap());
                    } else {
                        object.remove(name);
                    }
                }
                5 => {
                    let name = match &other[other.len() - 1] {
                        Key::Name(name) => name.clone(),
                        Key::Index(_) => name.clone(),
                    };
                    object.insert(&*name, taken);
                }
                _ => {
                    // The value of another member of the same object.
                    let names: Vec<String> = object.keys().map(str::to_owned).collect();
                    let from = &names[self.below(names.len())];
                    let value = object.get(from).unwrap().clone();
                    object.insert(&**name, value);
                }
            },
            (Value::Array(items), Key::Index(index)) => match kind {
                0 | 1 => drop(items.remove(*index)),
                2 | 3 => items.push(items[*index].clone()),
                4 => items.truncate(1),
                _ => items.reverse(),
            },
            _ => {}
        }
        format!("{kind} at {path:?}")
    }
}

fn negated(number: &str) -> String {
    number.strip_prefix('-').map_or_else(|| format!("-{number}"), str::to_owned)
}

#[derive(Clone, Debug)]
enum Key {
    Name(String),
    Index(usize),
}

/// The ways to all values below the outermost one; fewer from narratives and deep down.
fn paths_of(value: &Value) -> Vec<Vec<Key>> {
    let mut found = Vec::new();
    let mut left = vec![(Vec::new(), value)];
    while let Some((path, value)) = left.pop() {
        let inner: Vec<(Key, &Value)> = match value {
            Value::Object(object) => {
                object.iter().map(|(name, value)| (Key::Name(name.to_owned()), value)).collect()
            }
            Value::Array(items) => {
                items.iter().enumerate().map(|(index, value)| (Key::Index(index), value)).collect()
            }
            _ => Vec::new(),
        };
        for (key, value) in inner {
            let mut path = path.clone();
            path.push(key);
            found.push(path.clone());
            left.push((path, value));
        }
    }
    found
}

fn follow<'v>(value: &'v mut Value, path: &[Key]) -> &'v mut Value {
    path.iter().fold(value, |value, key| match key {
        Key::Name(name) => value.get_mut(name).unwrap(),
        Key::Index(index) => value.at_mut(*index).unwrap(),
    })
}

/// All texts of a resource.
fn texts(value: &Value) -> Vec<Value> {
    match value {
        Value::String(_) => vec![value.clone()],
        Value::Object(object) => object.values().flat_map(texts).collect(),
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
