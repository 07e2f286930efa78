//! `FHIRPath` Patch (FHIR R4 3.1.0.9.1): a `Parameters` resource of operations, each with a path.
//!
//! Where the standard leaves it open: `add` of an element that is there and may be there once is
//! refused, for it would replace what the patch does not speak of; `insert` and `move` take the
//! path of the list's elements, so a list that is empty takes `add`; what is empty after `delete`
//! goes too, for FHIR knows no empty objects.

use super::place::{Paired, Place, Way, append, put_single};
use super::{
    Budget, MAX_PATCH_OPERATIONS, MAX_PATCH_STEPS, MAX_PATCH_VALUES, PatchError, PatchFault,
    check_depth,
};
use crate::fhirpath::{Context, Node, parse};
use crate::json::{Object, Value};
use crate::schema::{ElementId, Kind, Member, Scope};

/// The resource with the operations of a `FHIRPath` Patch.
///
/// # Errors
/// The index of the first operation that cannot be applied.
pub fn fhirpath(mut resource: Value, parameters: &Value) -> Result<Value, PatchError> {
    if parameters.resource_type() != Some("Parameters") {
        return Err(PatchError::Form);
    }
    let operations = parameters.get("parameter").and_then(Value::as_array).unwrap_or_default();
    if operations.len() > MAX_PATCH_OPERATIONS {
        return Err(PatchError::TooManyOperations);
    }
    let steps = MAX_PATCH_STEPS / operations.len().max(1);
    let mut budget = Budget(MAX_PATCH_VALUES);
    for (index, operation) in operations.iter().enumerate() {
        apply(&mut resource, operation, &mut budget, steps)
            .map_err(|fault| PatchError::Operation { index, fault })?;
    }
    Ok(resource)
}

fn apply(
    document: &mut Value,
    operation: &Value,
    budget: &mut Budget,
    steps: usize,
) -> Result<(), PatchFault> {
    if operation.get("name").and_then(Value::as_str) != Some("operation") {
        return Err(PatchFault::Part("operation"));
    }
    let parts = Parts(operation.get("part").and_then(Value::as_array).unwrap_or_default());
    if let Some(value) = parts.named("value") {
        budget.spend(value)?;
    }
    let ty = parts.text("type")?;
    let found = evaluated(document, parts.text("path")?, steps)?;
    match ty {
        "add" => {
            let node = single(&found)?.ok_or(PatchFault::NotFound)?;
            let scope = node.scope().ok_or(PatchFault::Element)?;
            let name = parts.text("name")?;
            let new = parts.named("value").ok_or(PatchFault::Part("value"))?;
            if node.is_primitive() {
                let place = Place::of(document, &node).ok_or(PatchFault::NotElement)?;
                let beside = node.sibling().and_then(Value::as_object);
                let mut sibling = beside.cloned().unwrap_or_default();
                add(&mut sibling, scope, name, new)?;
                let new = Paired { value: node.value().cloned(), sibling: Some(sibling.into()) };
                check(&place, &new)?;
                return place.replace(document, &place.name, new);
            }
            let way = Way::to(document, &node).ok_or(PatchFault::NotElement)?;
            check_depth(way.depth(), new)?;
            add(way.object(document)?, scope, name, new)
        }
        "replace" => {
            let node = single(&found)?.ok_or(PatchFault::NotFound)?;
            let place = Place::of(document, &node).ok_or(PatchFault::NotElement)?;
            let new = Given::of(parts.named("value").ok_or(PatchFault::Part("value"))?)?;
            let name = new.name_at(&node, &place.name);
            let new = new.value_at(&node)?;
            check(&place, &new)?;
            place.replace(document, &name, new)
        }
        "delete" => {
            // Nothing there is nothing to delete.
            let Some(node) = single(&found)? else { return Ok(()) };
            Place::of(document, &node).ok_or(PatchFault::NotElement)?.delete(document)
        }
        "insert" => {
            let (node, place) = list(document, &found)?;
            let new = Given::of(parts.named("value").ok_or(PatchFault::Part("value"))?)?;
            let new = new.value_at(&node)?;
            check(&place, &new)?;
            place.insert(document, parts.index("index")?, new)
        }
        "move" => {
            let (_, place) = list(document, &found)?;
            place.shift(document, parts.index("source")?, parts.index("destination")?)
        }
        _ => Err(PatchFault::Part("type")),
    }
}

/// What the path leads to, as places do not know types and nodes do not outlive changes.
fn evaluated<'v>(
    document: &'v Value,
    path: &str,
    steps: usize,
) -> Result<Vec<Node<'v>>, PatchFault> {
    let context = Context::new(document).with_steps(steps);
    let expression = parse(path).map_err(PatchFault::Path)?;
    let items = expression.evaluate(&context).map_err(PatchFault::Evaluation)?;
    items.iter().map(|item| item.as_node().copied().ok_or(PatchFault::NotElement)).collect()
}

fn single<'v>(found: &[Node<'v>]) -> Result<Option<Node<'v>>, PatchFault> {
    match found {
        [] => Ok(None),
        [node] => Ok(Some(*node)),
        _ => Err(PatchFault::NotSingle),
    }
}

/// The first of the elements, which must be of one list.
fn list<'v>(document: &Value, found: &[Node<'v>]) -> Result<(Node<'v>, Place), PatchFault> {
    let node = *found.first().ok_or(PatchFault::NotFound)?;
    let place = Place::of(document, &node).ok_or(PatchFault::NotElement)?;
    for other in found {
        let other = Place::of(document, other).ok_or(PatchFault::NotElement)?;
        if !place.is_beside(&other) {
            return Err(PatchFault::NotList);
        }
    }
    Ok((node, place))
}

