//! The oracle's walk over one entry: the base, both branches and the merge, side by side.

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::{ElementId, Scope};

use super::list;
use super::oracle::{Fault, Problem, Shown};
use super::place::{is_thing, scope_of};
use super::rules::{self, Rule};

/// One object in its four versions; `None` where it is not there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Versions<'v> {
    pub(crate) base: Option<&'v Object>,
    pub(crate) a: Option<&'v Object>,
    pub(crate) b: Option<&'v Object>,
    pub(crate) merged: Option<&'v Object>,
}

/// One element of an object: its JSON members, by name. Empty where it is not there.
pub(crate) type Unit<'v> = Vec<(&'v str, &'v Value)>;

/// The walk and what it found.
pub(crate) struct Judge<'c> {
    shown: Vec<&'c Shown>,
    pub(crate) faults: Vec<Fault>,
}

impl<'c> Judge<'c> {
    pub(crate) fn new(entry: &'c str, shown: &'c [Shown]) -> Self {
        let shown = shown.iter().filter(|shown| shown.entry == entry).collect();
        Self { shown, faults: Vec::new() }
    }

    pub(crate) fn fault(&mut self, problem: Problem, place: &str) {
        self.faults.push(Fault { problem, place: place.to_owned() });
    }

    /// Judges a resource or a part of one.
    pub(crate) fn thing(&mut self, scope: Scope, versions: Versions<'_>, path: &str) {
        let Versions { base, a, b, merged } = versions;
        if merged.is_none() {
            return self.gone(scope, versions, path);
        }
        let is_removed = |branch: Option<&Object>| base.is_some() && branch.is_none();
        match (is_removed(a), is_removed(b)) {
            (true, true) => return self.fault(Problem::Lost, path),
            // The thing stays though only a removal speaks of it.
            (true, false) if b == base && !self.is_any_shown() => {
                return self.fault(Problem::Lost, path);
            }
            (false, true) if a == base && !self.is_any_shown() => {
                return self.fault(Problem::Lost, path);
            }
            _ if base.is_none() && a.is_none() && b.is_none() => {
                return self.fault(Problem::Mixed, path);
            }
            _ => {}
        }
        // Who removed the thing says nothing about its members.
        let versions = Versions { a: a.or(base), b: b.or(base), ..versions };
        for name in names(scope, &[versions.base, versions.a, versions.b, merged]) {
            self.element(scope, &name, versions, path);
        }
        let at = match scope {
            Scope::Type(ty) => ty.name(),
            Scope::Element(element) => element.element().path,
        };
        for rule in rules::rules_at(at).filter(|rule| rule.whole) {
            self.rule(scope, rule, versions, path);
        }
    }

    /// A thing that the merge lacks: whoever did not remove it must have left it as it was, or be
    /// shown.
    fn gone(&mut self, scope: Scope, versions: Versions<'_>, path: &str) {
        let Versions { base, a, b, .. } = versions;
        if a.is_some() && b.is_some() && a == base && b == base {
            return self.fault(Problem::Lost, path);
        }
        for branch in [a, b].into_iter().flatten().filter(|branch| Some(*branch) != base) {
            for name in names(scope, &[Some(branch)]) {
                let unit = unit(scope, Some(branch), &name);
                let is_new = unit != self::unit(scope, base, &name);
                if is_new && name != "id" && !self.is_unit_shown(&unit, &Unit::new()) {
                    self.fault(Problem::Lost, &format!("{path}.{name}"));
                }
            }
        }
    }

    fn element(&mut self, scope: Scope, name: &str, versions: Versions<'_>, path: &str) {
        let path = format!("{path}.{name}");
        let id = scope.elements().iter().copied().find(|id| id.element().name == name);
        let is_list = id.is_some_and(|id| id.element().is_list());
        let inner = id.filter(|id| is_thing(*id)).and_then(scope_of);
        match inner {
            Some(inner) if is_list => list::things(self, inner, name, versions, &path),
            Some(inner) => {
                let Versions { base, a, b, merged } = versions;
                let [base, a, b, merged] = [base, a, b, merged]
                    .map(|object| object.and_then(|it| it.get(name)).and_then(Value::as_object));
                let versions = Versions { base, a, b, merged };
                if [base, a, b, merged].iter().any(Option::is_some) {
                    self.thing(inner, versions, &path);
                }
            }
            None if is_list => list::values(self, name, versions, &path),
            None => self.unit(scope, name, versions, &path),
        }
    }

    /// One statement: it is what one of the three versions says, and a lost one is shown.
    fn unit(&mut self, scope: Scope, name: &str, versions: Versions<'_>, path: &str) {
        let of = |object| unit(scope, object, name);
        let (base, a, b) = (of(versions.base), of(versions.a), of(versions.b));
        let merged = of(versions.merged);
        let is_dropped_narrative = name == "text" && merged.is_empty();
        if is_dropped_narrative {
            return;
        }
        if ![&base, &a, &b].contains(&&merged) {
            return self.fault(Problem::Mixed, path);
        }
        for branch in [&a, &b] {
            let is_lost = *branch != base && *branch != merged;
            if is_lost && !self.is_unit_shown(branch, &merged) {
                self.fault(Problem::Lost, path);
            }
        }
    }

