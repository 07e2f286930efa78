//! What an expression works on: elements of a resource, and values of `FHIRPath`'s own types.

use std::borrow::Cow;
use std::fmt;

use super::decimal::Decimal;
use super::quantity::Kind as UnitKind;
use super::quantity::{Quantity, Unit};
use super::temporal::{Date, DateTime, Time};
use crate::json::{Object, Value};
use crate::schema::{ElementId, Kind, Member, Scope, TypeId, resource_named, type_named};

/// What an expression gives: any number of items, in order.
pub type Collection<'a> = Vec<Item<'a>>;

/// One thing in a collection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Item<'a> {
    /// An element of a resource, or a whole resource.
    Node(Node<'a>),
    /// `true` or `false`
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with digits behind the point.
    Decimal(Decimal),
    /// A text.
    String(Cow<'a, str>),
    /// A date.
    Date(Date),
    /// A date with a time.
    DateTime(DateTime),
    /// A time of the day.
    Time(Time),
    /// A number with a unit.
    Quantity(Quantity),
    /// What `type()` tells.
    Type(TypeInfo),
}

/// The name of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeInfo {
    /// `System` or `FHIR`.
    pub namespace: &'static str,
    /// The name within it.
    pub name: &'static str,
}

/// An element of a resource: its JSON value, and for a primitive what stands in the `_` sibling.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    value: Option<&'a Value>,
    sibling: Option<&'a Value>,
    ty: Option<TypeId>,
    element: Option<ElementId>,
}

impl<'a> Node<'a> {
    /// A whole resource, or an object of no known type.
    pub fn resource(value: &'a Value) -> Self {
        let ty = value.resource_type().and_then(resource_named);
        Self { value: Some(value), sibling: None, ty, element: None }
    }

    /// The value of a member, and that of its `_` sibling.
    pub fn of_member(member: Member, value: Option<&'a Value>, sibling: Option<&'a Value>) -> Self {
        let own = value.filter(|_| member.ty.definition().kind == Kind::Resource);
        let ty = own.and_then(Value::resource_type).and_then(resource_named).unwrap_or(member.ty);
        let present = |value: Option<&'a Value>| value.filter(|value| !value.is_null());
        Self {
            value: present(value),
            sibling: present(sibling),
            ty: Some(ty),
            element: Some(member.element),
        }
    }

