//! What an expression is evaluated against.

use std::collections::BTreeMap;
use std::fmt;

use super::MAX_STEPS;
use super::item::{Collection, Item, Node};
use super::temporal::DateTime;
use crate::json::Value;

/// Finds the resource that a reference's text points to.
pub type Resolver<'a> = &'a dyn Fn(&str) -> Option<&'a Value>;

/// Says whether a value set (by canonical address) has a code of a system, where that is known.
pub type Membership<'a> = &'a dyn Fn(&str, Option<&str>, &str) -> Option<bool>;

/// What an expression is about, and what is known around it.
#[derive(Clone)]
pub struct Context<'a> {
    pub(super) focus: Collection<'a>,
    pub(super) resource: Node<'a>,
    pub(super) root: Node<'a>,
    pub(super) variables: BTreeMap<Box<str>, Collection<'a>>,
    pub(super) now: Option<DateTime>,
    pub(super) resolver: Option<Resolver<'a>>,
    pub(super) membership: Option<Membership<'a>>,
    pub(super) strict: bool,
    pub(super) lists_in_as: bool,
    pub(super) steps: usize,
}

impl<'a> Context<'a> {
    /// An expression about a whole resource.
    pub fn new(resource: &'a Value) -> Self {
        let resource = Node::resource(resource);
        Self {
            focus: vec![Item::Node(resource)],
            resource,
            root: resource,
            variables: BTreeMap::new(),
            now: None,
            resolver: None,
            membership: None,
            strict: false,
            lists_in_as: false,
            steps: MAX_STEPS,
        }
    }

    /// About something inside the resource, which stays `%resource`.
    #[must_use]
    pub fn about(mut self, focus: Node<'a>) -> Self {
        self.focus = vec![Item::Node(focus)];
        self
    }

    /// Inside another resource: `%rootResource`.
    #[must_use]
    pub fn inside(mut self, root: &'a Value) -> Self {
        self.root = Node::resource(root);
        self
    }

    /// With the variable `%name`.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: Collection<'a>) -> Self {
        self.variables.insert(name.into(), value);
        self
    }

    /// With the instant that `now()`, `today()` and `timeOfDay()` tell.
    #[must_use]
    pub fn at(mut self, now: DateTime) -> Self {
        self.now = Some(now);
        self
    }

    /// With other resources that `resolve()` finds; contained ones it always finds.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Resolver<'a>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// With value sets for `memberOf()`, which gives nothing without.
    #[must_use]
    pub fn with_membership(mut self, membership: Membership<'a>) -> Self {
        self.membership = Some(membership);
        self
    }

    /// A path that names what its type does not have is an error, and so is what else a check of
    /// the types would find (N1 10, "type safety and strict evaluation"); else it gives nothing.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// `as` takes a collection, of which it keeps what is of the type. N1 6.3.3 allows one item
    /// only, but FHIR R4's own rules (dom-3) and search parameters use it so.
    #[must_use]
    pub fn with_lists_in_as(mut self) -> Self {
        self.lists_in_as = true;
        self
    }

    /// With fewer steps than [`MAX_STEPS`].
    #[must_use]
    pub fn with_steps(mut self, steps: usize) -> Self {
        self.steps = steps.min(MAX_STEPS);
        self
    }
}

impl fmt::Debug for Context<'_> {
    /// Without what it holds, which is clinical.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("strict", &self.strict).finish_non_exhaustive()
    }
}
