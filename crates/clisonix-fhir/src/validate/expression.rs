//! Invariants by the standard's own expressions.
//!
//! The rules of the clinical record are coded by hand beside this module, for they are checked with
//! every merge. Those of all other types are evaluated here, in [`super::validate`] too. And all of
//! them can be evaluated here, which is the second opinion that the ones coded by hand are held to.

#[rustfmt::skip]
mod table;

use std::fmt::Write;
use std::sync::{LazyLock, OnceLock};

use super::walk::Walk;
use crate::fhirpath::{self, Context, EvaluationError, Expression, Node, Resolver, Step};
use crate::issue::IssueCode;
use crate::json::Value;
use crate::schema::{ElementId, Kind, Scope, TypeId, type_named};

/// The most steps that one invariant may take at one place (see [`fhirpath::MAX_STEPS`]).
pub const MAX_RULE_STEPS: usize = 4_000_000;

/// Key, where it holds, expression, meaning.
type Row = (&'static str, &'static str, &'static str, &'static str);

/// An invariant that does not hold, by its own expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The standard's key.
    pub key: &'static str,
    /// Where in the resource.
    pub path: String,
    /// What the expression gives.
    pub outcome: Outcome,
}

/// What an invariant's expression gives where it is not true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `false`
    Broken,
    /// Nothing: a value that the expression asks for is not there.
    Undecided,
    /// The expression cannot be evaluated.
    Failed(EvaluationError),
}

struct Rule {
    key: &'static str,
    at: &'static str,
    text: &'static str,
    message: &'static str,
    /// Whether it is coded by hand too.
    coded: bool,
    parsed: OnceLock<Option<Expression>>,
}

impl Rule {
    fn expression(&self) -> Option<&Expression> {
        self.parsed.get_or_init(|| fhirpath::parse(self.text).ok()).as_ref()
    }

    /// What is wrong with the rule at a node; `None` if it holds.
    fn outcome(&self, context: &Context<'_>) -> Option<Outcome> {
        match self.expression()?.is_true(context) {
            Ok(Some(true)) => None,
            Ok(Some(false)) => Some(Outcome::Broken),
            Ok(None) => Some(Outcome::Undecided),
            Err(error) => Some(Outcome::Failed(error)),
        }
    }
}

struct Placed {
    rules: Vec<Rule>,
    /// By the number of the type, inherited ones too.
    types: Vec<Vec<usize>>,
    elements: Vec<(ElementId, Vec<usize>)>,
    /// By the number of a resource type, whether it has rules that are not coded by hand.
    expressed: Vec<bool>,
}

static PLACED: LazyLock<Placed> = LazyLock::new(|| {
    let coded: Vec<_> = super::coded_invariants().collect();
    let first = |path: &'static str| path.split('.').next().unwrap_or(path);
    let rules: Vec<Rule> = table::ROWS
        .iter()
        .map(|&(key, at, text, message)| {
            let coded =
                coded.iter().any(|&(other, place)| other == key && first(place) == first(at));
            Rule { key, at, text, message, coded, parsed: OnceLock::new() }
        })
        .collect();
    let matching = |fits: &dyn Fn(&Rule) -> bool| -> Vec<usize> {
        rules.iter().enumerate().filter(|(_, rule)| fits(rule)).map(|(index, _)| index).collect()
    };
    let types = TypeId::all()
        .map(|ty| matching(&|rule| type_named(rule.at).is_some_and(|at| ty.is_a(at))))
        .collect();
    let elements = ElementId::all()
        .map(|id| (id, matching(&|rule| rule.at.contains('.') && rule.at == id.element().path)))
        .filter(|(_, rules)| !rules.is_empty())
        .collect();
    let uses_definitions = ["ElementDefinition", "StructureDefinition"];
    let expressed = TypeId::all()
        .map(|ty| {
            let is_of = |rule: &Rule| !rule.coded && first(rule.at) == ty.name();
            uses_definitions.contains(&ty.name()) || rules.iter().any(is_of)
        })
        .collect();
    Placed { rules, types, elements, expressed }
});

/// The keys and places of the rules that are checked by expression alone.
pub(super) fn invariants() -> impl Iterator<Item = (&'static str, &'static str)> {
    PLACED.rules.iter().filter(|rule| !rule.coded).map(|rule| (rule.key, rule.at))
}

/// All invariants of severity error of FHIR R4: key, place and expression.
pub fn expressions() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    table::ROWS.iter().map(|&(key, at, expression, _)| (key, at, expression))
}