    /// The JSON value; `None` for a primitive that has only extensions or an id.
    pub fn value(&self) -> Option<&'a Value> {
        self.value
    }

    /// What stands in the `_` sibling of a primitive.
    pub fn sibling(&self) -> Option<&'a Value> {
        self.sibling
    }

    /// The FHIR type, where it is known.
    pub fn ty(&self) -> Option<TypeId> {
        self.ty
    }

    /// The element that it is; `None` for a resource that nothing is around.
    pub fn element(&self) -> Option<ElementId> {
        self.element
    }

    /// Whether it is of a primitive type, or of no known type and no object.
    pub fn is_primitive(&self) -> bool {
        match self.ty {
            Some(ty) => ty.definition().kind == Kind::Primitive,
            None => self.value.is_none_or(|value| value.as_object().is_none()),
        }
    }

    pub(super) fn is_quantity(&self) -> bool {
        self.ty.is_some_and(is_quantity)
    }

    /// Where its members stand.
    pub fn scope(&self) -> Option<Scope> {
        let ty = self.ty?;
        match ty.definition().kind {
            Kind::Resource => Some(Scope::Type(ty)),
            Kind::Primitive => type_named("Element").map(Scope::Type),
            Kind::Datatype => match self.element {
                Some(element) => Member { element, ty, sibling: false }.scope(),
                None => Some(Scope::Type(ty)),
            },
        }
    }

    /// The elements in it.
    pub fn children(&self) -> Vec<Item<'a>> {
        let mut children = Vec::new();
        self.put_children(None, &mut children);
        children
    }

    fn object(&self) -> Option<&'a Object> {
        let holder = if self.is_primitive() { self.sibling } else { self.value };
        holder.and_then(Value::as_object)
    }

    /// Whether an element of that name may stand in it; `None` where its type is not known.
    pub(super) fn allows(&self, name: &str) -> Option<bool> {
        let elements = self.scope()?.elements();
        Some(elements.iter().any(|id| id.element().name == name))
    }

    /// Adds the elements in it: those named `name`, or all.
    pub(super) fn put_children(&self, name: Option<&str>, out: &mut Vec<Item<'a>>) {
        let Some(object) = self.object() else { return };
        let scope = self.scope();
        for (key, value) in object {
            let (plain, is_sibling) = key.strip_prefix('_').map_or((key, false), |key| (key, true));
            if name.is_some_and(|name| !plain.starts_with(name)) {
                continue;
            }
            let Some(scope) = scope else {
                if name.is_none_or(|name| name == key) && key != "resourceType" {
                    untyped(value, out);
                }
                continue;
            };
            let Some(member) = scope.member(plain) else { continue };
            let is_named = name.is_none_or(|name| member.element.element().name == name);
            if !is_named || (is_sibling && object.contains_key(plain)) {
                continue;
            }
            if is_sibling {
                pairs(member, None, Some(value), out);
            } else if member.ty.definition().kind == Kind::Primitive {
                let is_sibling = |(key, _): &(&str, _)| key.strip_prefix('_') == Some(plain);
                let sibling = object.iter().find(is_sibling).map(|(_, value)| value);
                pairs(member, Some(value), sibling, out);
            } else {
                pairs(member, Some(value), None, out);
            }
        }
    }

    /// The value in `FHIRPath`'s own types (FHIR R4 2.9.1.1); `None` for a complex element, and for
    /// a primitive without a value.
    pub(super) fn system(&self) -> Option<Item<'a>> {
        let value = self.value?;
        let typed = self.ty.and_then(|ty| match (ty.name(), value) {
            ("date", Value::String(text)) => Date::parse(text).map(Item::Date),
            ("dateTime" | "instant", Value::String(text)) => {
                DateTime::parse(text).map(Item::DateTime)
            }
            ("time", Value::String(text)) => Time::parse(text).map(Item::Time),
            ("decimal", Value::Number(number)) => {
                Decimal::parse(number.as_str()).map(Item::Decimal)
            }
            (_, Value::Object(object)) => quantity(ty, object).map(Item::Quantity),
            _ => None,
        });
        typed.or_else(|| match value {
            Value::Bool(value) => Some(Item::Boolean(*value)),
            Value::String(text) => Some(Item::String(Cow::Borrowed(text))),
            Value::Number(number) => number
                .as_i64()
                .map(Item::Integer)
                .or_else(|| Decimal::parse(number.as_str()).map(Item::Decimal)),
            _ => None,
        })
    }
}

fn untyped<'a>(value: &'a Value, out: &mut Vec<Item<'a>>) {
    let node =
        |value| Item::Node(Node { value: Some(value), sibling: None, ty: None, element: None });
    match value {
        Value::Array(items) => out.extend(items.iter().map(node)),
        Value::Null => {}
        _ => out.push(node(value)),
    }
}

/// A member's values with their siblings: FHIR R4 2.6.2.3 pairs the arrays by position.
fn pairs<'a>(
    member: Member,
    value: Option<&'a Value>,
    sibling: Option<&'a Value>,
    out: &mut Vec<Item<'a>>,
) {
    let mut push = |value: Option<&'a Value>, sibling: Option<&'a Value>| {
        let node = Node::of_member(member, value, sibling);
        if node.value.is_some() || node.sibling.is_some() {
            out.push(Item::Node(node));
        }
    };
    match (value.and_then(Value::as_array), sibling.and_then(Value::as_array)) {
        (None, None) => push(value, sibling),
        (values, siblings) => {
            let (values, siblings) = (values.unwrap_or_default(), siblings.unwrap_or_default());
            for index in 0..values.len().max(siblings.len()) {
                push(values.get(index), siblings.get(index));
            }
        }
    }
}

