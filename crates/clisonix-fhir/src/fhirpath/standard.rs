//! Functions of the tree and the clock, and those that FHIR adds (FHIR R4 2.9.1.3).

use super::comparison::equal;
use super::error::EvaluationError;
use super::evaluation::{Evaluated, Evaluator, single};
use super::function::Function as F;
use super::item::{Collection, Item, Node};
use crate::json::Value;
use crate::schema::type_named;
use crate::validate::is_narrative;

/// Where the standard's own types are defined.
const STRUCTURES: &str = "http://hl7.org/fhir/StructureDefinition/";

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn standard(
        &mut self,
        function: F,
        input: &[Item<'a>],
        values: &[Collection<'a>],
    ) -> Evaluated<Collection<'a>> {
        let boolean = |value| vec![Item::Boolean(value)];
        Ok(match function {
            F::Children => self.children(input)?,
            F::Descendants => self.descendants(input)?,
            F::Now => vec![Item::DateTime(self.now()?)],
            F::Today => vec![Item::Date(self.now()?.date)],
            F::TimeOfDay => self.now()?.time.map(Item::Time).into_iter().collect(),
            F::Type => input.iter().map(|item| Item::Type(item.type_info())).collect(),
            F::Extension => self.extensions(input, values)?,
            F::HasValue => match input {
                [Item::Node(node)] => boolean(node.is_primitive() && node.value().is_some()),
                [_] => boolean(true),
                _ => boolean(false),
            },
            F::GetValue => match input {
                [item] if !item.is_valueless() => match item.plain() {
                    Item::Node(_) => Vec::new(),
                    plain => vec![plain],
                },
                _ => Vec::new(),
            },
            F::Resolve => input.iter().filter_map(|item| self.resolved(item)).collect(),
            F::MemberOf => self.member_of(input, values)?,
            F::ConformsTo => conforms_to(input, values)?,
            F::Subsumes | F::SubsumedBy => subsumed(function.name(), input, values)?,
            F::CheckModifiers => check_modifiers(input, values)?,
            F::HtmlChecks => match single("htmlChecks", input)?.map(Item::plain) {
                Some(Item::String(text)) => boolean(is_narrative(&text)),
                Some(_) => return Err(EvaluationError::Operand("htmlChecks")),
                None => Vec::new(),
            },
            // The other functions are told apart before this one is asked.
            _ => return Err(EvaluationError::Operand(function.name())),
        })
    }

    fn children(&mut self, items: &[Item<'a>]) -> Evaluated<Collection<'a>> {
        let mut found = Vec::new();
        for node in items.iter().filter_map(Item::as_node) {
            node.put_children(None, &mut found);
        }
        self.spend(found.len())?;
        Ok(found)
    }

    fn descendants(&mut self, items: &[Item<'a>]) -> Evaluated<Collection<'a>> {
        let mut found = Vec::new();
        let mut level = self.children(items)?;
        while !level.is_empty() {
            let next = self.children(&level)?;
            found.append(&mut level);
            level = next;
        }
        Ok(found)
    }

    fn now(&self) -> Evaluated<super::temporal::DateTime> {
        self.context.now.ok_or(EvaluationError::Now)
    }

    fn extensions(
        &mut self,
        input: &[Item<'a>],
        values: &[Collection<'a>],
    ) -> Evaluated<Collection<'a>> {
        let Some(url) = text("extension", values)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for node in input.iter().filter_map(Item::as_node) {
            node.put_children(Some("extension"), &mut found);
        }
        self.spend(found.len())?;
        found.retain(|item| {
            let value = item.as_node().and_then(Node::value);
            value.and_then(|value| value.get("url")).and_then(Value::as_str) == Some(&url)
        });
        Ok(found)
    }

    fn resolved(&self, item: &Item<'a>) -> Option<Item<'a>> {
        let node = item.as_node();
        let text = match node.and_then(Node::value) {
            Some(Value::Object(object)) => object.get("reference")?.as_str()?.into(),
            _ => item.to_text()?,
        };
        let found = match text.strip_prefix('#') {
            Some("") => self.context.root.value(),
            Some(id) => {
                let root = self.context.root.value();
                let contained = root.and_then(|root| root.get("contained")?.as_array());
                let is_named =
                    |resource: &&Value| resource.get("id").and_then(Value::as_str) == Some(id);
                contained.unwrap_or_default().iter().find(is_named)
            }
            None => self.context.resolver.and_then(|resolver| resolver(&text)),
        };
        found.map(|resource| Item::Node(Node::resource(resource)))
    }

    fn member_of(
        &self,
        input: &[Item<'a>],
        values: &[Collection<'a>],
    ) -> Evaluated<Collection<'a>> {
        let set = text("memberOf", values)?;
        let (Some(set), Some(membership), [item]) = (set, self.context.membership, input) else {
            return Ok(Vec::new());
        };
        let ask = |coding: &Value| {
            let part = |name: &str| coding.get(name).and_then(Value::as_str);
            membership(&set, part("system"), part("code")?)
        };
        let known = match item.as_node().and_then(Node::value) {
            Some(Value::Object(object)) => match object.get("coding").and_then(Value::as_array) {
                Some(codings) => {
                    let answers: Vec<bool> = codings.iter().filter_map(ask).collect();
                    let any = answers.contains(&true);
                    (any || answers.len() == codings.len()).then_some(any)
                }
                None => item.as_node().and_then(Node::value).and_then(ask),
            },
            _ => item.to_text().and_then(|code| membership(&set, None, &code)),
        };
        Ok(known.map(Item::Boolean).into_iter().collect())
    }
}

/// Of profiles only the standard's own types are known.
fn conforms_to<'a>(input: &[Item<'a>], values: &[Collection<'a>]) -> Evaluated<Collection<'a>> {
    let url = text("conformsTo", values)?;
    let (Some(url), Some(item)) = (url, single("conformsTo", input)?) else {
        return Ok(Vec::new());
    };
    let wanted = url.strip_prefix(STRUCTURES).and_then(type_named);
    let wanted = wanted.ok_or(EvaluationError::Profile)?;
    let ty = item.as_node().and_then(Node::ty);
    Ok(vec![Item::Boolean(ty.is_some_and(|ty| ty.is_a(wanted)))])
}

/// A code subsumes itself; of the hierarchies of code systems nothing is known.
fn subsumed<'a>(
    name: &'static str,
    input: &[Item<'a>],
    values: &[Collection<'a>],
) -> Evaluated<Collection<'a>> {
    let other = values.first().map(Vec::as_slice).unwrap_or_default();
    let codes = single(name, input)?.zip(single(name, other)?);
    let is_same = codes.is_some_and(|(a, b)| equal(a, b) == Some(true));
    Ok(is_same.then_some(Item::Boolean(true)).into_iter().collect())
}

/// The input, if its modifier extensions are all among those named.
fn check_modifiers<'a>(input: &[Item<'a>], values: &[Collection<'a>]) -> Evaluated<Collection<'a>> {
    let known: Vec<_> = values.iter().flatten().filter_map(Item::to_text).collect();
    let mut modifiers = Vec::new();
    for node in input.iter().filter_map(Item::as_node) {
        node.put_children(Some("modifierExtension"), &mut modifiers);
    }
    let is_known = |item: &Item<'a>| {
        let value = item.as_node().and_then(Node::value);
        let url = value.and_then(|value| value.get("url")).and_then(Value::as_str);
        url.is_some_and(|url| known.iter().any(|known| known == url))
    };
    if modifiers.iter().all(is_known) { Ok(input.to_vec()) } else { Err(EvaluationError::Modifier) }
}

/// The first argument as a text.
fn text(name: &'static str, values: &[Collection<'_>]) -> Evaluated<Option<String>> {
    let argument = values.first().map(Vec::as_slice).unwrap_or_default();
    match single(name, argument)?.map(Item::plain) {
        None => Ok(None),
        Some(Item::String(text)) => Ok(Some(text.into_owned())),
        Some(_) => Err(EvaluationError::Operand(name)),
    }
}
