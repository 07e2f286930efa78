//! FHIR's XML form in JSON, by the element table (FHIR R4 2.6.1).

use clisonix_fhir::json::{Number, Object, Value};
use clisonix_fhir::schema::{Kind, Member, Scope, resource_named};
use roxmltree::Node;

/// A resource's JSON form.
pub(crate) fn resource(node: Node<'_, '_>) -> Value {
    let name = node.tag_name().name();
    let ty = resource_named(name).unwrap();
    let mut object = Object::new();
    object.insert("resourceType", name);
    members(node, Scope::Type(ty), &mut object);
    object.into()
}

/// Attributes (`id`, `url`) and children of an element.
fn members(node: Node<'_, '_>, scope: Scope, object: &mut Object) {
    for attribute in node.attributes().filter(|attribute| attribute.name() != "value") {
        object.insert(attribute.name(), attribute.value());
    }
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        let member = scope.member(name).unwrap_or_else(|| panic!("no element {name}"));
        let (value, sibling) = element(child, member);
        if !member.element.element().is_list() {
            value.map(|value| object.insert(name, value));
            sibling.map(|sibling| object.insert(format!("_{name}"), sibling));
            continue;
        }
        let below = format!("_{name}");
        let count = |object: &Object, key: &str| {
            object.get(key).and_then(Value::as_array).map_or(0, <[Value]>::len)
        };
        let len = count(object, name).max(count(object, &below));
        for (key, value) in [(name, value), (below.as_str(), sibling)] {
            let Some(value) = value else { continue };
            let mut items = object.remove(key).unwrap_or_else(|| Value::Array(Vec::new()));
            let list = items.as_array_mut().unwrap();
            list.resize(len, Value::Null);
            list.push(value);
            object.insert(key, items);
        }
    }
}

fn element(node: Node<'_, '_>, member: Member) -> (Option<Value>, Option<Value>) {
    if member.ty.name() == "xhtml" {
        let text = node.document().input_text().get(node.range()).unwrap();
        return (Some(text.into()), None);
    }
    match member.ty.definition().kind {
        Kind::Resource => (node.children().find(Node::is_element).map(resource), None),
        Kind::Datatype => {
            let mut object = Object::new();
            members(node, member.scope().unwrap(), &mut object);
            (Some(object.into()), None)
        }
        Kind::Primitive => {
            let mut object = Object::new();
            let scope = Member { sibling: true, ..member }.scope().unwrap();
            members(node, scope, &mut object);
            let value = node.attribute("value").map(|text| primitive(member.ty.name(), text));
            (value, (!object.is_empty()).then(|| object.into()))
        }
    }
}

fn primitive(ty: &str, text: &str) -> Value {
    match ty {
        "boolean" => (text == "true").into(),
        "integer" | "unsignedInt" | "positiveInt" | "decimal" => {
            Number::from_text(text).unwrap().into()
        }
        _ => text.into(),
    }
}