/// The invariants that do not hold by their own expressions: a second implementation beside
/// [`super::broken_rules`], slower by far, for all types. `resolver` finds other resources.
pub fn second_opinion<'a>(resource: &'a Value, resolver: Option<Resolver<'a>>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let mut left = vec![(resource, resource)];
    while let Some((value, outer)) = left.pop() {
        let mut nested = Vec::new();
        each_node(value, &mut nested, |node| {
            for rule in rules_of(node) {
                let context = context(value, outer, node, resolver);
                if let Some(outcome) = rule.outcome(&context) {
                    let path = path_of(resource, node);
                    verdicts.push(Verdict { key: rule.key, path, outcome });
                }
            }
        });
        left.extend(nested.into_iter().filter_map(|(node, is_contained)| {
            let value = node.value()?;
            Some((value, if is_contained { outer } else { value }))
        }));
    }
    verdicts
}

/// Checks the rules of one resource, without those nested in it, that are not coded by hand.
/// A rule that gives nothing or fails is not said to be broken.
pub(super) fn check<'a>(walk: &mut Walk<'a>, resource: &'a Value, outer: &'a Value, ty: TypeId) {
    if PLACED.expressed.get(usize::from(ty.0)) != Some(&true) {
        return;
    }
    let mut broken = Vec::new();
    each_node(resource, &mut Vec::new(), |node| {
        for rule in rules_of(node).filter(|rule| !rule.coded) {
            let context = context(resource, outer, node, None);
            if rule.outcome(&context) == Some(Outcome::Broken) {
                broken.push((rule, *node));
            }
        }
    });
    for (rule, node) in broken {
        let way = node.location_in(resource).unwrap_or_default();
        let reads: Vec<&str> = match way.first() {
            Some(Step::Member(name)) => vec![element_named(ty, name)],
            _ => read_by(rule, ty),
        };
        let path = format!("{}{}", walk.path, text_of(&way));
        walk.fault_at(path, (rule.key, IssueCode::Invariant), rule.message, &reads);
    }
}

fn context<'a>(
    resource: &'a Value,
    outer: &'a Value,
    node: &Node<'a>,
    resolver: Option<Resolver<'a>>,
) -> Context<'a> {
    // dom-3 asks for `as` of many.
    let context = Context::new(resource)
        .inside(outer)
        .about(*node)
        .with_lists_in_as()
        .with_steps(MAX_RULE_STEPS);
    match resolver {
        Some(resolver) => context.with_resolver(resolver),
        None => context,
    }
}

/// The elements of a resource and the resource itself, but not what is in nested resources, which
/// are noted with whether they are contained.
fn each_node<'a>(
    resource: &'a Value,
    nested: &mut Vec<(Node<'a>, bool)>,
    mut visit: impl FnMut(&Node<'a>),
) {
    let mut left = vec![Node::resource(resource)];
    while let Some(node) = left.pop() {
        visit(&node);
        for item in node.children() {
            let Some(child) = item.as_node() else { continue };
            match child.ty().map(|ty| ty.definition().kind) {
                Some(Kind::Resource) => {
                    let element = child.element().map(ElementId::element);
                    nested.push((*child, element.is_some_and(|e| e.name == "contained")));
                }
                _ => left.push(*child),
            }
        }
    }
}

/// The rules of the node's type and of its element, also of the one that its content comes from.
fn rules_of(node: &Node<'_>) -> impl Iterator<Item = &'static Rule> + use<> {
    let of_type = node.ty().and_then(|ty| PLACED.types.get(usize::from(ty.0)));
    let of_element = |element: ElementId| {
        let found = PLACED.elements.binary_search_by_key(&element, |(id, _)| *id).ok()?;
        PLACED.elements.get(found).map(|(_, rules)| rules)
    };
    let content = match node.scope() {
        Some(Scope::Element(content)) => Some(content).filter(|id| node.element() != Some(*id)),
        _ => None,
    };
    let lists = [of_type, node.element().and_then(of_element), content.and_then(of_element)];
    lists.into_iter().flatten().flatten().filter_map(|&index| PLACED.rules.get(index))
}

/// The top-level elements that a rule of the whole resource may read.
fn read_by(rule: &Rule, ty: TypeId) -> Vec<&'static str> {
    let elements = Scope::Type(ty).elements().iter().map(|id| id.element().name);
    elements.filter(|name| rule.expression().is_none_or(|e| e.may_read(name))).collect()
}

/// The element's name behind a member's: `value` for `valueString`.
fn element_named(ty: TypeId, member: &str) -> &'static str {
    let plain = member.strip_prefix('_').unwrap_or(member);
    Scope::Type(ty).member(plain).map_or("", |member| member.element.element().name)
}

fn path_of(resource: &Value, node: &Node<'_>) -> String {
    let name = resource.resource_type().unwrap_or_default();
    format!("{name}{}", text_of(&node.location_in(resource).unwrap_or_default()))
}

fn text_of(way: &[Step]) -> String {
    way.iter().fold(String::new(), |mut text, step| {
        // Writing to a String cannot fail.
        let _ = match step {
            Step::Member(name) => write!(text, ".{name}"),
            Step::Index(index) => write!(text, "[{index}]"),
        };
        text
    })
}