fn check(place: &Place, new: &Paired) -> Result<(), PatchFault> {
    let parts = [&new.value, &new.sibling];
    parts.into_iter().flatten().try_for_each(|value| check_depth(place.depth(), value))
}

/// The parts of an operation.
struct Parts<'a>(&'a [Value]);

impl<'a> Parts<'a> {
    fn named(&self, name: &str) -> Option<&'a Value> {
        self.0.iter().find(|part| part.get("name").and_then(Value::as_str) == Some(name))
    }

    fn value(&self, name: &'static str) -> Result<&'a Value, PatchFault> {
        let part = self.named(name).and_then(Value::as_object);
        let mut members = part.into_iter().flat_map(Object::iter);
        let value = members.find(|(key, _)| key.starts_with("value")).map(|(_, value)| value);
        value.ok_or(PatchFault::Part(name))
    }

    fn text(&self, name: &'static str) -> Result<&'a str, PatchFault> {
        self.value(name)?.as_str().ok_or(PatchFault::Part(name))
    }

    fn index(&self, name: &'static str) -> Result<usize, PatchFault> {
        let number = self.value(name)?.as_number().and_then(crate::json::Number::as_i64);
        let number = number.ok_or(PatchFault::Part(name))?;
        usize::try_from(number).map_err(|_| PatchFault::Index)
    }
}

/// What a part brings: a value of a named type, a resource, or parts that make up an object.
enum Given<'a> {
    Typed { suffix: &'a str, value: Paired },
    Resource(&'a Value),
    Parts(&'a [Value]),
}

impl<'a> Given<'a> {
    fn of(part: &'a Value) -> Result<Self, PatchFault> {
        let object = part.as_object().ok_or(PatchFault::Part("value"))?;
        if let Some(parts) = object.get("part").and_then(Value::as_array) {
            return Ok(Self::Parts(parts));
        }
        if let Some(resource) = object.get("resource") {
            return Ok(Self::Resource(resource));
        }
        let mut given = None;
        for (key, value) in object {
            if let Some(suffix) = key.strip_prefix("value").filter(|suffix| !suffix.is_empty()) {
                let there = given.get_or_insert((suffix, Paired::default()));
                there.1.value = Some(value.clone());
            } else if let Some(suffix) = key.strip_prefix("_value") {
                let there = given.get_or_insert((suffix, Paired::default()));
                there.1.sibling = Some(value.clone());
            }
        }
        let (suffix, value) = given.ok_or(PatchFault::Part("value"))?;
        Ok(Self::Typed { suffix, value })
    }

    /// The JSON name in place of an element: a choice is named after its type.
    fn name_at(&self, node: &Node<'_>, name: &str) -> Box<str> {
        match (self, node.element().map(ElementId::element)) {
            (Self::Typed { suffix, .. }, Some(element)) if element.choice => {
                format!("{}{suffix}", element.name).into()
            }
            _ => name.into(),
        }
    }

    fn value_at(&self, node: &Node<'_>) -> Result<Paired, PatchFault> {
        let is_choice = node.element().is_some_and(|id| id.element().choice);
        let kind = node.ty().map(|ty| ty.definition().kind).filter(|_| !is_choice);
        self.value(kind, node.scope())
    }

    /// The value for an element of that kind, whose own members stand in `scope`.
    fn value(&self, kind: Option<Kind>, scope: Option<Scope>) -> Result<Paired, PatchFault> {
        match self {
            Self::Typed { value, .. } => {
                let is_object =
                    value.value.as_ref().is_some_and(|value| value.as_object().is_some());
                let fits = match kind {
                    Some(Kind::Primitive) => !is_object,
                    Some(Kind::Datatype) => is_object,
                    Some(Kind::Resource) => false,
                    None => true,
                };
                if fits { Ok(value.clone()) } else { Err(PatchFault::Type) }
            }
            Self::Resource(resource) if matches!(kind, Some(Kind::Resource) | None) => {
                Ok(Paired { value: Some((*resource).clone()), sibling: None })
            }
            Self::Parts(parts) if matches!(kind, Some(Kind::Datatype)) => {
                let scope = scope.ok_or(PatchFault::Type)?;
                let mut object = Object::new();
                for part in *parts {
                    let name = part.get("name").and_then(Value::as_str);
                    add(&mut object, scope, name.ok_or(PatchFault::Part("name"))?, part)?;
                }
                if object.is_empty() {
                    return Err(PatchFault::Part("value"));
                }
                Ok(Paired { value: Some(object.into()), sibling: None })
            }
            _ => Err(PatchFault::Type),
        }
    }
}

/// Adds the element `name` to an object whose members stand in `scope`.
fn add(object: &mut Object, scope: Scope, name: &str, part: &Value) -> Result<(), PatchFault> {
    let given = Given::of(part)?;
    let id = scope.elements().iter().find(|id| id.element().name == name);
    let id = *id.ok_or(PatchFault::Element)?;
    let element = id.element();
    let json_name = match &given {
        Given::Typed { suffix, .. } if element.choice => format!("{name}{suffix}"),
        _ => name.to_owned(),
    };
    let member: Member = scope.member(&json_name).ok_or(PatchFault::Type)?;
    let value = given.value(Some(member.ty.definition().kind), member.scope())?;
    if element.is_list() {
        append(object, &json_name, value);
        return Ok(());
    }
    let is_there = |key: &str| {
        let plain = key.strip_prefix('_').unwrap_or(key);
        scope.member(plain).is_some_and(|member| member.element == id)
    };
    if object.keys().any(is_there) {
        return Err(PatchFault::Occupied);
    }
    put_single(object, &json_name, value);
    Ok(())
}