fn is_quantity(ty: TypeId) -> bool {
    type_named("Quantity").is_some_and(|quantity| ty.is_a(quantity))
}

/// FHIR R4 2.9.1.1: a Quantity is one of `FHIRPath`, its code being the unit where it is of UCUM.
fn quantity(ty: TypeId, object: &Object) -> Option<Quantity> {
    if !is_quantity(ty) {
        return None;
    }
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let value = Decimal::parse(object.get("value")?.as_number()?.as_str())?;
    let unit = match (text("system"), text("code"), text("unit")) {
        (Some(super::UCUM), Some(code), _) => Unit::code(code),
        (_, None, None) => Unit::code("1"),
        (system, Some(code), _) => {
            let text = format!("{}|{code}", system.unwrap_or_default());
            Unit(UnitKind::Text(text.into()))
        }
        (_, None, Some(unit)) => Unit(UnitKind::Text(unit.into())),
    };
    Some(Quantity { value, unit })
}

impl<'a> Item<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::String(text.into())
    }

    /// The value in `FHIRPath`'s own types; a complex element stays what it is.
    pub(super) fn plain(&self) -> Self {
        match self {
            Self::Node(node) => node.system().unwrap_or_else(|| self.clone()),
            _ => self.clone(),
        }
    }

    /// How many bytes of text the item holds itself.
    pub(super) fn made_bytes(&self) -> usize {
        match self {
            Self::String(Cow::Owned(text)) => text.len(),
            _ => 0,
        }
    }

    /// Whether it is a primitive element without a value, which operators see as nothing.
    pub(super) fn is_valueless(&self) -> bool {
        matches!(self, Self::Node(node) if node.is_primitive() && node.value.is_none())
    }

    /// The truth value, of a FHIR element too.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Node(node) => node.value?.as_bool(),
            _ => None,
        }
    }

    /// The element, if it is one.
    pub fn as_node(&self) -> Option<&Node<'a>> {
        if let Self::Node(node) = self { Some(node) } else { None }
    }

    /// The type: of FHIR for an element, else of `FHIRPath`.
    pub fn type_info(&self) -> TypeInfo {
        let name = match self {
            Self::Node(node) => {
                let name = node.ty.map_or("Element", TypeId::name);
                return TypeInfo { namespace: "FHIR", name };
            }
            Self::Boolean(_) => "Boolean",
            Self::Integer(_) => "Integer",
            Self::Decimal(_) => "Decimal",
            Self::String(_) => "String",
            Self::Date(_) => "Date",
            Self::DateTime(_) => "DateTime",
            Self::Time(_) => "Time",
            Self::Quantity(_) => "Quantity",
            Self::Type(_) => "TypeInfo",
        };
        TypeInfo { namespace: "System", name }
    }

    /// The text that `toString()` gives; `None` for a complex element.
    pub fn to_text(&self) -> Option<Cow<'a, str>> {
        Some(match self {
            Self::Node(node) => match node.value? {
                Value::String(text) => Cow::Borrowed(&**text),
                Value::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
                Value::Number(number) => Cow::Borrowed(number.as_str()),
                _ => match node.system()? {
                    Self::Node(_) => return None,
                    plain => return plain.to_text(),
                },
            },
            Self::String(text) => text.clone(),
            Self::Type(_) => return None,
            _ => Cow::Owned(self.to_string()),
        })
    }
}

/// For `FHIRPath`'s own types, the literal's text without its `@` or quotes.
impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => f.write_str(node.ty.map_or("element", TypeId::name)),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Decimal(value) => write!(f, "{value}"),
            Self::String(text) => f.write_str(text),
            Self::Date(date) => write!(f, "{date}"),
            Self::DateTime(moment) => write!(f, "{moment}"),
            Self::Time(time) => write!(f, "{time}"),
            Self::Quantity(quantity) => write!(f, "{quantity}"),
            Self::Type(info) => write!(f, "{}.{}", info.namespace, info.name),
        }
    }
}
