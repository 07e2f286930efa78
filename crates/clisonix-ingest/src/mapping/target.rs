//! Writing a value into a resource under construction.

use clisonix_fhir::json::{Object, Value};

use super::MAX_COMPARED;
use super::plan::Place;
use super::syntax::Pick;

/// Puts the value where the places lead, making the objects and lists on the way.
///
/// Nothing is written, and the answer is `false`, when a value stands there already or a list
/// has not as many elements as the place asks for.
pub(super) fn put(object: &mut Object, places: &[Place], value: Value) -> bool {
    let Some((place, rest)) = places.split_first() else { return false };
    if place.rivals.iter().any(|rival| object.contains_key(rival)) {
        return false;
    }
    match place.pick {
        None => put_member(object, &place.name, rest, value),
        Some(pick) => put_element(object, &place.name, pick, rest, value),
    }
}

/// Takes over the members of a value made for the same place, unless one of them stands already;
/// objects on both sides become one, lists are joined.
pub(super) fn merge(object: &mut Object, made: Object) -> bool {
    let fits = is_apart(object, &made);
    if fits {
        unite(object, made);
    }
    fits
}

fn is_apart(object: &Object, made: &Object) -> bool {
    made.iter().all(|(name, value)| match (object.get(name), value) {
        (Some(Value::Object(known)), Value::Object(made)) => is_apart(known, made),
        (None, _) | (Some(Value::Array(_)), Value::Array(_)) => true,
        // The kind of the resource is the same.
        _ => name == "resourceType",
    })
}

fn unite(object: &mut Object, made: Object) {
    for (name, value) in made {
        match (object.get_mut(&name), value) {
            (Some(Value::Object(known)), Value::Object(made)) => unite(known, made),
            (Some(Value::Array(known)), Value::Array(made)) => {
                for element in made {
                    add(known, element);
                }
            }
            (_, value) => drop(object.insert(name, value)),
        }
    }
}

/// Puts `null` at the member, or at the list around it, that the source wants deleted.
pub(super) fn retract(object: &mut Object, places: &[Place]) -> bool {
    let Some((place, rest)) = places.split_first() else { return false };
    if let Some(known) = object.get_mut(&place.name) {
        let inner = known.as_object_mut().filter(|_| !rest.is_empty());
        return inner.is_some_and(|inner| retract(inner, rest));
    }
    if place.pick.is_some() || rest.is_empty() {
        object.insert(place.name.as_str(), Value::Null);
        return true;
    }
    let mut inner = Object::new();
    let done = retract(&mut inner, rest);
    object.insert(place.name.as_str(), inner);
    done
}

fn put_member(object: &mut Object, name: &str, rest: &[Place], value: Value) -> bool {
    match object.get_mut(name) {
        Some(known) => match known.as_object_mut() {
            Some(inner) if !rest.is_empty() => put(inner, rest, value),
            _ => false,
        },
        None => match built(rest, value) {
            Some(built) => {
                object.insert(name, built);
                true
            }
            None => false,
        },
    }
}

fn put_element(object: &mut Object, name: &str, pick: Pick, rest: &[Place], value: Value) -> bool {
    let len = object.get(name).and_then(Value::as_array).map_or(0, <[Value]>::len);
    let index = match pick {
        Pick::New => len,
        Pick::Last => len.saturating_sub(1),
        Pick::Index(index) => index,
    };
    let Some(list) = object.get_mut(name) else {
        let Some(built) = built(rest, value).filter(|_| index == 0) else { return false };
        object.insert(name, vec![built]);
        return true;
    };
    let Some(list) = list.as_array_mut() else { return false };
    match list.get_mut(index) {
        Some(Value::Object(element)) if !rest.is_empty() => put(element, rest, value),
        None if index == len => {
            let Some(built) = built(rest, value) else { return false };
            add(list, built);
            true
        }
        _ => false,
    }
}

/// Adds an element to a list, unless the list says it already; only the last [`MAX_COMPARED`]
/// elements are asked, so that a long list takes no longer for each element.
fn add(list: &mut Vec<Value>, element: Value) {
    let compared = list.iter().rev().take(MAX_COMPARED);
    if element.as_object().is_none() || !compared.into_iter().any(|known| *known == element) {
        list.push(element);
    }
}

/// The value inside the objects and lists that the places ask for.
fn built(places: &[Place], value: Value) -> Option<Value> {
    if places.is_empty() {
        return Some(value);
    }
    let mut object = Object::new();
    put(&mut object, places, value).then_some(Value::Object(object))
}