    /// Elements that one rule names come from one author's version.
    fn rule(&mut self, scope: Scope, rule: &Rule, versions: Versions<'_>, path: &str) {
        let takes = |from: Option<&Object>, other: Option<&Object>| {
            rule.elements.iter().any(|name| {
                let base = unit(scope, versions.base, name);
                let merged = unit(scope, versions.merged, name);
                let (from, other) = (unit(scope, from, name), unit(scope, other, name));
                from != base
                    && from != other
                    && list::reflects(&merged, &from, &base)
                    && (other == base || !list::reflects(&merged, &other, &base))
            })
        };
        if takes(versions.a, versions.b) && takes(versions.b, versions.a) {
            self.fault(Problem::Mixed, &format!("{path} ({})", rule.key));
        }
    }

    /// Whether a reader sees any disagreement about the entry.
    pub(crate) fn is_any_shown(&self) -> bool {
        !self.shown.is_empty()
    }

    /// Whether a reader sees that somebody wrote the element so, or took it out.
    pub(crate) fn is_unit_shown(&self, unit: &Unit<'_>, merged: &Unit<'_>) -> bool {
        if unit.is_empty() {
            return self.is_absence_shown(merged);
        }
        unit.iter().all(|(name, value)| {
            let merged = merged.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
            self.is_member_shown(name, value, merged)
        })
    }

    /// Whether a side is shown that took the element out, alone or with what it is told with.
    fn is_absence_shown(&self, merged: &Unit<'_>) -> bool {
        let lacks = |side: &Option<Value>| {
            side.as_ref().is_none_or(|side| {
                !merged.iter().any(|(name, value)| has_member(side, name, value))
            })
        };
        self.shown.iter().any(|shown| {
            shown.sides.iter().any(Option::is_none)
                || (shown.sides.iter().any(lacks) && !shown.sides.iter().all(lacks))
        })
    }

    fn is_member_shown(&self, name: &str, value: &Value, merged: Option<&Value>) -> bool {
        let is_it = |side: &Value| has_member(side, name, value);
        merged == Some(value) || self.sides().any(is_it) || self.is_inside_shown(value, merged)
    }

    /// Whether the value is shown as a whole, or each part of it that differs is.
    pub(crate) fn is_inside_shown(&self, value: &Value, merged: Option<&Value>) -> bool {
        if self.sides().any(|side| has_value(side, value)) && !is_plain(value) {
            return true;
        }
        match (value, merged) {
            (Value::Object(object), Some(merged)) => object
                .iter()
                .all(|(name, value)| self.is_member_shown(name, value, merged.get(name))),
            (Value::Object(object), None) => {
                object.iter().all(|(name, value)| self.is_member_shown(name, value, None))
            }
            (Value::Array(items), _) => items.iter().enumerate().all(|(index, item)| {
                let merged = merged.and_then(|merged| merged.at(index));
                merged == Some(item)
                    || self.sides().any(|side| has_value(side, item))
                    || (!is_plain(item) && self.is_inside_shown(item, merged))
            }),
            _ => false,
        }
    }

    /// Whether one element of a list is shown.
    pub(crate) fn is_item_shown(&self, item: &Value) -> bool {
        self.sides().any(|side| has_value(side, item))
    }

    fn sides(&self) -> impl Iterator<Item = &'c Value> {
        self.shown.iter().copied().flat_map(|shown| shown.sides.iter().flatten())
    }
}

fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

/// Whether the member stands anywhere inside.
fn has_member(inside: &Value, name: &str, value: &Value) -> bool {
    match inside {
        Value::Object(object) => {
            object.get(name) == Some(value)
                || object.values().any(|inner| has_member(inner, name, value))
        }
        Value::Array(items) => items.iter().any(|inner| has_member(inner, name, value)),
        _ => false,
    }
}

/// Whether the value stands anywhere inside, or is it.
fn has_value(inside: &Value, value: &Value) -> bool {
    inside == value
        || match inside {
            Value::Object(object) => object.values().any(|inner| has_value(inner, value)),
            Value::Array(items) => items.iter().any(|inner| has_value(inner, value)),
            _ => false,
        }
}

/// The element's members in all JSON forms, by name.
pub(crate) fn unit<'v>(scope: Scope, object: Option<&'v Object>, name: &str) -> Unit<'v> {
    let is_of = |key: &str| element_name(scope, key) == name;
    let members = object.into_iter().flat_map(Object::iter);
    let mut unit: Unit<'v> = members.filter(|(key, _)| is_of(key)).collect();
    unit.sort_by_key(|(key, _)| *key);
    unit
}

fn element_name(scope: Scope, key: &str) -> &str {
    scope.member(key).map_or(key, |member| {
        let element: ElementId = member.element;
        element.element().name
    })
}

/// The names of all elements that any version has.
fn names(scope: Scope, versions: &[Option<&Object>]) -> Vec<String> {
    let keys = versions.iter().flatten().flat_map(|object| object.keys());
    let mut names: Vec<String> = keys.map(|key| element_name(scope, key).to_owned()).collect();
    names.sort();
    names.dedup();
    names
}
